#pragma once

#include "sinter/types.cuh"

// Philox4x32-10: Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

namespace sinter {

SINTER_DEVICE u32 mulHigh(u32 a, u32 b) {
  return static_cast<u32>((static_cast<u64>(a) * b) >> 32);
}

/// The four words of counter (c0, c1, c2, c3) under key (k0, k1).
SINTER_DEVICE u32x4 philoxRounds(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    u32 high0 = mulHigh(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    u32 high1 = mulHigh(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return u32x4{{c0, c1, c2, c3}};
}

/// The words of elements 4 * quad .. 4 * quad + 3 of stream `stream` at step `step`.
SINTER_DEVICE u32x4 philox(u64 seed, u64 quad, u32 step, u32 stream) {
  return philoxRounds(static_cast<u32>(quad), static_cast<u32>(quad >> 32), step, stream,
                      static_cast<u32>(seed), static_cast<u32>(seed >> 32));
}

SINTER_DEVICE u32 randomWord(u64 seed, u64 index, u32 step, u32 stream) {
  u32x4 words = philox(seed, index >> 2, step, stream);
  u32 i = static_cast<u32>(index) & 3u; // selects: an indexed array would live in local memory
  return i == 0 ? words.v[0] : i == 1 ? words.v[1] : i == 2 ? words.v[2] : words.v[3];
}

/// In [0, 1), on a grid of 2^-24.
SINTER_DEVICE f32 wordToUniform(u32 word) {
  return static_cast<f32>(word >> 8) * 5.9604644775390625e-8f;
}

/// Box-Muller: element `odd` of the pair made of words a and b.
SINTER_DEVICE f32 wordsToNormal(u32 a, u32 b, bool odd) {
  f32 r = sqrtf(-2.0f * logf(static_cast<f32>((a >> 8) + 1u) * 5.9604644775390625e-8f));
  f32 t = 6.2831853071795864769f * wordToUniform(b);
  return odd ? r * sinf(t) : r * cosf(t);
}

SINTER_DEVICE f32 randomUniform(u64 seed, u64 index, u32 step, u32 stream) {
  return wordToUniform(randomWord(seed, index, step, stream));
}

SINTER_DEVICE f32 randomNormal(u64 seed, u64 index, u32 step, u32 stream) {
  u32x4 words = philox(seed, index >> 2, step, stream);
  bool second = (index & 2u) != 0;
  return wordsToNormal(second ? words.v[2] : words.v[0], second ? words.v[3] : words.v[1],
                       (index & 1u) != 0);
}

} // namespace sinter
