#pragma once

#include "sinter/codegen/contraction/ContractionLoops.h"
#include "sinter/codegen/contraction/PackedPlan.h"

#include "llvm/Support/MathExtras.h"

namespace sinter::codegen {

/// Writes the code of a packed contraction as its plan says: units (PackedUnits.cpp), panels
/// (PackedPanels.cpp), register tiles and what follows them (PackedTiles.cpp), what they ask for ahead
/// (ReadAhead.cpp), all from the loops over k of PackedLoops.cpp. TileEmitter has other panels and other products.
class PackedEmitter : protected ContractionLoops {
public:
  PackedEmitter(KernelFrame &frame, const ContractionElements &points, const PackedPlan &plan);
  virtual ~PackedEmitter() = default;
  mlir::LogicalResult run();

protected:
  /// Gets the indices of a point and its position in the panel.
  using PointBody = llvm::function_ref<void(Indices, Value)>;

  // Units.
  virtual void allocatePanels();
  /// Rows that a block's sums have room for: whole tiles are stored.
  int64_t rowsOfSums() const {
    return plan.onTiles ? llvm::alignTo(plan.rowsPerUnit, plan.W) : plan.rowsPerUnit;
  }
  /// Blocks of columns whose sums are kept at once.
  int64_t sumBlocks() const { return plan.resident ? 1 : plan.blocksPerUnit; }
  void emitUnit(Value unit);
  void emitColumns(Value outer);
  void overBlocks(llvm::function_ref<void()> body);
  void ofBlocksProduct(llvm::function_ref<void()> pack);

  // Panels.
  virtual void packRows();
  void packBox(const OperandBox &box, Value panel, const LoopGroup &own, Indices ownStart);
  void boxLines(const OperandBox &box, Value panel, unsigned dim, Indices indices, Value inside,
                Value at);
  Value columnElement(Indices column, Indices k, Value offset);
  virtual void packColumns();
  void packColumnBox();
  void packColumnsTransposed();
  /// Calls `pack` with the indices of the block's columns and their positions in it.
  void overColumns(PointBody pack);
  void packLine(unsigned dim, Indices column, Value local, PointBody pack);
  Value panelAt(Value k, Value column);
  Value narrowed(Value value, mlir::Type element);
  void put(Value value, Value panel, Value at);

  // Register tiles.
  virtual void tiles();
  void tileColumn(Value column, int64_t vectors);
  /// The column's first `count` tiles of all rows.
  virtual void wholeTiles(Value count, Value column, int64_t vectors);
  virtual void registerTile(Value row, int64_t count, Value column, int64_t vectors);
  void fetchAhead(Value column, Value tile);
  void finishTile(Value row, int64_t count, Value column, int64_t vectors);
  void finishTileRow(Value row, Value r, Value column, int64_t vectors);
  Value rowPanelAt(Value row, int64_t r, Value k);
  Value rowElement(Value start, int64_t r, Value k, llvm::ArrayRef<Value> indices);
  Value sumAt(Value row, int64_t r, Value column, int64_t v);
  Value multiplyAdd(Value lhs, Value rhs, Value sum);
  void finishRow(Value row, Value base, Value from, Value to, int64_t most);
  void finishWindows();

  // Points of the contraction.
  Indices point(llvm::ArrayRef<Value> row, llvm::ArrayRef<Value> column, llvm::ArrayRef<Value> k);
  Indices rowIndices(Value local);
  Indices columnIndices(Value local);
  Indices suffixIndices(Value flat);
  Value factor(unsigned side, mlir::ValueRange point) {
    return points.factor(*elements, side, point);
  }

  // Loops over k.
  void overInnerK(unsigned until, PointBody body);
  void innerK(unsigned dim, unsigned until, Indices indices, Value offset, PointBody body);
  void alongK(PointBody body);
  /// Gets an element's offset in its block, its indices in a box, and the carried values.
  using SumBody = llvm::function_ref<Indices(Value, llvm::ArrayRef<Value>, mlir::ValueRange)>;
  Indices sumOverK(mlir::ValueRange initial, SumBody body);
  Indices sumInside(unsigned dim, Indices indices, Value offset, mlir::ValueRange carried,
                    SumBody body);

  mlir::VectorType vectorType() { return mlir::VectorType::get(plan.W, plan.type); }

  const PackedPlan &plan;

  Value rowPanel, columnPanel, columnBoxPanel, sums;
  int64_t ldb = 0, ldc = 0, rowStride = 0, rowGroup = 0;
  bool tileAtOnce = true; // a tile's sums go on from it; else the unit's are kept together

  // Of the unit being emitted.
  Indices batchPoint, outerPoint;
  Indices boxOrigin; // of the box being packed, in its operand
  Value columnUnit, rowBase, rowCount, kBase, kCount, firstOfK, lastOfK;
  Value lineBase, lineCount, columnCount, sumBase; // of the block of columns
  int64_t kRange = 1;                              // most that kCount can be
};

} // namespace sinter::codegen
