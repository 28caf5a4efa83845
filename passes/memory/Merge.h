#pragma once

#include "sinter/passes/memory/Offsets.h"

#include <cstddef>

namespace sinter::passes::memory {

/// Extents joined into fewer: where some that end at a moment are together exactly as large as some
/// that begin at it, the latter take over the place of the former. The more surprising such an
/// agreement is (few extents to choose from), the likelier it belongs to a tight placement. A heuristic:
/// a placement of `merged` is one of the extents, but `merged` may have no placement where they do.
class Merge {
public:
  /// Seed 0 joins by surprise alone; others shake the order of joining.
  Merge(const std::vector<Extent> &extents, uint64_t seed);

  std::vector<Extent> merged() const;
  /// Offsets of the extents from those of `merged`.
  std::vector<int64_t> expand(const std::vector<int64_t> &offsets) const;

private:
  // A block: one extent, or stacks that follow each other in time.
  struct Block {
    Extent extent;
    std::vector<std::vector<int>> stacks;
  };
  struct Match {
    double rank;
    std::vector<int> before, after;
  };

  std::vector<Match> matches(double &best, uint64_t round) const;
  void join(const Match &match);
  void settle(int block, int64_t offset, std::vector<int64_t> &offsets) const;

  std::vector<Block> blocks; // the first are the extents
  std::vector<int> alive;
  std::size_t count = 0;
  uint64_t seed;
};

} // namespace sinter::passes::memory
