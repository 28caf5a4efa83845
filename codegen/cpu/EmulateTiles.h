#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace sinter::codegen::cpu {

/// Turns every tile of amx ops into an array on the stack and what is done with it into loops, so that kernels for
/// a matrix unit run, and are checked, on machines without one. Sums are added pair by pair along k, in f32.
mlir::LogicalResult emulateTiles(mlir::ModuleOp module);

} // namespace sinter::codegen::cpu
