// Gradients with respect to inputs and to values in the midst of a trace.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;

namespace {
class InputGradients : public test::OnDevice {};
} // namespace

TEST_P(InputGradients, AreThoseOfAnalysis) {
  auto w = parameter("w", {3});
  auto traced = trace(
      [&](Tensor x) {
        Tensor square = x * x, y = (square * w).sum();
        auto both = grad(y, {x, square});
        // And the gradient of a gradient: d/dx sum(2 x w) = 2 w.
        auto second = grad(both[0].sum(), {x});
        return std::tuple(both[0], both[1], second[0]);
      },
      {{{3}, f32}});
  Executable compiled = compile(traced, {.device = device()});
  compiled.set("w", Array({1.f, -2.f, 0.5f}));
  auto results = compiled(Array({3.f, 1.f, 4.f}));
  EXPECT_EQ(results[0].text(), "[6, -4, 4]");
  EXPECT_EQ(results[1].text(), "[1, -2, 0.5]");
  EXPECT_EQ(results[2].text(), "[2, -4, 1]");
}

TEST_P(InputGradients, MistakesAreNamed) {
  auto message = [&](auto function) -> std::string {
    try {
      trace(function, {{{3}, f32}, {{3}, i64}});
    } catch (const UserError &error) {
      EXPECT_EQ(error.file, "InputGradientTest.cpp");
      return error.message;
    }
    return "";
  };
  EXPECT_EQ(message([](Tensor x, Tensor) { return grad(x, {x}); }),
            "grad: f32[3] is not one floating-point scalar");
  EXPECT_EQ(message([](Tensor x, Tensor y) { return grad(x.sum(), {y}); }),
            "grad: an input is i64[3], which has no gradient");
  EXPECT_EQ(message([](Tensor x, Tensor) { return grad(x.sum(), {}); }),
            "grad: no inputs to differentiate by");
}

SINTER_ON_DEVICES(InputGradients, "reference", "cpu");
