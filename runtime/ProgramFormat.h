#pragma once

#include "sinter/runtime/Program.h"

#include <array>
#include <optional>
#include <string_view>

/// What the writer and the reader of programs agree on. A program is a container: the blob
/// "program" is a JSON tree that names other blobs (constants, kernels' texts, images), and the last
/// blob, "checksum", is the CRC-32 of every byte before it.
namespace sinter::runtime::format {

constexpr int version = 1;
constexpr std::string_view magic = "sinter.program";
constexpr int64_t blobAlignment = 64;

/// What a program may need of its loader. A loader refuses a name that is not here.
namespace feature {
constexpr const char *loop = "loop";
constexpr const char *nestedOffsets =
    "nested_offsets"; // a loop moves what is in a block of its body's
constexpr const char *branch = "if";
constexpr const char *repeat = "while";
constexpr const char *tensorMaps = "tensor_maps";
constexpr const char *alternatives = "alternatives";
} // namespace feature
constexpr std::array<std::string_view, 6> knownFeatures{feature::loop,       feature::nestedOffsets,
                                                        feature::branch,     feature::repeat,
                                                        feature::tensorMaps, feature::alternatives};

// Spellings, indexed by the enumeration.
constexpr std::array<std::string_view, 5> spaces{"arena", "state", "input", "output", "constant"};
constexpr std::array<std::string_view, 4> roles{"parameter", "state", "scalar", "seed"};
constexpr std::array<std::string_view, 3> targets{"cpu", "cuda", "reference"};

template <class Enum, size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N> &spellings, std::string_view text) {
  for (size_t i = 0; i < N; ++i)
    if (spellings[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}
template <class Enum, size_t N>
std::string_view spell(const std::array<std::string_view, N> &spellings, Enum value) {
  return spellings[static_cast<size_t>(value)];
}

} // namespace sinter::runtime::format
