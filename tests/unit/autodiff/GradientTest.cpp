#include "GradientCheck.h"

#include "sinter/ir/Sinter.h"

#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

using namespace mlir;
using sinter::codegen::HostTensor;

namespace sinter::test {

static void PrintTo(const GradientCase &one, std::ostream *stream) { *stream << one.name; }

class Gradients : public testing::TestWithParam<GradientCase> {};

static uint32_t seedOf(const GradientCase &one) {
  uint32_t seed = 1;
  for (const char *c = one.name; *c; ++c) seed = seed * 31 + uint32_t(*c);
  return seed;
}

/// Errors of the differences themselves: rounding of f64 over the step and its square.
constexpr double tolerance = 1e-7;

TEST_P(Gradients, MatchCentralDifferences) {
  auto module = parse(GetParam().text);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  func::FuncOp gradient = gradientOf(function);
  ASSERT_TRUE(gradient);
  ASSERT_TRUE(succeeded(verify(gradient)));
  std::mt19937_64 random(seedOf(GetParam()));
  EXPECT_LE(gradientError(function, gradient, randomArguments(gradient, GetParam(), random)),
            tolerance);
}

TEST_P(Gradients, OfGradientsMatchCentralDifferences) {
  auto module = parse(GetParam().text);
  func::FuncOp first = gradientOf(module->lookupSymbol<func::FuncOp>("f"));
  ASSERT_TRUE(first);
  func::FuncOp second = gradientOf(first);
  ASSERT_TRUE(second);
  std::mt19937_64 random(seedOf(GetParam()));
  EXPECT_LE(gradientError(first, second, randomArguments(second, GetParam(), random)), tolerance);
}

TEST_P(Gradients, HaveTheTypesOfNarrowFloats) {
  std::string text = std::regex_replace(GetParam().text, std::regex("xf64"), "xbf16");
  text = std::regex_replace(text, std::regex("<f64>"), "<bf16>");
  // batch_norm's statistics are f32 then.
  text = std::regex_replace(text,
                            std::regex("xbf16>, tensor<2xbf16>, tensor<2xbf16>(\\)?(?: \\{)?\n)"),
                            "xbf16>, tensor<2xf32>, tensor<2xf32>$1");
  auto module = parse(text);
  ASSERT_TRUE(module);
  func::FuncOp gradient = gradientOf(module->lookupSymbol<func::FuncOp>("f"));
  ASSERT_TRUE(gradient);
  EXPECT_TRUE(succeeded(verify(gradient)));
}

TEST_P(Gradients, SurviveSimplification) {
  auto module = parse(GetParam().text);
  func::FuncOp function = gradientOf(module->lookupSymbol<func::FuncOp>("f"));
  ASSERT_TRUE(function);
  std::mt19937_64 random(seedOf(GetParam()));
  std::vector<HostTensor> arguments = randomArguments(function, GetParam(), random);
  std::vector<HostTensor> before = evaluated(function, arguments);
  ASSERT_TRUE(runPasses(*module, "builtin.module(func.func(sinter-simplify,sinter-decompose{all},"
                                 "sinter-simplify,sinter-layout,sinter-check-locations))"));
  std::vector<HostTensor> after = evaluated(function, arguments);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i)
    for (size_t j = 0; j < before[i].values.size(); ++j)
      EXPECT_NEAR(before[i].values[j], after[i].values[j],
                  1e-12 * (1 + std::abs(before[i].values[j])));
}

INSTANTIATE_TEST_SUITE_P(Table, Gradients, testing::ValuesIn(gradientCases()),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Gradients, TableCoversEveryDifferentiableOp) {
  std::set<std::string> seen;
  for (const GradientCase &one : gradientCases()) {
    auto module = parse(one.text);
    ASSERT_TRUE(gradientOf(module->lookupSymbol<func::FuncOp>("f")));
    module->walk([&](Operation *op) { seen.insert(op->getName().getStringRef().str()); });
  }
  for (RegisteredOperationName op : context().getRegisteredOperationsByDialect("sinter"))
    if (op.hasInterface<ir::DifferentiableOpInterface>()) {
      EXPECT_TRUE(seen.count(op.getStringRef().str())) << op.getStringRef().str();
    }
}

// The check finds what is wrong: a gradient off by a hundredth in one place, and one with an operand
// exchanged.
TEST(Gradients, PlantedErrorsAreFound) {
  for (const GradientCase &one : gradientCases()) {
    if (std::string(one.name) != "tanh" && std::string(one.name) != "network") continue;
    auto module = parse(one.text);
    auto function = module->lookupSymbol<func::FuncOp>("f");
    func::FuncOp gradient = gradientOf(function);
    ASSERT_TRUE(gradient);
    std::mt19937_64 random(seedOf(one));
    std::vector<HostTensor> arguments = randomArguments(gradient, one, random);
    ASSERT_LE(gradientError(function, gradient, arguments), tolerance);
    ir::ConstantOp number;
    gradient.walk([&](ir::ConstantOp op) {
      auto value = dyn_cast<SplatElementsAttr>(op.getValue());
      if (!number && value && isa<FloatType>(value.getElementType())) number = op;
    });
    ASSERT_TRUE(number);
    double value =
        cast<SplatElementsAttr>(number.getValue()).getSplatValue<APFloat>().convertToDouble();
    number.setValueAttr(
        DenseElementsAttr::get(cast<RankedTensorType>(number.getType()), APFloat(value * 1.01)));
    EXPECT_GT(gradientError(function, gradient, arguments), 100 * tolerance);
  }
}

} // namespace sinter::test
