#pragma once

#include "sinter/runtime/Status.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sinter::runtime {

/// Collects how long launches, copies and fills took. An executor with a profiler waits for each
/// one, so sums are of serial work, and a recorded graph is not used.
class Profiler {
public:
  struct Event {
    std::string name;             // the kernel's symbol, "copy" or "fill"
    std::string label;            // "matmul+bias+relu"
    std::string source;           // "model.cpp:14 fc"
    double startMicroseconds = 0; // since the profiler was made
    double microseconds = 0;
  };

  double now() const;
  void record(Event event) { all.push_back(std::move(event)); }
  const std::vector<Event> &events() const { return all; }
  void clear() { all.clear(); }

  /// In Chrome's trace event format (chrome://tracing, Perfetto).
  std::string chromeTrace() const;
  Status writeChromeTrace(const std::string &path) const;
  /// Time per label, largest first, as a table for people.
  std::string summary() const;

private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point origin = Clock::now();
  std::vector<Event> all;
};

} // namespace sinter::runtime
