#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringRef.h"

namespace sinter::ir {

/// On a sinter.kernel: schedules that may stand in for its own, best first, as dictionaries of `schedule` and
/// `cycles`, what the model of the machine predicts; and the prediction for its own. Code generation makes a kernel
/// of each, and a measurement may choose among them.
inline constexpr llvm::StringLiteral alternativesAttr = "sinter.alternatives",
                                     cyclesAttr = "sinter.cycles";

} // namespace sinter::ir
