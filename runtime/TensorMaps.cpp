#include "sinter/runtime/TensorMaps.h"

#include <fmt/format.h>

namespace sinter::runtime {

Status checkTensorMap(const TensorMapParam &map, const void *address) {
  auto refuse = [](std::string why) {
    return Status(ErrorCode::invalidArgument, "a tensor map " + std::move(why));
  };
  const size_t rank = map.shape.size();
  const int64_t width = byteWidth(map.type);
  if (rank < 1 || rank > 5 || map.strides.size() != rank || map.box.size() != rank)
    return refuse(fmt::format("has {} extents, {} strides and {} sizes of a box (1 to 5 of each)",
                              rank, map.strides.size(), map.box.size()));
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0)
    return refuse(fmt::format("starts at {}, which is no multiple of 16 bytes", address));
  if (map.strides.back() != width)
    return refuse(
        fmt::format("has neighbours {} bytes apart, elements have {}", map.strides.back(), width));
  int64_t last = width;
  for (size_t d = 0; d < rank; ++d) {
    if (map.shape[d] < 1 || map.shape[d] > (int64_t(1) << 32))
      return refuse(fmt::format("has an extent of {} (1 to 2^32)", map.shape[d]));
    if (d + 1 < rank &&
        (map.strides[d] % 16 != 0 || map.strides[d] < 0 || map.strides[d] >= (int64_t(1) << 40)))
      return refuse(
          fmt::format("has a stride of {} bytes (a multiple of 16 below 2^40)", map.strides[d]));
    if (map.box[d] < 1 || map.box[d] > 256)
      return refuse(fmt::format("has a box of {} elements (1 to 256)", map.box[d]));
    last += (map.shape[d] - 1) * map.strides[d];
  }
  const int64_t row = map.box.back() * width;
  if (row % 16 != 0)
    return refuse(fmt::format("has a box whose rows have {} bytes (multiples of 16)", row));
  if (map.swizzle != 0 && map.swizzle != 3)
    return refuse(fmt::format("has swizzle {} (0 none, 3 by 128 bytes)", map.swizzle));
  if (map.swizzle == 3 && row > 128)
    return refuse(fmt::format("is swizzled by 128 bytes, rows of its box have {}", row));
  if (last > map.location.bytes)
    return refuse(
        fmt::format("reaches over {} bytes of a parameter of {}", last, map.location.bytes));
  return {};
}

} // namespace sinter::runtime
