#pragma once

#include "mlir/IR/Builders.h"

namespace sinter::codegen {

// What every product on a matrix unit (AMX) is made of. A tile of a left factor is 16 rows of 32 elements of k, one of
// a right factor 16 pairs of elements of k, each of 16 columns.

constexpr int64_t tileLines = 16, tileDepth = 32;

/// Adds one step of k to `rows` by `columns` tiles of f32, given and returned row by row. `left` and `right` load the
/// tile of bf16 of a row or column of tiles; each is loaded right before the first product that waits for it.
llvm::SmallVector<mlir::Value> multiplyTileStep(mlir::OpBuilder &b, mlir::Location loc,
                                                int64_t rows, int64_t columns,
                                                mlir::ValueRange sums,
                                                llvm::function_ref<mlir::Value(int64_t)> left,
                                                llvm::function_ref<mlir::Value(int64_t)> right);

/// Sixteen lines of sixteen pairs of bf16 become those of the other layout: line i of `from` is at `fromAt(i)`.
void turnPairs(mlir::OpBuilder &b, mlir::Location loc, mlir::Value from,
               llvm::function_ref<mlir::Value(int64_t)> fromAt, mlir::Value to,
               llvm::function_ref<mlir::Value(int64_t)> toAt);
/// The same of pairs that are in registers, as vectors of 32; lines are stored at `toAt(i)`.
void turnPairs(mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange lines, mlir::Value to,
               llvm::function_ref<mlir::Value(int64_t)> toAt);

} // namespace sinter::codegen
