#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

int64_t product(llvm::ArrayRef<int64_t> extents);
/// `total` in equal blocks of at most `most`, about: the size of one, a multiple of `multiple` or all.
int64_t blockOf(int64_t total, int64_t most, int64_t multiple);

/// Units that keep many threads busy to the end.
constexpr int64_t enoughUnits = 16;

/// A group of loops of the contraction: where it starts among the merged dimensions, and its own.
struct LoopGroup {
  unsigned first = 0;
  llvm::SmallVector<int64_t> extents;
  int64_t size() const { return product(extents); }
  unsigned last() const { return first + extents.size() - 1; }
};

/// Where a side's factors lie when each index of the operand is a linear function of the merged loops, as
/// a convolution's are.
struct LinearAccess {
  llvm::SmallVector<llvm::SmallVector<int64_t>> coefficients; // [operand dimension][merged loop]
  llvm::SmallVector<int64_t> constants;                       // [operand dimension]
};

/// The part of an operand that a unit reads in one block of k. Convolution reads its elements again and
/// again: the box has each once, zeros around the image included.
struct OperandBox {
  unsigned side = 0;
  LinearAccess access;
  llvm::SmallVector<int64_t> extents, strides; // one for each dimension of the operand
  llvm::SmallVector<int64_t> loopStrides;      // how far each merged loop moves in the box
  llvm::SmallVector<int64_t> below;            // how far loops that go down reach below their start
  llvm::SmallVector<bool> guarded;             // whether the box reaches beyond the operand
  int64_t start = 0;                           // where a loop's first element lies
  int64_t size() const { return product(extents); }
};

/// Where a side's factors lie in the memory of a kernel's argument, with nothing done to them on the way.
struct OperandInPlace {
  unsigned argument = 0;
  llvm::SmallVector<int64_t> strides; // [merged loop], in elements
  int64_t start = 0;
};

/// A side whose factors a block reads from a rectangle of memory, in runs along its own dimension.
struct ReadAhead {
  unsigned side = 0;
  OperandInPlace place;
};

/// How a packed contraction is cut: which operand is the row side, the shape of a unit of work, of its
/// blocks along k and of the register tile. Decided from how the operands and the results lie in
/// memory and from the sizes alone; emits nothing.
///
/// A unit is `rowsPerUnit` rows by `blocksPerUnit` blocks of `linesPerBlock` lines of the columns each, at one
/// point of batch and (for `outerPerUnit` of them, one after another) of the outer columns; it does all of k.
struct PackedPlan {
  PackedPlan(KernelFrame &frame, const ContractionElements &points);

  /// Whether the packed form is right for this contraction on this target, and worth its code.
  static bool suits(const KernelFrame &frame, const ContractionElements &points);

  int64_t W;            // lanes of a vector
  mlir::Type type;      // of sums
  bool onTiles;         // bf16 by bf16, on the machine's matrix unit (TilePlan.cpp, TileEmitter.h)
  mlir::Type panelType; // of panels: as sums, or bf16
  int64_t mostK = 256;  // products that a tile adds up before it goes back to its sums

  MergedDims merged;
  std::array<LoopGroup, 4> groups; // batch, m, n, k

  unsigned rowSide = 0; // whose elements are broadcast; the other side's fill vectors
  LoopGroup rows, columns;
  bool rowsAlongK = false, rowsAlongRow = false, columnsAlongColumn = false, columnsAlongK = false;

  int64_t tileRows = 8, tileVectors = 3;

  // Of the columns' dimensions those from `suffixFirst` on are a block's: lines of `lineSize`, cut between lines.
  unsigned suffixFirst = 0;
  int64_t lineSize = 1, lines = 1, outerColumns = 1, linesPerBlock = 1, blockColumns = 1;
  int64_t rowsPerUnit = 1, columnBlocks = 1, rowBlocks = 1;
  int64_t blocksPerUnit = 1, columnUnits = 1; // a unit packs its rows once for all of its blocks
  int64_t outerPerUnit = 1, outerUnits = 1;
  bool tiled = false;                        // the column panel is tile after tile
  bool direct = false;                       // the row side is read where it is
  bool resident = false;                     // the row side is packed for all of k at once
  std::optional<OperandInPlace> rowsInPlace; // `direct` on tiles: rows are loaded from there
  std::optional<OperandBox> rowBox;          // the row side is a box, not packed as a matrix
  std::optional<OperandBox> columnBox;       // the column panel is packed from a box

  llvm::SmallVector<ReadAhead> ahead; // sides whose next block is asked for beside the products

  // Of k's dimensions those from `kInnerFirst` on are whole in a block; blocks are cut from what is outside.
  unsigned kInnerFirst = 0;
  int64_t kInner = 1, kOuter = 1, kPerBlock = 1, kBlocks = 1, kMost = 1, kInRows = 1;

  /// Whether a block's elements of k are runs along its last dimension.
  bool runsAlongK() const {
    llvm::ArrayRef<int64_t> k = groups[3].extents;
    return k.size() == 1 || kInnerFirst < k.size() || k.back() % kPerBlock == 0;
  }

private:
  static bool suitsTiles(const KernelFrame &frame, const ContractionElements &points);
  bool tileRowBoxSuits(unsigned side, const LoopGroup &own);
  double tilePackCost(unsigned side, const LoopGroup &own, bool columnSide);
  void chooseTileK();
  std::optional<OperandInPlace> inPlace(unsigned side);
  std::optional<OperandInPlace> tileRowsInPlace();
  void chooseTileUnits();
  void analyse();
  std::optional<LinearAccess> accessOf(unsigned side);
  bool linesSuitBox(unsigned side, const LoopGroup &own);
  bool rowBoxSuits(unsigned side, const LoopGroup &own);
  bool columnBoxSuits(unsigned side, const LoopGroup &own);
  OperandBox makeBox(unsigned side, const LoopGroup &own, unsigned cut, int64_t cutRange,
                     int64_t cutCount);
  bool unitAlong(llvm::ArrayRef<mlir::AffineExpr> positions, unsigned dim);
  bool runsAlong(llvm::ArrayRef<mlir::AffineExpr> positions, unsigned dim);
  double packCost(unsigned side, const LoopGroup &own, bool columnSide);
  void chooseSides();
  void chooseColumns();
  void chooseUnits();
  void chooseK();
  bool readsRowsDirectly();
  void chooseAhead();

  KernelFrame &frame;
  const ContractionElements &points;
  std::vector<mlir::AffineExpr> sidePositions[2], endPositions;
  std::optional<LinearAccess> accesses[2];
  bool guarded[2] = {false, false};         // some of a side's factors are not in its operand
  llvm::SmallVector<bool> joinedAtEnd;      // the result walks through merged
                                            // dimension i and the next as one
  llvm::SmallVector<unsigned> lastOriginal; // of each merged dimension
  bool rowsWalkKAsOne = false, rowsBoxed = false, columnsBoxed = false;
};

} // namespace sinter::codegen
