#include "GradientCheck.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using sinter::codegen::HostTensor;

namespace sinter::test {

// Each composite op and its gradient against what they decompose into. The evaluator knows composites
// by formulas of its own, so the two share nothing.
class Decompositions : public testing::TestWithParam<GradientCase> {};
static void PrintTo(const GradientCase &one, std::ostream *stream) { *stream << one.name; }

TEST_P(Decompositions, ComputeTheSame) {
  auto module = parse(GetParam().text);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  func::FuncOp gradient = gradientOf(function);
  ASSERT_TRUE(gradient);
  for (int seed = 0; seed < 5; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<HostTensor> arguments = randomArguments(gradient, GetParam(), random);
    auto opened = OwningOpRef<ModuleOp>(module->clone());
    ASSERT_TRUE(runPasses(*opened, "builtin.module(func.func(sinter-decompose{all}))"));
    for (func::FuncOp whole : {function, gradient}) {
      auto parts = opened->lookupSymbol<func::FuncOp>(whole.getName());
      auto own = ArrayRef(arguments).take_front(whole.getNumArguments());
      std::vector<HostTensor> expected = evaluated(whole, own), found = evaluated(parts, own);
      ASSERT_EQ(expected.size(), found.size());
      for (size_t i = 0; i < expected.size(); ++i)
        for (size_t j = 0; j < expected[i].values.size(); ++j)
          EXPECT_NEAR(expected[i].values[j], found[i].values[j],
                      1e-12 * (1 + std::abs(expected[i].values[j])));
    }
  }
}

static std::vector<GradientCase> composites() {
  std::vector<GradientCase> chosen;
  for (const GradientCase &one : gradientCases())
    for (const char *part : {"softmax", "cross_entropy", "loss", "bce", "norm"})
      if (std::string(one.name).find(part) != std::string::npos) {
        chosen.push_back(one);
        break;
      }
  return chosen;
}
INSTANTIATE_TEST_SUITE_P(Table, Decompositions, testing::ValuesIn(composites()),
                         [](const auto &info) { return std::string(info.param.name); });

/// The results of `text`'s function whole and opened.
static std::pair<HostTensor, HostTensor> bothWays(const char *text,
                                                  const std::vector<std::vector<double>> &numbers) {
  auto module = parse(text);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  std::vector<HostTensor> arguments;
  for (auto [type, values] : llvm::zip(function.getArgumentTypes(), numbers))
    arguments.push_back(codegen::fromNumbers(cast<RankedTensorType>(type), values));
  HostTensor whole = evaluated(function, arguments).at(0);
  EXPECT_TRUE(runPasses(*module, "builtin.module(func.func(sinter-decompose{all}))"));
  return {whole, evaluated(function, arguments).at(0)};
}

TEST(DecompositionCorners, AMeanOverNoTargetsIsNaN) {
  auto [whole, opened] =
      bothWays(R"(func.func @f(%x: tensor<2x2xf32>, %t: tensor<2xi64>) -> tensor<f32> {
  %y = sinter.cross_entropy %x, %t : (tensor<2x2xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
})",
               {{0, 1, 2, 3}, {-100, -100}});
  EXPECT_TRUE(std::isnan(whole.values[0]));
  EXPECT_TRUE(std::isnan(opened.values[0]));
}

TEST(DecompositionCorners, NothingOverflows) {
  auto [whole, opened] = bothWays(R"(func.func @f(%x: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %y = sinter.softmax %x {dim = 1 : i64} : tensor<1x3xf32>
  return %y : tensor<1x3xf32>
})",
                                  {{1e30, 1e30, -1e30}});
  EXPECT_EQ(whole.values, (std::vector<double>{0.5, 0.5, 0}));
  EXPECT_EQ(opened.values, whole.values);
  auto [bce, openedBce] =
      bothWays(R"(func.func @f(%x: tensor<2xf32>, %t: tensor<2xf32>) -> tensor<2xf32> {
  %y = sinter.bce_with_logits %x, %t {reduction = "none"} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
})",
               {{200, -200}, {1, 1}});
  EXPECT_EQ(openedBce.values, (std::vector<double>{0, 200}));
  EXPECT_EQ(bce.values, openedBce.values);
}

} // namespace sinter::test
