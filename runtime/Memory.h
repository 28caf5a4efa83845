#pragma once

#include <cstddef>
#include <cstdint>

namespace sinter::runtime {

/// What every buffer, state variable and constant starts at a multiple of: a cache line, and the
/// widest vector there is. Host pointers aligned so are used without a copy.
constexpr int64_t bufferAlignment = 64;

constexpr int64_t alignUp(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

inline bool isAligned(const void *pointer, int64_t alignment = bufferAlignment) {
  return reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(alignment) == 0;
}

inline void *advance(void *pointer, int64_t bytes) {
  return static_cast<std::byte *>(pointer) + bytes;
}
inline const void *advance(const void *pointer, int64_t bytes) {
  return static_cast<const std::byte *>(pointer) + bytes;
}

} // namespace sinter::runtime
