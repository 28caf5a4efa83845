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

void BlockAttention::place(ArrayRef<Tile *> tiles) {
  int64_t bytes = type.getIntOrFloatBitWidth() / 8, offset = 0;
  Value shared = dynamicShared();
  for (Tile *tile : tiles) {
    tile->memory = partOf(shared, offset, tile->size(), type);
    offset += int64_t(llvm::alignTo(tile->size() * bytes, 16));
  }
  frame.lowered.sharedBytes = offset;
}

void BlockAttention::start(int64_t blocks) {
  frame.lowered.grid = blocks, frame.lowered.block = threads;
  block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
  thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
  elements->variable(block, 0, blocks - 1);
  elements->variable(thread, 0, threads - 1);
  lane = apply(d(0) % lanes, thread);
  group = apply(d(0).floorDiv(lanes), thread);
}

void BlockAttention::barrier() { gpu::BarrierOp::create(b, frame.loc); }

void BlockAttention::loop(Value from, Value to, int64_t step, int64_t most,
                          llvm::function_ref<void(Value)> body) {
  emitLoop(b, frame.loc, from, to, frame.constant(step), {}, [&](Value counter, ValueRange) {
    elements->variable(counter, 0, std::max<int64_t>(most - 1, 0));
    body(counter);
    return SmallVector<Value>();
  });
}

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

Value BlockAttention::acrossLanes(Value value, llvm::function_ref<Value(Value, Value)> combine) {
  for (int32_t offset = lanes / 2; offset > 0; offset /= 2) {
    Value other = gpu::ShuffleOp::create(b, frame.loc, value, offset, 32, gpu::ShuffleMode::XOR)
                      .getShuffleResult();
    value = combine(value, other);
  }
  return value;
}

void BlockAttention::fetch(const Tile &to, Value tensor, Value batch, Value head, Value base,
                           double scale) {
  int64_t length = shapeOf(tensor)[2], columns = to.columns, items = to.rows * columns;
  loop(thread, frame.constant(items), threads, items, [&](Value item) {
    Value row = apply(d(0).floorDiv(columns), item), column = apply(d(0) % columns, item);
    Value inHead = apply(d(0) + d(1), {base, row});
    auto element = [&] {
      Value own = length % to.rows ? known(*elements, inHead, length) : inHead;
      Value value = elements->element(tensor, {batch, head, own, column});
      return scale == 1 ? value : times(value, number(scale));
    };
    Value value =
        length % to.rows ? elements->guarded(below(inHead, length), number(0), element) : element();
    store(value, to.memory, apply(d(0) * to.stride() + d(1), {row, column}));
  });
}

void BlockAttention::clear(Value sums, int64_t rows, int64_t columns) {
  unroll(rows, [&](Value i) { unroll(columns, [&](Value j) { store(number(0), sums, {i, j}); }); });
}

void BlockAttention::multiply(Value sums, int64_t rows, int64_t columns, Factor left, Factor right,
                              int64_t depth, bool fresh) {
  if (fresh) clear(sums, rows, columns);
  if (rows > mostLefts) lefts = array({mostLefts = rows}, type);
  if (columns > mostRights) rights = array({mostRights = columns}, type);
  loop(frame.constant(0), frame.constant(depth), 1, depth, [&](Value k) {
    auto read = [&](Factor from, Value own) {
      return load(from.memory, apply(d(0) * from.step + d(1) * from.kStep, {own, k}));
    };
    unroll(rows, [&](Value i) { store(read(left, ownRow(i)), lefts, i); });
    unroll(columns, [&](Value j) { store(read(right, ownColumn(j)), rights, j); });
    unroll(rows, [&](Value i) {
      unroll(columns, [&](Value j) {
        // One instruction there: the compiler contracts a product and a sum.
        Value term = times(load(lefts, i), load(rights, j));
        store(plus(load(sums, {i, j}), term), sums, {i, j});
      });
    });
  });
}

Value BlockAttention::clamped(Value base, Value own, int64_t count, int64_t tile) {
  Value index = apply(d(0) + d(1), {base, own});
  if (count % tile == 0) return index;
  Value least = arith::MinSIOp::create(b, frame.loc, index, frame.constant(count - 1));
  return elements->variable(least, 0, count - 1);
}

BlockAttention::Pair BlockAttention::pairAt(Value batch, Value head, Value rowBase, int64_t rows,
                                            Value i, Value keyBase, int64_t keys, Value j) {
  Pair pair{batch, head, clamped(rowBase, ownRow(i), f.rows, rows),
            clamped(keyBase, ownColumn(j), f.keys, keys), nullptr};
  if (f.keys % keys) pair.takesPart = below(apply(d(0) + d(1), {keyBase, ownColumn(j)}), f.keys);
  if (f.isCausal)
    pair.takesPart =
        both(pair.takesPart,
             arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::sle, pair.key, pair.row));
  return pair;
}

Value BlockAttention::masked(Value score, const Pair &pair) {
  Value none = number(-HUGE_VAL), takesPart = pair.takesPart;
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
  return takesPart ? choose(takesPart, score, none) : score;
}

Value BlockAttention::dropFactor(const Pair &pair) {
  return elements->element(kept, {pair.batch, pair.head, pair.row, pair.key});
}

void BlockAttention::overResults(
    int64_t rows, int64_t columns, Value base, int64_t tileRows, int64_t rowCount,
    int64_t columnCount, llvm::function_ref<void(Value i, Value j, Value row, Value column)> body) {
  bool cutRows = rowCount % tileRows, cutColumns = columnCount % lanes;
  unroll(rows, [&](Value i) {
    Value row = apply(d(0) + d(1), {base, ownRow(i)});
    onlyIf(cutRows ? below(row, rowCount) : Value(), [&] {
      Value ownRow = cutRows ? known(*elements, row, rowCount) : row;
      unroll(columns, [&](Value j) {
        Value column = ownColumn(j);
        onlyIf(cutColumns ? below(column, columnCount) : Value(), [&] {
          body(i, j, ownRow, cutColumns ? known(*elements, column, columnCount) : column);
        });
      });
    });
  });
}

void BlockAttention::write(unsigned number, Value value, ValueRange place) {
  writeResult(frame, *elements, op, number, value, place);
}

} // namespace sinter::codegen
