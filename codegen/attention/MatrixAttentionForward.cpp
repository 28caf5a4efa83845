#include "sinter/codegen/attention/MatrixAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// A block has up to 64 of a head's rows, 16 a warp, and goes through the keys (FlashAttention-2, Dao, 2023).
class Forward : public MatrixAttention {
public:
  using MatrixAttention::MatrixAttention;

  bool chooseTiles() {
    int64_t warps = std::min<int64_t>(4, llvm::divideCeil(f.rows, unit));
    // All keys at once where they are few: registers hold a lane's share of their scores.
    for (int64_t keys : {f.keys <= 128 && f.values <= 64 ? 128 : 64, 32, 16}) {
      keys = std::min<int64_t>(keys, llvm::alignTo(f.keys, unit));
      query = {warps * unit, f.features};
      key = {keys, f.features};
      value = {keys, f.values};
      if ((query.size() + key.size() + value.size()) * 2 <= sharedLimit()) return true;
    }
    return false;
  }

  LogicalResult run() {
    int64_t rowTiles = llvm::divideCeil(f.rows, query.rows);
    keyTiles = llvm::divideCeil(f.keys, key.rows);
    start(f.batch * f.heads * rowTiles, query.rows / unit);
    place({&query, &key, &value});
    rowBase = apply((d(0) % rowTiles) * query.rows, block);
    Value line = apply(d(0).floorDiv(rowTiles), block);
    batch = apply(d(0).floorDiv(f.heads), line);
    head = apply(d(0) % f.heads, line);
    sharedHead = apply(d(0).floorDiv(f.shared()), head);
    scores = sumsOf(key.rows);
    weights = array({key.rows / word, 4}, type);
    result = sumsOf(value.whole());
    most = array({2}, type);
    total = array({2}, type);
    clear(result, value.whole());
    for (int64_t half : {0, 1}) {
      store(number(-HUGE_VAL), most, frame.constant(half));
      store(number(0), total, frame.constant(half));
    }
    fetch(query, f.query, batch, head, rowBase);
    if (keyTiles == 1)
      emitKeys(elements->index(0));
    else
      loop(frame.constant(0), neededKeys(rowBase, query.rows, key.rows), 1, keyTiles,
           [&](Value tile) { emitKeys(apply(d(0) * key.rows, tile)); });
    finish();
    return failure(elements->failed());
  }

private:
  void emitKeys(Value keyBase) {
    if (keyTiles > 1) barrier(); // the tile before has been read
    fetch(key, f.key, batch, sharedHead, keyBase);
    fetch(value, f.value, batch, sharedHead, keyBase);
    barrier();
    multiplyAlong(scores, query, key);
    weigh(keyBase);
    multiplyAcross(result, weights, value);
  }

  /// Scores become weights; they are divided by their row's sum when all keys have been seen.
  void weigh(Value keyBase) {
    auto pair = [&](Value row, Value column) {
      return pairAt(batch, head, rowBase, query.rows, row, keyBase, key.rows, column);
    };
    Value highs = array({2}, type), sums = array({2}, type);
    auto ofHalf = [&](int64_t place) { return frame.constant(place / 2); };
    for (int64_t half : {0, 1}) {
      store(load(most, frame.constant(half)), highs, frame.constant(half));
      store(number(0), sums, frame.constant(half));
    }
    overLane(key.rows, [&](Value j, int64_t place, Value row, Value column) {
      Value score = times(part(load(scores, j), place), number(f.scale));
      score = masked(score, pair(row, column));
      store(score, weights, {j, frame.constant(place)});
      store(larger(score, load(highs, ofHalf(place))), highs, ofHalf(place));
    });
    SmallVector<Value> shifts, factors;
    for (int64_t half : {0, 1}) {
      Value at = frame.constant(half);
      Value highest =
          acrossLanes(load(highs, at), 4, [&](Value lhs, Value rhs) { return larger(lhs, rhs); });
      shifts.push_back(shiftOf(highest));
      factors.push_back(exp(minus(load(most, at), shifts.back())));
      store(highest, most, at);
    }
    overLane(key.rows, [&](Value j, int64_t place, Value row, Value column) {
      SmallVector<Value> at{j, frame.constant(place)};
      Value weight = exp(minus(load(weights, at), shifts[place / 2]));
      store(plus(load(sums, ofHalf(place)), weight), sums, ofHalf(place));
      if (kept) weight = times(weight, dropFactor(pair(row, column)));
      store(weight, weights, at);
    });
    for (int64_t half : {0, 1}) {
      Value at = frame.constant(half);
      Value sum =
          acrossLanes(load(sums, at), 4, [&](Value lhs, Value rhs) { return plus(lhs, rhs); });
      if (keyTiles > 1) sum = plus(sum, times(load(total, at), factors[half]));
      store(sum, total, at);
    }
    if (keyTiles == 1) return;
    unroll(value.whole() / word, [&](Value j) {
      Value sum = load(result, j);
      SmallVector<Value> parts;
      for (int64_t place = 0; place < 4; ++place)
        parts.push_back(times(part(sum, place), factors[place / 2]));
      store(sumFrom(parts), result, j);
    });
  }

  void finish() {
    for (int64_t half : {0, 1})
      within(apply(d(0) + d(1), {rowBase, ownRow(half)}), f.rows, query.rows, [&](Value row) {
        Value sum = load(total, frame.constant(half));
        unroll(value.whole() / word, [&](Value j) {
          for (int64_t next : {0, 1})
            within(ownColumn(j, next), f.values, value.whole(), [&](Value column) {
              Value own = part(load(result, j), half * 2 + next);
              write(0, arith::DivFOp::create(b, frame.loc, own, sum), {batch, head, row, column});
            });
        });
        Value leads = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq,
                                            apply(d(0) % 4, lane), frame.constant(0));
        onlyIf(leads, [&] {
          Value logarithm = math::LogOp::create(b, frame.loc, sum);
          write(1, plus(load(most, frame.constant(half)), logarithm), {batch, head, row});
        });
      });
  }

  int64_t keyTiles = 1;
  Tile query, key, value;
  Value batch, head, sharedHead, rowBase;
  Value scores, weights, result, most, total; // of a lane; the last two of its two rows
};

} // namespace

bool lowerMatrixForward(KernelFrame &frame, Operation *op, LogicalResult &result) {
  Forward forward(frame, op);
  if (!forward.chooseTiles()) return false;
  result = forward.run();
  return true;
}

} // namespace sinter::codegen
