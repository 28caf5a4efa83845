#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Location.h"

#include <set>
#include <string>
#include <vector>

/// Where ops come from and what they are, in words.
namespace sinter::check {

/// The places of the user's sources and the module names that `loc` holds ("model.cpp:14", "conv1"), in
/// order, each once.
std::vector<std::string> placesOf(mlir::Location loc);
/// The lines of source files that the ops of a module name; names are left out, which passes add.
std::set<std::string> linesOf(mlir::ModuleOp module);

/// The first op that rounds to a narrower float than anything on its lines was before, in words; empty when there
/// is none. A pass may move or repeat roundings, not add any.
std::string addedRounding(mlir::ModuleOp before, mlir::ModuleOp after);

/// "sinter.sum {dim = array<i64: 1>} : (tensor<4x3xf32>) -> tensor<4xf32> (model.cpp:14, fc)".
std::string describe(mlir::Operation *op);

/// The ops that a pass took away ("- sinter.sum ...") and made ("+ sinter.mean ..."), by what they are and
/// where they come from; at most `limit` of each.
std::string changedOps(mlir::ModuleOp before, mlir::ModuleOp after, size_t limit = 4);

} // namespace sinter::check
