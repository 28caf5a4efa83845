#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace sinter::passes {

/// `create<Pass>()` and `<Pass>Options` of every pass in Passes.td.
#define GEN_PASS_DECL
#include "sinter/passes/Passes.h.inc"

/// Registers every pass and the pipeline `sinter-pipeline`, once per process. Thread-safe.
void registerPasses();

} // namespace sinter::passes
