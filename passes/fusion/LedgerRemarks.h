#pragma once

#include "sinter/passes/fusion/Ledger.h"

namespace sinter::passes {

/// The ledgers as optimisation remarks in LLVM's YAML, which opt-viewer and llvm-remarkutil read: what
/// `sinter-opt --remarks=FILE` writes.
std::string toRemarks(const std::vector<Ledger> &ledgers);

} // namespace sinter::passes
