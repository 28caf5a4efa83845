#include "sinter/runtime/Philox.h"
#include "RuntimeTest.h"

namespace sinter::runtime {
namespace {

// From kat_vectors of the Random123 distribution.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0),
            (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, ~uint64_t(0)),
            (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, AnElementIsAWordOfItsGroup) {
  uint64_t seed = 42, index = (uint64_t(5) << 34) + 6;
  PhiloxWords words = philox4x32({1, 5, 7, 9}, seed);
  EXPECT_EQ(philoxAt(seed, index, 7, 9), words[2]);
}

TEST(Philox, UniformIsBelowOne) {
  EXPECT_EQ(uniformFromBits(0), 0.0f);
  EXPECT_LT(uniformFromBits(~0u), 1.0f);
  EXPECT_EQ(uniformFromBits(1u << 31), 0.5f);
}

// The offsets basis and "a", "foobar" of the FNV specification.
TEST(Philox, StreamIdIsFnv1a) {
  EXPECT_EQ(streamId(""), 0x811c9dc5u);
  EXPECT_EQ(streamId("a"), 0xe40c292cu);
  EXPECT_EQ(streamId("foobar"), 0xbf9cf968u);
}

} // namespace
} // namespace sinter::runtime
