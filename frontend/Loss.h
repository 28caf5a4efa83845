#pragma once

#include "sinter/frontend/Ops.h"

#include <functional>
#include <string>
#include <type_traits>

namespace sinter {

/// What training minimises, made of a function of Ops.h (with or without options) or of any function
/// (output, target) -> scalar.
class Loss {
public:
  using Function = std::function<Tensor(const Tensor &output, const Tensor &target)>;

  /// `cross_entropy`, `mse_loss`, ...: a function with options.
  template <class Options>
  Loss(Tensor (*function)(const Tensor &, const Tensor &, Options, Where),
       std::type_identity_t<Options> options = {}, Where where = Where::current())
      : value([=](const Tensor &output, const Tensor &target) {
          return function(output, target, options, where);
        }) {
    if constexpr (requires { options.reduction; }) {
      Options each = options;
      each.reduction = Reduction::none;
      elements = [=](const Tensor &output, const Tensor &target) {
        return function(output, target, each, where);
      };
      isMean = options.reduction == Reduction::mean;
      if constexpr (requires { options.ignore_index; })
        counts = [=](const Tensor &target) {
          // Probabilities of classes: one target at each place.
          if (runtime::isFloat(target.dtype(where)))
            return isfinite(select(target, 1, 0, where), where);
          return ne(Arg(target, where), Arg(options.ignore_index, where));
        };
      if constexpr (requires { options.weight; }) {
        if (!options.weight.empty())
          weights = [=](const Tensor &target) { return class_weights(target, options, where); };
      }
    }
  }
  Loss(Tensor (*function)(const Tensor &, const Tensor &, Where), Where where = Where::current())
      : value([=](const Tensor &output, const Tensor &target) {
          return function(output, target, where);
        }) {}
  Loss(Tensor (*function)(const Tensor &, const Tensor &)) : value(function) {}
  /// A lambda. Its value is taken as a mean over the batch.
  template <class F>
  requires std::is_invocable_r_v<Tensor, F &, const Tensor &, const Tensor &> Loss(F function)
      : value(std::move(function)) {}

  Function value;
  /// The unreduced loss, where it is known: evaluation can then mask what pads the last batch.
  Function elements;
  /// Which elements count in the mean; all without it.
  std::function<Tensor(const Tensor &target)> counts;
  /// What an element adds to the divisor of the mean, f32; 1 without it.
  std::function<Tensor(const Tensor &target)> weights;
  bool isMean = true; // `value` is the mean of `elements`, not their sum
};

/// A number that evaluation reports beside the loss: the mean over samples of `value`, which is
/// [N] or [N, ...].
struct Metric {
  std::string name;
  std::function<Tensor(const Tensor &output, const Tensor &target)> value;
  /// Which of the values count, booleans; all without it.
  std::function<Tensor(const Tensor &target)> counts = {};
  /// Of the mean: what is reported.
  std::function<double(double mean)> finish = {};
};

namespace metrics {
namespace detail {
Tensor isCorrect(const Tensor &output, const Tensor &target);
Tensor absoluteError(const Tensor &output, const Tensor &target);
} // namespace detail
/// The share of samples whose largest output (along dimension 1) is the target's class.
inline const Metric accuracy{"accuracy", detail::isCorrect};
inline const Metric mean_absolute_error{"mean_absolute_error", detail::absoluteError};
/// The share of samples whose class is among the k largest outputs (along dimension 1): "top_5_accuracy".
/// Classes with an output equal to the target's count as smaller.
Metric top_k_accuracy(int64_t k, Where where = Where::current());
/// exp of the mean cross entropy of logits [N, classes, ...]; targets that are `ignore_index` do not count.
Metric perplexity(int64_t ignore_index = -100);
/// The same under another name, for several of them.
Metric perplexity_of(std::string name, int64_t ignore_index);
} // namespace metrics

} // namespace sinter
