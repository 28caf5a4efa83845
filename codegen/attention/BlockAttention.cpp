#include "sinter/codegen/attention/BlockAttention.h"
#include "sinter/codegen/attention/AttentionOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

BlockAttention::BlockAttention(KernelFrame &frame, Operation *op)
    : BlockWriter(frame), op(op), f(*attentionFactsOf(op)), type(computeType(elementOf(f.query))),
      kept(keptFactors(frame, op, f)), elements(frame.elements()) {}

int64_t BlockAttention::sharedLimit() const {
  // Two blocks share a multiprocessor's memory, and what is beyond the ordinary limit must be there to ask for.
  constexpr int64_t most = 96 << 10;
  return std::max(frame.options.sharedBytes, std::min(frame.options.largeSharedBytes, most));
}

void BlockAttention::start(int64_t blocks, int64_t threads) {
  frame.lowered.grid = blocks, frame.lowered.block = threads;
  block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
  thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
  elements->variable(block, 0, blocks - 1);
  elements->variable(thread, 0, threads - 1);
}

void BlockAttention::barrier() { gpu::BarrierOp::create(b, frame.loc); }

void BlockAttention::byKind(int64_t rowBlocks, int64_t keyBlocks,
                            llvm::function_ref<void(Value)> ofRows,
                            llvm::function_ref<void(Value)> ofKeys) {
  if (rowBlocks == 0) return ofKeys(block);
  onlyIf(
      below(block, rowBlocks), [&] { ofRows(known(*elements, block, rowBlocks)); },
      [&] { ofKeys(known(*elements, apply(d(0) - rowBlocks, block), keyBlocks)); });
}

void BlockAttention::loop(Value from, Value to, int64_t step, int64_t most,
                          llvm::function_ref<void(Value)> body) {
  emitLoop(b, frame.loc, from, to, frame.constant(step), {}, [&](Value counter, ValueRange) {
    elements->variable(counter, 0, std::max<int64_t>(most - 1, 0));
    body(counter);
    return SmallVector<Value>();
  });
}

// --- Arithmetic.

Value BlockAttention::plus(Value lhs, Value rhs) {
  return arith::AddFOp::create(b, frame.loc, lhs, rhs);
}
Value BlockAttention::minus(Value lhs, Value rhs) {
  return arith::SubFOp::create(b, frame.loc, lhs, rhs);
}
Value BlockAttention::times(Value lhs, Value rhs) {
  return arith::MulFOp::create(b, frame.loc, lhs, rhs);
}
Value BlockAttention::choose(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, frame.loc, condition, yes, no);
}
Value BlockAttention::exp(Value x) { return math::ExpOp::create(b, frame.loc, x); }

// A NaN on either side may be lost: it comes back with the exponentials.
Value BlockAttention::larger(Value lhs, Value rhs) {
  Value greater = arith::CmpFOp::create(b, frame.loc, arith::CmpFPredicate::OGT, lhs, rhs);
  return choose(greater, lhs, rhs);
}

Value BlockAttention::shiftOf(Value highest) {
  Value none =
      arith::CmpFOp::create(b, frame.loc, arith::CmpFPredicate::OEQ, highest, number(-HUGE_VAL));
  return choose(none, number(0), highest);
}

Value BlockAttention::acrossLanes(Value value, int64_t count,
                                  llvm::function_ref<Value(Value, Value)> combine) {
  for (auto offset = int32_t(count / 2); offset > 0; offset /= 2) {
    Value other = gpu::ShuffleOp::create(b, frame.loc, value, offset, 32, gpu::ShuffleMode::XOR)
                      .getShuffleResult();
    value = combine(value, other);
  }
  return value;
}

Value BlockAttention::along() {
  if (!carried) carried = array({1}, type);
  return carried;
}

// --- Rows and keys.

Value BlockAttention::clamped(Value base, Value own, int64_t count, int64_t tile) {
  Value index = apply(d(0) + d(1), {base, own});
  if (count % tile == 0) return index;
  Value least = arith::MinSIOp::create(b, frame.loc, index, frame.constant(count - 1));
  return elements->variable(least, 0, count - 1);
}

BlockAttention::Pair BlockAttention::pairAt(Value batch, Value head, Value rowBase, int64_t rows,
                                            Value ownRow, Value keyBase, int64_t keys,
                                            Value ownKey) {
  Pair pair{batch, head, clamped(rowBase, ownRow, f.rows, rows),
            clamped(keyBase, ownKey, f.keys, keys), nullptr};
  if (f.keys % keys) pair.takesPart = below(apply(d(0) + d(1), {keyBase, ownKey}), f.keys);
  if (f.isCausal)
    pair.takesPart =
        both(pair.takesPart,
             arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::sle, pair.key, pair.row));
  return pair;
}

Value BlockAttention::masked(Value score, const Pair &pair) {
  Value takesPart = pair.takesPart;
  if (f.mask) {
    SmallVector<Value> place{pair.batch, pair.head, pair.row, pair.key};
    for (unsigned dim = 0; dim < 4; ++dim)
      if (shapeOf(f.mask)[dim] == 1) place[dim] = elements->index(0);
    Value own = elements->element(f.mask, place);
    if (elementOf(f.mask).isInteger(1))
      takesPart = both(takesPart, own);
    else
      score = plus(score, own);
  }
  return takesPart ? choose(takesPart, score, number(-HUGE_VAL)) : score;
}

Value BlockAttention::dropFactor(const Pair &pair) {
  return elements->element(kept, {pair.batch, pair.head, pair.row, pair.key});
}

Value BlockAttention::ofRow(Value tensor, Value batch, Value head, Value row, int64_t rows,
                            double otherwise) {
  bool cut = f.rows % rows;
  auto element = [&] {
    return elements->element(tensor, {batch, head, cut ? known(*elements, row, f.rows) : row});
  };
  return cut ? elements->guarded(below(row, f.rows), number(otherwise), element) : element();
}

Value BlockAttention::neededKeys(Value rowBase, int64_t rows, int64_t keys) {
  Value all = frame.constant(llvm::divideCeil(f.keys, keys));
  if (!f.isCausal) return all;
  Value tiles = apply((d(0) + rows + keys - 1).floorDiv(keys), rowBase);
  return arith::MinSIOp::create(b, frame.loc, tiles, all);
}

void BlockAttention::within(Value index, int64_t count, int64_t tile,
                            llvm::function_ref<void(Value)> body) {
  if (count % tile == 0) return body(index);
  onlyIf(below(index, count), [&] { body(known(*elements, index, count)); });
}

void BlockAttention::write(unsigned number, Value value, ValueRange place) {
  writeResult(frame, *elements, op, number, value, place);
}

LogicalResult lowerBlockAttention(KernelFrame &frame, Operation *op) {
  LogicalResult result = failure();
  if (lowerMatrixAttention(frame, op, result)) return result;
  return isa<AttentionOp>(op) ? lowerTiledForward(frame, op) : lowerTiledBackward(frame, op);
}

} // namespace sinter::codegen
