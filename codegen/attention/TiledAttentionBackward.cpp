#include "sinter/codegen/attention/TiledAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Where all keys are one tile a block has a group's, and makes all three gradients. Else there are two kinds of blocks
/// in one launch: the first ones have a tile of a head's rows each and add up the gradient of the query over all keys, the
/// others a tile of keys and add up those of key and value over all rows of the heads that share them. Both make weights
/// again from the rows' logarithms: two products more than necessary, and no sum that several blocks would have to add
/// to, so that results do not depend on the order of blocks.
class Backward : public TiledAttention {
public:
  Backward(KernelFrame &frame, AttentionBackwardOp op) : TiledAttention(frame, op), gradient(op) {}

  LogicalResult run() {
    if (!chooseTiles()) return op->emitOpError("has no tiles that fit shared memory");
    rowTiles = llvm::divideCeil(f.rows, query.rows);
    keyTiles = llvm::divideCeil(f.keys, key.rows);
    int64_t rowBlocks = keyTiles == 1 ? 0 : f.batch * f.heads * rowTiles,
            keyBlocks = f.batch * f.groups * keyTiles;
    start(rowBlocks + keyBlocks);
    place({&query, &grad, &key, &value, &weights, &slopes});
    scores = array({rows, columns}, type);
    alongs = array({rows, columns}, type);
    byKind(
        rowBlocks, keyBlocks, [&](Value number) { rowBlock(number); },
        [&](Value number) { keyBlock(number); });
    return failure(elements->failed());
  }

private:
  /// The largest tiles that fit; a thread has up to 64 sums.
  bool chooseTiles() {
    features = llvm::divideCeil(f.features, lanes), values = llvm::divideCeil(f.values, lanes);
    for (int64_t size : {32, 16}) {
      rows = size / groups, columns = size / lanes;
      query = key = {size, f.features};
      grad = value = {size, f.values};
      weights = slopes = {size, size};
      int64_t elements = 2 * (query.size() + grad.size() + weights.size()) + 32;
      if (rows * (features + values) <= 64 && elements * 4 <= sharedLimit()) return true;
    }
    return false;
  }

  /// Of the tiles in shared memory: weights, times what dropping does to them, and cotangents of scores.
  void weigh(Value batch, Value head, Value rowBase, Value keyBase, bool keepsWeights) {
    multiply(scores, rows, columns, alongRows(query), alongRows(key), f.features, /*fresh=*/true);
    multiply(alongs, rows, columns, alongRows(grad), alongRows(value), f.values, /*fresh=*/true);
    unroll(rows, [&](Value i) {
      Value row = apply(d(0) + d(1), {rowBase, ownRow(i)});
      // Rows beyond the last one have weights of 0.
      Value logarithm = ofRow(gradient.getLogsumexp(), batch, head, row, query.rows, HUGE_VAL),
            delta = ofRow(gradient.getDelta(), batch, head, row, query.rows, 0);
      unroll(columns, [&](Value j) {
        Pair pair =
            pairAt(batch, head, rowBase, query.rows, ownRow(i), keyBase, key.rows, ownColumn(j));
        Value weight = exp(minus(masked(load(scores, {i, j}), pair), logarithm));
        Value slope = load(alongs, {i, j}), left = weight;
        if (kept) {
          Value factor = dropFactor(pair);
          slope = times(slope, factor);
          left = times(weight, factor);
        }
        Value at = apply(d(0) * weights.stride() + d(1), {ownRow(i), ownColumn(j)});
        if (keepsWeights) store(left, weights.memory, at);
        store(times(weight, minus(slope, delta)), slopes.memory, at);
      });
    });
  }

  void rowBlock(Value number) {
    Value rowBase = apply((d(0) % rowTiles) * query.rows, number);
    Value line = apply(d(0).floorDiv(rowTiles), number);
    Value batch = apply(d(0).floorDiv(f.heads), line), head = apply(d(0) % f.heads, line),
          sharedHead = apply(d(0).floorDiv(f.shared()), head);
    Value sums = array({rows, features}, type);
    clear(sums, rows, features);
    fetch(query, f.query, batch, head, rowBase, f.scale);
    fetch(grad, gradient.getGrad(), batch, head, rowBase);
    loop(frame.constant(0), neededKeys(rowBase, query.rows, key.rows), 1, keyTiles,
         [&](Value tile) {
           Value keyBase = apply(d(0) * key.rows, tile);
           barrier(); // the tile before has been read
           fetch(key, f.key, batch, sharedHead, keyBase);
           fetch(value, f.value, batch, sharedHead, keyBase);
           barrier();
           weigh(batch, head, rowBase, keyBase, /*keepsWeights=*/false);
           barrier();
           multiply(sums, rows, features, alongRows(slopes), acrossRows(key), key.rows,
                    /*fresh=*/false);
         });
    writeQuery(sums, batch, head, rowBase);
  }
  void writeQuery(Value sums, Value batch, Value head, Value rowBase) {
    overResults(rows, features, rowBase, f.rows, f.features,
                [&](Value i, Value j, Value row, Value column) {
                  write(0, times(load(sums, {i, j}), number(f.scale)), {batch, head, row, column});
                });
  }

  void keyBlock(Value number) {
    Value keyBase = apply((d(0) % keyTiles) * key.rows, number);
    Value line = apply(d(0).floorDiv(keyTiles), number);
    Value batch = apply(d(0).floorDiv(f.groups), line), sharedHead = apply(d(0) % f.groups, line);
    Value ofKey = array({rows, features}, type), ofValue = array({rows, values}, type);
    Value ofQuery = keyTiles == 1 ? array({rows, features}, type) : Value();
    clear(ofKey, rows, features);
    clear(ofValue, rows, values);
    fetch(key, f.key, batch, sharedHead, keyBase);
    fetch(value, f.value, batch, sharedHead, keyBase);
    loop(frame.constant(0), frame.constant(f.shared()), 1, f.shared(), [&](Value local) {
      Value head = apply(d(0) * f.shared() + d(1), {sharedHead, local});
      // Rows before the tile's first key take none of it.
      Value first = f.isCausal ? apply(d(0).floorDiv(query.rows), keyBase) : frame.constant(0);
      loop(first, frame.constant(rowTiles), 1, rowTiles, [&](Value tile) {
        Value rowBase = apply(d(0) * query.rows, tile);
        barrier(); // the tile before has been read
        fetch(query, f.query, batch, head, rowBase, f.scale);
        fetch(grad, gradient.getGrad(), batch, head, rowBase);
        barrier();
        weigh(batch, head, rowBase, keyBase, /*keepsWeights=*/true);
        barrier();
        // Keys are the rows of these: what lies along a row of the tiles' is a column's.
        multiply(ofValue, rows, values, acrossRows(weights), acrossRows(grad), query.rows,
                 /*fresh=*/false);
        multiply(ofKey, rows, features, acrossRows(slopes), acrossRows(query), query.rows,
                 /*fresh=*/false);
        if (keyTiles > 1) return;
        multiply(ofQuery, rows, features, alongRows(slopes), acrossRows(key), key.rows,
                 /*fresh=*/true);
        writeQuery(ofQuery, batch, head, rowBase);
      });
    });
    overResults(rows, features, keyBase, f.keys, f.features,
                [&](Value i, Value j, Value row, Value column) {
                  write(1, load(ofKey, {i, j}), {batch, sharedHead, row, column});
                });
    overResults(rows, values, keyBase, f.keys, f.values,
                [&](Value i, Value j, Value row, Value column) {
                  write(2, load(ofValue, {i, j}), {batch, sharedHead, row, column});
                });
  }

  AttentionBackwardOp gradient;
  int64_t rows = 1, columns = 1, features = 1, values = 1; // of a thread
  int64_t rowTiles = 1, keyTiles = 1;
  Tile query, grad, key, value, weights, slopes;
  Value scores, alongs; // products with keys, and of cotangents with values
};

} // namespace

LogicalResult lowerTiledBackward(KernelFrame &frame, Operation *op) {
  return Backward(frame, cast<AttentionBackwardOp>(op)).run();
}

} // namespace sinter::codegen
