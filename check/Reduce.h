#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <string>

namespace sinter::check {

/// Whether a module, which verifies, still shows what is looked for.
using Interesting = std::function<bool(mlir::ModuleOp)>;

struct ReduceReport {
  int64_t tries = 0, kept = 0;
  int64_t opsBefore = 0, opsAfter = 0;
};

/// Makes `module` smaller while it stays interesting: drops functions, results, the graph before or after a place,
/// single ops (an operand, an argument or zeros stand in for their results), arguments, and makes dimensions
/// small. Returns when nothing more can go, or after `maxTries`. `module` must be interesting.
ReduceReport reduce(mlir::OwningOpRef<mlir::ModuleOp> &module, const Interesting &isInteresting,
                    int64_t maxTries = 5000);

} // namespace sinter::check
