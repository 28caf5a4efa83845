#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

namespace sinter::test {

/// What this process has worked so far: other work on the machine does not count.
inline double processorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// Drives what comes next out of the caches: a few layers would find theirs there, many would not.
inline void coolCaches() {
  static std::vector<uint8_t> other(size_t(256) << 20);
  for (size_t at = 0; at < other.size(); at += 64) ++other[at];
}

} // namespace sinter::test
