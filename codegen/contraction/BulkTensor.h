#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"

#include <optional>

namespace sinter::codegen {

/// A stack of matrices of 16-bit elements in the memory of a kernel's pointer argument, as bulk copies see it: rows of
/// neighbours, whose pitches are multiples of 16 bytes.
struct BulkTensor {
  static constexpr int64_t pitchElements = 8;

  unsigned argument = 0;
  int64_t inner = 0, rows = 0, batches = 1; // extents
  int64_t pitch = 0, batchPitch = 0;        // in elements

  /// What lies at `position`, an expression of four loops (batch, m, n, k) of these sizes, where loop `inner` runs along
  /// neighbours and `outer` from row to row; nothing where it is no such stack.
  static std::optional<BulkTensor> of(mlir::AffineExpr position, llvm::ArrayRef<int64_t> sizes,
                                      unsigned inner, unsigned outer, unsigned argument);

  /// Adds the tensor map as the last argument of `function`, with boxes of one matrix's `boxRows` by `boxColumns`,
  /// swizzled as cuda.h counts it.
  mlir::Value addMap(mlir::func::FuncOp function, int64_t boxRows, int64_t boxColumns,
                     int64_t swizzle) const;
};

} // namespace sinter::codegen
