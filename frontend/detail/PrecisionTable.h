#pragma once

#include "sinter/frontend/detail/CompileModule.h"

#include <string>
#include <vector>

namespace sinter::detail {

/// Ops of one kind that run in one type for one reason.
struct PrecisionRow {
  std::string op;     // "matmul"
  std::string type;   // "bf16"
  std::string reason; // "contraction", "gradient: contraction", "scope at model.cpp:14"
  int64_t count = 0;
};

/// What the ops of function `entry` run in, in program order; views, constants and integers are left out,
/// and what an optimiser consists of is one row. `module` is a traced one and is changed. Throws
/// CompileError.
std::vector<PrecisionRow> precisionTable(mlir::ModuleOp module, const std::string &entry,
                                         const std::string &precision);

} // namespace sinter::detail
