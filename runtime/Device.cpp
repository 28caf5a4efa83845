#include "sinter/runtime/Device.h"

#include <fmt/format.h>

namespace sinter::runtime {

Status Device::beginRecording() {
  return {ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

Result<std::unique_ptr<Recording>> Device::endRecording() {
  return Error{ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

} // namespace sinter::runtime
