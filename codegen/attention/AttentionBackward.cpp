#include "sinter/codegen/attention/AttentionEmitter.h"
#include "sinter/codegen/contraction/TileSteps.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Rows whose weights are made again at once: a step of k on a matrix unit.
constexpr int64_t rowsOfBlock = tileDepth;

/// A unit is a group of heads with one key and value, whose gradients only it adds up, block of rows after
/// block of rows: the same sums in the same order for every number of threads.
class BackwardEmitter : public AttentionEmitter {
public:
  BackwardEmitter(KernelFrame &frame, AttentionBackwardOp op)
      : AttentionEmitter(frame, op), gradient(op) {}

  LogicalResult run() {
    keyBlock = f.keys <= mostKeysInOneBlock ? f.keys : keysOfBlock;
    keyBlocks = llvm::divideCeil(f.keys, keyBlock);
    allocate();
    int64_t units = f.batch * f.groups;
    frame.lowered.range = units;
    frame.lowered.grain = 1;
    loop(frame.begin(), frame.end(), 1, units, [&](Value unit) {
      batch = affine(d(0).floorDiv(f.groups), unit);
      group = affine(d(0) % f.groups, unit);
      if (keyBlocks == 1) return emitBlock(constant(0));
      loop(constant(0), constant(keyBlocks), 1, keyBlocks,
           [&](Value number) { emitBlock(number); });
    });
    return failure(elements->failed());
  }

private:
  void allocate() {
    int64_t keys = wholeTiles(keyBlock), features = wholeVectors(f.features),
            values = wholeVectors(f.values);
    keyRows = factorRows(keys, f.features);
    keyColumns = turned(keys, f.features);
    keyPairs = paired(keyRows, keys, f.features);
    valueRows = factorRows(keys, f.values);
    valueColumns = turned(keys, f.values);
    keyGrad = panel(keys, features);
    valueGrad = panel(keys, values);
    query = factorRows(rowsOfBlock, f.features);
    queryPairs = paired(query, rowsOfBlock, f.features);
    grad = factorRows(rowsOfBlock, f.values);
    gradPairs = paired(grad, rowsOfBlock, f.values);
    queryGrad = panel(rowsOfBlock, features);
    weights = panel(rowsOfBlock, keys);
    slopes = panel(rowsOfBlock, keys);
    leftWeights = onTiles ? factorRows(rowsOfBlock, keys) : weights;
    leftSlopes = onTiles ? factorRows(rowsOfBlock, keys) : slopes;
    if (onTiles) weightsAcross = acrossRows(keys), slopesAcross = acrossRows(keys);
    logs = elements->temporary(rowsOfBlock, type);
    deltas = elements->temporary(rowsOfBlock, type);
    if (kept) factors = elements->temporary(keys, type);
    if (keyBlocks > 1 && elementOf(f.query) != type) // sums over blocks are rounded once
      queryTotal = panel(f.shared() * f.rows, features);
    scores = weights.memory;
    if (onTiles) clearFactors(keys);
  }

  void emitBlock(Value number) {
    int64_t keys = wholeTiles(keyBlock);
    keyBase = affine(d(0) * keyBlock, number);
    keyCount = keyBlocks == 1 ? constant(keyBlock)
                              : minimum(constant(keyBlock), subtract(constant(f.keys), keyBase));
    pack(keyRows, f.key, batch, group, keyBase, keyCount, keys);
    turn(keyRows, keyColumns, keys, f.features);
    pair(keyRows, keyPairs, keys, f.features);
    pack(valueRows, f.value, batch, group, keyBase, keyCount, keys);
    turn(valueRows, valueColumns, keys, f.values);
    clear(keyGrad, keys, wholeVectors(f.features));
    clear(valueGrad, keys, wholeVectors(f.values));
    loop(f.shared(), [&](Value local) {
      Value head = affine(d(0) * f.shared() + d(1), {group, local});
      Value first = constant(0);
      // Rows before the block's first key take none of it. (The first block writes zeros for nobody else.)
      if (f.isCausal && keyBlocks > 1)
        first = minimum(affine(d(0).floorDiv(rowsOfBlock) * rowsOfBlock, keyBase),
                        constant(llvm::alignTo(f.rows, rowsOfBlock)));
      loop(first, constant(f.rows), rowsOfBlock, f.rows,
           [&](Value rowBase) { emitRows(number, local, head, rowBase); });
    });
    writeRows(1, keyGrad, f.features, laterScale);
    writeRows(2, valueGrad, f.values, 1);
  }
  void clear(Panel panel, int64_t rows, int64_t columns) {
    loop(rows, [&](Value row) {
      for (int64_t column = 0; column < columns; column += W)
        store(number(0), panel.memory, affine(d(0) * panel.stride + column, row));
    });
  }
  void writeRows(unsigned result, Panel panel, int64_t columns, double scale) {
    loop(constant(0), keyCount, 1, keyBlock, [&](Value local) {
      runs(constant(columns), columns, [&](Value column) {
        Value value = read(panel, local, column);
        if (scale != 1) value = times(value, constantOf(b, frame.loc, value.getType(), scale));
        write(result, value, {batch, group, affine(d(0) + d(1), {keyBase, local}), column});
      });
    });
  }
  Value read(Panel panel, Value row, Value column) {
    Value position = affine(d(0) * panel.stride + d(1), {row, column});
    return elements->lanes() > 1 ? loadVector(panel.memory, position)
                                 : loadScalar(panel.memory, position);
  }

  void emitRows(Value number, Value local, Value head, Value rowBase) {
    Value rowCount = f.rows % rowsOfBlock
                         ? minimum(constant(rowsOfBlock), subtract(constant(f.rows), rowBase))
                         : constant(rowsOfBlock);
    Value origin = constant(0);
    pack(query, f.query, batch, head, rowBase, rowCount, rowsOfBlock, packedScale);
    pair(query, queryPairs, rowsOfBlock, f.features);
    pack(grad, gradient.getGrad(), batch, head, rowBase, rowCount, rowsOfBlock);
    pair(grad, gradPairs, rowsOfBlock, f.values);
    loadRows(head, rowBase, rowCount);
    Value tiles = tilesFor(affine(d(0) + rowsOfBlock - 1, rowBase), keyBase, keyCount);
    Value width = scaled(tiles, tileColumns()), depth = minimum(width, keyCount);
    Value rowTiles = constant(rowsOfBlock / tileRows);
    int64_t keyVectors = wholeTiles(keyBlock) / W, featureVectors = wholeVectors(f.features) / W,
            valueVectors = wholeVectors(f.values) / W;
    multiply(weights, {query.memory, query.stride, 1, origin}, keyColumns, rowTiles,
             rowsOfBlock / tileRows, tiles, keyVectors, constant(f.features), f.features, false);
    multiply(slopes, {grad.memory, grad.stride, 1, origin}, valueColumns, rowTiles,
             rowsOfBlock / tileRows, tiles, keyVectors, constant(f.values), f.values, false);
    loop(rowsOfBlock, [&](Value row) {
      Value inHead = minimum(affine(d(0) + d(1), {rowBase, row}), constant(f.rows - 1));
      elements->variable(inHead, 0, f.rows - 1);
      weigh(row, head, inHead, width);
    });
    // Keys are the rows of two products: their left factors' rows are columns here.
    Factor weightsLeft{weights.memory, 1, weights.stride, origin},
        slopesLeft{slopes.memory, 1, slopes.stride, origin};
    if (onTiles) {
      turnRows(leftWeights, weightsAcross, width, wholeTiles(keyBlock));
      turnRows(leftSlopes, slopesAcross, width, wholeTiles(keyBlock));
      weightsLeft = {weightsAcross.memory, weightsAcross.stride, 1, origin};
      slopesLeft = {slopesAcross.memory, slopesAcross.stride, 1, origin};
    }
    Value keyTiles = scaled(tiles, tileColumns() / tileRows);
    int64_t mostKeyTiles = wholeTiles(keyBlock) / tileRows;
    multiply(valueGrad, weightsLeft, gradPairs, keyTiles, mostKeyTiles, nullptr, valueVectors,
             constant(rowsOfBlock), rowsOfBlock, /*adds=*/true);
    multiply(keyGrad, slopesLeft, queryPairs, keyTiles, mostKeyTiles, nullptr, featureVectors,
             constant(rowsOfBlock), rowsOfBlock, /*adds=*/true);
    multiply(queryGrad, {leftSlopes.memory, leftSlopes.stride, 1, origin}, keyPairs, rowTiles,
             rowsOfBlock / tileRows, nullptr, featureVectors, depth, keyBlock, false);
    writeQuery(number, local, head, rowBase, rowCount);
  }
  Value scaled(Value count, int64_t factor) {
    return arith::MulIOp::create(b, frame.loc, count, constant(factor));
  }

  /// Rows that are padding have weights of 0.
  void loadRows(Value head, Value rowBase, Value rowCount) {
    loop(constant(0), rowCount, 1, rowsOfBlock, [&](Value local) {
      Value row = add(affine(d(0) + d(1), {rowBase, local}), constant(0));
      elements->variable(row, 0, f.rows - 1);
      store(elements->element(gradient.getLogsumexp(), {batch, head, row}), logs, local);
      store(elements->element(gradient.getDelta(), {batch, head, row}), deltas, local);
    });
    loop(rowCount, constant(rowsOfBlock), 1, rowsOfBlock, [&](Value local) {
      store(scalar(HUGE_VAL), logs, local);
      store(scalar(0), deltas, local);
    });
  }

  /// A row of scores becomes weights, and cotangents of weights those of scores.
  void weigh(Value row, Value head, Value inHead, Value width) {
    Value at = affine(d(0) * weights.stride, row), to = affine(d(0) * leftWeights.stride, row);
    scaleScores(at, width);
    maskScores(at, batch, head, inHead, keyBase, keyCount, keyBlock, width);
    if (kept) drawFactors(batch, head, inHead, keyBase, minimum(width, keyCount), keyBlock);
    Value log = spread(loadScalar(logs, row)), delta = spread(loadScalar(deltas, row));
    overVectors(width, {}, [&](Value column, ValueRange) {
      Value position = add(at, column);
      Value weight = exp(minus(loadVector(weights.memory, position), log));
      Value slope = loadVector(slopes.memory, position);
      Value left = weight;
      if (kept) {
        Value factor = loadVector(factors, column);
        slope = times(slope, factor);
        left = times(weight, factor);
      }
      store(narrowed(left), leftWeights.memory, add(to, column));
      store(narrowed(times(weight, minus(slope, delta))), leftSlopes.memory, add(to, column));
      return Indices();
    });
  }

  void writeQuery(Value number, Value local, Value head, Value rowBase, Value rowCount) {
    Value isFirst =
        arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, number, constant(0));
    loop(constant(0), rowCount, 1, rowsOfBlock, [&](Value inBlock) {
      Value row = add(affine(d(0) + d(1), {rowBase, inBlock}), constant(0));
      elements->variable(row, 0, f.rows - 1);
      runs(constant(f.features), f.features, [&](Value column) {
        Value value = read(queryGrad, inBlock, column);
        value = times(value, constantOf(b, frame.loc, value.getType(), f.scale));
        Indices place{batch, head, row, column};
        if (keyBlocks == 1) return write(0, value, place);
        Value kind = constantOf(b, frame.loc, value.getType(), 0);
        if (!queryTotal.memory) {
          Value before = arith::SelectOp::create(b, frame.loc, isFirst, kind, written(0, place));
          return write(0, plus(before, value), place);
        }
        Value inTotal = affine(d(0) * f.rows + d(1), {local, row});
        Value before =
            arith::SelectOp::create(b, frame.loc, isFirst, kind, read(queryTotal, inTotal, column));
        value = plus(before, value);
        store(elements->masked(value, kind), queryTotal.memory,
              affine(d(0) * queryTotal.stride + d(1), {inTotal, column}));
        write(0, value, place); // what the last block leaves counts
      });
    });
  }

  AttentionBackwardOp gradient;
  int64_t keyBlock = 0, keyBlocks = 0;
  Panel keyRows, keyColumns, keyPairs, valueRows, valueColumns, keyGrad,
      valueGrad;                                                        // of the block of keys
  Panel query, queryPairs, grad, gradPairs, queryGrad, weights, slopes; // of the block of rows
  Panel leftWeights, leftSlopes, weightsAcross, slopesAcross;           // as factors
  Panel queryTotal; // of the group, where results are too narrow to add up in
  Value logs, deltas;
  Value batch, group, keyBase, keyCount;
};

} // namespace

LogicalResult lowerAttentionBackward(KernelFrame &frame, Operation *op) {
  return BackwardEmitter(frame, cast<AttentionBackwardOp>(op)).run();
}

} // namespace sinter::codegen
