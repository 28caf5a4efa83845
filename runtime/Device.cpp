#include "sinter/runtime/Device.h"

#include <fmt/format.h>

namespace sinter::runtime {

Status Device::beginRecording() {
  return {ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

Result<std::unique_ptr<Recording>> Device::endRecording() {
  return Error{ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

#ifdef SINTER_WITHOUT_cuda
Result<std::shared_ptr<Device>> cudaDevice(int) {
  return Error{ErrorCode::unsupported, "this Sinter was built without CUDA"};
}
#endif
#ifdef SINTER_WITHOUT_emulated
Result<std::shared_ptr<Device>> emulatedCudaDevice(EmulatedOptions) {
  return Error{ErrorCode::unsupported, "this Sinter was built without emulated CUDA"};
}
#endif

} // namespace sinter::runtime
