#include "sinter/codegen/attention/MatrixAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Blocks that have rows and blocks that have keys, as TiledAttention's: sums that no other block adds to. To those
/// that have keys, scores are the other way round: a warp's 16 rows are keys, so that what it makes of them is the
/// left factor of its products over rows.
class Backward : public MatrixAttention {
public:
  Backward(KernelFrame &frame, AttentionBackwardOp op) : MatrixAttention(frame, op), gradient(op) {}

  bool chooseTiles() {
    int64_t longest = std::max(f.rows, f.keys);
    for (int64_t size : {64, 32, 16}) {
      if (size > unit && size / 2 >= longest) continue;
      if (size * (f.features + f.values) > 64 * 128 && size > 32)
        continue; // registers for their sums
      query = key = {size, f.features};
      grad = value = {size, f.values};
      if (2 * (query.size() + grad.size()) * 2 <= sharedLimit()) return true;
    }
    return false;
  }

  LogicalResult run() {
    rowTiles = llvm::divideCeil(f.rows, query.rows);
    keyTiles = llvm::divideCeil(f.keys, key.rows);
    int64_t rowBlocks = f.batch * f.heads * rowTiles, keyBlocks = f.batch * f.groups * keyTiles;
    start(rowBlocks + keyBlocks, query.rows / unit);
    place({&query, &grad, &key, &value});
    scores = sumsOf(query.rows);
    alongs = sumsOf(query.rows);
    weights = array({query.rows / word, 4}, type);
    slopes = array({query.rows / word, 4}, type);
    onlyIf(
        below(block, rowBlocks), [&] { rowBlock(known(*elements, block, rowBlocks)); },
        [&] {
          Value number = apply(d(0) - rowBlocks, block);
          Value own = arith::AddIOp::create(b, frame.loc, number, frame.constant(0));
          keyBlock(elements->variable(own, 0, keyBlocks - 1));
        });
    return failure(elements->failed());
  }

private:
  /// From a score, and the product of the cotangent with the value, a weight, times what dropping does to it, and the
  /// score's cotangent.
  void weigh(Value j, int64_t place, const Pair &pair, Value logarithm, Value delta) {
    SmallVector<Value> at{j, frame.constant(place)};
    Value score = times(part(load(scores, j), place), number(f.scale));
    Value weight = exp(minus(masked(score, pair), logarithm));
    Value slope = part(load(alongs, j), place), left = weight;
    if (kept) {
      Value factor = dropFactor(pair);
      slope = times(slope, factor);
      left = times(weight, factor);
    }
    store(left, weights, at);
    store(times(weight, minus(slope, delta)), slopes, at);
  }

  void rowBlock(Value number) {
    Value rowBase = apply((d(0) % rowTiles) * query.rows, number);
    Value line = apply(d(0).floorDiv(rowTiles), number);
    Value batch = apply(d(0).floorDiv(f.heads), line), head = apply(d(0) % f.heads, line),
          sharedHead = apply(d(0).floorDiv(f.shared()), head);
    Value sums = sumsOf(key.whole());
    clear(sums, key.whole());
    fetch(query, f.query, batch, head, rowBase);
    fetch(grad, gradient.getGrad(), batch, head, rowBase);
    SmallVector<Value> logarithms, deltas;
    for (int64_t half : {0, 1}) {
      Value row = apply(d(0) + d(1), {rowBase, ownRow(half)});
      logarithms.push_back(ofRow(gradient.getLogsumexp(), batch, head, row, query.rows, HUGE_VAL));
      deltas.push_back(ofRow(gradient.getDelta(), batch, head, row, query.rows, 0));
    }
    loop(frame.constant(0), neededKeys(rowBase, query.rows, key.rows), 1, keyTiles,
         [&](Value tile) {
           Value keyBase = apply(d(0) * key.rows, tile);
           barrier(); // the tile before has been read
           fetch(key, f.key, batch, sharedHead, keyBase);
           fetch(value, f.value, batch, sharedHead, keyBase);
           barrier();
           multiplyAlong(scores, query, key);
           multiplyAlong(alongs, grad, value);
           overLane(key.rows, [&](Value j, int64_t place, Value row, Value column) {
             Pair pair = pairAt(batch, head, rowBase, query.rows, row, keyBase, key.rows, column);
             weigh(j, place, pair, logarithms[place / 2], deltas[place / 2]);
           });
           multiplyAcross(sums, slopes, key);
         });
    finish(0, sums, batch, head, rowBase, f.rows, key, f.scale);
  }

  void keyBlock(Value number) {
    Value keyBase = apply((d(0) % keyTiles) * key.rows, number);
    Value line = apply(d(0).floorDiv(keyTiles), number);
    Value batch = apply(d(0).floorDiv(f.groups), line), sharedHead = apply(d(0) % f.groups, line);
    Value ofKey = sumsOf(query.whole()), ofValue = sumsOf(grad.whole());
    clear(ofKey, query.whole());
    clear(ofValue, grad.whole());
    fetch(key, f.key, batch, sharedHead, keyBase);
    fetch(value, f.value, batch, sharedHead, keyBase);
    loop(frame.constant(0), frame.constant(f.shared()), 1, f.shared(), [&](Value local) {
      Value head = apply(d(0) * f.shared() + d(1), {sharedHead, local});
      // Rows before the tile's first key take none of it.
      Value first = f.isCausal ? apply(d(0).floorDiv(query.rows), keyBase) : frame.constant(0);
      loop(first, frame.constant(rowTiles), 1, rowTiles, [&](Value tile) {
        Value rowBase = apply(d(0) * query.rows, tile);
        barrier(); // the tile before has been read
        fetch(query, f.query, batch, head, rowBase);
        fetch(grad, gradient.getGrad(), batch, head, rowBase);
        barrier();
        multiplyAlong(scores, key, query);
        multiplyAlong(alongs, value, grad);
        overLane(query.rows, [&](Value j, int64_t place, Value ownKey, Value ownRow) {
          Value row = apply(d(0) + d(1), {rowBase, ownRow});
          Value logarithm = ofRow(gradient.getLogsumexp(), batch, head, row, query.rows, HUGE_VAL),
                delta = ofRow(gradient.getDelta(), batch, head, row, query.rows, 0);
          Pair pair = pairAt(batch, head, rowBase, query.rows, ownRow, keyBase, key.rows, ownKey);
          weigh(j, place, pair, logarithm, delta);
        });
        multiplyAcross(ofValue, weights, grad);
        multiplyAcross(ofKey, slopes, query);
      });
    });
    finish(1, ofKey, batch, sharedHead, keyBase, f.keys, query, f.scale);
    finish(2, ofValue, batch, sharedHead, keyBase, f.keys, grad, 1);
  }

  /// Writes a warp's sums, which have the columns of `columns`.
  void finish(unsigned result, Value sums, Value batch, Value head, Value base, int64_t rowCount,
              const Tile &columns, double scale) {
    for (int64_t half : {0, 1})
      within(apply(d(0) + d(1), {base, ownRow(half)}), rowCount, query.rows, [&](Value row) {
        unroll(columns.whole() / word, [&](Value j) {
          for (int64_t next : {0, 1})
            within(ownColumn(j, next), columns.columns, columns.whole(), [&](Value column) {
              Value own = part(load(sums, j), half * 2 + next);
              if (scale != 1) own = times(own, number(scale));
              write(result, own, {batch, head, row, column});
            });
        });
      });
  }

  AttentionBackwardOp gradient;
  int64_t rowTiles = 1, keyTiles = 1;
  Tile query, grad, key, value;
  Value scores, alongs, weights, slopes; // of a lane
};

} // namespace

bool lowerMatrixBackward(KernelFrame &frame, Operation *op, LogicalResult &result) {
  Backward backward(frame, cast<AttentionBackwardOp>(op));
  if (!backward.chooseTiles()) return false;
  result = backward.run();
  return true;
}

} // namespace sinter::codegen
