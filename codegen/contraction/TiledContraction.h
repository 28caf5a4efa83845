#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

/// On the GPU: a tile of the result for each block, a smaller one in each thread's registers, both operands'
/// tiles in shared memory. Returns false where the kernel's schedule asks for something else.
bool lowerTiledContraction(KernelFrame &frame, const ContractionElements &points,
                           mlir::LogicalResult &result);

} // namespace sinter::codegen
