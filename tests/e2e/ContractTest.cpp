// What CompileOptions::require and TrainerOptions::require refuse, and what they let pass.
#include "EndToEnd.h"

#include <fmt/format.h>

using namespace sinter;
using testing::AllOf;
using testing::HasSubstr;

namespace {

constexpr Contracts all{
    .donation = true, .graph_capture = true, .no_recompile = true, .no_f32_fallback = true};

struct Net : nn::Module {
  nn::Conv2d conv{this, "conv", {.in_channels = 1, .out_channels = 4, .kernel_size = 3}};
  nn::BatchNorm2d norm{this, "norm", {.num_features = 4}};
  nn::Linear fc{this, "fc", {.in_features = 4 * 2 * 2, .out_features = 3}};
  Tensor forward(Tensor x) { return fc(flatten(relu(norm(conv(x))), 1)); }
};

Array rows(int64_t count) { return Array::zeros({count, 1, 4, 4}); }
Array labels(int64_t count) { return Array::zeros({count}, i64); }

template <class Failure, class F> std::string messageOf(F &&run) {
  try {
    run();
  } catch (const Failure &failure) { return failure.what(); }
  return "no error";
}

} // namespace

TEST(Contracts, ATrainingStepKeepsAllOfThem) {
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    Net net;
    TrainStep step = train_step(net, cross_entropy, optim::Adam({.lr = 1e-3}),
                                {.device = Device::cpu(), .precision = precision, .require = all});
    EXPECT_TRUE(std::isfinite(step(rows(8), labels(8))));
    EXPECT_TRUE(std::isfinite(step(rows(8), labels(8))));
  }
}

TEST(Contracts, AnotherBatchSizeIsNotCompiled) {
  Net net;
  TrainStep step = train_step(net, cross_entropy, optim::SGD({.lr = 0.1}),
                              {.device = Device::cpu(), .require = {.no_recompile = true}});
  step(rows(8), labels(8));
  int line = __LINE__ + 1;
  std::string message = messageOf<UserError>([&] { step(rows(6), labels(6)); });
  EXPECT_EQ(message,
            fmt::format("ContractTest.cpp:{}: train_step: require.no_recompile: this batch "
                        "would be compiled for anew: x was f32[8, 1, 4, 4], is f32[6, 1, 4, 4]; "
                        "y was i64[8], is i64[6]",
                        line));
  EXPECT_EQ(step.steps(), 1);
  step(rows(8), labels(8)); // goes on
  EXPECT_EQ(step.steps(), 2);
}

TEST(Contracts, ARecompilationIsLogged) {
  setenv("SINTER_LOG", "recompiles", 1);
  Net net;
  TrainStep step =
      train_step(net, cross_entropy, optim::SGD({.lr = 0.1}), {.device = Device::cpu()});
  testing::internal::CaptureStderr();
  for (int64_t size : {8, 6, 8, 6}) step(rows(size), labels(size));
  unsetenv("SINTER_LOG");
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(
      said,
      AllOf(HasSubstr("sinter: recompiles: train_step at ContractTest.cpp:"),
            HasSubstr("x was f32[8, 1, 4, 4], is f32[6, 1, 4, 4]; y was i64[8], is i64[6]\n")));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(Contracts, AProductAboveThePrecisionIsNamed) {
  int line = 0;
  auto wide = trace(
      [&](Tensor x, Tensor w) {
        line = __LINE__ + 1;
        return matmul(x, w);
      },
      {{{4, 4}, f64}, {{4, 4}, f64}});
  CompileOptions options{.device = Device::cpu(), .precision = Precision::bf16};
  EXPECT_NO_THROW(compile(wide, options));
  options.require.no_f32_fallback = true;
  EXPECT_EQ(
      messageOf<CompileError>([&] { compile(wide, options); }),
      fmt::format("ContractTest.cpp:{}: require.no_f32_fallback: matmul takes f64 operands", line));
}

TEST(Contracts, WhatTheHostDecidesIsNotCaptured) {
  int line = 0;
  auto traced = trace(
      [&](Tensor x) {
        auto same = [](const std::vector<Tensor> &v) { return v; };
        auto twice = [](const std::vector<Tensor> &v) { return std::vector<Tensor>{v[0] * 2}; };
        line = __LINE__ + 1;
        return cond(sum(x) > 0, same, twice, {x});
      },
      {{{4}, f32}});
  CompileOptions options{.device = Device::cpu()};
  EXPECT_NO_THROW(compile(traced, options));
  options.require.graph_capture = true;
  EXPECT_EQ(
      messageOf<CompileError>([&] { compile(traced, options); }),
      fmt::format("ContractTest.cpp:{}: require.graph_capture: the host decides what a cond runs",
                  line));
}

TEST(Contracts, TheReferenceDeviceIsNotCaptured) {
  auto traced = trace([](Tensor x) { return exp(x); }, {{{4}, f32}});
  CompileOptions options{.device = Device::reference(), .require = {.graph_capture = true}};
  EXPECT_EQ(messageOf<CompileError>([&] { compile(traced, options); }),
            "require.graph_capture: the device 'reference' evaluates op by op");
  options.device = Device::cpu();
  EXPECT_NO_THROW(compile(traced, options));
}
