#pragma once

#include "sinter/runtime/Device.h"

#include <memory>
#include <string>
#include <vector>

namespace sinter::runtime {

/// A kernel with alternatives, and what they were measured to take.
struct Tuned {
  std::string kernel; // the model's choice
  std::string source; // the user's line of its first launch
  struct Candidate {
    std::string kernel;
    double predictedCycles = 0, microseconds = 0; // median
  };
  std::vector<Candidate> candidates; // the model's choice first
  size_t chosen = 0;
  bool remembered = false; // from the kernel cache: nothing was measured
};

/// Times, on `device`, every kernel of the program that has alternatives, over memory of zeros, and
/// keeps the fastest in the kernel cache, under the texts of the candidates and the device.
Result<std::vector<Tuned>> autotune(const Program &program, Device &device);

/// The program whose launches run what was chosen, without kernels that nothing launches. With an empty
/// list, the model's choices.
Program withChoices(const Program &program, const std::vector<Tuned> &tuned);

/// `program` itself where it has no alternatives; else with the model's choices, or what `autotune`
/// finds, which it tells on standard error.
Result<std::shared_ptr<const Program>> decide(std::shared_ptr<const Program> program,
                                              Device &device, bool measure);

/// A line for each tuned kernel, for people.
std::string describe(const std::vector<Tuned> &tuned);

} // namespace sinter::runtime
