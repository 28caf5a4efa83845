#pragma once

#include "sinter/runtime/Program.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::codegen {

/// A Program for the reference device: every public function of `module` becomes an entry of one
/// launch, which runs the evaluator on it. The module may be as the DSL made it or as any pass left it,
/// but without `sinter.gradient`. The Program keeps a copy of the module in a context of its own; it
/// cannot be saved.
///
/// Arguments of role "input" are the entry's inputs; the other roles are variables of the state, named
/// by `sinter.name`, which all entries share. A result that an argument of state is donated to is
/// written there; the other results are the outputs, in order, under their `sinter.name` or as out0,
/// out1, .... Fails with an error on a function when a variable has no name or two types.
mlir::FailureOr<runtime::Program> referenceProgram(mlir::ModuleOp module);

} // namespace sinter::codegen
