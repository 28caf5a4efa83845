#pragma once

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

/// Index expressions over loop variables whose ranges are known, simplified with that knowledge.
namespace sinter::codegen {

/// Values that an expression can take, both ends included.
struct IndexRange {
  int64_t least, most;
};
/// The range of each dimension; nullopt where nothing is known.
using IndexRanges = llvm::ArrayRef<std::optional<IndexRange>>;

std::optional<IndexRange> rangeOf(mlir::AffineExpr expr, IndexRanges ranges);

/// An equal expression for all values in `ranges`, as a sum of multiples of dimensions and of divisions
/// that stay; `c * (e floordiv k)` and `e mod k` find each other again.
mlir::AffineExpr simplifyIndex(mlir::AffineExpr expr, IndexRanges ranges);

/// Whether dimension `dim` occurs.
bool dependsOn(mlir::AffineExpr expr, unsigned dim);

/// How far `expr` moves when dimension `dim`, a multiple of `lanes`, grows by 0, 1, ..., lanes - 1; nullopt
/// when that depends on where it starts.
std::optional<llvm::SmallVector<int64_t>> laneOffsets(mlir::AffineExpr expr, unsigned dim,
                                                      int64_t lanes, IndexRanges ranges);

/// Row-major position of `indices` in a tensor of `shape`.
mlir::AffineExpr linearIndex(llvm::ArrayRef<mlir::AffineExpr> indices,
                             llvm::ArrayRef<int64_t> shape, mlir::MLIRContext *context);

} // namespace sinter::codegen
