#include "sinter/runtime/State.h"
#include "RuntimeTest.h"
#include "sinter/runtime/Safetensors.h"

namespace sinter::runtime {
namespace {

using testing::bytesOf;
using testing::TemporaryFolder;

const std::vector<StateVariable> table{{"w", {DType::f32, {3}}, StateRole::parameter},
                                       {"step", {DType::i64, {}}, StateRole::scalar},
                                       {"none", {DType::f32, {0}}, StateRole::state}};

TEST(State, StartsAsZeroAtAlignedAddresses) {
  auto state = State::create(table, cpuDevice());
  ASSERT_OK(state);
  for (size_t i = 0; i < table.size(); ++i)
    EXPECT_EQ(reinterpret_cast<uintptr_t>((*state)->address(i)) % 64, 0u);
  EXPECT_EQ((*state)->bytes(), 128);
  EXPECT_EQ(*(*state)->get("w"), std::vector<uint8_t>(12));
  EXPECT_EQ((*state)->find("step"), 1);
  EXPECT_EQ((*state)->find("stop"), -1);
}

TEST(State, SetAndGet) {
  auto state = *State::create(table, cpuDevice());
  std::vector<float> w{1, 2, 3};
  ASSERT_OK(state->set("w", bytesOf(w)));
  EXPECT_TRUE(std::ranges::equal(*state->get("w"), bytesOf(w)));
  EXPECT_OK(state->set("none", {}));
  EXPECT_ERROR(state->set("v", bytesOf(w)), notFound, "state has no variable 'v'");
  EXPECT_ERROR(state->get("v"), notFound, "state has no variable 'v'");
  EXPECT_ERROR(state->set("step", bytesOf(w)), invalidArgument,
               "cannot set state 'step': it is i64[] of 8 bytes, the caller's has 12");
}

TEST(State, RefusesRepeatedNames) {
  std::vector<StateVariable> twice{table[0], table[0]};
  EXPECT_ERROR(State::create(twice, cpuDevice()), invalidArgument, "two variables are named 'w'");
}

TEST(State, SaysHowMuchItNeeds) {
  std::vector<StateVariable> huge{{"w", {DType::f32, {int64_t(1) << 50}}, StateRole::parameter}};
  EXPECT_ERROR(State::create(huge, cpuDevice()), outOfMemory,
               "state of 1 variables needs 4503599627370496 bytes on cpu");
}

TEST(State, SaveAndLoad) {
  TemporaryFolder folder;
  auto state = *State::create(table, cpuDevice());
  std::vector<float> w{1, 2, 3};
  ASSERT_OK(state->set("w", bytesOf(w)));
  ASSERT_OK(saveState(*state, folder.path("s")));
  auto other = *State::create(table, referenceDevice());
  ASSERT_OK(loadState(*other, folder.path("s")));
  EXPECT_TRUE(std::ranges::equal(*other->get("w"), bytesOf(w)));
}

TEST(State, LoadChecksBeforeItCopies) {
  TemporaryFolder folder;
  auto state = *State::create(table, cpuDevice());
  std::vector<float> w{1, 2, 3};
  std::vector<NamedTensor> tensors{{"w", {DType::f32, {3}}, bytesOf(w)}};
  ASSERT_OK(writeSafetensors(folder.path("part"), tensors));
  EXPECT_ERROR(loadState(*state, folder.path("part")), notFound, "lacks the tensor 'step'");
  EXPECT_EQ(*state->get("w"), std::vector<uint8_t>(12));
  EXPECT_OK(loadState(*state, folder.path("part"), /*strict=*/false));
  EXPECT_TRUE(std::ranges::equal(*state->get("w"), bytesOf(w)));

  tensors[0].type.shape = {3, 1};
  ASSERT_OK(writeSafetensors(folder.path("bent"), tensors));
  EXPECT_ERROR(loadState(*state, folder.path("bent"), false), invalidArgument,
               "tensor 'w' is f32[3, 1], the state has f32[3]");
}

} // namespace
} // namespace sinter::runtime
