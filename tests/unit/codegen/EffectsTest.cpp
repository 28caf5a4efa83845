#include "sinter/codegen/Effects.h"

#include <gtest/gtest.h>

#include <random>

namespace sinter::codegen {
namespace {

using runtime::Location;
using runtime::Space;
using Numbers = std::vector<uint32_t>;

Location arena(int64_t from, int64_t to) { return {Space::arena, 0, from, to - from}; }

TEST(Effects, WhoReadsWaitsForWhoWrote) {
  Effects effects;
  EXPECT_EQ(effects.add(0, {}, {arena(0, 64)}), Numbers{});
  EXPECT_EQ(effects.add(1, {}, {arena(64, 128)}), Numbers{});
  EXPECT_EQ(effects.add(2, {arena(32, 96)}, {}), (Numbers{0, 1}));
  EXPECT_EQ(effects.add(3, {arena(0, 16)}, {}), Numbers{0}); // not for who read
  EXPECT_EQ(effects.add(4, {arena(128, 256)}, {}), Numbers{});
}

TEST(Effects, WhoWritesWaitsForWhoReadOrWrote) {
  Effects effects;
  effects.add(0, {}, {arena(0, 64)});
  effects.add(1, {arena(0, 32)}, {});
  EXPECT_EQ(effects.add(2, {}, {arena(16, 48)}), (Numbers{0, 1}));
  // Of 0 a part is left that 2 did not write.
  EXPECT_EQ(effects.add(3, {arena(0, 64)}, {}), (Numbers{0, 2}));
}

TEST(Effects, WhatIsWrittenWholeIsForgotten) {
  Effects effects;
  effects.add(0, {}, {arena(16, 48)});
  effects.add(1, {arena(16, 48)}, {});
  EXPECT_EQ(effects.add(2, {}, {arena(0, 64)}), (Numbers{0, 1}));
  EXPECT_EQ(effects.add(3, {arena(16, 48)}, {}), Numbers{2});
}

TEST(Effects, InPlaceIsNoWaitForItself) {
  Effects effects;
  effects.add(0, {}, {arena(0, 64)});
  EXPECT_EQ(effects.add(1, {arena(0, 64)}, {arena(0, 64)}), Numbers{0});
}

TEST(Effects, MemoriesAreApart) {
  Effects effects;
  effects.add(0, {}, {arena(0, 64)});
  EXPECT_EQ(effects.add(1, {{Space::state, 0, 0, 64}}, {{Space::state, 1, 0, 64}}), Numbers{});
  EXPECT_EQ(effects.add(2, {{Space::state, 1, 0, 4}}, {{Space::state, 0, 0, 4}}), Numbers{1});
}

/// Against every pair of instructions: no wait without a conflict, and each conflict waited for, directly or through others.
TEST(Effects, WaitsAreThoseOfAllPairs) {
  constexpr uint32_t count = 120;
  constexpr int64_t bytes = 40;
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    auto somewhere = [&] {
      int64_t from = int64_t(random() % bytes), size = 1 + int64_t(random() % 8);
      return Location{random() % 2 ? Space::arena : Space::state, 0, from, size};
    };
    struct Instruction {
      std::vector<Location> reads, writes;
    };
    std::vector<Instruction> all;
    std::vector<std::vector<bool>> reached(count, std::vector<bool>(count));
    auto overlap = [](const std::vector<Location> &some, const std::vector<Location> &others) {
      for (const Location &a : some)
        for (const Location &b : others)
          if (a.space == b.space && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
            return true;
      return false;
    };
    Effects effects;
    for (uint32_t i = 0; i < count; ++i) {
      Instruction now;
      for (unsigned r = random() % 3; r > 0; --r) now.reads.push_back(somewhere());
      for (unsigned w = random() % 3; w > 0; --w) now.writes.push_back(somewhere());
      auto conflict = [&](const Instruction &before) {
        return overlap(before.writes, now.reads) || overlap(before.writes, now.writes) ||
               overlap(before.reads, now.writes);
      };
      for (uint32_t wait : effects.add(i, now.reads, now.writes)) {
        ASSERT_LT(wait, i);
        EXPECT_TRUE(conflict(all[wait])) << i << " waits for " << wait;
        reached[i][wait] = true;
        for (uint32_t j = 0; j < wait; ++j)
          if (reached[wait][j]) reached[i][j] = true;
      }
      for (uint32_t j = 0; j < i; ++j)
        EXPECT_TRUE(!conflict(all[j]) || reached[i][j]) << i << " does not wait for " << j;
      all.push_back(std::move(now));
    }
  }
}

} // namespace
} // namespace sinter::codegen
