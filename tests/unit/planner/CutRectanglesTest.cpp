#include "CutRectangles.h"

#include <gtest/gtest.h>

#include <chrono>

using namespace sinter::passes::memory;
using namespace sinter::test;

namespace {

struct Family {
  const char *name;
  Cut cut;
  int64_t moments;
};

class CutRectangles : public testing::TestWithParam<Family> {};

// 150 to 450 buffers that fill the capacity at every moment: sinter-plan's 20 s are enough for each.
TEST_P(CutRectangles, AreRebuiltInTime) {
  auto [name, cut, moments] = GetParam();
  for (size_t pieces : {150, 300, 450})
    for (uint64_t seed = 0; seed < 4; ++seed) {
      std::vector<Extent> extents = cutRectangle(cut, pieces, moments, 1 << 20, seed);
      auto start = std::chrono::steady_clock::now();
      Fit fit = placeWithin(extents, 1 << 20, INT64_MAX, [&] {
        return std::chrono::steady_clock::now() - start > std::chrono::seconds(20);
      });
      ASSERT_EQ(fit.outcome, FitOutcome::Found) << pieces << " pieces, seed " << seed;
      EXPECT_TRUE(isPlan(extents, fit.offsets, 1 << 20)) << pieces << " pieces, seed " << seed;
    }
}

INSTANTIATE_TEST_SUITE_P(Planner, CutRectangles,
                         testing::Values(Family{"Anywhere", Cut::Anywhere, 10'000},
                                         Family{"Largest", Cut::Largest, 10'000},
                                         Family{"Thin", Cut::Thin, 10'000},
                                         Family{"Flat", Cut::Flat, 10'000},
                                         Family{"Pinwheel", Cut::Pinwheel, 10'000},
                                         Family{"AnywhereCoarse", Cut::Anywhere, 1'000},
                                         Family{"LargestCoarse", Cut::Largest, 1'000}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
