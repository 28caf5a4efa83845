#include "sinter/codegen/reference/OpEvaluation.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// Calls `fold(result element, offset of its first operand element, offsets of all from there)`.
template <class Op, class Fold> void overDims(OpEvaluation &e, Fold fold) {
  FoldedShape loops(e.operand(0).type.getShape(), cast<Op>(e.op).getDim());
  for (auto [i, start] : llvm::enumerate(loops.kept)) fold(i, start, loops.folded);
}
template <class Op> LogicalResult refuseEmpty(OpEvaluation &e) {
  if (e.operand(0).numElements() == 0 && e.result().numElements() != 0)
    return e.emitError() << "reduces no elements";
  return success();
}

Ball sumOf(const Arithmetic &m, const Reader &x, int64_t start,
           const std::vector<int64_t> &offsets) {
  Sum sum;
  for (int64_t offset : offsets) sum.add(x[start + offset]);
  return sum.finish(m);
}

LogicalResult sum(OpEvaluation &e) {
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &tensor = e.operand(0);
  Reader x(tensor);
  overDims<ir::SumOp>(e, [&](int64_t i, int64_t start, const std::vector<int64_t> &offsets) {
    if (tensor.isFloat()) return out.set(i, sumOf(out.arithmetic, x, start, offsets));
    uint64_t total = 0;
    double error = 0;
    for (int64_t offset : offsets) {
      total += static_cast<uint64_t>(tensor.integers[start + offset]);
      error += tensor.errorAt(start + offset);
    }
    out.setInteger(i, static_cast<int64_t>(total), error);
  });
  return success();
}

LogicalResult mean(OpEvaluation &e) {
  Writer out(e.result(), e.options.trackErrors);
  Reader x(e.operand(0));
  overDims<ir::MeanOp>(e, [&](int64_t i, int64_t start, const std::vector<int64_t> &offsets) {
    const Arithmetic &m = out.arithmetic;
    double count = static_cast<double>(offsets.size());
    Ball y = m.div(sumOf(m, x, start, offsets), {count, 0});
    // Multiplying by 1/n instead rounds once more, unless n is a power of two.
    bool exact = std::exp2(std::round(std::log2(count))) == count;
    out.set(i, exact ? y : m.loosened(y, 2, std::abs(y.value)));
  });
  return success();
}

/// The largest (or smallest) of several balls: its value, and where it is.
struct Extreme {
  int64_t position = 0;
  Ball value;
  bool nan = false;
};
Extreme largestOf(const Reader &x, double sign, int64_t start,
                  const std::vector<int64_t> &offsets) {
  Extreme best;
  double low = -HUGE_VAL, high = -HUGE_VAL;
  for (auto [position, offset] : llvm::enumerate(offsets)) {
    Ball number = x[start + offset];
    double value = sign * number.value;
    if (std::isnan(value)) return {int64_t(position), number, true};
    if (position == 0 || value > best.value.value) best = {int64_t(position), {value, 0}, false};
    low = std::max(low, value - number.error);
    high = std::max(high, value + number.error);
  }
  double y = best.value.value;
  double error = high == y && low == y ? 0 : std::max(high - y, y - low);
  best.value = {sign * y, std::isnan(error) ? HUGE_VAL : error};
  return best;
}

template <class Op> LogicalResult extreme(OpEvaluation &e, double sign) {
  if (failed(refuseEmpty<Op>(e))) return failure();
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &tensor = e.operand(0);
  Reader x(tensor);
  overDims<Op>(e, [&](int64_t i, int64_t start, const std::vector<int64_t> &offsets) {
    if (tensor.isFloat()) return out.set(i, largestOf(x, sign, start, offsets).value);
    int64_t best = tensor.integers[start + offsets[0]];
    double error = 0;
    for (int64_t offset : offsets) {
      int64_t number = tensor.integers[start + offset];
      best = sign > 0 ? std::max(best, number) : std::min(best, number);
      error = std::max(error, tensor.errorAt(start + offset));
    }
    out.setInteger(i, best, error);
  });
  return success();
}
LogicalResult max(OpEvaluation &e) { return extreme<ir::MaxOp>(e, 1); }
LogicalResult min(OpEvaluation &e) { return extreme<ir::MinOp>(e, -1); }

LogicalResult argmax(OpEvaluation &e) {
  if (failed(refuseEmpty<ir::ArgmaxOp>(e))) return failure();
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &tensor = e.operand(0);
  Reader x(tensor);
  overDims<ir::ArgmaxOp>(e, [&](int64_t i, int64_t start, const std::vector<int64_t> &offsets) {
    if (!tensor.isFloat() && tensor.error.empty()) { // exact beyond 2^53 too
      int64_t best = 0;
      for (auto [position, offset] : llvm::enumerate(offsets))
        if (tensor.integers[start + offset] > tensor.integers[start + offsets[best]])
          best = position;
      return out.setInteger(i, best, 0);
    }
    Extreme best = largestOf(x, 1, start, offsets);
    // Every other position that could hold the largest is a possible answer.
    double error = 0;
    if (!best.nan && !tensor.error.empty()) {
      Ball winner = x[start + offsets[best.position]];
      for (auto [position, offset] : llvm::enumerate(offsets))
        if (int64_t(position) != best.position && undecided(x[start + offset], winner))
          error = std::max(error, std::abs(double(position) - double(best.position)));
    }
    out.setInteger(i, best.position, error);
  });
  return success();
}

/// Positions in order; those whose order errors leave undecided, one after another, may change places.
LogicalResult argsort(OpEvaluation &e) {
  auto op = cast<ir::ArgsortOp>(e.op);
  FoldedShape loops(e.operand(0).type.getShape(), {int64_t(op.getDim())});
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &tensor = e.operand(0);
  Reader x(tensor);
  std::vector<int64_t> order(loops.folded.size());
  for (int64_t start : loops.kept) {
    auto isBefore = [&](int64_t lhs, int64_t rhs) {
      int64_t left = start + loops.folded[op.getDescending() ? rhs : lhs],
              right = start + loops.folded[op.getDescending() ? lhs : rhs];
      if (!tensor.isFloat()) return tensor.integers[left] < tensor.integers[right];
      double a = tensor.values[left], b = tensor.values[right];
      return std::isnan(b) ? !std::isnan(a) : a < b;
    };
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), isBefore);
    for (size_t first = 0, end = 0; first < order.size(); first = end) {
      auto ball = [&](size_t at) { return x[start + loops.folded[order[at]]]; };
      auto reach = [&](Ball b) { return op.getDescending() ? -b.low() : b.high(); };
      int64_t least = order[first], most = least;
      Ball farthest = ball(first);
      for (end = first + 1; end < order.size() && undecided(ball(end), farthest); ++end) {
        if (reach(ball(end)) > reach(farthest)) farthest = ball(end);
        least = std::min(least, order[end]), most = std::max(most, order[end]);
      }
      for (size_t at = first; at < end; ++at)
        out.setInteger(start + loops.folded[at], order[at],
                       double(std::max(order[at] - least, most - order[at])));
    }
  }
  return success();
}

/// Partial sums, each of its own elements in any order.
LogicalResult cumsum(OpEvaluation &e) {
  auto op = cast<ir::CumsumOp>(e.op);
  FoldedShape loops(e.operand(0).type.getShape(), {int64_t(op.getDim())});
  std::vector<int64_t> offsets = loops.folded;
  if (op.getReverse()) std::reverse(offsets.begin(), offsets.end());
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &tensor = e.operand(0);
  Reader x(tensor);
  for (int64_t start : loops.kept) {
    Sum sum;
    uint64_t total = 0;
    double error = 0;
    for (int64_t offset : offsets) {
      int64_t at = start + offset;
      if (tensor.isFloat()) {
        sum.add(x[at]);
        out.set(at, sum.finish(out.arithmetic));
        continue;
      }
      total += static_cast<uint64_t>(tensor.integers[at]);
      error += tensor.errorAt(at);
      out.setInteger(at, static_cast<int64_t>(total), error);
    }
  }
  return success();
}

} // namespace

void addReductions(Handlers &handlers) {
  handlers["sinter.sum"] = sum;
  handlers["sinter.mean"] = mean;
  handlers["sinter.max"] = max;
  handlers["sinter.min"] = min;
  handlers["sinter.argmax"] = argmax;
  handlers["sinter.argsort"] = argsort;
  handlers["sinter.cumsum"] = cumsum;
}

} // namespace sinter::codegen::reference
