#include "sinter/codegen/contraction/TileEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// An odd number of cache lines that hold `elements` of `bytes` each: neighbours in a tile, a line each, then
/// lie in different sets of the first-level cache.
static int64_t oddLines(int64_t elements, int64_t bytes) {
  int64_t perLine = 64 / bytes;
  return (int64_t(llvm::divideCeil(elements, perLine)) | 1) * perLine;
}

int64_t TileEmitter::kSize() const { return llvm::alignTo(plan.kMost, tileK); }

Value TileEmitter::kLength() {
  return plan.kBlocks == 1 ? constant(plan.kMost) : mul(kCount, plan.kInner);
}

bool TileEmitter::kIsWhole() const {
  return plan.kMost % tileK == 0 && plan.kOuter % plan.kPerBlock * plan.kInner % tileK == 0;
}

void TileEmitter::allocatePanels() {
  frame.lowered.function->setAttr(tilesAttr, b.getUnitAttr());
  int64_t W = plan.W, rows = llvm::alignTo(plan.rowsPerUnit, plan.tileRows);
  Type type = plan.panelType;
  if (plan.columnBox) columnBoxPanel = elements->temporary(plan.columnBox->size() + W, type);
  if (plan.rowBox) rowBoxPanel = elements->temporary(plan.rowBox->size() + tileK, type);
  rowStride = oddLines(plan.kInRows + tileK, 2);
  if (plan.direct)
    rowStride = plan.rowsInPlace->strides[plan.rows.first];
  else
    rowPanel = elements->temporary(rows * rowStride, type);
  int64_t width = plan.tileVectors * W;
  ldb = plan.tiled ? llvm::alignTo(plan.blockColumns, width) : oddLines(plan.blockColumns + W, 4);
  columnPanel = elements->temporary(kSize() * ldb, type);
  // What is turned round: 16 columns' lines, or a tile of k of all rows.
  if (!plan.columnsAlongColumn && plan.columnsAlongK)
    columnLines = elements->temporary(W * oddLines(plan.kMost + tileK, 2), type);
  pairStride = oddLines(rows + W, 4);
  if (plan.rowsAlongRow && !plan.direct) rowPairs = elements->temporary(tileK * pairStride, type);
  ldc = tileAtOnce ? width : oddLines(plan.blockColumns, 4);
  sums = elements->temporary(tileAtOnce ? plan.tileRows * ldc : sumBlocks() * rowsOfSums() * ldc,
                             plan.type);
}

/// What a row panel has of k: all of it at once, or the block.
Value TileEmitter::kInRows() { return plan.resident ? constant(plan.kInRows) : kLength(); }

/// A line of one row or column along k, of `length`, and zeros after it.
void TileEmitter::packLine(llvm::function_ref<Value(Indices, Value)> element, bool inRuns,
                           Value length, Value panel, Value at) {
  auto pack = [&](Indices k, Value offset) {
    put(element(k, offset), panel, affine(d(0) + d(1), {at, offset}));
  };
  if (inRuns) {
    runWidth = tileK;
    alongK(pack);
    runWidth = plan.W;
  } else {
    overInnerK(plan.groups[3].extents.size(), pack);
  }
  if (kIsWhole()) return;
  put(constantOf(b, frame.loc, panelVector(tileK), 0), panel, affine(d(0) + d(1), {at, length}));
}

void TileEmitter::packRows() {
  if (plan.direct) return;
  if (plan.rowsAlongRow) return packRowPairs();
  if (plan.rowBox) {
    int64_t channel = product(ArrayRef(plan.rows.extents).drop_front());
    packBox(*plan.rowBox, rowBoxPanel, plan.rows, {affine(d(0).floorDiv(channel), rowBase)});
  }
  loop(constant(0), rowCount, 1, plan.rowsPerUnit, [&](Value local) {
    Indices row = plan.rowBox ? delinearized(local, plan.rows.extents) : rowIndices(local);
    auto element = [&](Indices k, Value offset) {
      return plan.rowBox ? boxElement(row, k, offset) : factor(plan.rowSide, point(row, {}, k));
    };
    packLine(element, plan.rowsAlongK, kInRows(), rowPanel, affine(d(0) * rowStride, local));
  });
}

/// Element of the row side's box at indices of its rows and of k, which is at `offset` of the block.
Value TileEmitter::boxElement(Indices row, Indices k, Value offset) {
  const OperandBox &box = *plan.rowBox;
  const LoopGroup &ofK = plan.groups[3];
  Indices operands{offset};
  AffineExpr at = b.getAffineConstantExpr(box.start);
  auto move = [&](unsigned loop, Value index) {
    at = at + d(operands.size()) * box.loopStrides[loop];
    operands.push_back(index);
  };
  for (unsigned i = 0; i < row.size(); ++i) move(plan.rows.first + i, row[i]);
  if (plan.kInnerFirst > 0)
    at = at + d(0).floorDiv(plan.kInner) * box.loopStrides[ofK.first + plan.kInnerFirst - 1];
  for (unsigned i = plan.kInnerFirst; i < k.size(); ++i) move(ofK.first + i, k[i]);
  Value position = affine(at, operands);
  if (elements->lanes() == 1) return memref::LoadOp::create(b, frame.loc, rowBoxPanel, position);
  return vector::LoadOp::create(b, frame.loc, panelVector(runWidth), rowBoxPanel, position);
}

/// Rows that lie side by side: pairs as a column panel has them, a tile of k at a time, turned round.
void TileEmitter::packRowPairs() {
  int64_t W = plan.W, total = plan.rows.size();
  bool whole = total % W == 0 && plan.rowsPerUnit % W == 0;
  Value length = kInRows();
  loop(constant(0), length, tileK, plan.kInRows, [&](Value start) {
    loop(tileK / 2, [&](Value local) {
      auto pair = pairOf(affine(d(0).floorDiv(2) + d(1), {start, local}), length, false);
      runs(rowBase, add(rowBase, rowCount), total, whole, [&](Value row) {
        putPair(
            pair,
            [&](const PairElement &of) { return factor(plan.rowSide, point({row}, {}, of.k)); },
            rowPairs, affine(d(0) * (2 * pairStride) + (d(1) - d(2)) * 2, {local, row, rowBase}));
      });
    });
    loop(constant(0), rowCount, W, plan.rowsPerUnit, [&](Value row) {
      turnPairs(
          b, frame.loc, rowPairs,
          [&](int64_t pair) { return affine(d(0) * 2 + pair * 2 * pairStride, row); }, rowPanel,
          [&](int64_t lane) {
            return affine((d(0) + lane) * rowStride + d(1), {row, start});
          });
    });
  });
}

void TileEmitter::packColumns() {
  if (!plan.columnsAlongColumn && plan.columnsAlongK) return packColumnLines();
  packColumnBox();
  // A line of a cache at once, where a column of tiles is as wide.
  if (plan.tiled && plan.tileVectors == 2 && !plan.columnBox) runWidth = 2 * plan.W;
  Value length = kLength();
  Value pairs = affine((d(0) + 1).floorDiv(2), length);
  int64_t most = kSize() / 2;
  loop(constant(0), pairs, 1, most, [&](Value number) {
    auto pair = pairOf(number, length, true);
    overColumns([&](Indices column, Value local) {
      putPair(
          pair, [&](const PairElement &of) { return columnElement(column, of.k, of.offset); },
          columnPanel, pairAt(number, local));
    });
  });
  runWidth = plan.W;
  if (kIsWhole()) return;
  Value end = affine((d(0) + tileK - 1).floorDiv(tileK) * (tileK / 2), length);
  loop(pairs, end, 1, most, [&](Value number) {
    loop(constant(0), columnCount, plan.W, plan.blockColumns, [&](Value column) {
      put(constantOf(b, frame.loc, panelVector(2 * plan.W), 0), columnPanel,
          pairAt(number, column));
    });
  });
}

/// Columns that lie along k: sixteen lines as a row panel has them, turned round.
void TileEmitter::packColumnLines() {
  int64_t W = plan.W, stride = oddLines(plan.kMost + tileK, 2);
  loop(constant(0), columnCount, W, plan.blockColumns, [&](Value block) {
    loop(W, [&](Value lane) {
      // Lanes beyond the last column repeat it.
      Value local = minimum(affine(d(0) + d(1), {block, lane}), subtract(columnCount, constant(1)));
      elements->variable(local, 0, plan.blockColumns - 1);
      Indices column = columnIndices(local);
      auto element = [&](Indices k, Value) {
        return factor(1 - plan.rowSide, point({}, column, k));
      };
      packLine(element, true, kLength(), columnLines, affine(d(0) * stride, lane));
    });
    loop(constant(0), kLength(), tileK, plan.kMost, [&](Value k) {
      turnPairs(
          b, frame.loc, columnLines, [&](int64_t lane) { return affine(d(0) + lane * stride, k); },
          columnPanel,
          [&](int64_t pair) { return pairAt(affine(d(0).floorDiv(2) + pair, k), block); });
    });
  });
}

/// Where a pair of a column is in the column panel; runs of columns never cross a tile's border.
Value TileEmitter::pairAt(Value pair, Value column) {
  if (!plan.tiled) return affine(d(0) * (2 * ldb) + d(1) * 2, {pair, column});
  int64_t width = plan.tileVectors * plan.W;
  return affine(d(1).floorDiv(width) * (width * kSize()) + d(0) * (2 * width) + (d(1) % width) * 2,
                {pair, column});
}

/// The elements of k of a pair of the block, whose length is `length`.
std::array<TileEmitter::PairElement, 2> TileEmitter::pairOf(Value pair, Value length,
                                                            bool firstExists) {
  std::array<PairElement, 2> result;
  ArrayRef<int64_t> extents = plan.groups[3].extents;
  int64_t most = plan.resident ? plan.kInRows : plan.kMost;
  for (int64_t second : {0, 1}) {
    PairElement &element = result[second];
    element.offset = affine(d(0) * 2 + second, pair);
    if (!kIsWhole() &&
        (second || !firstExists)) { // the last one stands for those that do not exist
      element.exists = compare(arith::CmpIPredicate::ult, element.offset, length);
      element.offset = minimum(element.offset, subtract(length, constant(1)));
      elements->variable(element.offset, 0, most - 1);
    }
    Value linear = affine(d(0) * plan.kInner + d(1), {kBase, element.offset});
    for (auto [number, index] : llvm::enumerate(delinearized(linear, extents))) {
      if (matchPattern(index, m_Constant())) {
        element.k.push_back(index);
        continue;
      }
      // A variable of its own: computed once, not in every address.
      element.k.push_back(add(index, constant(0)));
      elements->variable(element.k.back(), 0, extents[number] - 1);
    }
  }
  return result;
}

void TileEmitter::putPair(const std::array<PairElement, 2> &pair,
                          llvm::function_ref<Value(const PairElement &)> element, Value panel,
                          Value at) {
  Indices values;
  for (const PairElement &of : pair) {
    Value value = narrowed(element(of), plan.panelType);
    if (of.exists)
      value = arith::SelectOp::create(b, frame.loc, of.exists, value,
                                      constantOf(b, frame.loc, value.getType(), 0));
    values.push_back(value);
  }
  if (elements->lanes() == 1) {
    put(values[0], panel, at);
    return put(values[1], panel, affine(d(0) + 1, at));
  }
  int64_t count = elements->lanes();
  for (int64_t first = 0; first < count; first += plan.W) {
    SmallVector<int64_t> lanes;
    for (int64_t lane = first; lane < first + plan.W; ++lane) lanes.append({lane, count + lane});
    put(vector::ShuffleOp::create(b, frame.loc, values[0], values[1], lanes), panel,
        affine(d(0) + 2 * first, at));
  }
}

} // namespace sinter::codegen
