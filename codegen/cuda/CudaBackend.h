#pragma once

#include "sinter/codegen/Backend.h"
#include "sinter/codegen/cuda/PrintKernel.h"

namespace sinter::codegen {

/// Makes CUDA text of kernels. Nothing is compiled here: the Program carries the text and the device
/// headers, and the device that loads it compiles for the GPU that it meets.
std::unique_ptr<Backend> cudaBackend(DumpText dump = {});

/// Limits of a GPU architecture ("sm_80", "sm_90", ...), the one place that knows them.
mlir::FailureOr<ir::TargetAttr> cudaTarget(mlir::MLIRContext &context,
                                           llvm::StringRef architecture = "sm_80");

/// The text of one kernel as people read it: its canonical text under a comment that says which ops
/// it computes and where the user wrote them.
mlir::FailureOr<std::string> cudaText(ir::KernelOp kernel);

} // namespace sinter::codegen
