#include "CutRectangles.h"

#include "sinter/passes/memory/ExactSearch.h"

#include <gtest/gtest.h>

#include <pthread.h>

using namespace sinter::passes::memory;
using namespace sinter::test;

namespace {

constexpr int64_t plenty = 2'000'000'000;

/// Whether there is a plan, by trying every offset of each extent in turn.
bool existsByBruteForce(const std::vector<Extent> &extents, int64_t capacity,
                        std::vector<int64_t> offsets = {}) {
  size_t next = offsets.size();
  if (next == extents.size()) return true;
  const Extent &extent = extents[next];
  for (int64_t offset = 0; offset + extent.bytes <= capacity; ++offset) {
    bool free = true;
    for (size_t i = 0; i < next && free; ++i)
      free = extents[i].last < extent.first || extent.last < extents[i].first ||
             offsets[i] + extents[i].bytes <= offset || offset + extent.bytes <= offsets[i];
    if (!free) continue;
    offsets.push_back(offset);
    if (existsByBruteForce(extents, capacity, offsets)) return true;
    offsets.pop_back();
  }
  return false;
}

/// Buffers that always fill `bytes`: at each step some end, and others of the same sum begin, wherever
/// those lay. Often there is no plan without a gap.
std::vector<Extent> exchange(int64_t bytes, int steps, std::mt19937 &random) {
  auto split = [&](int64_t sum, int64_t first, std::vector<Extent> &into) {
    while (sum > 0) {
      int64_t part = std::min<int64_t>(sum, 2 + int64_t(random() % 4));
      into.push_back({part, first, first});
      sum -= part;
    }
  };
  std::vector<Extent> live, done;
  split(bytes, 0, live);
  for (int step = 1; step <= steps; ++step) {
    std::shuffle(live.begin(), live.end(), random);
    int64_t sum = 0;
    for (int ending = 0; ending < 2 && !live.empty(); ++ending) {
      sum += live.back().bytes;
      done.push_back(live.back());
      live.pop_back();
    }
    for (Extent &extent : live) extent.last = step;
    split(sum, step, live);
  }
  done.insert(done.end(), live.begin(), live.end());
  std::stable_sort(done.begin(), done.end(),
                   [](const Extent &a, const Extent &b) { return a.first < b.first; });
  return done;
}

TEST(PlaceWithin, CutRectanglesAreRebuiltWithoutAByteToSpare) {
  for (Cut cut : {Cut::Anywhere, Cut::Largest, Cut::Thin, Cut::Flat, Cut::Pinwheel})
    for (uint64_t seed = 0; seed < 6; ++seed) {
      std::vector<Extent> extents = cutRectangle(cut, 60, 1000, 1'000'000, seed);
      ASSERT_EQ(lowerBound(extents), 1'000'000);
      Fit fit = placeWithin(extents, 1'000'000, plenty);
      ASSERT_EQ(fit.outcome, FitOutcome::Found) << "cut " << int(cut) << ", seed " << seed;
      EXPECT_TRUE(isPlan(extents, fit.offsets, 1'000'000)) << "cut " << int(cut) << ", " << seed;
    }
}

TEST(PlaceWithin, BelowTheBoundIsInfeasibleAtOnce) {
  std::vector<Extent> extents = cutRectangle(Cut::Anywhere, 400, 1000, 1'000'000, 1);
  EXPECT_EQ(placeWithin(extents, 999'999, 0).outcome, FitOutcome::Infeasible);
}

// Small instances at their bound, and a byte above it: found or refused as trying all offsets says.
TEST(PlaceWithin, AgreesWithBruteForce) {
  std::mt19937 random(29);
  int feasible = 0, infeasible = 0;
  for (int instance = 0; instance < 1500; ++instance) {
    std::vector<Extent> extents = exchange(12, 5 + instance % 4, random);
    ASSERT_EQ(lowerBound(extents), 12);
    for (int64_t capacity : {12, 13}) {
      Fit fit = placeWithin(extents, capacity, plenty);
      bool exists = existsByBruteForce(extents, capacity);
      ASSERT_EQ(fit.outcome, exists ? FitOutcome::Found : FitOutcome::Infeasible)
          << "instance " << instance << " within " << capacity;
      if (exists) { ASSERT_TRUE(isPlan(extents, fit.offsets, capacity)) << instance; }
      ++(exists ? feasible : infeasible);
    }
  }
  EXPECT_GT(feasible, 100);
  EXPECT_GT(infeasible, 20);
}

TEST(PlaceWithin, ExtentsWithoutBytesTakeNoPlace) {
  std::vector<Extent> extents{{0, 0, 9}, {7, 0, 4}, {0, 2, 3}, {7, 5, 9}};
  Fit fit = placeWithin(extents, 7, plenty);
  ASSERT_EQ(fit.outcome, FitOutcome::Found);
  EXPECT_TRUE(isPlan(extents, fit.offsets, 7));
  EXPECT_EQ(placeWithin({}, 0, plenty).outcome, FitOutcome::Found);
}

TEST(PlaceWithin, TheSameExtentsGiveTheSamePlan) {
  std::vector<Extent> extents = cutRectangle(Cut::Largest, 120, 500, 100'000, 3);
  Fit first = placeWithin(extents, 100'000, plenty);
  ASSERT_EQ(first.outcome, FitOutcome::Found);
  EXPECT_EQ(placeWithin(extents, 100'000, plenty).offsets, first.offsets);
}

/// Each of these is stacked on the one before: the search is as deep as there are extents.
TEST(ExactSearch, NeedsNoDeepStack) {
  struct Search {
    std::vector<Extent> extents;
    int64_t capacity = 0;
    FitOutcome outcome = FitOutcome::GaveUp;
    std::vector<int64_t> offsets;
  } search;
  for (int64_t bytes = 1; bytes <= 3000; ++bytes) {
    search.extents.push_back({bytes, 0, 0});
    search.capacity += bytes;
  }
  auto run = [](void *of) -> void * {
    auto *search = static_cast<Search *>(of);
    search->outcome = ExactSearch(search->extents, search->capacity)
                          .run(
                              0, plenty, [] { return false; }, search->offsets);
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &search), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  ASSERT_EQ(search.outcome, FitOutcome::Found);
  EXPECT_TRUE(isPlan(search.extents, search.offsets, search.capacity));
}

TEST(PlaceWithin, StopsWhenItsWorkIsDoneOrItIsTold) {
  std::vector<Extent> extents = cutRectangle(Cut::Pinwheel, 400, 20, 1'000'000, 2);
  EXPECT_EQ(placeWithin(extents, 1'000'000, 1).outcome, FitOutcome::GaveUp);
  int asked = 0;
  Fit fit = placeWithin(extents, 1'000'000, INT64_MAX, [&] { return ++asked > 3; });
  EXPECT_EQ(fit.outcome, FitOutcome::GaveUp);
}

} // namespace
