// The bounds: zero where nothing rounds, small where little does, and without limit where an answer is
// in doubt.

#include "sinter/codegen/reference/ErrorModel.h"
#include "../../support/Ir.h"
#include "sinter/codegen/reference/Evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace sinter::test {
namespace {

using namespace codegen::reference;
using codegen::HostTensor;
using runtime::DType;

constexpr double u = 0x1p-24;
const Arithmetic &f32() {
  static const Arithmetic arithmetic(computeFormatOf(DType::f32));
  return arithmetic;
}

TEST(ErrorModel, ExactResultsHaveNoError) {
  EXPECT_EQ(f32().add({1, 0}, {0x1p-23, 0}).error, 0);
  EXPECT_EQ(f32().mul({3, 0}, {5, 0}).error, 0);
  EXPECT_EQ(f32().div({3, 0}, {4, 0}).error, 0);
  EXPECT_EQ(f32().sqrt({9, 0}).error, 0);
  EXPECT_EQ(f32().maximum({-1, 0}, {2, 0}).error, 0);
  EXPECT_EQ(f32().add({1, 0}, {0x1p-30, 0}).error, u); // half an ulp of 1
  EXPECT_EQ(f32().div({1, 0}, {3, 0}).error, u / 4);
}

TEST(ErrorModel, DoublesKnowWhatTheyLost) {
  Arithmetic f64(computeFormatOf(DType::f64));
  EXPECT_EQ(f64.add({1, 0}, {1, 0}).error, 0);
  EXPECT_EQ(f64.add({1, 0}, {0x1p-60, 0}).error, 0x1p-52); // a device's rounding and ours
  EXPECT_EQ(f64.mul({0.1, 0}, {0.1, 0}).error, std::ldexp(1.0, std::ilogb(0.01) - 52));
}

TEST(ErrorModel, PolesOverflowsAndDoubtHaveNoBound) {
  EXPECT_EQ(f32().div({1, 0}, {0.5, 0.6}).error, HUGE_VAL);
  EXPECT_EQ(f32().log({0.1, 0.2}).error, HUGE_VAL);
  EXPECT_EQ(f32().rsqrt({0.1, 0.1}).error, HUGE_VAL);
  EXPECT_EQ(stored({65510, 20}, computeFormatOf(DType::f16), formatOf(DType::f16)).error, HUGE_VAL);
  // Beyond doubt it is infinite everywhere.
  Ball beyond = stored({1e6, 1}, computeFormatOf(DType::f16), formatOf(DType::f16));
  EXPECT_EQ(beyond.value, HUGE_VAL);
  EXPECT_EQ(beyond.error, 0);
  EXPECT_TRUE(undecided({1, 0.1}, {1.05, 0}));
  EXPECT_FALSE(undecided({1, 0.1}, {1.2, 0}));
  EXPECT_FALSE(undecided({1, 0}, {1, 0}));
}

/// What float arithmetic really makes of the operands must lie in the ball made of them.
TEST(ErrorModel, CoversSinglePrecision) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> number(-8, 8);
  for (int i = 0; i < 100000; ++i) {
    float a = number(random), b = number(random), c = number(random);
    Ball x = f32().add({a, 0}, {b, 0}), y = f32().mul({a, 0}, {c, 0});
    auto covers = [](Ball ball, float value) {
      return std::fabs(ball.value - value) <= ball.error;
    };
    EXPECT_TRUE(covers(f32().mul(x, y), (a + b) * (a * c)));
    EXPECT_TRUE(covers(f32().sub(x, y), std::fma(-a, c, a + b)));
    EXPECT_TRUE(covers(f32().div(y, x), (a * c) / (a + b)) || std::fabs(a + b) < 1e-6);
    EXPECT_TRUE(covers(f32().exp(x), std::exp(a + b)));
    EXPECT_TRUE(covers(f32().tanh(y), std::tanh(a * c)));
    EXPECT_TRUE(covers(f32().sigmoid(y), 1 / (1 + std::exp(-(a * c)))));
    EXPECT_TRUE(covers(f32().sin(y), std::sin(a * c)));
    EXPECT_TRUE(covers(f32().gelu({a, 0}, false), 0.5f * a * (1 + std::erf(a * float(M_SQRT1_2)))));
    EXPECT_TRUE(covers(f32().pow(f32().abs(x), {c, 0}), std::pow(std::fabs(a + b), c)));
  }
}

/// Bounds must not hide mistakes: relative to the terms they stay within a small factor of the best.
TEST(ErrorModel, BoundsAreTight) {
  EXPECT_LE(f32().exp({1, 0}).error, 12 * u * std::exp(1.0));
  EXPECT_LE(f32().mul({1.1, 1e-6}, {1.3, 0}).error, 1.31e-6 + u * 1.5);
  Sum sum;
  for (int i = 0; i < 100; ++i) sum.add({0.1, 0});
  EXPECT_LE(sum.finish(f32()).error, 101 * u * 10);
  Ball half = stored({1.003, 0}, computeFormatOf(DType::bf16), formatOf(DType::bf16));
  EXPECT_LE(half.error, 0x1p-8); // no more than the rounding itself
}

/// A sum that is exact for one pair of numbers is rounded for their neighbours.
TEST(ErrorModel, WhatIsExactInTheMiddleIsRoundedBesideIt) {
  EXPECT_EQ(f32().add({0.25, 0}, {0.5, 0}).error, 0);
  float off = 0.25f + 3 * 0x1p-25f; // an operand that a device may have
  Ball y = f32().add({0.25, 3 * 0x1p-25}, {0.5, 0});
  EXPECT_GE(y.error, std::fabs(double(off + 0.5f) - 0.75));
  EXPECT_GT(y.error, 3 * 0x1p-25);
  // Powers of two and zeros round nothing.
  EXPECT_EQ(f32().mul({0.3, 1e-6}, {0.5, 0}).error, 0.5e-6);
  EXPECT_EQ(f32().add({0.3, 1e-6}, {0, 0}).error, 1e-6);
}

TEST(ErrorModel, SumsOfWhatHasNoBoundHaveNone) {
  for (int terms : {1, 2}) {
    Sum sum;
    sum.add({0.5, HUGE_VAL});
    if (terms == 2) sum.add({0.25, 0});
    EXPECT_EQ(sum.finish(f32()).error, HUGE_VAL) << terms << " terms";
  }
}

/// Comparing devices with the evaluator is only as good as this: a value that is off is seen.
TEST(ErrorModel, DisagreementsAreFound) {
  Ir ir;
  auto type = mlir::RankedTensorType::get({3}, codegen::elementTypeOf(&ir.context, DType::f32));
  HostTensor expected = codegen::fromNumbers(type, {1, HUGE_VAL, std::nan("")});
  expected.error = {1e-6, 0, 0};
  HostTensor actual = expected;
  actual.error.clear();
  EXPECT_EQ(codegen::firstDisagreement(expected, actual), -1);
  actual.values[0] = 1 + 2e-6;
  EXPECT_EQ(codegen::firstDisagreement(expected, actual), 0);
  actual.values = {1, 3e38, std::nan("")};
  EXPECT_EQ(codegen::firstDisagreement(expected, actual), 1);
  actual.values = {1, HUGE_VAL, 0};
  EXPECT_EQ(codegen::firstDisagreement(expected, actual), 2);
  actual.values = {std::nan(""), HUGE_VAL, std::nan("")};
  EXPECT_EQ(codegen::firstDisagreement(expected, actual), 0);
}

/// A comparison that rounding could turn covers both outcomes in what is selected by it.
TEST(ErrorModel, UndecidedComparisonsCoverBothBranches) {
  Ir ir;
  auto module = ir.parse(
      R"(func.func @f(%x: tensor<2xf32>, %y: tensor<2xf32>, %z: tensor<2xf32>) -> (tensor<2xi1>, tensor<2xf32>) {
    %s = sinter.add %x, %y : tensor<2xf32>
    %c = sinter.compare lt %s, %z : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
    %r = sinter.select %c, %x, %y : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    return %c, %r : tensor<2xi1>, tensor<2xf32>
  })");
  ASSERT_TRUE(module) << ir.errors;
  auto function = Ir::function(*module, "f");
  auto type = llvm::cast<mlir::RankedTensorType>(function.getArgumentTypes()[0]);
  auto results = codegen::evaluate(function, {codegen::fromNumbers(type, {0.1, 0.1}),
                                              codegen::fromNumbers(type, {0.7, 0.7}),
                                              codegen::fromNumbers(type, {0.8, 0.9})});
  ASSERT_TRUE(succeeded(results)) << ir.errors;
  EXPECT_EQ((*results)[0].errorAt(0), 1); // 0.1 + 0.7 against 0.8
  EXPECT_EQ((*results)[0].errorAt(1), 0);
  EXPECT_GE((*results)[1].errorAt(0), 0.59);
  EXPECT_EQ((*results)[1].errorAt(1), 0);
}

} // namespace
} // namespace sinter::test
