#pragma once

#include "sinter/ir/Sinter.h"

namespace sinter::ir {

/// The type in which a contraction's factor is declared: numbers of bf16 or f16 that a cast has only widened to f32
/// are still numbers of that type, which a matrix unit may multiply as such.
mlir::Type declaredFactor(mlir::Value operand);

/// The type that both factors are declared in; where they differ, that of their elements if it is one; else null.
mlir::Type commonFactor(mlir::Value lhs, mlir::Value rhs);

} // namespace sinter::ir
