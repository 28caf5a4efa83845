#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// One row of a softmax, step by step as devices take it: maximum, exponentials, their sum.
class SoftmaxRow {
public:
  SoftmaxRow(const Arithmetic &m, const Reader &x, int64_t start,
             const std::vector<int64_t> &offsets)
      : m(m), x(x), start(start), offsets(offsets) {
    largest = x[start + offsets[0]];
    for (int64_t offset : offsets) largest = m.maximum(largest, x[start + offset]);
    Sum sum;
    for (int64_t offset : offsets) {
      exponentials.push_back(m.exp(m.sub(x[start + offset], largest)));
      sum.add(exponentials.back());
    }
    total = sum.finish(m);
    logTotal = m.log(total);
  }

  Ball probability(int64_t i) const { return m.div(exponentials[i], total); }
  /// x - max - log(sum), in whichever order it is added up.
  Ball logProbability(int64_t i) const {
    Ball number = x[start + offsets[i]];
    Ball y = m.sub(m.sub(number, largest), logTotal);
    return m.loosened(
        y, 2, std::fabs(number.value) + std::fabs(largest.value) + std::fabs(logTotal.value));
  }

private:
  const Arithmetic &m;
  const Reader &x;
  int64_t start;
  const std::vector<int64_t> &offsets;
  std::vector<Ball> exponentials;
  Ball largest, total, logTotal;
};

template <class Op, Ball (SoftmaxRow::*element)(int64_t) const>
LogicalResult softmaxLike(OpEvaluation &e) {
  const HostTensor &tensor = e.operand(0);
  FoldedShape rows(tensor.type.getShape(), {int64_t(cast<Op>(e.op).getDim())});
  if (rows.folded.empty()) return success();
  Writer out(e.result(), e.options.trackErrors);
  Reader x(tensor);
  for (int64_t start : rows.kept) {
    SoftmaxRow row(out.arithmetic, x, start, rows.folded);
    for (auto [i, offset] : llvm::enumerate(rows.folded))
      out.set(start + offset, (row.*element)(i));
  }
  return success();
}

/// What cross_entropy and its gradient share: logits [N, C, d...] as rows of classes, one per target.
struct Targets {
  FoldedShape rows;
  const std::vector<int64_t> &target;
  int64_t ignored, counted = 0;

  template <class Op> Targets(Op op, const HostTensor &logits, const HostTensor &targets)
      : rows(logits.type.getShape(), {1}), target(targets.integers), ignored(op.getIgnoreIndex()) {
    for (int64_t label : target) counted += label != ignored;
  }
  LogicalResult check(OpEvaluation &e) const {
    int64_t classes = rows.folded.size();
    for (auto [i, label] : llvm::enumerate(target))
      if (label != ignored && (label < 0 || label >= classes))
        return e.emitError() << "target " << label << " at element " << i << " is outside [0, "
                             << classes << ")";
    return success();
  }
};

/// Writes a loss per element, their sum or their mean over `count`.
void reduceLosses(OpEvaluation &e, ArrayRef<Ball> losses, StringRef reduction, int64_t count) {
  Writer out(e.result(), e.options.trackErrors);
  if (reduction == "none") {
    for (auto [i, loss] : llvm::enumerate(losses)) out.set(i, loss);
    return;
  }
  Sum sum;
  for (Ball loss : losses) sum.add(loss);
  Ball total = sum.finish(out.arithmetic);
  if (reduction == "mean") {
    total = out.arithmetic.div(total, {double(count), 0});
    total = out.arithmetic.loosened(total, 2, std::fabs(total.value));
  }
  out.set(0, total);
}

LogicalResult crossEntropy(OpEvaluation &e) {
  auto op = cast<ir::CrossEntropyOp>(e.op);
  Targets targets(op, e.operand(0), e.operand(1));
  if (failed(targets.check(e))) return failure();
  Arithmetic m(computeFormatOf(dtypeOf(e.operand(0).type.getElementType())));
  double smoothing = op.getLabelSmoothing().convertToDouble();
  double classes = double(targets.rows.folded.size());
  Reader x(e.operand(0));
  SmallVector<Ball> losses;
  for (auto [i, label] : llvm::enumerate(targets.target)) {
    if (label == targets.ignored) {
      losses.push_back({0, 0});
      continue;
    }
    SoftmaxRow row(m, x, targets.rows.kept[i], targets.rows.folded);
    Ball loss = m.neg(row.logProbability(label));
    if (smoothing != 0) {
      Sum all;
      for (size_t c = 0; c < targets.rows.folded.size(); ++c) all.add(m.neg(row.logProbability(c)));
      loss = m.add(m.mul(m.constant(1 - smoothing), loss),
                   m.mul(m.constant(smoothing / classes), all.finish(m)));
      loss = m.loosened(loss, 2, std::fabs(loss.value));
    }
    if (e.operand(1).errorAt(i) != 0) loss.error = HUGE_VAL;
    losses.push_back(loss);
  }
  reduceLosses(e, losses, op.getReduction(), targets.counted);
  return success();
}

LogicalResult crossEntropyGrad(OpEvaluation &e) {
  auto op = cast<ir::CrossEntropyGradOp>(e.op);
  const HostTensor &grad = e.operand(0);
  Targets targets(op, e.operand(1), e.operand(2));
  if (failed(targets.check(e))) return failure();
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  double smoothing = op.getLabelSmoothing().convertToDouble();
  double uniform = smoothing / double(targets.rows.folded.size());
  Reader x(e.operand(1)), cotangent(grad);
  for (auto [i, label] : llvm::enumerate(targets.target)) {
    if (label == targets.ignored) continue; // zeros
    Ball scale = cotangent[op.getReduction() == "none" ? int64_t(i) : 0];
    if (op.getReduction() == "mean") {
      scale = m.div(scale, {double(targets.counted), 0});
      scale = m.loosened(scale, 2, std::fabs(scale.value));
    }
    SoftmaxRow row(m, x, targets.rows.kept[i], targets.rows.folded);
    for (auto [c, offset] : llvm::enumerate(targets.rows.folded)) {
      double wanted = uniform + (int64_t(c) == label ? 1 - smoothing : 0);
      Ball p = row.probability(c);
      // Devices may take exp of the log-probability, and add up the rest in another order.
      Ball direct = m.exp(row.logProbability(c));
      p.error = std::max(p.error, direct.error);
      Ball y = m.mul(scale, m.loosened(m.sub(p, m.constant(wanted)), 3, std::fabs(wanted)));
      if (e.operand(2).errorAt(i) != 0) y.error = HUGE_VAL;
      out.set(targets.rows.kept[i] + offset, m.loosened(y, 2, std::fabs(y.value)));
    }
  }
  return success();
}

template <class Op, class Loss> LogicalResult elementLoss(OpEvaluation &e, Loss loss) {
  Arithmetic m(computeFormatOf(dtypeOf(e.operand(0).type.getElementType())));
  Reader x(e.operand(0)), t(e.operand(1));
  SmallVector<Ball> losses;
  for (int64_t i = 0; i < e.operand(0).numElements(); ++i) losses.push_back(loss(m, x[i], t[i]));
  reduceLosses(e, losses, cast<Op>(e.op).getReduction(), losses.size());
  return success();
}
LogicalResult mseLoss(OpEvaluation &e) {
  return elementLoss<ir::MseLossOp>(e, [](const Arithmetic &m, Ball x, Ball t) {
    Ball d = m.sub(x, t);
    return m.mul(d, d);
  });
}
LogicalResult l1Loss(OpEvaluation &e) {
  return elementLoss<ir::L1LossOp>(
      e, [](const Arithmetic &m, Ball x, Ball t) { return m.abs(m.sub(x, t)); });
}
LogicalResult bceWithLogits(OpEvaluation &e) {
  return elementLoss<ir::BceWithLogitsOp>(e, [](const Arithmetic &m, Ball x, Ball t) {
    // max(x, 0) - x t + log(1 + exp(-|x|)), or (1 - t) x + max(-x, 0) + ...: of the size of |x|(1 + |t|).
    Ball tail = m.log1p(m.exp(m.neg(m.abs(x))));
    Ball y = m.add(m.sub(m.maximum(x, {}), m.mul(x, t)), tail);
    return m.loosened(y, 4, std::fabs(x.value) * (1 + std::fabs(t.value)) + tail.value);
  });
}

LogicalResult binaryCrossEntropy(OpEvaluation &e) {
  return elementLoss<ir::BinaryCrossEntropyOp>(e, [](const Arithmetic &m, Ball p, Ball t) {
    Ball least{-100, 0}, rest = m.sub(t, {1, 0});
    Ball no = m.maximum(m.log1p(m.neg(p)), least), yes = m.maximum(m.log(p), least);
    Ball y = m.sub(m.mul(rest, no), m.mul(t, yes));
    return m.loosened(y, 2, std::fabs(rest.value * no.value) + std::fabs(t.value * yes.value));
  });
}

} // namespace

void addLosses(Handlers &handlers) {
  handlers["sinter.softmax"] = softmaxLike<ir::SoftmaxOp, &SoftmaxRow::probability>;
  handlers["sinter.log_softmax"] = softmaxLike<ir::LogSoftmaxOp, &SoftmaxRow::logProbability>;
  handlers["sinter.cross_entropy"] = crossEntropy;
  handlers["sinter.cross_entropy_grad"] = crossEntropyGrad;
  handlers["sinter.mse_loss"] = mseLoss;
  handlers["sinter.l1_loss"] = l1Loss;
  handlers["sinter.bce_with_logits"] = bceWithLogits;
  handlers["sinter.binary_cross_entropy"] = binaryCrossEntropy;
}

} // namespace sinter::codegen::reference
