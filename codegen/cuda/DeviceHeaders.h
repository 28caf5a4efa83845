#pragma once

#include <string>
#include <vector>

namespace sinter::codegen {

/// A header of the device library: the name kernels include it by ("sinter/math.cuh") and its text.
struct DeviceHeader {
  std::string name, text;
};

/// Every header of codegen/cuda/device, sorted by name.
const std::vector<DeviceHeader> &deviceHeaders();

} // namespace sinter::codegen
