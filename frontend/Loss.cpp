#include "sinter/frontend/Loss.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::metrics::detail {

Tensor isCorrect(const Tensor &output, const Tensor &target) {
  if (output.rank() < 2 || runtime::isFloat(target.dtype()))
    throw UserError("metrics::accuracy: needs outputs [N, classes, ...] and class indices, got " +
                        output.spec().text() + " and " + target.spec().text(),
                    Where::current());
  return argmax(output, 1) == target;
}

Tensor absoluteError(const Tensor &output, const Tensor &target) { return abs(output - target); }

} // namespace sinter::metrics::detail

namespace sinter::metrics {

Metric top_k_accuracy(int64_t k, Where where) {
  if (k < 1) throw UserError(fmt::format("metrics::top_k_accuracy: k is {}", k), where);
  return {fmt::format("top_{}_accuracy", k), [=](const Tensor &output, const Tensor &target) {
            if (output.rank() != 2 || target.rank() != 1 || runtime::isFloat(target.dtype()))
              throw UserError(
                  "metrics::top_k_accuracy: needs outputs [N, classes] and class indices, got " +
                      output.spec().text() + " and " + target.spec().text(),
                  where);
            Tensor own = gather(output, 1, to(unsqueeze(target, 1), i64));
            Tensor above = sum(to(gt(output, own), i32), 1);
            return logical_and(lt(above, k), isfinite(squeeze(own, 1)));
          }};
}

Metric perplexity(int64_t ignore_index) { return perplexity_of("perplexity", ignore_index); }

Metric perplexity_of(std::string name, int64_t ignore_index) {
  return {std::move(name),
          [=](const Tensor &output, const Tensor &target) {
            return cross_entropy(output, target,
                                 {.reduction = Reduction::none, .ignore_index = ignore_index});
          },
          [=](const Tensor &target) { return ne(target, ignore_index); },
          [](double mean) { return std::exp(mean); }};
}

} // namespace sinter::metrics
