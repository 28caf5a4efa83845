#pragma once

#include "sinter/runtime/Program.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

/// The primitives of the device headers, each in a kernel of its own that shows all it does.
namespace sinter::test {

using Bytes = std::vector<uint8_t>;

/// A tensor of 16-bit elements in an input's or the output's memory, [size 2][size 1][size 0], and boxes of it.
struct Tensor {
  size_t buffer;
  std::array<int64_t, 3> sizes;
  std::array<int, 3> box;
  bool swizzled;
};

struct Primitive {
  const char *name;
  std::string instruction; // that its PTX holds
  std::string text;        // of kernel `k`: inputs, the output, tensor maps
  std::vector<Bytes> inputs;
  size_t outputBytes;
  int threads = 32;
  uint32_t sharedBytes = 0; // dynamic
  std::vector<Tensor> maps = {};
  int blocks = 1; // of one cluster
};

std::vector<Primitive> primitives();

/// Its instruction and its place in the table: "ldmatrix_sync_aligned_m8n8_x1_shared_b16_3".
std::string nameOf(const Primitive &primitive, size_t place);

/// A number that changes with the kernel's text, its launch or its inputs.
uint64_t fingerprint(const Primitive &primitive);

/// The map that the kernel is given for one of the primitive's tensors, at `location`.
runtime::TensorMapParam mapOf(const Tensor &tensor, runtime::Location location);

/// A Program whose one entry runs the kernel: inputs and the output are ports of bytes, and the output is filled with
/// `untouched` before.
runtime::Program programOf(const Primitive &primitive);
inline constexpr uint8_t untouched = 0xA5;

} // namespace sinter::test
