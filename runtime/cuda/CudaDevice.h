#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/cuda/CudaApi.h"
#include "sinter/runtime/cuda/Nvrtc.h"

namespace sinter::runtime::cuda {

/// A device over a driver opened before. `nvrtc` may be null: then only programs load that bring
/// images for this GPU, and others fail with `nvrtcMissing`.
Result<std::shared_ptr<Device>> makeCudaDevice(std::shared_ptr<const CudaApi> api,
                                               std::shared_ptr<const Nvrtc> nvrtc, int ordinal,
                                               std::string nvrtcMissing = {});

} // namespace sinter::runtime::cuda
