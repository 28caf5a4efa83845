#pragma once

#include "sinter/frontend/Profile.h"
#include "sinter/frontend/detail/CompileModule.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sinter::detail {

/// What only the IR knows of one launch.
struct LaunchInsight {
  std::string kernel;
  int64_t flops = 0;
  std::vector<LineShare> lines;
  /// Element types of the results of its contractions: "conv2d in bf16".
  std::set<std::string> contractions;
};

/// What a planned function computes, for summaries and profiles.
struct Insight {
  std::vector<LaunchInsight> launches; // in order
  struct Refused {
    int64_t count = 0, bytes = 0;
  };
  std::map<std::string, Refused> refused; // by code of the ledger
  int64_t fusedEdges = 0;
};

/// Plans `module` once more (it is changed) and looks at function `entry`. Throws CompileError.
Insight insightOf(mlir::ModuleOp module, const std::string &entry, ModuleOptions options);

} // namespace sinter::detail
