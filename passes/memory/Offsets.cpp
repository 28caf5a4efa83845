#include "sinter/passes/memory/Offsets.h"

#include "sinter/passes/memory/ExactSearch.h"
#include "sinter/passes/memory/Merge.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace sinter::passes::memory {

int64_t lowerBound(const std::vector<Extent> &extents) {
  std::map<int64_t, int64_t> changes; // moment -> bytes that begin minus bytes that ended
  for (const Extent &extent : extents) {
    changes[extent.first] += extent.bytes;
    changes[extent.last + 1] -= extent.bytes;
  }
  int64_t live = 0, most = 0;
  for (auto [moment, change] : changes) most = std::max(most, live += change);
  return most;
}

namespace {

using Order = std::vector<int>;

/// Visits of a section that a search within the compiler may take: some ten milliseconds.
constexpr int64_t searchWork = 1'000'000;

/// Up to where each section of time is full from the bottom. What lives long spans most of them: they are looked at in
/// blocks, of which most are level.
class Full {
public:
  explicit Full(size_t sections) : full(sections, 0), blocks(sections / size + 1) {}

  /// The highest of [first, last).
  int64_t highest(size_t first, size_t last) const {
    int64_t most = 0;
    for (size_t at = first; at < last;) {
      const Block &block = blocks[at / size];
      size_t end = std::min(last, (at / size + 1) * size);
      if (block.level || (at % size == 0 && end - at == size)) {
        most = std::max(most, block.most);
        at = end;
      }
      for (; at < end; ++at) most = std::max(most, full[at]);
    }
    return most;
  }

  /// Those of [first, last) that are full up to `from` are now up to `to`, which is no lower.
  void raise(size_t first, size_t last, int64_t from, int64_t to) {
    for (size_t at = first; at < last;) {
      Block &block = blocks[at / size];
      size_t start = at / size * size, end = std::min(last, start + size);
      bool whole = at == start && end - at == size;
      if (block.most < from || (block.level && block.most > from)) {
        at = end;
      } else if (block.level && whole) {
        block.most = to;
        at = end;
      } else {
        if (block.level)
          std::fill_n(full.begin() + std::ptrdiff_t(start), std::min(size, full.size() - start),
                      block.most);
        block.level = whole;
        for (; at < end; ++at) {
          if (full[at] == from) full[at] = to;
          block.most = std::max(block.most, full[at]);
          block.level &= full[at] == full[start];
        }
      }
    }
  }

private:
  static constexpr size_t size = 16;
  struct Block {
    int64_t most = 0;
    bool level = true; // all are at `most`, whatever `full` says
  };
  std::vector<int64_t> full; // of each section
  std::vector<Block> blocks;
};

class Placer {
public:
  explicit Placer(const std::vector<Extent> &extents) : extents(extents) {
    countNeighbours();
    size_t all = size_t(std::accumulate(counts.begin(), counts.end(), int64_t(0)));
    if (all < extents.size() * extents.size() / 4) listNeighbours();
    std::vector<int64_t> moments;
    for (const Extent &extent : extents) {
      mostBytes = std::max(mostBytes, extent.bytes);
      moments.push_back(extent.first);
      moments.push_back(extent.last + 1);
    }
    std::sort(moments.begin(), moments.end());
    moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
    auto sectionOf = [&](int64_t moment) {
      return size_t(std::lower_bound(moments.begin(), moments.end(), moment) - moments.begin());
    };
    sections = moments.size();
    for (const Extent &extent : extents)
      spans.emplace_back(sectionOf(extent.first),
                         sectionOf(std::max(extent.first, extent.last + 1)));
  }

  /// Each in turn at the lowest gap that fits (`tightest`: at the gap that it fills best) among the
  /// neighbours that are placed. Gives up when it gets as high as `limit`.
  Placement run(const Order &order, bool tightest, int64_t limit) const {
    Placement result{std::vector<int64_t>(extents.size(), -1), 0};
    // Up to where each section is full: no gap lies below the highest of an item's.
    Full full(sections);
    std::vector<int64_t> ends(extents.size(), -1); // of what is placed
    std::vector<Placed> placed, near;              // by where they begin
    auto byFrom = [](const Placed &a, const Placed &b) { return a.from < b.from; };
    for (int item : order) {
      Placed own{0, 0, spans[item].first, spans[item].second};
      int64_t end = full.highest(own.first, own.last), best = -1, bestGap = 0;
      // What ends at or below it is no neighbour of a gap: nothing that begins a whole extent below.
      auto above =
          std::upper_bound(placed.begin(), placed.end(), Placed{end - mostBytes, 0, 0, 0}, byFrom);
      auto pass = [&](const Placed &other) { // whether to go on
        int64_t gap = other.from - end;
        if (gap >= extents[item].bytes && (best < 0 || gap < bestGap)) {
          best = end;
          bestGap = gap;
          if (!tightest) return false;
        }
        end = std::max(end, other.to);
        return true;
      };
      if (neighbours.empty() || neighbours[item].size() > size_t(placed.end() - above) / 4) {
        for (; above != placed.end(); ++above)
          if (above->to > end && above->first < own.last && own.first < above->last &&
              !pass(*above))
            break;
      } else {
        near.clear();
        for (int other : neighbours[item])
          if (ends[other] > end) near.push_back({result.offsets[other], ends[other], 0, 0});
        std::sort(near.begin(), near.end(), byFrom);
        for (const Placed &other : near)
          if (other.to > end && !pass(other)) break;
      }
      if (best < 0) best = end;
      result.offsets[item] = best;
      own.from = best;
      own.to = ends[item] = best + extents[item].bytes;
      placed.insert(std::upper_bound(placed.begin(), placed.end(), own, byFrom), own);
      full.raise(own.first, own.last, own.from, own.to);
      result.height = std::max(result.height, own.to);
      if (result.height >= limit) return result;
    }
    return result;
  }

  const std::vector<Extent> &extents;
  std::vector<int64_t> counts; // of neighbours: others that live at the same time

private:
  struct Placed {
    int64_t from, to;
    size_t first, last; // sections
  };

  void countNeighbours() {
    std::vector<int64_t> firsts, lasts;
    for (const Extent &extent : extents) {
      firsts.push_back(extent.first);
      lasts.push_back(extent.last);
    }
    std::sort(firsts.begin(), firsts.end());
    std::sort(lasts.begin(), lasts.end());
    for (const Extent &extent : extents) {
      auto begun = std::upper_bound(firsts.begin(), firsts.end(), extent.last) - firsts.begin();
      auto ended = std::lower_bound(lasts.begin(), lasts.end(), extent.first) - lasts.begin();
      counts.push_back(begun - ended - 1);
    }
  }

  void listNeighbours() {
    neighbours.resize(extents.size());
    Order byFirst(extents.size());
    std::iota(byFirst.begin(), byFirst.end(), 0);
    std::stable_sort(byFirst.begin(), byFirst.end(),
                     [&](int a, int b) { return extents[a].first < extents[b].first; });
    for (size_t i = 0; i < byFirst.size(); ++i)
      for (size_t j = i + 1;
           j < byFirst.size() && extents[byFirst[j]].first <= extents[byFirst[i]].last; ++j) {
        neighbours[byFirst[i]].push_back(byFirst[j]);
        neighbours[byFirst[j]].push_back(byFirst[i]);
      }
  }

  std::vector<std::vector<int>> neighbours; // where they are few
  int64_t mostBytes = 0;                    // of one extent
  size_t sections = 0;
  std::vector<std::pair<size_t, size_t>> spans; // of sections, one for each extent
};

struct Best {
  Placement placement;
  Order order;
  bool tightest = false;
};

// The orders that a person would try; each with both ways to choose a gap.
Best greedy(const Placer &placer, int64_t goodEnough) {
  auto duration = [](const Extent &e) { return double(e.last - e.first + 1); };
  const std::function<double(const Extent &)> keys[] = {
      [](const Extent &e) { return -double(e.bytes); },
      [&](const Extent &e) { return -double(e.bytes) * duration(e); },
      [&](const Extent &e) { return -duration(e); },
      [](const Extent &e) { return double(e.first); },
      [](const Extent &e) { return -double(e.last); },
  };
  const std::vector<Extent> &extents = placer.extents;
  Best best;
  best.placement.height = INT64_MAX;
  for (const auto &key : keys)
    for (bool tightest : {false, true}) {
      Order order(extents.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        double x = key(extents[a]), y = key(extents[b]);
        return x != y ? x < y : extents[a].bytes > extents[b].bytes;
      });
      Placement candidate = placer.run(order, tightest, best.placement.height);
      if (candidate.height < best.placement.height)
        best = {std::move(candidate), std::move(order), tightest};
      if (best.placement.height <= goodEnough) return best;
    }
  return best;
}

// Moves what lies highest forward in the order. Equal results are accepted, and now and then a worse
// one, so that the search leaves plateaus. Work is bounded, not time: the result must not depend on
// the machine.
void improve(const Placer &placer, Best &best, int64_t goodEnough) {
  const std::vector<Extent> &extents = placer.extents;
  std::mt19937_64 random(extents.size());
  int64_t cost = 64;
  for (int64_t count : placer.counts) cost += 8 * count;
  Order current = best.order;
  Placement now = best.placement;
  for (int64_t work = 10'000'000; work > 0 && best.placement.height > goodEnough; work -= cost) {
    std::vector<int> high;
    for (size_t item = 0; item < extents.size(); ++item)
      if (now.offsets[item] + extents[item].bytes >
          std::max(goodEnough, now.height - now.height / 50))
        high.push_back(int(item));
    int item = high.empty() ? int(random() % extents.size()) : high[random() % high.size()];
    Order next = current;
    auto at = std::find(next.begin(), next.end(), item);
    size_t from = size_t(at - next.begin());
    next.erase(at);
    next.insert(next.begin() +
                    std::ptrdiff_t(from == 0 ? random() % extents.size() : random() % from),
                item);
    if (random() % 4 == 0) std::swap(next[random() % next.size()], next[random() % next.size()]);
    Placement candidate = placer.run(next, best.tightest, INT64_MAX);
    if (candidate.height < best.placement.height) {
      best.placement = candidate;
      best.order = next;
    }
    if (candidate.height <= now.height || random() % 64 == 0) {
      now = std::move(candidate);
      current = std::move(next);
    }
  }
}

Placement placementOf(const std::vector<Extent> &extents, std::vector<int64_t> offsets) {
  Placement placement{std::move(offsets), 0};
  for (size_t i = 0; i < extents.size(); ++i)
    placement.height = std::max(placement.height, placement.offsets[i] + extents[i].bytes);
  return placement;
}

// By turns over the extents and, where `merging`, over what they join to.
Fit search(const std::vector<Extent> &extents, int64_t capacity, int64_t work, bool merging,
           const std::function<bool()> &stop) {
  ExactSearch whole(extents, capacity);
  std::set<int64_t> moments;
  for (const Extent &extent : extents) moments.insert({extent.first, extent.last + 1});
  Fit fit;
  int attempts = 0;
  for (int64_t turn = 1; !(stop && stop()); ++turn) {
    int64_t steps =
        std::min(2 * int64_t(extents.size()) * (turn & -turn), work / int64_t(moments.size()));
    work -= steps * int64_t(moments.size());
    if (steps == 0) break;
    if (!merging || turn % 2 == 0) {
      fit.outcome = whole.run(attempts++, steps, stop, fit.offsets);
      if (fit.outcome != FitOutcome::GaveUp) return fit;
      continue;
    }
    Merge merge(extents, uint64_t(turn / 2));
    ExactSearch merged(merge.merged(), capacity);
    for (int attempt = 0; attempt < 4; ++attempt) {
      FitOutcome outcome = merged.run(attempt, steps, stop, fit.offsets);
      if (outcome == FitOutcome::Found) return {outcome, merge.expand(fit.offsets)};
      if (outcome == FitOutcome::Infeasible) break; // as merged; the extents may still fit
    }
  }
  return {FitOutcome::GaveUp, {}};
}

} // namespace

Fit placeWithin(const std::vector<Extent> &extents, int64_t capacity, int64_t work,
                const std::function<bool()> &stop) {
  if (lowerBound(extents) > capacity) return {FitOutcome::Infeasible, {}};
  std::vector<Extent> solid; // what has no bytes may lie anywhere
  std::vector<size_t> index;
  for (size_t i = 0; i < extents.size(); ++i)
    if (extents[i].bytes > 0) {
      solid.push_back(extents[i]);
      index.push_back(i);
    }
  Fit fit{FitOutcome::Found, std::vector<int64_t>(extents.size(), 0)};
  if (solid.empty()) return fit;
  Best best = greedy(Placer(solid), capacity);
  Fit found{FitOutcome::Found, best.placement.offsets};
  if (best.placement.height > capacity) found = search(solid, capacity, work, true, stop);
  if (found.outcome != FitOutcome::Found) return {found.outcome, {}};
  for (size_t i = 0; i < solid.size(); ++i) fit.offsets[index[i]] = found.offsets[i];
  return fit;
}

Placement place(const std::vector<Extent> &extents) {
  if (extents.empty()) return {};
  Placer placer(extents);
  int64_t bound = lowerBound(extents), goodEnough = bound + bound / 1000;
  Best best = greedy(placer, goodEnough);
  if (best.placement.height <= goodEnough) return best.placement;
  // What has no bytes is for the greedy orders alone.
  bool solid =
      std::all_of(extents.begin(), extents.end(), [](const Extent &e) { return e.bytes > 0; });
  int64_t wanted = bound + bound / 200;
  bool near = best.placement.height <= wanted; // then there is little to be won
  for (int64_t work : {searchWork, 8 * searchWork}) {
    if (!solid || (near && work > searchWork)) break;
    // At the bound most is known of where things must lie; with room there are more places.
    for (int64_t capacity : {bound, goodEnough, wanted}) {
      if (best.placement.height <= capacity) continue;
      Fit fit = search(extents, capacity, work, true, {});
      if (fit.outcome == FitOutcome::Found) return placementOf(extents, std::move(fit.offsets));
      if (near) break;
    }
  }
  if (best.placement.height > wanted) improve(placer, best, wanted);
  return best.placement;
}

} // namespace sinter::passes::memory
