#pragma once

#include "sinter/runtime/Status.h"
#include "sinter/runtime/Types.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// NumPy's .npy files (numpy.lib.format, versions 1 to 3), little-endian and in C order. bf16, which
/// NumPy lacks, is stored as its bits ('<u2') and i1 as '|b1'.
namespace sinter::runtime {

struct NpyArray {
  TensorType type;
  std::vector<uint8_t> bytes;
};

Result<NpyArray> readNpy(const std::string &path);
/// Messages start with `what` (the file's name).
Result<NpyArray> parseNpy(std::span<const uint8_t> file, std::string_view what);
/// Replaces the file in one step.
Status writeNpy(const std::string &path, const TensorType &type, std::span<const uint8_t> bytes);

} // namespace sinter::runtime
