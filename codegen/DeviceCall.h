#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sinter::codegen {

/// Of a function without a body: the device header that brings it. Its name up to a '#' is how a call of it is spelled,
/// template arguments included.
inline constexpr llvm::StringLiteral deviceHeaderAttr = "sinter.device_header";

/// Of a kernel's function: how many neighbouring blocks run together, as a cluster.
inline constexpr llvm::StringLiteral clusterAttr = "sinter.cluster";

/// Emits a call of a function of the device library (codegen/cuda/device), which returns nothing.
void emitDeviceCall(mlir::OpBuilder &b, mlir::Location loc, llvm::StringRef spelling,
                    llvm::StringRef header, mlir::ValueRange operands);

/// The header of a function of the device library; empty for any other function.
llvm::StringRef deviceHeaderOf(mlir::func::FuncOp function);
llvm::StringRef deviceSpellingOf(mlir::func::FuncOp function);

} // namespace sinter::codegen
