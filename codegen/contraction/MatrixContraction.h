#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

/// On a GPU with a matrix unit, for bf16 and f16: a tile of the result for each block, tiles of both operands in
/// shared memory several steps ahead, products by warps, sums in f32. Returns false where the kernel's schedule asks
/// for something else or the unit does not take the operands.
bool lowerMatrixContraction(KernelFrame &frame, const ContractionElements &points,
                            mlir::LogicalResult &result);

} // namespace sinter::codegen
