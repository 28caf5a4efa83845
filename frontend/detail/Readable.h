#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace sinter::detail {

/// A module for people: lines of at most 160 columns, the user's lines as comments behind the ops
/// ("// model.cpp:14 conv1"), ops of one such line beside each other, no ledger. Parses as the module without its
/// locations. Of the functions, @init alone or all others, with the kernels that they launch.
std::string readable(mlir::ModuleOp module, bool init = false);

} // namespace sinter::detail
