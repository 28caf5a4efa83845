#include "sinter/codegen/attention/MatrixAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

bool MatrixAttention::suits(KernelFrame &frame, const AttentionFacts &f) {
  Type element = elementOf(f.query);
  return frame.options.matrix == "m16n8k16" && !frame.options.strict &&
         (element.isBF16() || element.isF16()) && f.features <= 128 && f.values <= 128;
}

void MatrixAttention::start(int64_t blocks, int64_t warps) {
  threads = 32 * warps;
  BlockAttention::start(blocks, threads);
  lane = apply(d(0) % 32, thread);
  warp = apply(d(0).floorDiv(32), thread);
  markAligned();
}

void MatrixAttention::place(ArrayRef<Tile *> tiles) {
  int64_t offset = 0;
  Value shared = dynamicShared();
  for (Tile *tile : tiles) {
    tile->memory = partOf(shared, offset, tile->size(), number16);
    offset += tile->size() * 2;
  }
  frame.lowered.sharedBytes = offset;
}

void MatrixAttention::fetch(const Tile &to, Value tensor, Value batch, Value head, Value base) {
  int64_t length = shapeOf(tensor)[2], words = to.whole() / word, items = to.rows * words;
  Value zero = arith::TruncFOp::create(b, frame.loc, number16, number(0));
  bool cutRows = length % to.rows, cutColumns = to.columns % word;
  loop(thread, frame.constant(items), threads, items, [&](Value item) {
    Value row = apply(d(0).floorDiv(words), item), group = apply(d(0) % words, item);
    Value inHead = apply(d(0) + d(1), {base, row});
    auto fill = [&](llvm::function_ref<Value(Value)> value) {
      scf::ForOp each = unrolled(*elements, word, [&](Value next) {
        store(value(next), to.memory,
              apply(d(0) * to.stride() + d(1) * word + d(2), {row, group, next}));
      });
      joinNeighbours(*elements, each, word);
    };
    Value inside = cutRows ? below(inHead, length) : Value();
    if (to.columns % unit) inside = both(inside, below(group, llvm::divideCeil(to.columns, word)));
    auto elementsOf = [&] {
      Value own = cutRows ? known(*elements, inHead, length) : inHead;
      Value known16 =
          to.columns % unit ? known(*elements, group, llvm::divideCeil(to.columns, word)) : group;
      fill([&](Value next) -> Value {
        Value column = apply(d(0) * word + d(1), {known16, next});
        auto element = [&](Value at) {
          return narrowed(elements->element(tensor, {batch, head, own, at}), number16);
        };
        if (!cutColumns) return element(column);
        return elements->guarded(below(column, to.columns), zero,
                                 [&] { return element(known(*elements, column, to.columns)); });
      });
    };
    if (!inside) return elementsOf();
    onlyIf(inside, elementsOf, [&] { fill([&](Value) { return zero; }); });
  });
}

void MatrixAttention::clear(Value sums, int64_t columns) {
  Value nothing = arith::ConstantOp::create(b, frame.loc, b.getZeroAttr(sumType()));
  unroll(columns / word, [&](Value j) { store(nothing, sums, j); });
}

/// Four 8x8 matrices of a tile: 16 rows (columns) from `mn` on, a step `k` of 16. `halvesFirst`: in the order of a
/// left factor's fragment, else of two of a right one's. (As MatrixContraction's.)
Value MatrixAttention::fragments(const Tile &tile, Value mn, Value k, bool alongK,
                                 bool halvesFirst) {
  // Lanes 0-7, 8-15, ... name the rows of matrices 0, 1, ...: which of them moves along k.
  AffineExpr row = d(0) % 8, low = d(0).floorDiv(8) % 2, high = d(0).floorDiv(16);
  AffineExpr half = halvesFirst ? low : high, further = halvesFirst ? high : low;
  Value at;
  if (alongK)
    at = apply((d(1) + half * 8 + row) * tile.stride() + d(2) * unit + further * word,
               {lane, mn, k});
  else
    at = apply((d(2) * unit + further * 8 + row) * tile.stride() + d(1) + half * word,
               {lane, mn, k});
  return nvgpu::LdMatrixOp::create(b, frame.loc, VectorType::get({4, 2}, number16), tile.memory,
                                   ValueRange(at), /*transpose=*/!alongK, /*numTiles=*/4);
}

/// Sixteen columns of the warp's rows.
void MatrixAttention::multiplyStep(Value sums, Value left, Value right, Value pairOfColumns) {
  for (int64_t half : {0, 1}) {
    Value own =
        vector::ExtractStridedSliceOp::create(b, frame.loc, right, ArrayRef<int64_t>{half * 2, 0},
                                              ArrayRef<int64_t>{2, 2}, ArrayRef<int64_t>{1, 1});
    Value j = apply(d(0) * 2 + half, pairOfColumns);
    Value sum = nvgpu::MmaSyncOp::create(b, frame.loc, left, own, load(sums, j),
                                         ArrayRef<int64_t>{unit, unit / 2, unit});
    store(sum, sums, j);
  }
}

void MatrixAttention::multiplyAlong(Value sums, const Tile &left, const Tile &right) {
  clear(sums, right.rows);
  Value own = apply(d(0) * unit, warp);
  unroll(left.whole() / unit, [&](Value k) {
    Value factor = fragments(left, own, k, /*alongK=*/true, /*halvesFirst=*/true);
    unroll(right.rows / unit, [&](Value n) {
      Value columns = fragments(right, apply(d(0) * unit, n), k, /*alongK=*/true, false);
      multiplyStep(sums, factor, columns, n);
    });
  });
}

void MatrixAttention::multiplyAcross(Value sums, Value factors, const Tile &right) {
  auto fragment = VectorType::get({4, 2}, number16);
  unroll(right.rows / unit, [&](Value k) {
    SmallVector<Value> numbers;
    for (int64_t half : {0, 1})
      for (int64_t place = 0; place < 4; ++place) {
        Value wide = load(factors, {apply(d(0) * 2 + half, k), frame.constant(place)});
        numbers.push_back(arith::TruncFOp::create(b, frame.loc, number16, wide));
      }
    Value factor = vector::FromElementsOp::create(b, frame.loc, fragment, numbers);
    unroll(right.whole() / unit, [&](Value n) {
      Value columns = fragments(right, apply(d(0) * unit, n), k, /*alongK=*/false, false);
      multiplyStep(sums, factor, columns, n);
    });
  });
}

void MatrixAttention::multiplyTurned(Value sums, const Tile &left, Value strip, const Tile &right,
                                     Value column, int64_t columns) {
  clear(sums, columns);
  Value own = apply(d(0) * unit, strip);
  unroll(left.rows / unit, [&](Value k) {
    Value factor = fragments(left, own, k, /*alongK=*/false, /*halvesFirst=*/true);
    unroll(columns / unit, [&](Value n) {
      Value from = apply(d(0) + d(1) * unit, {column, n});
      multiplyStep(sums, factor, fragments(right, from, k, /*alongK=*/false, false), n);
    });
  });
}

void MatrixAttention::overLane(int64_t columns,
                               llvm::function_ref<void(Value, int64_t, Value, Value)> body) {
  unroll(columns / word, [&](Value j) {
    for (int64_t place = 0; place < 4; ++place)
      body(j, place, ownRow(place / 2), ownColumn(j, place % 2));
  });
}

Value MatrixAttention::part(Value sum, int64_t place) {
  return vector::ExtractOp::create(b, frame.loc, sum, ArrayRef<int64_t>{place / 2, place % 2});
}

Value MatrixAttention::sumFrom(ArrayRef<Value> parts) {
  return vector::FromElementsOp::create(b, frame.loc, sumType(), parts);
}

bool lowerMatrixAttention(KernelFrame &frame, Operation *op, LogicalResult &result) {
  if (!MatrixAttention::suits(frame, *attentionFactsOf(op))) return false;
  return isa<AttentionOp>(op) ? lowerMatrixForward(frame, op, result)
                              : lowerMatrixBackward(frame, op, result);
}

} // namespace sinter::codegen
