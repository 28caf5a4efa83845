#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// A kernel of kind reduction or row: for each row (a point of the kept dimensions), passes over the
/// columns (the reduced dimensions), each folding all reductions whose operands are known by then, and
/// a last pass that writes what has the domain's shape. What its forms share: which pass folds what, where the
/// elements lie, and the steps of a fold.
class RowKernel {
protected:
  using Group =
      llvm::SmallVector<mlir::Value>; // accumulators of all reductions of a pass, one after another
  using Pass = llvm::ArrayRef<ir::ReductionOpInterface>;

  explicit RowKernel(KernelFrame &frame);

  int64_t cost() { return int64_t(frame.body().getOperations().size()); }
  mlir::Type accumulatorType(ir::ReductionOpInterface reduction);

  // --- Indices.

  /// Domain indices at merged row and column indices.
  llvm::SmallVector<mlir::Value> domainIndices(mlir::ValueRange row, mlir::ValueRange column);
  /// The indices of element `linear` of `total`, row-major, in `extents`.
  llvm::SmallVector<mlir::Value> delinearized(mlir::Value linear, llvm::ArrayRef<int64_t> extents,
                                              int64_t total);

  // --- Folding.

  /// Initial accumulators; vectors of `lanes` where that is more than one.
  Group initial(Pass pass, int64_t lanes);
  /// `rhs` folded into `lhs`, group by group.
  Group combine(Pass pass, const Group &lhs, const Group &rhs);
  /// Folds the elements at a column (or run of columns) into `group`; with `exists`, only where it holds.
  Group fold(Pass pass, mlir::ValueRange row, mlir::ValueRange column, const Group &group,
             mlir::Value exists = {});
  /// Binds the results of a pass to its final accumulators.
  void finish(Pass pass, const Group &group);

  // --- Outputs.

  void storeRowOutputs(mlir::ValueRange row);
  /// Results of the domain's shape, by number.
  llvm::SmallVector<unsigned> domainOutputs();
  void storeDomainOutputs(llvm::ArrayRef<unsigned> outputs, mlir::ValueRange row,
                          mlir::ValueRange column);

  KernelFrame &frame;
  mlir::OpBuilder &b;
  std::unique_ptr<Elements> elements;

  int64_t rows = 1, reducedElements = 1;
  std::vector<llvm::SmallVector<ir::ReductionOpInterface>> passes;
  llvm::SmallVector<int64_t> keptExtents, reducedExtents; // merged
  /// Whether neighbouring rows are neighbours in memory: the innermost dimension (of more than one element) is kept,
  /// and how many elements it has.
  bool runAlongRows = false;
  int64_t lastKept = 1;
  /// Outputs that wait for no reduction are written while the one pass folds.
  bool storesWhileFolding = false;

private:
  void analyse();
  llvm::SmallVector<mlir::Value> fullIndices(Elements &in, mlir::ValueRange indices);
  mlir::AffineExpr positionIn(Elements &in, llvm::ArrayRef<mlir::Value> all, bool columns);
  mlir::AffineExpr columnPosition(Elements &in, llvm::ArrayRef<mlir::Value> all) {
    return positionIn(in, all, true);
  }
  mlir::AffineExpr positionOf(Elements &in, mlir::Value output, llvm::ArrayRef<mlir::Value> all);
  llvm::SmallVector<mlir::Value> placeOf(Elements &in, mlir::Value output,
                                         llvm::ArrayRef<mlir::Value> all);
  bool isDomain(mlir::Value value);
  unsigned componentsOf(ir::ReductionOpInterface reduction) { return components.lookup(reduction); }
  /// Accumulators of several components keep track of places.
  bool usesPosition(ir::ReductionOpInterface reduction) { return componentsOf(reduction) > 1; }
  void storeAt(mlir::Value output, unsigned number, mlir::Value value,
               llvm::ArrayRef<mlir::Value> all);

  llvm::SmallVector<int64_t> domain, reducedDims;
  llvm::DenseMap<mlir::Operation *, unsigned> components;
  llvm::SmallVector<unsigned> dims; // those of the domain with more than one element
  llvm::SmallVector<bool> reduced;  // for each of them
  MergedDims merged;
  llvm::SmallVector<bool> mergedReduced;
};

/// Rows by blocks, warps or threads of a GPU (RowsOnGpu.cpp).
mlir::LogicalResult lowerRowsOnGpu(KernelFrame &frame);

} // namespace sinter::codegen
