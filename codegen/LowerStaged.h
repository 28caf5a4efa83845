#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// Lowers stage `number` of a staged kernel as a kernel of its own, beside the function under construction; with
/// `schedule`, if given, in place of the stage's.
mlir::FailureOr<LoweredKernel> lowerStage(KernelFrame &frame, ir::FusedOp stage, unsigned number,
                                          mlir::Attribute schedule = nullptr);

/// What names the memory that `value` lies in: itself, but for reshapes.
mlir::Value stageMemoryOf(mlir::Value value);

/// Stages side by side in one launch of a GPU.
mlir::LogicalResult lowerStagedOnGpu(KernelFrame &frame);

} // namespace sinter::codegen
