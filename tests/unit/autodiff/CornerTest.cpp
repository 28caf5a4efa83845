#include "GradientCheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fmt/format.h>
#include <limits>

// Where central differences say nothing: ties, kinks, NaN. The values are PyTorch's.

using namespace mlir;
using sinter::codegen::HostTensor;
using testing::ElementsAre;

namespace sinter::test {

/// The gradients of `text`'s function at `numbers` (one list per argument) with cotangents of ones.
static std::vector<std::vector<double>> slopes(const std::string &text,
                                               const std::vector<std::vector<double>> &numbers) {
  auto module = parse(text);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  func::FuncOp gradient = gradientOf(function);
  if (!gradient) return {};
  std::vector<HostTensor> arguments;
  for (auto [i, type] : llvm::enumerate(gradient.getArgumentTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    std::vector<double> values =
        i < numbers.size() ? numbers[i] : std::vector<double>(tensor.getNumElements(), 1.0);
    arguments.push_back(codegen::fromNumbers(tensor, values));
  }
  std::vector<std::vector<double>> result;
  for (const HostTensor &one : evaluated(gradient, arguments)) result.push_back(one.values);
  return result;
}

static std::string unary(const std::string &op) {
  return fmt::format("func.func @f(%x: tensor<3xf32>) -> tensor<3xf32> {{\n  %y = sinter.{} : "
                     "tensor<3xf32>\n  return %y : tensor<3xf32>\n}}",
                     op);
}
static std::string binary(const std::string &op) {
  return fmt::format(
      "func.func @f(%x: tensor<3xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {{\n  %z = "
      "sinter.{} %x, %y : tensor<3xf32>\n  return %z : tensor<3xf32>\n}}",
      op);
}

TEST(GradientCorners, KinksAtZero) {
  EXPECT_THAT(slopes(unary("relu %x"), {{-1, 0, 1}})[0], ElementsAre(0, 0, 1));
  EXPECT_THAT(slopes(unary("abs %x"), {{-1, 0, 1}})[0], ElementsAre(-1, 0, 1));
}

TEST(GradientCorners, BoundsOfClampPass) {
  EXPECT_THAT(slopes(unary("clamp %x {min = -1.0, max = 1.0}"), {{-1, 1, 2}})[0],
              ElementsAre(1, 1, 0));
}

TEST(GradientCorners, EqualsOfMaximumAreHalved) {
  auto found = slopes(binary("maximum"), {{1, 2, 3}, {1, 3, 2}});
  EXPECT_THAT(found[0], ElementsAre(0.5, 0, 1));
  EXPECT_THAT(found[1], ElementsAre(0.5, 1, 0));
  found = slopes(binary("minimum"), {{1, 2, 3}, {1, 3, 2}});
  EXPECT_THAT(found[0], ElementsAre(0.5, 1, 0));
  EXPECT_THAT(found[1], ElementsAre(0.5, 0, 1));
}

TEST(GradientCorners, TiesOfMaxShare) {
  const char *text = R"(func.func @f(%x: tensor<4xf32>) -> tensor<f32> {
  %y = sinter.max %x {dim = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %y : tensor<f32>
})";
  EXPECT_THAT(slopes(text, {{2, 1, 2, 0}})[0], ElementsAre(0.5, 0, 0.5, 0));
}

TEST(GradientCorners, FirstOfTheWindowTakesMaxPool) {
  const char *text = R"(func.func @f(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x1x1xf32> {
  %y, %p = sinter.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>) -> (tensor<1x1x1x1xf32>, tensor<1x1x1x1xui8>)
  return %y : tensor<1x1x1x1xf32>
})";
  EXPECT_THAT(slopes(text, {{1, 3, 3, 3}})[0], ElementsAre(0, 1, 0, 0));
}

TEST(GradientCorners, PowersOfZeroAndToTheZero) {
  auto found = slopes(binary("pow"), {{0, 0, 2}, {2, 0, 0}});
  EXPECT_THAT(found[0], ElementsAre(0, 0, 0));
  EXPECT_THAT(found[1], ElementsAre(0, 0, testing::DoubleNear(std::log(2.0), 1e-7)));
}

TEST(GradientCorners, PaddingRowOfAnEmbeddingHasNoGradient) {
  const char *text = R"(func.func @f(%w: tensor<3x1xf32>, %i: tensor<4xi64>) -> tensor<4x1xf32> {
  %y = sinter.embedding %w, %i {padding_idx = 1 : i64} : (tensor<3x1xf32>, tensor<4xi64>) -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
})";
  EXPECT_THAT(slopes(text, {{1, 2, 3}, {0, 1, 2, 2}})[0], ElementsAre(1, 0, 2));
}

TEST(GradientCorners, IgnoredTargetsHaveNoGradientEvenWhenAllAre) {
  const char *text = R"(func.func @f(%x: tensor<2x2xf32>, %t: tensor<2xi64>) -> tensor<f32> {
  %y = sinter.cross_entropy %x, %t : (tensor<2x2xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
})";
  EXPECT_THAT(slopes(text, {{0, 0, 5, 6}, {1, -100}})[0], ElementsAre(0.5, -0.5, 0, 0));
  EXPECT_THAT(slopes(text, {{0, 0, 5, 6}, {-100, -100}})[0], ElementsAre(0, 0, 0, 0));
}

} // namespace sinter::test
