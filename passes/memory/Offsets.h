#pragma once

#include <cstdint>
#include <vector>

namespace sinter::passes::memory {

/// A buffer to be placed: `bytes` that are in use at every moment of [first, last].
struct Extent {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
};

struct Placement {
  std::vector<int64_t> offsets; // one per extent
  int64_t height = 0;           // end of the highest one
};

/// Most bytes in use at one moment: no placement is lower.
int64_t lowerBound(const std::vector<Extent> &extents);

/// Places extents so that no two meet, as low as a portfolio of greedy orders and then a seeded search
/// around the best of them get; stops within 0.1 % of the bound. Sizes should be multiples of the
/// wanted alignment: offsets are sums of sizes. Deterministic; the search's work is bounded.
Placement place(const std::vector<Extent> &extents);

} // namespace sinter::passes::memory
