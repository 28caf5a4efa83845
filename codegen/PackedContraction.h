#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// The CPU's fast contraction: panels of both operands are packed (which evaluates producers and finds
/// convolution's elements), a register tile of one side's broadcasts times the other's vectors sums over
/// K, and the epilogue runs on the sums while they are near. Returns false when the contraction is too
/// small or of a type that does not pay; nothing is emitted then.
bool lowerPackedContraction(KernelFrame &frame, mlir::LogicalResult &result);

} // namespace sinter::codegen
