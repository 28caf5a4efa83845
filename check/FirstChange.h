#pragma once

#include "sinter/check/Observe.h"

namespace sinter::check {

/// A copy of `module` that the evaluator can run, or null where the module itself can be run.
mlir::OwningOpRef<mlir::ModuleOp> evaluable(mlir::ModuleOp module, const EvaluateOptions &options);
/// `values` under the types of the function's arguments (which may have become f64).
Values retyped(const Values &values, mlir::func::FuncOp function);

/// One line on the first op of `changed` that computes what nothing at its place in the user's sources computed
/// in `original`; empty when there is none (an op was dropped, or its result is used elsewhere).
std::string firstChange(mlir::ModuleOp original, mlir::ModuleOp changed,
                        const std::string &function, const Values &inputs,
                        const EvaluateOptions &options);

} // namespace sinter::check
