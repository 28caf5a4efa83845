#include "sinter/codegen/attention/MatrixAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Where all keys are one tile, a block has a group's: their gradients stay in its registers, while the cotangents of
/// scores go through shared memory to become the query's. Else there are blocks that have rows and blocks that have
/// keys, as TiledAttention's: no block adds to another's sums. To those that have keys, scores are the other way round: a
/// warp's 16 rows are keys, so that what it makes of them is the left factor of its products over rows.
class Backward : public MatrixAttention {
public:
  Backward(KernelFrame &frame, AttentionBackwardOp op) : MatrixAttention(frame, op), gradient(op) {}

  bool chooseTiles() {
    if (f.keys <= mostShortKeys && fits(llvm::alignTo(f.keys, unit))) return true;
    return fits(64) || fits(32) || fits(16);
  }

  LogicalResult run() {
    rowTiles = llvm::divideCeil(f.rows, query.rows);
    keyTiles = llvm::divideCeil(f.keys, key.rows);
    isShort = keyTiles == 1;
    int64_t rowBlocks = isShort ? 0 : f.batch * f.heads * rowTiles,
            keyBlocks = f.batch * f.groups * keyTiles;
    start(rowBlocks + keyBlocks, key.rows / unit);
    if (isShort)
      place({&query, &grad, &key, &value, &turned});
    else
      place({&query, &grad, &key, &value});
    int64_t columns = std::max(query.rows, isShort ? 0 : key.rows);
    scores = sumsOf(columns);
    alongs = sumsOf(columns);
    weights = array({columns / word, 4}, type);
    slopes = array({columns / word, 4}, type);
    byKind(
        rowBlocks, keyBlocks, [&](Value number) { rowBlock(number); },
        [&](Value number) { keyBlock(number); });
    return failure(elements->failed());
  }

private:
  static constexpr int64_t mostShortKeys = 128;

  /// Chooses tiles of `keys` keys, and of as many rows, or fewer where all keys are one tile, if they fit shared memory
  /// and registers.
  bool fits(int64_t keys) {
    bool all = keys >= f.keys;
    int64_t sums = f.features + f.values;
    key = {keys, f.features};
    value = {keys, f.values};
    for (int64_t rows : {64, 32, 16}) {
      if (all ? rows > unit && rows / 2 >= f.rows : rows != keys) continue;
      if (rows > 32 && sums > 128) continue;
      query = {rows, f.features};
      grad = {rows, f.values};
      turned = {keys, rows};
      int64_t size = query.size() + grad.size() + key.size() + value.size();
      if (all) size += turned.size();
      if (size * 2 <= sharedLimit()) return true;
    }
    return false;
  }

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
    finish(0, sums, batch, head, rowBase, f.rows, query.rows, warp, elements->index(0), key.whole(),
           f.features, f.scale);
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
        if (!isShort) barrier(); // the tile before has been read; finishQuery has seen to it
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
        if (isShort) finishQuery(batch, head, rowBase);
      });
    });
    Value first = elements->index(0);
    finish(1, ofKey, batch, sharedHead, keyBase, f.keys, key.rows, warp, first, query.whole(),
           f.features, f.scale);
    finish(2, ofValue, batch, sharedHead, keyBase, f.keys, key.rows, warp, first, grad.whole(),
           f.values, 1);
  }

  /// With all keys here, a tile of rows' gradient: strips of 16 rows, and parts of the columns, for the warps.
  void finishQuery(Value batch, Value head, Value rowBase) {
    overLane(query.rows, [&](Value j, int64_t place, Value ownKey, Value ownRow) {
      Value slope = load(slopes, {j, frame.constant(place)});
      store(arith::TruncFOp::create(b, frame.loc, number16, slope), turned.memory,
            apply(d(0) * turned.stride() + d(1), {ownKey, ownRow}));
    });
    barrier();
    int64_t warps = key.rows / unit, strips = query.rows / unit, parts = warps / strips;
    while (parts > 1 && query.whole() % (parts * unit)) --parts;
    parts = std::max<int64_t>(parts, 1);
    int64_t columns = query.whole() / parts, rounds = llvm::divideCeil(strips * parts, warps);
    if (!ofQuery) ofQuery = sumsOf(columns);
    unroll(rounds, [&](Value round) {
      Value number = apply(d(0) * warps + d(1), {round, warp});
      within(number, strips * parts, warps, [&](Value own) {
        Value strip = apply(d(0) % strips, own),
              first = apply(d(0).floorDiv(strips) * columns, own);
        multiplyTurned(ofQuery, turned, strip, key, first, columns);
        finish(0, ofQuery, batch, head, rowBase, f.rows, query.rows, strip, first, columns,
               f.features, f.scale);
      });
    });
  }

  /// Writes sums of a strip of 16 rows of a tile of `tileRows` at `base`: `columns` columns from `first` on.
  void finish(unsigned result, Value sums, Value batch, Value head, Value base, int64_t rowCount,
              int64_t tileRows, Value strip, Value first, int64_t columns, int64_t columnCount,
              double scale) {
    for (int64_t half : {0, 1})
      within(apply(d(0) + d(1), {base, rowOf(strip, half)}), rowCount, tileRows, [&](Value row) {
        unroll(columns / word, [&](Value j) {
          for (int64_t next : {0, 1}) {
            Value column = apply(d(0) + d(1), {first, ownColumn(j, next)});
            within(column, columnCount, unit, [&](Value column) {
              Value own = part(load(sums, j), half * 2 + next);
              if (scale != 1) own = times(own, number(scale));
              write(result, own, {batch, head, row, column});
            });
          }
        });
      });
  }

  AttentionBackwardOp gradient;
  int64_t rowTiles = 1, keyTiles = 1;
  bool isShort = false; // all keys are one tile
  Tile query, grad, key, value;
  Tile turned;                                    // cotangents of scores, a row for each key
  Value scores, alongs, weights, slopes, ofQuery; // of a lane
};

} // namespace

bool lowerMatrixBackward(KernelFrame &frame, Operation *op, LogicalResult &result) {
  Backward backward(frame, cast<AttentionBackwardOp>(op));
  if (!backward.chooseTiles()) return false;
  result = backward.run();
  return true;
}

} // namespace sinter::codegen
