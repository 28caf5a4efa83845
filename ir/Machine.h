#pragma once

#include <algorithm>
#include <cstdint>

namespace sinter::ir {

/// About how many multiprocessors a GPU has: its L2 grows with them (132 beside 50 MiB).
inline double multiprocessorsOf(int64_t l2Bytes) {
  return std::min(148.0, 72 + 1.2 * double(l2Bytes >> 20));
}

} // namespace sinter::ir
