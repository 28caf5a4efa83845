#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

int64_t product(llvm::ArrayRef<int64_t> extents);

/// A group of loops of the contraction: where it starts among the merged dimensions, and its own.
struct LoopGroup {
  unsigned first = 0;
  llvm::SmallVector<int64_t> extents;
  int64_t size() const { return product(extents); }
  unsigned last() const { return first + extents.size() - 1; }
};

/// How a packed contraction is cut: which operand is the row side, the shape of a unit of work, of its
/// blocks along k and of the register tile. Decided from how the operands and the results lie in
/// memory and from the sizes alone; emits nothing.
///
/// A unit is `rowsPerUnit` rows by `linesPerUnit` lines of the columns, at one point of batch and (for
/// `outerPerUnit` of them, one after another) of the outer columns; it does all of k.
struct PackedPlan {
  PackedPlan(KernelFrame &frame, const ContractionElements &points);

  /// Whether the packed form is right for this contraction on this target, and worth its code.
  static bool suits(const KernelFrame &frame, const ContractionElements &points);

  int64_t W;       // lanes of a vector
  mlir::Type type; // of panels and sums

  MergedDims merged;
  std::array<LoopGroup, 4> groups; // batch, m, n, k

  unsigned rowSide = 0; // whose elements are broadcast; the other side's fill vectors
  LoopGroup rows, columns;
  bool rowsAlongK = false, rowsAlongRow = false, columnsAlongColumn = false, columnsAlongK = false;

  int64_t tileRows = 8, tileVectors = 3;

  // Of the columns' dimensions those from `suffixFirst` on are a unit's: lines of `lineSize`, cut between lines.
  unsigned suffixFirst = 0;
  int64_t lineSize = 1, lines = 1, outerColumns = 1, linesPerUnit = 1, unitColumns = 1;
  int64_t rowsPerUnit = 1, columnBlocks = 1, rowBlocks = 1;
  int64_t outerPerUnit = 1, outerUnits = 1;
  bool tiled = false;    // the column panel is tile after tile
  bool direct = false;   // the row side is read where it is
  bool resident = false; // the row side is packed for all of k at once

  // Of k's dimensions those from `kInnerFirst` on are whole in a block; blocks are cut from what is outside.
  unsigned kInnerFirst = 0;
  int64_t kInner = 1, kOuter = 1, kPerBlock = 1, kBlocks = 1, kMost = 1, kInRows = 1;

private:
  void analyse();
  bool unitAlong(llvm::ArrayRef<mlir::AffineExpr> positions, unsigned dim);
  bool runsAlong(llvm::ArrayRef<mlir::AffineExpr> positions, unsigned dim);
  double packCost(llvm::ArrayRef<mlir::AffineExpr> positions, const LoopGroup &own,
                  bool columnSide);
  void chooseSides();
  void chooseColumns();
  void chooseUnits();
  void chooseK();
  bool readsRowsDirectly();

  KernelFrame &frame;
  const ContractionElements &points;
  std::vector<mlir::AffineExpr> sidePositions[2], endPositions;
  llvm::SmallVector<bool>
      joinedAtEnd; // the result walks through merged dimension i and the next as one
  llvm::SmallVector<unsigned> lastOriginal; // of each merged dimension
  bool rowsWalkKAsOne = false;
};

} // namespace sinter::codegen
