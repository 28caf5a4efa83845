#include "sinter/passes/memory/ExactSearch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

namespace sinter::passes::memory {

namespace {

constexpr int64_t none = INT64_MAX;

struct Item {
  int lo = 0, hi = 0; // sections [lo, hi)
  int64_t bytes = 0;
  int twin = -1; // the item before it with the same lifetime and size
  uint64_t hash = 0;
};

/// A stirrer of bits: the finaliser of splitmix64 (G. Steele, D. Lea, C. Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014).
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

struct Key {
  uint64_t a = 0, b = 0;
  bool operator==(const Key &other) const { return a == other.a && b == other.b; }
};

/// States that failed; a full place is taken over, so memory is bounded and only work is lost.
class Failures {
public:
  bool contains(const Key &key) const {
    return !slots.empty() && slots[key.a & (slots.size() - 1)] == key;
  }
  void insert(const Key &key) {
    if (slots.empty()) slots.resize(size_t(1) << 12);
    if (++used > slots.size() / 2 && slots.size() < (size_t(1) << 22)) {
      std::vector<Key> old(slots.size() * 4);
      old.swap(slots);
      for (const Key &k : old) slots[k.a & (slots.size() - 1)] = k;
    }
    slots[key.a & (slots.size() - 1)] = key;
  }

private:
  std::vector<Key> slots;
  size_t used = 0;
};

enum class Where { Fewest, Lowest, Narrowest };
enum class Which { Bytes, Area, Length };

struct Strategy {
  Where where;
  Which which;
  bool fit;
};

constexpr Strategy table[] = {
    {Where::Fewest, Which::Area, true},      {Where::Lowest, Which::Length, true},
    {Where::Fewest, Which::Length, false},   {Where::Lowest, Which::Area, false},
    {Where::Narrowest, Which::Length, true}, {Where::Fewest, Which::Bytes, true},
    {Where::Lowest, Which::Bytes, false},    {Where::Narrowest, Which::Area, false},
};
constexpr int tableSize = int(std::size(table));

} // namespace

struct ExactSearch::State {
  State(const std::vector<Extent> &extents, int64_t limit);

  bool allFit() const {
    return std::all_of(slack.begin(), slack.end(), [](int64_t s) { return s >= 0; });
  }

  // A place to branch at: the first (or last) section of a valley.
  struct Corner {
    int section = -1;
    bool fromRight = false;
    int left = 0, right = 0; // the valley
    int64_t leftWall = 0, rightWall = 0;
  };
  // A step to be undone: an item (>= 0) was placed at `floor`; or a section was `raised` from `floor`;
  // or, before an item's own entry, one for each of its sections with what `stood` there.
  enum : int { stood = -1, raised = -2 };
  struct Change {
    int item;
    int section;
    int64_t floor;
  };

  // What may be done at the corner that was chosen, one after another.
  struct Choice {
    Key key;
    Corner corner;
    std::vector<int> candidates;
    size_t next = 0;
    size_t mark = 0; // the trail before
  };
  // Parts to be solved one after another; for the one of them that is being solved what was chosen, and
  // on the next level what that leaves of it. Levels are as many as items: too many for the stack.
  struct Level {
    std::vector<std::pair<int, int>> parts;
    size_t part = 0;
    std::optional<Choice> choice;
  };

  FitOutcome solve(int begin, int end);
  std::vector<std::pair<int, int>> partsOf(int begin, int end) const;
  Choice choiceIn(int begin, int end, const Key &key);
  bool advance(Choice &choice);
  Key keyOf(int begin, int end) const;
  Corner choose(int begin, int end, std::vector<int> &candidates);
  void candidatesAt(const Corner &corner, std::vector<int> &candidates) const;
  int fitOf(const Corner &corner, const Item &item) const;
  int64_t raisedFloor(const Corner &corner) const;
  bool canStand(int item, int64_t at) const;
  void putItem(int item);
  bool raise(int section, int64_t to);
  void undo(size_t mark);

  int64_t capacity;
  int sections = 0;
  std::vector<Item> items;
  std::vector<std::vector<int>> startsAt, endsAt;
  std::vector<int64_t> floor, top; // raised, and as it stands
  std::vector<int64_t> slack;      // what may still be wasted
  std::vector<int> waiting;        // items not placed that cover the section
  std::vector<int> crossing;       // items not placed that live on both sides of a section's begin
  std::vector<uint64_t> startHash; // of the items not placed that start there
  std::vector<int64_t> offsets;    // -1: not placed
  std::vector<Change> trail;
  Failures failures;
  Strategy strategy{};
  int64_t steps = 0;
  const std::function<bool()> *stop = nullptr;
  std::vector<int> rank; // of items, by the strategy
};

ExactSearch::State::State(const std::vector<Extent> &extents, int64_t limit) : capacity(limit) {
  std::vector<int64_t> moments;
  for (const Extent &extent : extents) {
    moments.push_back(extent.first);
    moments.push_back(extent.last + 1);
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  sections = std::max(0, int(moments.size()) - 1);
  auto sectionOf = [&](int64_t moment) {
    return int(std::lower_bound(moments.begin(), moments.end(), moment) - moments.begin());
  };
  startsAt.resize(size_t(sections) + 1);
  endsAt.resize(size_t(sections) + 1);
  floor.assign(size_t(sections), 0);
  top.assign(size_t(sections), 0);
  slack.assign(size_t(sections), capacity);
  waiting.assign(size_t(sections), 0);
  crossing.assign(size_t(sections) + 1, 0);
  startHash.assign(size_t(sections) + 1, 0);
  offsets.assign(extents.size(), -1);
  for (const Extent &extent : extents) {
    int index = int(items.size());
    Item item{sectionOf(extent.first), sectionOf(extent.last + 1), extent.bytes, -1, 0};
    item.hash = mix(mix(mix(uint64_t(item.lo)) ^ uint64_t(item.hi)) ^ uint64_t(item.bytes));
    for (int other : startsAt[size_t(item.lo)])
      if (items[size_t(other)].hi == item.hi && items[size_t(other)].bytes == item.bytes)
        item.twin = other;
    startsAt[size_t(item.lo)].push_back(index);
    endsAt[size_t(item.hi)].push_back(index);
    startHash[size_t(item.lo)] += item.hash;
    for (int s = item.lo; s < item.hi; ++s) {
      slack[size_t(s)] -= item.bytes;
      ++waiting[size_t(s)];
      if (s > item.lo) ++crossing[size_t(s)];
    }
    items.push_back(item);
  }
}

Key ExactSearch::State::keyOf(int begin, int end) const {
  uint64_t a = mix(uint64_t(begin)), b = mix(uint64_t(end) + 77);
  for (int s = begin; s < end; ++s) {
    if (waiting[size_t(s)] == 0) continue;
    // Only what stands as high as the floor can carry what comes to lie there.
    uint64_t standing = 2 * uint64_t(floor[size_t(s)]) + (top[size_t(s)] == floor[size_t(s)]);
    uint64_t x = startHash[size_t(s)] + mix(standing ^ (uint64_t(s) << 48));
    a = (a ^ x) * 0x9fb21c651e98df25u;
    a ^= a >> 32;
    b = (b + x) * 0xd6e8feb86659fd93u;
    b ^= b >> 29;
  }
  return {a, b};
}

void ExactSearch::State::candidatesAt(const Corner &corner, std::vector<int> &candidates) const {
  candidates.clear();
  const auto &list =
      corner.fromRight ? endsAt[size_t(corner.section) + 1] : startsAt[size_t(corner.section)];
  int64_t at = floor[size_t(corner.section)];
  for (int index : list) {
    const Item &item = items[size_t(index)];
    if (offsets[size_t(index)] >= 0 || item.lo < corner.left || item.hi > corner.right) continue;
    if (item.twin >= 0 && offsets[size_t(item.twin)] < 0) continue;
    if (!canStand(index, at)) continue;
    candidates.push_back(index);
  }
}

// Offsets that rest on nothing need not be tried: what lies so can sink.
bool ExactSearch::State::canStand(int index, int64_t at) const {
  if (at == 0) return true;
  const Item &item = items[size_t(index)];
  for (int s = item.lo; s < item.hi; ++s)
    if (top[size_t(s)] == at) return true;
  return false;
}

ExactSearch::State::Corner ExactSearch::State::choose(int begin, int end,
                                                      std::vector<int> &candidates) {
  Corner best;
  std::tuple<int64_t, int64_t, int64_t> bestRank;
  std::vector<int> list;
  // A section for which nothing waits is as good as a wall.
  auto heightOf = [&](int s) {
    return s < begin || s >= end || waiting[size_t(s)] == 0 ? none : floor[size_t(s)];
  };
  for (int s = begin; s < end;) {
    int64_t height = heightOf(s);
    int from = s;
    while (s < end && heightOf(s) == height) ++s;
    int64_t leftWall = heightOf(from - 1), rightWall = heightOf(s);
    if (height == none || leftWall < height || rightWall < height) continue;
    for (bool fromRight : {false, true}) {
      Corner corner{fromRight ? s - 1 : from, fromRight, from, s, leftWall, rightWall};
      candidatesAt(corner, list);
      int64_t count = int64_t(list.size());
      if (slack[size_t(corner.section)] > 0) ++count;
      std::tuple<int64_t, int64_t, int64_t> rank;
      switch (strategy.where) {
      case Where::Fewest:
        rank = {count, height, s - from};
        break;
      case Where::Lowest:
        rank = {count == 0 ? -1 : height, count, s - from};
        break;
      case Where::Narrowest:
        rank = {count <= 1 ? 0 : s - from, count, height};
        break;
      }
      if (best.section < 0 || rank < bestRank) {
        best = corner;
        bestRank = rank;
        candidates = list;
        if (count == 0) return best;
      }
    }
  }
  return best;
}

// Nothing stands at the corner's floor: the lowest height at which something may. That rests on a
// wall of the valley or on an item beside the corner.
int64_t ExactSearch::State::raisedFloor(const Corner &corner) const {
  int64_t to = std::min(corner.leftWall, corner.rightWall);
  int64_t smallest = none;
  for (int s = corner.left; s < corner.right; ++s)
    for (int index : startsAt[size_t(s)]) {
      const Item &item = items[size_t(index)];
      bool covers = item.lo <= corner.section && corner.section < item.hi;
      if (offsets[size_t(index)] < 0 && !covers && item.hi <= corner.right)
        smallest = std::min(smallest, item.bytes);
    }
  if (smallest != none) to = std::min(to, floor[size_t(corner.section)] + smallest);
  return to;
}

void ExactSearch::State::putItem(int index) {
  const Item &item = items[size_t(index)];
  int64_t at = floor[size_t(item.lo)];
  offsets[size_t(index)] = at;
  startHash[size_t(item.lo)] -= item.hash;
  for (int s = item.lo; s < item.hi; ++s) {
    trail.push_back({stood, s, top[size_t(s)]});
    floor[size_t(s)] = top[size_t(s)] = at + item.bytes;
    --waiting[size_t(s)];
    if (s > item.lo) --crossing[size_t(s)];
  }
  trail.push_back({index, 0, at});
}

bool ExactSearch::State::raise(int section, int64_t to) {
  int64_t waste = to - floor[size_t(section)];
  if (to == none || waste > slack[size_t(section)]) return false;
  trail.push_back({raised, section, floor[size_t(section)]});
  slack[size_t(section)] -= waste;
  floor[size_t(section)] = to;
  return true;
}

void ExactSearch::State::undo(size_t mark) {
  while (trail.size() > mark) {
    Change change = trail.back();
    trail.pop_back();
    if (change.item == raised) {
      slack[size_t(change.section)] += floor[size_t(change.section)] - change.floor;
      floor[size_t(change.section)] = change.floor;
      continue;
    }
    const Item &item = items[size_t(change.item)];
    offsets[size_t(change.item)] = -1;
    startHash[size_t(item.lo)] += item.hash;
    for (int s = item.hi; s-- > item.lo;) {
      floor[size_t(s)] = change.floor;
      top[size_t(s)] = trail.back().floor;
      trail.pop_back();
      ++waiting[size_t(s)];
      if (s > item.lo) ++crossing[size_t(s)];
    }
  }
}

// Parts that no waiting item connects are solved apart: when one fails, no other choice within the
// rest can help.
std::vector<std::pair<int, int>> ExactSearch::State::partsOf(int begin, int end) const {
  std::vector<std::pair<int, int>> parts;
  for (int s = begin, from = begin; s < end; ++s)
    if (s + 1 == end || crossing[size_t(s) + 1] == 0) {
      if (waiting[size_t(from)] > 0 || s > from) parts.emplace_back(from, s + 1);
      from = s + 1;
    }
  std::stable_sort(parts.begin(), parts.end(), [](const auto &a, const auto &b) {
    return a.second - a.first < b.second - b.first;
  });
  return parts;
}

// How many edges the item would share: sizes and moments seldom agree by chance.
int ExactSearch::State::fitOf(const Corner &corner, const Item &item) const {
  if (!strategy.fit) return 0;
  int64_t height = floor[size_t(corner.section)] + item.bytes;
  bool whole = item.lo == corner.left && item.hi == corner.right;
  int fit = whole;
  if (item.lo == corner.left) fit += 2 * (height == corner.leftWall);
  if (item.hi == corner.right) fit += 2 * (height == corner.rightWall);
  return fit;
}

ExactSearch::State::Choice ExactSearch::State::choiceIn(int begin, int end, const Key &key) {
  Choice choice;
  choice.key = key;
  choice.corner = choose(begin, end, choice.candidates);
  choice.mark = trail.size();
  if (choice.corner.section < 0) return choice;
  auto standing = [&](int index) {
    int fit = fitOf(choice.corner, items[size_t(index)]);
    return std::pair(-fit, rank[size_t(index)]);
  };
  std::sort(choice.candidates.begin(), choice.candidates.end(),
            [&](int a, int b) { return standing(a) < standing(b); });
  return choice;
}

// Does what is to be tried next: each candidate, then nothing at all at this height.
bool ExactSearch::State::advance(Choice &choice) {
  size_t now = choice.next++;
  if (now < choice.candidates.size()) return putItem(choice.candidates[now]), true;
  return now == choice.candidates.size() &&
         raise(choice.corner.section, raisedFloor(choice.corner));
}

FitOutcome ExactSearch::State::solve(int begin, int end) {
  std::vector<Level> levels{{partsOf(begin, end), 0, {}}};
  // What was chosen above this level failed with it.
  auto fail = [&] {
    levels.pop_back();
    if (!levels.empty()) undo(levels.back().choice->mark);
  };
  while (!levels.empty()) {
    Level &level = levels.back();
    if (level.part == level.parts.size()) { // all of it found
      levels.pop_back();
      if (levels.empty()) return FitOutcome::Found;
      ++levels.back().part;
      levels.back().choice.reset();
      continue;
    }
    auto [from, to] = level.parts[level.part];
    if (!level.choice) {
      if (--steps < 0) return FitOutcome::GaveUp;
      if (steps % 1024 == 0 && *stop && (*stop)()) steps = 0;
      Key key = keyOf(from, to);
      if (failures.contains(key)) {
        fail();
        continue;
      }
      level.choice = choiceIn(from, to, key);
      if (level.choice->corner.section < 0) { // nothing waits
        ++level.part;
        level.choice.reset();
        continue;
      }
    }
    if (advance(*level.choice)) {
      levels.push_back({partsOf(from, to), 0, {}});
    } else {
      failures.insert(level.choice->key);
      fail();
    }
  }
  return FitOutcome::Infeasible;
}

ExactSearch::ExactSearch(const std::vector<Extent> &extents, int64_t capacity)
    : state(std::make_unique<State>(extents, capacity)) {}
ExactSearch::~ExactSearch() = default;

FitOutcome ExactSearch::run(int attempt, int64_t steps, const std::function<bool()> &stop,
                            std::vector<int64_t> &offsets) {
  if (!state->allFit()) return FitOutcome::Infeasible;
  state->strategy = table[attempt % tableSize];
  state->steps = steps;
  state->stop = &stop;
  const std::vector<Item> &items = state->items;
  std::vector<int> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  auto worth = [&](int index) {
    const Item &item = items[size_t(index)];
    double length = item.hi - item.lo;
    switch (state->strategy.which) {
    case Which::Bytes:
      return double(item.bytes);
    case Which::Area:
      return double(item.bytes) * length;
    case Which::Length:
      return length;
    }
    return 0.0;
  };
  std::vector<double> value;
  for (size_t i = 0; i < items.size(); ++i) {
    // After the first turn of the table, orders of worth are shaken a little.
    double noise = double(mix(uint64_t(attempt) * 0x10001 + i) % 4096) / 4096 - 0.5;
    value.push_back(attempt < tableSize ? worth(int(i)) : worth(int(i)) * std::exp(noise));
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return value[size_t(a)] != value[size_t(b)] ? value[size_t(a)] > value[size_t(b)]
                                                : items[size_t(a)].bytes > items[size_t(b)].bytes;
  });
  state->rank.assign(items.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) state->rank[size_t(order[i])] = int(i);
  FitOutcome result = state->solve(0, state->sections);
  if (result == FitOutcome::Found) offsets = state->offsets;
  state->undo(0);
  return result;
}

} // namespace sinter::passes::memory
