#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter {

/// One of the user's lines and its part of a kernel.
struct LineShare {
  std::string line;   // "model.cpp:14"
  std::string module; // "conv1", "conv1 gradient", "optimizer.conv1.weight"; may be empty
  double share = 0;   // of the kernel; those of one kernel sum to 1
};

/// The time of one launch, copy or fill.
struct LaunchTime {
  std::string kernel;           // its name; "copy" or "fill"
  double microseconds = 0;      // the median over the runs
  std::vector<LineShare> lines; // by operations; evenly where none of a line's ops computes numbers
  int64_t flops = 0;
};

/// Time per kernel of a compiled graph, from runs in which each launch waits for the one before: sums
/// are of serial work, so they may be more than what a step takes without a profile.
class Profile {
public:
  std::string device;
  int64_t runs = 0;
  std::vector<LaunchTime> launches; // in order

  double microseconds() const; // the sum of the launches' medians
  struct LineTime {
    std::string line, module;
    double microseconds = 0;
  };
  /// Time by line and module, most first.
  std::vector<LineTime> lines() const;
  /// Both as tables for people.
  std::string text() const;
  /// What each run did and when, for chrome://tracing or Perfetto. Throws RuntimeError.
  void write_chrome_trace(const std::string &path) const;

  std::string chrome_trace; // the file's text
};

} // namespace sinter
