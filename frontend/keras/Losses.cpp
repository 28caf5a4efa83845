#include "sinter/frontend/keras/Losses.h"

#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::keras::losses {

using detail::Emitter;

static constexpr double epsilon = 1e-7;

static Tensor reduced(const Tensor &each, const LossOptions &options) {
  if (options.reduction == Reduction::none) return each;
  return options.reduction == Reduction::mean ? mean(each) : sum(each);
}

/// What a softmax along the last dimension is of; without value for what is none.
static Tensor logitsOf(Emitter &e, const Tensor &output) {
  auto softmax = e[output].getDefiningOp<ir::SoftmaxOp>();
  if (!softmax || static_cast<int64_t>(softmax.getDim()) != output.rank() - 1) return {};
  return e.tensor(softmax.getX());
}

static void checkOutput(Emitter &e, const Tensor &output) {
  if (output.rank() != 2 || !runtime::isFloat(output.dtype()))
    e.fail(
        fmt::format("the output is {}, expected probabilities [N, classes]", output.spec().text()));
}

Tensor sparse_categorical_crossentropy(const Tensor &output, const Tensor &target,
                                       LossOptions options, Where where) {
  Emitter e("sparse_categorical_crossentropy", where, {&output, &target});
  checkOutput(e, output);
  if (runtime::isFloat(target.dtype()))
    e.fail(fmt::format("target is {}, expected class indices (integers)", target.spec().text()));
  detail::PinnedPlace pinned(where);
  Tensor classes = target.rank() == 2 && target.shape()[1] == 1 ? squeeze(target, 1) : target;
  if (Tensor logits = logitsOf(e, output))
    return cross_entropy(logits, classes, {.reduction = options.reduction}, where);
  // As Keras: probabilities that sum up to one, then clipped.
  Tensor scaled = clamp(output / sum(output, -1, true), epsilon, 1 - epsilon);
  Tensor own = gather(scaled, 1, unsqueeze(to(classes, i64), 1));
  return reduced(-log(squeeze(own, 1)), options);
}

Tensor categorical_crossentropy(const Tensor &output, const Tensor &target, LossOptions options,
                                Where where) {
  Emitter e("categorical_crossentropy", where, {&output, &target});
  checkOutput(e, output);
  if (target.shape() != output.shape())
    e.fail(fmt::format("target is {}, the output {}: expected one number per class "
                       "(sparse_categorical_crossentropy takes class indices)",
                       target.spec().text(), output.spec().text()));
  detail::PinnedPlace pinned(where);
  Tensor logits = logitsOf(e, output);
  Tensor logs = logits ? log_softmax(logits, -1)
                       : log(clamp(output / sum(output, -1, true), epsilon, 1 - epsilon));
  return reduced(-sum(logs * target, -1), options);
}

Tensor binary_crossentropy(const Tensor &output, const Tensor &target, LossOptions options,
                           Where where) {
  Emitter e("binary_crossentropy", where, {&output, &target});
  if (target.shape() != output.shape())
    e.fail(fmt::format("target is {}, the output {}", target.spec().text(), output.spec().text()));
  detail::PinnedPlace pinned(where);
  Tensor wanted = to(target, output.dtype());
  if (auto sigmoid = e[output].getDefiningOp<ir::SigmoidOp>())
    return bce_with_logits(e.tensor(sigmoid->getOperand(0)), wanted,
                           {.reduction = options.reduction}, where);
  Tensor p = clamp(output, epsilon, 1 - epsilon);
  return reduced(-(wanted * log(p) + (1.0 - wanted) * log(1.0 - p)), options);
}

} // namespace sinter::keras::losses
