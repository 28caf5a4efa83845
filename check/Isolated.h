#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sinter::check {

/// How a piece of work in a process of its own ended.
struct Outcome {
  std::string text; // what the work returned
  std::string
      died; // how its process ended before that: "Segmentation fault", "no answer after 20 s"
  bool timedOut = false;
};

/// Does `work(0)` ... `work(count - 1)` in child processes, one at a time: a child goes on to the next piece until
/// it dies or takes longer than `seconds` for one, and then a new one takes over. `done` is called here, in order;
/// it returns false to stop. To be called from a process of one thread.
void runIsolated(uint64_t count, double seconds, const std::function<std::string(uint64_t)> &work,
                 const std::function<bool(uint64_t, const Outcome &)> &done);

} // namespace sinter::check
