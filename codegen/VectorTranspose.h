#pragma once

#include "mlir/IR/Builders.h"

namespace sinter::codegen {

/// Transposes W vectors of W lanes, W a power of two: log2(W) stages that exchange halves of pairs.
void transposeVectors(mlir::OpBuilder &b, mlir::Location loc,
                      llvm::SmallVectorImpl<mlir::Value> &vectors);

} // namespace sinter::codegen
