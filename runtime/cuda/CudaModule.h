#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/cuda/CudaContext.h"
#include "sinter/runtime/cuda/Nvrtc.h"

namespace sinter::runtime::cuda {

/// A kernel in a module of its own.
class CudaKernel final : public LoadedKernel {
public:
  explicit CudaKernel(std::shared_ptr<CudaContext> context) : context_(std::move(context)) {}
  ~CudaKernel() override;

  std::string name;
  CuModule module = nullptr;
  CuFunction function = nullptr;
  bool awaits = false;                     // see Kernel
  mutable uint32_t allowedSharedBytes = 0; // what the driver was asked to permit

private:
  std::shared_ptr<CudaContext> context_;
};

/// Loads every kernel of a program: from its image for this GPU, else from its text by NVRTC.
Result<std::vector<std::unique_ptr<LoadedKernel>>>
loadKernels(const std::shared_ptr<CudaContext> &context, const Nvrtc *nvrtc,
            const std::string &nvrtcMissing, const Program &program);

} // namespace sinter::runtime::cuda
