#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sinter::passes::memory {

/// Names of the function attributes that a plan writes.
inline constexpr llvm::StringLiteral arenaBytesAttr = "sinter.arena_bytes";
inline constexpr llvm::StringLiteral lowerBoundAttr = "sinter.lower_bound_bytes";

/// Proves a memory plan by playing it: for every launch in turn, each byte that it reads must still
/// hold the value it means, and what it writes must not meet what it reads elsewhere. Shares nothing
/// with the planner: no lifetimes, only what lies where. Emits an error at the launch that fails.
mlir::LogicalResult checkPlan(mlir::func::FuncOp func);

} // namespace sinter::passes::memory
