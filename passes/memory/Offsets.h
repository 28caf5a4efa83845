#pragma once

#include <cstdint>
#include <functional>
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

enum class FitOutcome { Found, Infeasible, GaveUp };

struct Fit {
  FitOutcome outcome = FitOutcome::GaveUp;
  std::vector<int64_t> offsets; // one per extent where Found
};

/// Places extents below `capacity`, exactly where it is tight: greedy orders first, then by turns
/// ExactSearch over the extents and over their Merge, restarted with budgets of steps that grow as in
/// M. Luby, A. Sinclair, D. Zuckerman, "Optimal Speedup of Las Vegas Algorithms", 1993. Gives up after
/// about `work` visits of a section of time, or when `stop` says so; deterministic without `stop`.
/// Infeasible is proven. Sizes are not negative, and their sum is an int64_t.
Fit placeWithin(const std::vector<Extent> &extents, int64_t capacity, int64_t work,
                const std::function<bool()> &stop = {});

/// Places extents so that no two meet, low: a portfolio of greedy orders; where those stay more than 0.5 %
/// above the bound, the search of placeWithin, and where that fails, a seeded one around the best
/// order. Sizes should be multiples of the wanted alignment: offsets are sums of sizes. Deterministic; its
/// work is bounded.
Placement place(const std::vector<Extent> &extents);

} // namespace sinter::passes::memory
