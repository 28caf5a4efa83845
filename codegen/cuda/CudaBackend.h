#pragma once

#include "sinter/codegen/Backend.h"
#include "sinter/codegen/cuda/PrintKernel.h"

namespace sinter::codegen {

struct CudaBackendOptions {
  /// Kernels for sm_90 and newer wait by themselves for those before them, and may so be started early.
  bool early = false;
};

/// Makes CUDA text of kernels. Nothing is compiled here: the Program carries the text and the device
/// headers, and the device that loads it compiles for the GPU that it meets.
std::unique_ptr<Backend> cudaBackend(CudaBackendOptions options = {}, DumpText dump = {});

/// Limits of a GPU architecture ("sm_80", "sm_90", ...), the one place that knows them.
/// With `tf32` its matrix units multiply f32 rounded to tf32, where they can.
mlir::FailureOr<ir::TargetAttr>
cudaTarget(mlir::MLIRContext &context, llvm::StringRef architecture = "sm_80", bool tf32 = false);

/// The newest known architecture that is no newer than `architecture` ("sm_103" -> "sm_100"); the oldest, where
/// all are newer. Unless `portable`, kernels for it need not run on newer GPUs ("sm_90" -> "sm_90a").
std::string nearestCudaArchitecture(const std::string &architecture, bool portable);

/// The text of one kernel as people read it: its canonical text under a comment that says which ops
/// it computes and where the user wrote them. Its alternatives, where it has some, are listed with what the
/// model predicts for them.
mlir::FailureOr<std::string> cudaText(ir::KernelOp kernel, const CudaBackendOptions &options = {});

} // namespace sinter::codegen
