#include "sinter/passes/memory/Merge.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <random>

namespace sinter::passes::memory {

namespace {

constexpr size_t largestSubset = 3;
// A rank is the logarithm of the agreements to be expected by chance, about, and what many members
// cost beside; above this none is believed.
constexpr double leastSurprise = 0;
constexpr size_t mostSubsets = 6000; // of one size, of one lifetime
constexpr size_t mostMatches = 50'000;

struct Subset {
  int64_t bytes = 0;
  double ways = 1; // subsets of its size that there are
  std::vector<int> members;
};

/// All subsets of up to `largestSubset` of the members, as long as they are few.
void subsetsOf(const std::vector<int> &members, const std::vector<int64_t> &bytes,
               std::vector<Subset> &out) {
  std::vector<Subset> last{{}};
  double ways = 1;
  for (size_t size = 1; size <= std::min(largestSubset, members.size()); ++size) {
    ways *= double(members.size() - size + 1) / double(size);
    if (ways > double(mostSubsets)) return;
    std::vector<Subset> next;
    for (const Subset &subset : last)
      for (size_t i = 0; i < members.size(); ++i) {
        if (!subset.members.empty() && members[i] <= subset.members.back()) continue;
        Subset grown{subset.bytes + bytes[i], ways, subset.members};
        grown.members.push_back(members[i]);
        next.push_back(std::move(grown));
      }
    out.insert(out.end(), next.begin(), next.end());
    last = std::move(next);
  }
}

} // namespace

Merge::Merge(const std::vector<Extent> &extents, uint64_t seed)
    : count(extents.size()), seed(seed) {
  for (size_t i = 0; i < extents.size(); ++i) {
    blocks.push_back({extents[i], {}});
    alive.push_back(int(i));
  }
  for (uint64_t round = 0;; ++round) {
    double best = 0;
    std::vector<Match> found = matches(best, round);
    std::vector<bool> gone(blocks.size(), false);
    bool joined = false;
    for (const Match &match : found) {
      if (match.rank > best + 1) break;
      auto isGone = [&](int block) { return gone[size_t(block)]; };
      if (std::any_of(match.before.begin(), match.before.end(), isGone) ||
          std::any_of(match.after.begin(), match.after.end(), isGone))
        continue;
      for (int block : match.before) gone[size_t(block)] = true;
      for (int block : match.after) gone[size_t(block)] = true;
      join(match);
      joined = true;
    }
    if (!joined) return;
  }
}

std::vector<Merge::Match> Merge::matches(double &best, uint64_t round) const {
  // By moment of the meeting, by the other end of the lifetime.
  std::map<int64_t, std::map<int64_t, std::vector<int>>> begins, ends;
  for (int block : alive) {
    const Extent &extent = blocks[size_t(block)].extent;
    begins[extent.first][extent.last].push_back(block);
    ends[extent.last + 1][extent.first].push_back(block);
  }
  auto subsets = [&](const std::map<int64_t, std::vector<int>> &groups) {
    std::vector<Subset> result;
    for (const auto &[moment, members] : groups) {
      std::vector<int64_t> bytes;
      for (int block : members) bytes.push_back(blocks[size_t(block)].extent.bytes);
      subsetsOf(members, bytes, result);
    }
    return result;
  };
  std::mt19937_64 random(seed * 1000 + round);
  std::vector<Match> found;
  for (const auto &[moment, groups] : begins) {
    auto ending = ends.find(moment);
    if (ending == ends.end()) continue;
    std::vector<Subset> after = subsets(groups), before = subsets(ending->second);
    auto smaller = [](const Subset &a, const Subset &b) { return a.bytes < b.bytes; };
    std::stable_sort(after.begin(), after.end(), smaller);
    for (const Subset &left : before) {
      auto [from, to] = std::equal_range(after.begin(), after.end(), left, smaller);
      for (auto right = from; right != to && found.size() < mostMatches; ++right) {
        double rank = std::log(left.ways * right->ways / double(left.bytes)) +
                      double(left.members.size() + right->members.size());
        if (rank > leastSurprise) continue;
        if (seed > 0) rank += 2 * double(random() % 1024) / 1024;
        found.push_back({rank, left.members, right->members});
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Match &a, const Match &b) { return a.rank < b.rank; });
  if (!found.empty()) best = found.front().rank;
  return found;
}

void Merge::join(const Match &match) {
  Extent extent = blocks[size_t(match.before.front())].extent;
  extent.last = blocks[size_t(match.after.front())].extent.last;
  extent.bytes = 0;
  for (int block : match.before) extent.bytes += blocks[size_t(block)].extent.bytes;
  auto joined = [&](int block) {
    return std::find(match.before.begin(), match.before.end(), block) != match.before.end() ||
           std::find(match.after.begin(), match.after.end(), block) != match.after.end();
  };
  alive.erase(std::remove_if(alive.begin(), alive.end(), joined), alive.end());
  alive.push_back(int(blocks.size()));
  blocks.push_back({extent, {match.before, match.after}});
}

std::vector<Extent> Merge::merged() const {
  std::vector<Extent> result;
  for (int block : alive) result.push_back(blocks[size_t(block)].extent);
  return result;
}

void Merge::settle(int block, int64_t offset, std::vector<int64_t> &offsets) const {
  if (blocks[size_t(block)].stacks.empty()) {
    offsets[size_t(block)] = offset;
    return;
  }
  for (const std::vector<int> &stack : blocks[size_t(block)].stacks) {
    int64_t at = offset;
    for (int part : stack) {
      settle(part, at, offsets);
      at += blocks[size_t(part)].extent.bytes;
    }
  }
}

std::vector<int64_t> Merge::expand(const std::vector<int64_t> &offsets) const {
  std::vector<int64_t> result(count);
  for (size_t i = 0; i < alive.size(); ++i) settle(alive[i], offsets[i], result);
  return result;
}

} // namespace sinter::passes::memory
