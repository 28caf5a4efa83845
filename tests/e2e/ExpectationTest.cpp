// expect_fused, expect_kernels and fusion_barrier in model code.
#include "EndToEnd.h"

#include <fmt/format.h>

using namespace sinter;
using testing::AllOf;
using testing::HasSubstr;

namespace {

const CompileOptions onCpu{.device = Device::cpu()};

std::string compileError(const Traced &traced, std::string *place = nullptr) {
  try {
    compile(traced, onCpu);
  } catch (const CompileError &error) {
    if (place) *place = error.place;
    return error.what();
  }
  return "no error";
}

Tensor block(Tensor x, bool barrier) {
  Tensor h = exp(x);
  if (barrier) h = fusion_barrier(h);
  return relu(h);
}

} // namespace

TEST(Expectations, FulfilledOnesChangeNothing) {
  auto run = compile(trace(
                         [](Tensor x) {
                           Tensor h = exp(x), y = relu(h).flatten();
                           expect_fused({h, y});
                           expect_kernels({.max = 1});
                           return y;
                         },
                         {{{2, 2}, f32}}),
                     onCpu);
  EXPECT_EQ(run.kernels(), 1);
  EXPECT_EQ(run.planned_ir().find("expect"), std::string::npos);
  EXPECT_NE(run.ir().find("sinter.expect_fused"), std::string::npos);
}

TEST(Expectations, FailedOnesAreErrorsAtTheirLine) {
  int line = 0;
  auto apart = trace(
      [&](Tensor x) {
        Tensor h = exp(x), y = relu(fusion_barrier(h));
        line = __LINE__ + 1;
        expect_fused({h, y});
        return y;
      },
      {{{4}, f32}});
  std::string place, message = compileError(apart, &place);
  EXPECT_EQ(place, fmt::format("ExpectationTest.cpp:{}", line));
  EXPECT_THAT(message, AllOf(HasSubstr(place + ": fusion: expect_fused: exp (%0, "),
                             HasSubstr(fmt::format("ExpectationTest.cpp:{}", line - 2)),
                             HasSubstr("are not one kernel: barrier (a fusion_barrier stands"),
                             HasSubstr("16 bytes go through memory")));

  auto many = trace(
      [&](Tensor x) {
        line = __LINE__ + 1;
        expect_kernels({.max = 1});
        return block(block(x, true), false);
      },
      {{{4}, f32}});
  message = compileError(many, &place);
  EXPECT_EQ(place, fmt::format("ExpectationTest.cpp:{}", line));
  EXPECT_THAT(message, AllOf(HasSubstr("memory: expect_kernels: main is 2 kernels, expected 1 or "
                                       "fewer"),
                             HasSubstr("barrier, 16 bytes")));
}

TEST(Expectations, HoldInTrainingSteps) {
  auto w = parameter("expectation_w", {4, 4}, init::ones);
  auto loss = [&](bool barrier) {
    return grad(trace(
                    [&](Tensor x) {
                      Tensor h = matmul(x, w), y = relu(barrier ? fusion_barrier(h) : h);
                      expect_fused({h, y});
                      return sum(y * y);
                    },
                    {{{4, 4}, f32}}),
                {w});
  };
  EXPECT_EQ(compileError(loss(false)), "no error");
  EXPECT_THAT(compileError(loss(true)), HasSubstr("barrier"));
}

TEST(Expectations, PartsAndOtherDevicesAreNotHeldToThem) {
  auto traced = trace(
      [](Tensor x) {
        Tensor h = exp(x), y = relu(fusion_barrier(h));
        expect_fused({h, y});
        expect_kernels({.max = 0});
        return y;
      },
      {{{2}, f32}});
  auto run = compile(traced, {.device = Device::reference()});
  EXPECT_EQ(run(Array({0.f, 0.f}))[0].text(), "[1, 1]");
}

TEST(Expectations, MistakesAreNamed) {
  auto w = parameter("expectation_named", {2});
  auto message = [](auto call) -> std::string {
    try {
      trace(
          [&](Tensor x) {
            call(x);
            return x;
          },
          {{{2}, f32}});
    } catch (const UserError &error) { return error.message; }
    return "no error";
  };
  EXPECT_EQ(message([](Tensor x) { expect_fused({exp(x)}); }),
            "expect_fused: wants two values or more, got 1");
  EXPECT_EQ(message([](Tensor x) {
              expect_fused({exp(x), x});
            }),
            "expect_fused: value 2 is an input, which no kernel computes");
  EXPECT_EQ(message([&](Tensor x) {
              expect_fused({w, exp(x)});
            }),
            "expect_fused: value 1 is 'expectation_named', which no kernel computes");
  EXPECT_EQ(message([](Tensor) { expect_kernels({.max = -1}); }), "expect_kernels: max is -1");
}

TEST(FusionBarrier, IsTheValueAndPassesGradients) {
  auto w = parameter("barrier_w", {3}, init::ones);
  auto loss = [&](bool barrier) {
    return value_and_grad(trace(
                              [&](Tensor x) {
                                Tensor h = x * w;
                                return sum(exp(barrier ? fusion_barrier(h) : h));
                              },
                              {{{3}, f32}}),
                          {w});
  };
  auto with = compile(loss(true), onCpu), without = compile(loss(false), onCpu);
  Array x({0.f, 1.f, 2.f});
  auto a = with(x), b = without(x);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].text(), b[i].text());
  EXPECT_GT(with.kernels(), without.kernels());
}
