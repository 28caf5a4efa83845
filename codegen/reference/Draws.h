#pragma once

#include "sinter/codegen/reference/HostTensor.h"

#include <array>
#include <cmath>

/// The random numbers of Random.td, for the ops that draw.
namespace sinter::codegen::reference {

using Words = std::array<uint32_t, 4>;

/// Philox4x32-10 as published (Salmon et al., SC 2011), written for this file: the devices have one
/// of their own.
inline Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key0, uint32_t(b),
               uint32_t(a >> 32) ^ counter[3] ^ key1, uint32_t(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The words of an op's elements.
class Stream {
public:
  Stream(const HostTensor &seed, const HostTensor &step, int64_t stream)
      : seed(static_cast<uint64_t>(seed.integers[0])),
        step(static_cast<uint32_t>(step.integers[0])), stream(static_cast<uint32_t>(stream)),
        doubt(seed.errorAt(0) != 0 || step.errorAt(0) != 0) {}

  const Words &group(int64_t index) {
    if (index / 4 != current) {
      current = index / 4;
      words = philox({uint32_t(current), uint32_t(uint64_t(current) >> 32), step, stream},
                     uint32_t(seed), uint32_t(seed >> 32));
    }
    return words;
  }
  /// In [0, 1), a multiple of 2^-24.
  double uniform(int64_t index) { return unit(group(index)[index % 4]); }
  static double unit(uint32_t word) { return (word >> 8) * 0x1p-24; }
  double error() const { return doubt ? HUGE_VAL : 0; }

private:
  uint64_t seed;
  uint32_t step, stream;
  bool doubt;
  int64_t current = -1;
  Words words{};
};

} // namespace sinter::codegen::reference
