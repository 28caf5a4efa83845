#pragma once

#include "../support/OnDevice.h"

#include "sinter/runtime/Program.h"

#include <functional>
#include <string>
#include <vector>

/// Programs of CUDA text whose kernels are mutated.
namespace sinter::test {

struct MutationCase {
  std::string title; // "softmax 5x33x8 f32 gradient"
  runtime::Program program;
  std::string entry;
  std::vector<std::vector<uint8_t>> inputs;
  std::vector<int64_t> outputBytes;
};

/// A few cases, one or two of each kind of kernel; with `all`, the largest shapes of every op of the
/// op table, values and gradients. Every size leaves some threads of a block without work.
/// What could not be built ends up in `problems`.
void eachCase(bool all, const std::string &filter, std::vector<std::string> &problems,
              const std::function<void(const MutationCase &)> &body);

/// Kernels over the block functions of the device headers, and a header's text without one of its
/// barriers or checks.
struct HeaderMutant {
  std::string what; // "reduce.cuh:208 __syncthreads();"
  runtime::Program program;
};
MutationCase headerCase();
std::vector<HeaderMutant> headerMutants(const MutationCase &original);

} // namespace sinter::test
