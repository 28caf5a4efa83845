#pragma once

#include "sinter/codegen/KernelFrame.h"

/// What every way to lower a contraction shares.
namespace sinter::codegen {

/// Element (batch, mn, k) of the left (0) or right (1) virtual matrix, in compute type; zero where it does
/// not exist. `guard`, where given, is told whether some elements may not exist.
mlir::Value sideElement(KernelFrame &frame, ir::ContractionOpInterface contraction,
                        Elements &elements, unsigned side, mlir::ValueRange batch,
                        mlir::ValueRange mn, mlir::ValueRange k, bool *guard = nullptr);

/// Computes and stores what the kernel yields at (batch, m, n); the contraction's result is bound there.
void storeContraction(KernelFrame &frame, ir::ContractionOpInterface contraction,
                      Elements &elements, mlir::ValueRange batch, mlir::ValueRange m,
                      mlir::ValueRange n);

/// The type that products are summed in.
mlir::Type accumulatorType(ir::ContractionOpInterface contraction);

/// On the GPU: a tile of the result for each block, a smaller one in each thread's registers, both operands'
/// tiles in shared memory. Returns false where the kernel's schedule asks for something else.
bool lowerTiledContraction(KernelFrame &frame, mlir::LogicalResult &result);

} // namespace sinter::codegen
