#include "sinter/codegen/attention/TiledAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// A block has a tile of a head's rows and goes through the keys. A row's maximum and sum go along, and its result
/// is scaled whenever the maximum grows (FlashAttention-2, Dao, 2023); where all keys are one tile, nothing is.
class Forward : public TiledAttention {
public:
  using TiledAttention::TiledAttention;

  LogicalResult run() {
    if (!chooseTiles()) return op->emitOpError("has no tiles that fit shared memory");
    int64_t rowTiles = llvm::divideCeil(f.rows, query.rows);
    keyTiles = llvm::divideCeil(f.keys, key.rows);
    start(f.batch * f.heads * rowTiles);
    place({&query, &key, &value, &weights});
    rowBase = apply((d(0) % rowTiles) * query.rows, block);
    Value line = apply(d(0).floorDiv(rowTiles), block);
    batch = apply(d(0).floorDiv(f.heads), line);
    head = apply(d(0) % f.heads, line);
    sharedHead = apply(d(0).floorDiv(f.shared()), head);
    scores = array({rows, columns}, type);
    result = array({rows, results}, type);
    most = array({rows}, type);
    total = array({rows}, type);
    clear(result, rows, results);
    unroll(rows, [&](Value i) {
      store(number(-HUGE_VAL), most, i);
      store(number(0), total, i);
    });
    fetch(query, f.query, batch, head, rowBase, f.scale);
    if (keyTiles == 1)
      emitKeys(elements->index(0));
    else
      loop(frame.constant(0), neededKeys(rowBase, query.rows, key.rows), 1, keyTiles,
           [&](Value tile) { emitKeys(apply(d(0) * key.rows, tile)); });
    finish();
    return failure(elements->failed());
  }

private:
  /// The largest tiles that fit, of rows and keys that there are; a thread has up to 64 results.
  bool chooseTiles() {
    results = llvm::divideCeil(f.values, lanes);
    for (auto [ownRows, keys] : {std::pair(4, 32), {4, 16}, {2, 32}, {2, 16}, {1, 16}, {1, 8}}) {
      rows = std::min(int64_t(ownRows), int64_t(llvm::divideCeil(f.rows, groups)));
      columns = std::min(int64_t(keys), int64_t(llvm::alignTo(f.keys, lanes))) / lanes;
      query = {rows * groups, f.features};
      key = {columns * lanes, f.features};
      value = {columns * lanes, f.values};
      weights = {rows * groups, columns * lanes};
      int64_t size = query.size() + key.size() + value.size() + weights.size() + 16;
      if (rows * results <= 64 && size * 4 <= sharedLimit()) return true;
    }
    return false;
  }

  void emitKeys(Value keyBase) {
    if (keyTiles > 1) barrier(); // the tile before has been read
    fetch(key, f.key, batch, sharedHead, keyBase);
    fetch(value, f.value, batch, sharedHead, keyBase);
    barrier();
    multiply(scores, rows, columns, alongRows(query), alongRows(key), f.features, /*fresh=*/true);
    unroll(rows, [&](Value i) { weigh(i, keyBase); });
    barrier();
    multiply(result, rows, results, alongRows(weights), acrossRows(value), key.rows,
             /*fresh=*/false);
  }

  /// A row of scores becomes weights; they are divided by their sum when all keys have been seen.
  void weigh(Value i, Value keyBase) {
    auto pair = [&](Value j) {
      return pairAt(batch, head, rowBase, query.rows, ownRow(i), keyBase, key.rows, ownColumn(j));
    };
    unroll(columns, [&](Value j) { store(masked(load(scores, {i, j}), pair(j)), scores, {i, j}); });
    Value before = load(most, i), sumBefore = load(total, i), first = elements->index(0);
    store(before, along(), first);
    unroll(columns, [&](Value j) {
      store(larger(load(scores, {i, j}), load(along(), first)), along(), first);
    });
    Value highest = acrossLanes(load(along(), first), lanes,
                                [&](Value lhs, Value rhs) { return larger(lhs, rhs); });
    Value shift = shiftOf(highest);
    store(number(0), along(), first);
    unroll(columns, [&](Value j) {
      Value weight = exp(minus(load(scores, {i, j}), shift));
      store(plus(load(along(), first), weight), along(), first);
      if (kept) weight = times(weight, dropFactor(pair(j)));
      store(weight, scores, {i, j});
    });
    Value sum = acrossLanes(load(along(), first), lanes,
                            [&](Value lhs, Value rhs) { return plus(lhs, rhs); });
    unroll(columns, [&](Value j) {
      store(load(scores, {i, j}), weights.memory,
            apply(d(0) * weights.stride() + d(1), {ownRow(i), ownColumn(j)}));
    });
    if (keyTiles > 1) {
      Value factor = exp(minus(before, shift));
      sum = plus(sum, times(sumBefore, factor));
      unroll(results, [&](Value j) { store(times(load(result, {i, j}), factor), result, {i, j}); });
    }
    store(highest, most, i);
    store(sum, total, i);
  }

  void finish() {
    overResults(rows, results, rowBase, f.rows, f.values,
                [&](Value i, Value j, Value row, Value column) {
                  Value quotient =
                      arith::DivFOp::create(b, frame.loc, load(result, {i, j}), load(total, i));
                  write(0, quotient, {batch, head, row, column});
                });
    Value leads =
        arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, lane, frame.constant(0));
    onlyIf(leads, [&] {
      unroll(rows, [&](Value i) {
        within(apply(d(0) + d(1), {rowBase, ownRow(i)}), f.rows, query.rows, [&](Value row) {
          Value logarithm = math::LogOp::create(b, frame.loc, load(total, i));
          write(1, plus(load(most, i), logarithm), {batch, head, row});
        });
      });
    });
  }

  int64_t rows = 1, columns = 1, results = 1; // of a thread
  int64_t keyTiles = 1;
  Tile query, key, value, weights;
  Value batch, head, sharedHead, rowBase;
  Value scores, result, most, total;
};

} // namespace

LogicalResult lowerTiledForward(KernelFrame &frame, Operation *op) {
  return Forward(frame, op).run();
}

} // namespace sinter::codegen
