#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace sinter::passes {

/// Discardable attributes by which traced ops and the mixed-precision pass talk.

/// On a traced op: "f32", "bf16" or "f16", what it is to be computed in whatever the pass was asked for.
/// The pass obeys it and takes it off.
inline constexpr llvm::StringLiteral precisionAttr = "sinter.precision";
/// Beside it, for people: where the scope was opened, "model.cpp:14".
inline constexpr llvm::StringLiteral precisionScopeAttr = "sinter.precision_scope";
/// What the pass leaves on ops when it is asked to explain itself, and autodiff hands on to an op's
/// gradient: why the op runs in its type, "contraction".
inline constexpr llvm::StringLiteral precisionReasonAttr = "sinter.precision_reason";

/// Whether any op bears a precision of its own.
bool hasPrecisionScopes(mlir::ModuleOp module);

} // namespace sinter::passes
