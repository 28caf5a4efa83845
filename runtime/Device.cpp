#include "sinter/runtime/Device.h"

#include <fmt/format.h>

namespace sinter::runtime {

Status Device::beginRecording() {
  return {ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

Result<std::unique_ptr<Recording>> Device::endRecording(std::unique_ptr<Recording>) {
  return Error{ErrorCode::unsupported, fmt::format("{} does not record", description())};
}

namespace {
struct Done final : Moment {
  Status wait() override { return {}; }
};
} // namespace

Result<std::shared_ptr<Moment>> Device::mark() {
  SINTER_RETURN_IF_ERROR(synchronize());
  return std::shared_ptr<Moment>(std::make_shared<Done>());
}

} // namespace sinter::runtime
