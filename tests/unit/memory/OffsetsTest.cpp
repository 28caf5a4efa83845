#include "sinter/passes/memory/Offsets.h"

#include <gtest/gtest.h>

#include <random>

using namespace sinter::passes::memory;

namespace {

/// A rectangle of `moments` x `bytes`, cut at random into at most `pieces` parts: the best placement
/// is known, it has the height of the rectangle.
std::vector<Extent> cutRectangle(int64_t moments, int64_t bytes, size_t pieces,
                                 std::mt19937 &random) {
  std::vector<Extent> parts{{bytes, 0, moments - 1}};
  for (int tries = 0; parts.size() < pieces && tries < 10000; ++tries) {
    Extent &part = parts[random() % parts.size()];
    if (random() % 2 == 0 && part.last > part.first) {
      int64_t at = part.first + 1 + int64_t(random() % uint64_t(part.last - part.first));
      Extent rest{part.bytes, at, part.last};
      part.last = at - 1;
      parts.push_back(rest);
    } else if (part.bytes >= 128) {
      int64_t lower = 64 * (1 + int64_t(random() % uint64_t(part.bytes / 64 - 1)));
      Extent rest{part.bytes - lower, part.first, part.last};
      part.bytes = lower;
      parts.push_back(rest);
    }
  }
  std::shuffle(parts.begin(), parts.end(), random);
  return parts;
}

void expectApart(const std::vector<Extent> &extents, const Placement &placement) {
  ASSERT_EQ(placement.offsets.size(), extents.size());
  for (size_t i = 0; i < extents.size(); ++i) {
    ASSERT_GE(placement.offsets[i], 0);
    ASSERT_LE(placement.offsets[i] + extents[i].bytes, placement.height);
    for (size_t j = 0; j < i; ++j) {
      bool together = extents[i].first <= extents[j].last && extents[j].first <= extents[i].last;
      bool meet = placement.offsets[i] < placement.offsets[j] + extents[j].bytes &&
                  placement.offsets[j] < placement.offsets[i] + extents[i].bytes;
      ASSERT_FALSE(together && meet) << "extents " << i << " and " << j;
    }
  }
}

TEST(Offsets, NothingNeedsNothing) {
  EXPECT_EQ(place({}).height, 0);
  EXPECT_EQ(lowerBound({}), 0);
}

TEST(Offsets, BytesAreReusedWhenTheirTimeIsOver) {
  std::vector<Extent> extents{{64, 0, 1}, {128, 1, 2}, {64, 2, 3}};
  EXPECT_EQ(lowerBound(extents), 192);
  Placement placement = place(extents);
  expectApart(extents, placement);
  EXPECT_EQ(placement.height, 192);
}

TEST(Offsets, ExtentsThatTouchInTimeStayApart) {
  std::vector<Extent> extents{{64, 0, 1}, {64, 1, 2}};
  EXPECT_EQ(place(extents).height, 128);
}

// What many layers keep from their forward to their backward pass, with what each needs for a moment.
TEST(Offsets, StacksOfLayersLieAtTheirBound) {
  constexpr int64_t layers = 700;
  std::vector<Extent> extents;
  for (int64_t layer = 0; layer < layers; ++layer) {
    int64_t mirrored = 2 * layers - 1 - layer;
    extents.push_back({512, layer, mirrored});
    extents.push_back({2048, layer, layer + 1});
    extents.push_back({1024, mirrored, mirrored});
  }
  Placement placement = place(extents);
  expectApart(extents, placement);
  EXPECT_LE(double(placement.height), 1.001 * double(lowerBound(extents)));
}

// So many that what is placed is looked up in a tree.
TEST(Offsets, ManyExtentsStayApart) {
  std::mt19937 random(11);
  for (int64_t longest : {4, 60, 600}) {
    std::vector<Extent> extents;
    for (int i = 0; i < 700; ++i) {
      int64_t first = int64_t(random() % 500);
      extents.push_back(
          {64 * int64_t(random() % 40), first, first + int64_t(random() % uint64_t(longest))});
    }
    Placement placement = place(extents);
    expectApart(extents, placement);
    EXPECT_LE(double(placement.height), 1.3 * double(lowerBound(extents))) << longest;
  }
}

TEST(Offsets, CutRectanglesAreRebuilt) {
  std::mt19937 random(7);
  double sum = 0;
  int exact = 0;
  constexpr int instances = 40;
  for (int i = 0; i < instances; ++i) {
    std::vector<Extent> extents = cutRectangle(50, 64 * 256, 20 + size_t(i), random);
    ASSERT_EQ(lowerBound(extents), 64 * 256);
    Placement placement = place(extents);
    expectApart(extents, placement);
    double gap = double(placement.height) / (64 * 256);
    EXPECT_LE(gap, 1.2) << extents.size() << " parts";
    sum += gap;
    exact += gap <= 1.001;
  }
  EXPECT_LE(sum / instances, 1.05);
  EXPECT_GE(exact, instances / 3);
  RecordProperty("mean", std::to_string(sum / instances));
}

TEST(Offsets, LayersOfATrainingStepMeetTheBound) {
  // Forward values wait for their backward: nested lifetimes, as a network has them, with the
  // short-lived gradients between.
  std::mt19937 random(3);
  for (int layers : {4, 20, 100}) {
    std::vector<Extent> extents;
    for (int layer = 0; layer < layers; ++layer) {
      int64_t bytes = 64 * (1 + int64_t(random() % 1000));
      extents.push_back({bytes, layer, 2 * layers - layer});
      extents.push_back({bytes, 2 * layers - layer, 2 * layers - layer + 1});
    }
    Placement placement = place(extents);
    expectApart(extents, placement);
    EXPECT_LE(double(placement.height), 1.02 * double(lowerBound(extents))) << layers << " layers";
  }
}

TEST(Offsets, TheSameExtentsGiveTheSamePlacement) {
  std::mt19937 random(11);
  std::vector<Extent> extents = cutRectangle(30, 64 * 100, 40, random);
  EXPECT_EQ(place(extents).offsets, place(extents).offsets);
}

} // namespace
