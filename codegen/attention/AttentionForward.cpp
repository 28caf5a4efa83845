#include "sinter/codegen/attention/AttentionEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t rowsOfUnit = 256;

/// A unit is a head's block of rows. Key and value are brought in block by block; a row's maximum and sum go
/// along, and its result is scaled whenever the maximum grows (FlashAttention-2, Dao, 2023).
class ForwardEmitter : public AttentionEmitter {
public:
  using AttentionEmitter::AttentionEmitter;

  LogicalResult run() {
    keyBlock = f.keys <= mostKeysInOneBlock ? f.keys : keysOfBlock;
    keyBlocks = llvm::divideCeil(f.keys, keyBlock);
    unitRows = std::min(f.rows, rowsOfUnit);
    rowsOfBlock = onTiles && unitRows > 16 ? 32 : 16;
    int64_t rowUnits = llvm::divideCeil(f.rows, unitRows);
    mostRows = llvm::alignTo(unitRows, rowsOfBlock);
    int64_t keys = wholeTiles(keyBlock);
    query = factorRows(mostRows, f.features);
    keyRows = factorRows(keys, f.features);
    keyColumns = turned(keys, f.features);
    valueRows = factorRows(keys, f.values);
    valuePairs = paired(valueRows, keys, f.values);
    weights = panel(rowsOfBlock, keys);
    leftWeights = onTiles ? factorRows(rowsOfBlock, keys) : weights;
    result = panel(mostRows, wholeVectors(f.values));
    most = elements->temporary(mostRows, type);
    total = elements->temporary(mostRows, type);
    if (kept) factors = elements->temporary(keys, type);
    scores = weights.memory;
    if (onTiles) clearFactors(keys);
    int64_t units = f.batch * f.heads * rowUnits;
    frame.lowered.range = units;
    frame.lowered.grain = 1;
    loop(frame.begin(), frame.end(), 1, units, [&](Value unit) {
      Value head = affine(d(0).floorDiv(rowUnits), unit);
      rowBase = affine((d(0) % rowUnits) * unitRows, unit);
      rowCount = rowUnits == 1 ? constant(unitRows)
                               : minimum(constant(unitRows), subtract(constant(f.rows), rowBase));
      emitUnit(affine(d(0).floorDiv(f.heads), head), affine(d(0) % f.heads, head));
    });
    return failure(elements->failed());
  }

private:
  void emitUnit(Value batch, Value head) {
    pack(query, f.query, batch, head, rowBase, rowCount, mostRows, packedScale);
    if (keyBlocks > 1) reset();
    Value group = affine(d(0).floorDiv(f.shared()), head);
    auto block = [&](Value number) {
      keyBase = affine(d(0) * keyBlock, number);
      keyCount = keyBlocks == 1 ? constant(keyBlock)
                                : minimum(constant(keyBlock), subtract(constant(f.keys), keyBase));
      emitBlock(batch, head, group);
    };
    if (keyBlocks == 1)
      block(constant(0));
    else
      loop(constant(0), neededBlocks(), 1, keyBlocks, block);
    finish(batch, head);
  }
  /// Later blocks have keys after all rows.
  Value neededBlocks() {
    if (!f.isCausal) return constant(keyBlocks);
    Value rows = add(rowBase, rowCount);
    Value blocks = affine((d(0) + keyBlock - 1).floorDiv(keyBlock), rows);
    return minimum(blocks, constant(keyBlocks));
  }

  void reset() {
    loop(constant(0), constant(mostRows), 1, mostRows, [&](Value row) {
      store(scalar(-HUGE_VAL), most, row);
      store(scalar(0), total, row);
      for (int64_t column = 0; column < wholeVectors(f.values); column += W)
        store(number(0), result.memory, affine(d(0) * result.stride + column, row));
    });
  }

  void emitBlock(Value batch, Value head, Value group) {
    int64_t keys = wholeTiles(keyBlock);
    pack(keyRows, f.key, batch, group, keyBase, keyCount, keys);
    turn(keyRows, keyColumns, keys, f.features);
    pack(valueRows, f.value, batch, group, keyBase, keyCount, keys);
    pair(valueRows, valuePairs, keys, f.values);
    loop(constant(0), rowCount, rowsOfBlock, unitRows, [&](Value first) {
      Value lastRow = affine(d(0) + d(1) + rowsOfBlock - 1, {rowBase, first});
      Value tiles = tilesFor(lastRow, keyBase, keyCount);
      Value width = arith::MulIOp::create(b, frame.loc, tiles, constant(tileColumns()));
      Value rowTiles = constant(rowsOfBlock / tileRows);
      multiply(weights, {query.memory, query.stride, 1, affine(d(0) * query.stride, first)},
               keyColumns, rowTiles, rowsOfBlock / tileRows, tiles, keys / W, constant(f.features),
               f.features, /*adds=*/false);
      loop(constant(0), constant(rowsOfBlock), 1, rowsOfBlock, [&](Value local) {
        Value row = affine(d(0) + d(1), {first, local});
        // Rows of zeros beyond the last one take its place in masks.
        Value inHead = minimum(affine(d(0) + d(1), {rowBase, row}), constant(f.rows - 1));
        elements->variable(inHead, 0, f.rows - 1);
        weigh(row, local, batch, head, inHead, width);
      });
      Panel out = result;
      out.start = affine(d(0) * result.stride, first);
      multiply(out, {leftWeights.memory, leftWeights.stride, 1, constant(0)}, valuePairs, rowTiles,
               rowsOfBlock / tileRows, nullptr, wholeVectors(f.values) / W,
               minimum(width, keyCount), keyBlock, /*adds=*/keyBlocks > 1);
    });
  }
  /// A row of scores becomes weights; they are divided by their sum when all blocks have been seen.
  void weigh(Value row, Value local, Value batch, Value head, Value inHead, Value width) {
    Value at = affine(d(0) * weights.stride, local), to = affine(d(0) * leftWeights.stride, local);
    scaleScores(at, width);
    maskScores(at, batch, head, inHead, keyBase, keyCount, keyBlock, width);
    if (kept) drawFactors(batch, head, inHead, keyBase, minimum(width, keyCount), keyBlock);
    auto greater = [&](Value lhs, Value rhs) { return larger(lhs, rhs); };
    auto sum = [&](Value lhs, Value rhs) { return plus(lhs, rhs); };
    Value high = overVectors(width, number(-HUGE_VAL), [&](Value column, ValueRange carried) {
      return Indices{larger(loadVector(scores, add(at, column)), carried[0])};
    })[0];
    high = acrossLanes(high, greater);
    Value before;
    if (keyBlocks > 1) {
      before = loadScalar(most, row);
      high = larger(before, high);
    }
    // With nothing but -infinity so far, exponentials of it are 0, and their sum says so.
    Value none =
        arith::CmpFOp::create(b, frame.loc, arith::CmpFPredicate::OEQ, high, scalar(-HUGE_VAL));
    Value shift = arith::SelectOp::create(b, frame.loc, none, scalar(0), high);
    Value shifts = spread(shift);
    Value added = overVectors(width, number(0), [&](Value column, ValueRange carried) {
      Value position = add(at, column);
      Value weight = exp(minus(loadVector(scores, position), shifts));
      Value left = kept ? times(weight, loadVector(factors, column)) : weight;
      store(narrowed(left), leftWeights.memory, add(to, column));
      return Indices{plus(carried[0], weight)};
    })[0];
    added = acrossLanes(added, sum);
    if (keyBlocks > 1) {
      Value factor = exp(minus(before, shift));
      added = plus(added, times(loadScalar(total, row), factor));
      for (int64_t column = 0; column < wholeVectors(f.values); column += W) {
        Value position = affine(d(0) * result.stride + column, row);
        store(times(loadVector(result.memory, position), spread(factor)), result.memory, position);
      }
    }
    store(high, most, row);
    store(added, total, row);
  }

  void finish(Value batch, Value head) {
    loop(constant(0), rowCount, 1, unitRows, [&](Value local) {
      Value row = affine(d(0) + d(1), {rowBase, local});
      Value sum = loadScalar(total, local);
      Value inverse = arith::DivFOp::create(b, frame.loc, scalar(1), sum);
      runs(constant(f.values), f.values, [&](Value column) {
        Value position = affine(d(0) * result.stride + d(1), {local, column});
        bool isVector = elements->lanes() > 1;
        Value value =
            isVector ? loadVector(result.memory, position) : loadScalar(result.memory, position);
        value = times(value, isVector ? spread(inverse) : inverse);
        write(0, value, {batch, head, row, column});
      });
      Value logarithm =
          plus(loadScalar(most, local), math::LogOp::create(b, frame.loc, sum).getResult());
      write(1, logarithm, {batch, head, row});
    });
  }
  int64_t keyBlock = 0, keyBlocks = 0, unitRows = 0, mostRows = 0;
  int64_t rowsOfBlock = 16; // whose scores are in the nearest cache at once
  Panel query, keyRows, keyColumns, valueRows, valuePairs, weights, leftWeights, result;
  Value most, total; // of each row of the unit
  Value rowBase, rowCount, keyBase, keyCount;
};

} // namespace

LogicalResult lowerAttentionForward(KernelFrame &frame, Operation *op) {
  return ForwardEmitter(frame, op).run();
}

} // namespace sinter::codegen
