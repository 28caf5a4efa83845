#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3" (SC 2011): every device draws the same bits for the same (seed, index, step, stream).
namespace sinter::runtime {

using PhiloxWords = std::array<uint32_t, 4>;

/// Ten rounds over a counter of four words, the key being the 64-bit seed.
constexpr PhiloxWords philox4x32(PhiloxWords counter, uint64_t seed) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t(0xD2511F53) * counter[0];
    uint64_t product1 = uint64_t(0xCD9E8D57) * counter[2];
    counter = {
        static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9; // the golden ratio
    key1 += 0xBB67AE85; // sqrt(3) - 1
  }
  return counter;
}

/// The 32 random bits of element `index` (logical, row-major) in step `step` of a stream.
constexpr uint32_t philoxAt(uint64_t seed, uint64_t index, uint32_t step, uint32_t stream) {
  uint64_t group = index / 4;
  PhiloxWords counter{static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), step,
                      stream};
  return philox4x32(counter, seed)[index % 4];
}

/// Uniform in [0, 1): the upper 24 bits, each value exact in f32.
constexpr float uniformFromBits(uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0f / 16777216.0f);
}

/// 32-bit FNV-1a: a stream's id is that of its name.
constexpr uint32_t streamId(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return hash;
}

} // namespace sinter::runtime
