#pragma once

#include "sinter/codegen/BlockWriter.h"
#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

/// What contractions by tiles have in common, whatever multiplies the tiles. Matrices are virtual (im2col,
/// padding and fused producers happen where a tile is filled), a block makes one tile of the result, and the
/// sum over k may be cut into parts that a second kernel adds up in a fixed order.
class ContractionTiles : public BlockWriter {
public:
  ContractionTiles(KernelFrame &frame, const ContractionElements &points)
      : BlockWriter(frame), points(points), first(points.firsts()) {}

  mlir::LogicalResult run();

protected:
  /// Linear positions in the four groups of loops; null stands for 0.
  struct Point {
    mlir::Value batch, m, n, k;
  };
  struct Side {
    MergedDims merged; // loops that this side walks through as one
    bool alongK = false;
    bool guarded = false;       // some elements do not exist: padding
    int64_t lanes = 1;          // neighbours that one thread takes at once
    int64_t rows = 0, size = 0; // of the tile and of the whole, along m or n
    // Where all neighbours are words of `lanes` elements: the positions read, of (batch, m, n, k); of products that
    // are added up one after another.
    std::vector<mlir::AffineExpr> positions;
    mlir::Value tile, stage; // in shared memory, and on the way there
  };

  /// Emits the kernel that makes tiles, at the builder's place; sums go to `scratch` where that is given,
  /// else through everything after the contraction.
  virtual void emitTiles(Elements &elements, mlir::Value scratch) = 0;
  /// How many neighbours a thread would like to take at once.
  virtual int64_t wantedLanes() const = 0;

  void readSchedule(ir::ContractionScheduleAttr schedule);
  void analyse();
  int64_t itemsOf(const Side &side) const { return side.rows * tileK / side.lanes; }
  int64_t fastExtent(const Side &side) const {
    return (side.alongK ? tileK : side.rows) / side.lanes;
  }
  /// Whether tiles reach beyond the end of k.
  bool checksK() const {
    return stepsPerSplit * splits * tileK != sizes[3] || (splits > 1 && stepsPerSplit > 1);
  }
  int64_t resultSize() const { return sizes[0] * sizes[1] * sizes[2]; }

  /// The block's place in the result, from its number; sets the grid.
  void placeBlock(Elements &elements);
  struct Item {
    mlir::Value along, across; // in units of lanes along the fast direction; in elements across it
  };
  /// Calls `body` for each of a thread's items of a side's tile.
  void overItems(Elements &elements, const Side &side,
                 llvm::function_ref<void(mlir::Value number, Item item)> body);
  /// An item of step `step` in the whole matrix, in units of lanes, and the condition that it exists (null: always).
  struct Place {
    mlir::Value mn, k, inside;
    bool cutMn, cutK;
  };
  Place placeOf(Elements &elements, const Side &side, mlir::Value step, Item item);
  int64_t lanesMn(const Side &side) const { return side.alongK ? 1 : side.lanes; }
  int64_t lanesK(const Side &side) const { return side.alongK ? side.lanes : 1; }
  /// Calls `emit` for the product that step `step` is of, with the step's number in that; `emit` gets the product's.
  void ofStepsProduct(Elements &elements, mlir::Value step,
                      llvm::function_ref<void(unsigned, mlir::Value)> emit);
  /// Reads a side's tile of step `step` into the threads' own arrays, whose elements are of `stored` type.
  void fetch(Elements &elements, unsigned number, mlir::Value step, mlir::Type stored);

  /// The indices of all original loops at linear positions.
  llvm::SmallVector<mlir::Value> originals(Elements &elements, const MergedDims &merged,
                                           const Point &point);
  mlir::Value element(Elements &elements, unsigned number, const Point &point) {
    return points.factor(elements, number, originals(elements, sides[number].merged, point));
  }
  /// What becomes of a sum.
  void finish(Elements &elements, mlir::Value sum, const Point &point, mlir::Value scratch);

  mlir::Value zero() { return ir::constantOf(b, frame.loc, points.accumulatorType(), 0); }

  const ContractionElements &points;
  std::array<unsigned, 5> first; // original loop where batch, m, n, k start, and their end
  llvm::SmallVector<int64_t> sizes{1, 1, 1, 1}; // of the groups
  int64_t depth = 1;                            // along k, of the product being emitted
  Side sides[2];
  MergedDims end; // loops that the results walk through as one

  int64_t tileM = 0, tileN = 0, tileK = 0, threads = 0, splits = 1;
  int64_t tilesM = 1, tilesN = 1, stepsPerSplit = 1;

  // Of the kernel being emitted.
  mlir::Value thread, blockM, blockN, batch, split;

private:
  void analyseSide(unsigned number, llvm::ArrayRef<int64_t> extents,
                   llvm::function_ref<MergedDims(llvm::ArrayRef<mlir::AffineExpr>)> merge);
  bool isUnitAlong(llvm::ArrayRef<mlir::AffineExpr> positions, llvm::ArrayRef<int64_t> extents,
                   unsigned group);
  mlir::ValueRange slice(mlir::ValueRange all, unsigned group) {
    return all.slice(first[group], first[group + 1] - first[group]);
  }
  void fetchOwn(Elements &elements, unsigned number, mlir::Value step, mlir::Type stored);
  mlir::LogicalResult runSplit();
};

} // namespace sinter::codegen
