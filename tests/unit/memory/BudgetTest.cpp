// Budgets of memory as a model's writer meets them.
#include <sinter/sinter.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

using namespace sinter;
using testing::HasSubstr;

namespace {

/// A value that waits while three products are made.
Traced waiting(const Tensor &w) {
  return trace(
      [&](Tensor x) {
        Tensor a = x.matmul(w);
        return a + a.matmul(w).matmul(w).matmul(w);
      },
      {{{64, 64}, f32}});
}

TEST(Budget, KeepsEveryBit) {
  Tensor w = parameter("w", {64, 64}, init::constant(0.01));
  std::vector<float> values;
  for (int i = 0; i < 64 * 64; ++i) values.push_back(float(i % 97) / 97);
  Array x(values, {64, 64});
  auto free = compile(waiting(w), {.device = Device::cpu()});
  int64_t budget = free.cost().peakBytes - 1;
  auto tight = compile(waiting(w), {.device = Device::cpu(), .memory_budget = budget});
  EXPECT_LE(tight.cost().peakBytes, budget);
  EXPECT_GT(tight.kernels(), free.kernels());
  Array a = free(x)[0], b = tight(x)[0];
  ASSERT_EQ(a.bytes().size(), b.bytes().size());
  EXPECT_EQ(std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()), 0);
}

TEST(Budget, ThatIsTooSmallNamesTheLargestValues) {
  Tensor w = parameter("w", {64, 64}, init::constant(0.01));
  try {
    compile(waiting(w), {.device = Device::cpu(), .memory_budget = 1000});
    FAIL() << "expected a CompileError";
  } catch (const CompileError &error) {
    EXPECT_EQ(error.pass, "memory");
    EXPECT_THAT(error.place, HasSubstr("BudgetTest.cpp:"));
    EXPECT_THAT(error.what(), HasSubstr("of working memory at once, and its budget is 0.98 KiB"));
    EXPECT_THAT(error.what(), HasSubstr("16.00 KiB tensor<64x64xf32> of BudgetTest.cpp:"));
  }
}

TEST(Budget, IsNotNegative) {
  Tensor w = parameter("w", {64, 64}, init::zeros);
  try {
    compile(waiting(w), {.device = Device::cpu(), .memory_budget = -1});
    FAIL() << "expected a UserError";
  } catch (const UserError &error) {
    EXPECT_THAT(error.message, HasSubstr("memory_budget is -1, expected bytes, or 0 for any"));
  }
}

} // namespace
