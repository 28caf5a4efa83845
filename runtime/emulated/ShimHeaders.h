#pragma once

#include <string>
#include <vector>

namespace sinter::runtime::emulated {

/// A header of the shim that stands for CUDA when kernels are compiled for the host.
struct ShimHeader {
  std::string name, text;
};
const std::vector<ShimHeader> &shimHeaders();

} // namespace sinter::runtime::emulated
