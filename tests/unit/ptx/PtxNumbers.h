#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

// Numbers as PTX's types hold them.
namespace sinter::test {

inline unsigned bitsOf(const std::string &type) {
  return type == "pred"                     ? 1
         : type == "bf16" || type == "tf32" ? (type == "bf16" ? 16 : 32)
                                            : unsigned(std::stoi(type.substr(1)));
}
inline uint64_t cut(uint64_t value, unsigned bits) {
  return bits >= 64 ? value : value & ((uint64_t(1) << bits) - 1);
}
inline int64_t extended(uint64_t value, const std::string &type) {
  unsigned bits = bitsOf(type);
  if (type[0] != 's' || bits >= 64) return int64_t(cut(value, bits));
  return int64_t(value << (64 - bits)) >> (64 - bits);
}
inline float asFloat(uint64_t bits) { return std::bit_cast<float>(uint32_t(bits)); }
inline uint64_t fromFloat(float x) { return std::bit_cast<uint32_t>(x); }
inline double fromHalf(uint16_t h, const std::string &type) {
  if (type == "bf16") return asFloat(uint64_t(h) << 16);
  int exponent = h >> 10 & 31, fraction = h & 1023;
  double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                     : exponent == 0 ? std::ldexp(fraction, -24)
                                     : std::ldexp(1024 + fraction, exponent - 25);
  return h >> 15 ? -magnitude : magnitude;
}
/// Round to nearest, ties to even, of a finite number within the type's range.
inline uint16_t toHalf(float x, const std::string &type) {
  int digits = type == "bf16" ? 8 : 11, least = type == "bf16" ? -126 : -14, exponent = least;
  double magnitude = std::fabs(double(x));
  if (magnitude != 0) std::frexp(magnitude, &exponent);
  int unit = std::max(exponent - digits, least - digits + 1);
  auto whole = uint64_t(std::nearbyint(std::ldexp(magnitude, -unit)));
  uint64_t bits = whole + (uint64_t(unit - (least - digits + 1)) << (digits - 1));
  return uint16_t(bits | (std::signbit(x) ? 0x8000 : 0));
}

} // namespace sinter::test
