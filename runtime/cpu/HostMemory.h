#pragma once

#include "sinter/runtime/Device.h"

namespace sinter::runtime {

/// Host memory as a device buffer, not cleared: 64-byte aligned, large ones on huge pages.
Result<std::shared_ptr<Buffer>> allocateHost(int64_t bytes);

/// Writes `pattern` over and over; the last copy may be cut short.
void fillHost(void *to, int64_t bytes, std::span<const uint8_t> pattern);

} // namespace sinter::runtime
