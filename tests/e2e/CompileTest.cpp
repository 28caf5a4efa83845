// trace, grad and compile: graphs without a model around them.
#include "EndToEnd.h"

using namespace sinter;
using testing::HasSubstr;

namespace {
class Compiled : public test::OnDevice {
public:
  CompileOptions compiling() const { return {.device = device()}; }
};
} // namespace

TEST_P(Compiled, GradientsOfLinearRegression) {
  auto w = parameter("w", {2, 1}), b = parameter("b", {1});
  auto loss = trace([&](Tensor x, Tensor y) { return mse_loss(x.matmul(w) + b, y); },
                    {{{4, 2}, f32}, {{4, 1}, f32}});
  auto run = compile(value_and_grad(loss, {w, b}), compiling());
  Array x({{1.f, 0.f}, {0.f, 1.f}, {1.f, 1.f}, {2.f, -1.f}}), y({{1.f}, {2.f}, {3.f}, {0.f}});
  auto out = run(x, y);
  // At w = b = 0: loss = mean(y^2), d/dw = -2/4 X'y, d/db = -2/4 sum(y).
  EXPECT_FLOAT_EQ(static_cast<float>(out[0].item()), 3.5f);
  EXPECT_EQ(out[1].text(), "[[-2],\n [-2.5]]");
  EXPECT_EQ(out[2].text(), "[-3]");
  run.set("b", Array({1.f}));
  EXPECT_FLOAT_EQ(static_cast<float>(run(x, y)[0].item()), 1.5f);
  EXPECT_EQ(run.get("w").text(), "[[0],\n [0]]");
}

TEST_P(Compiled, ResultsAreWrittenAgainOnlyWhenNobodyHasThem) {
  auto run = compile(trace([](Tensor x) { return x + 1; }, {{{3}, f32}}), compiling());
  Array first = run(Array({1.f, 2.f, 3.f}))[0], view = first.reshape({3, 1});
  const void *place = first.raw();
  first = run(Array({10.f, 20.f, 30.f}))[0];
  EXPECT_EQ(view.reshape({3}).text(), "[2, 3, 4]");
  EXPECT_EQ(first.text(), "[11, 21, 31]");
  EXPECT_NE(first.raw(), place);
  place = first.raw();
  first = Array();
  EXPECT_EQ(run(Array({1.f, 1.f, 1.f}))[0].raw(), place);
  first = run(Array({4.f, 5.f, 6.f}))[0];
  EXPECT_EQ(run(first)[0].text(), "[6, 7, 8]"); // a result as the next run's input
}

TEST_P(Compiled, MistakesAreNamed) {
  auto run = compile(trace([](Tensor x) { return x + 1; }, {{{3}, f32}}), compiling());
  auto message = [](auto call) -> std::string {
    try {
      call();
    } catch (const UserError &error) {
      EXPECT_EQ(error.file, "CompileTest.cpp");
      return error.message;
    }
    return "no error";
  };
  EXPECT_EQ(message([&] { run(Array({1.f, 2.f})); }), "run: input 0 is f32[2], expected f32[3]");
  EXPECT_EQ(message([&] { run(Array({1, 2, 3})); }), "run: input 0 is i32[3], expected f32[3]");
  EXPECT_EQ(message([&] { run(); }), "run: 0 inputs, expected 1");
  EXPECT_EQ(message([&] { run.get("w"); }), "get: the program has no variable 'w'");
  EXPECT_EQ(message([&] { run.intermediate("fc"); }), "intermediate: nothing has been run yet");
}

TEST_P(Compiled, RandomNumbersAreNewEachRunAndTheSameForASeed) {
  auto traced = trace([](Tensor x) { return dropout(x, {.p = 0.5}); }, {{{64}, f32}});
  Array ones = Array::full({64}, 1);
  auto a = compile(traced, {.device = device(), .seed = 1}),
       b = compile(traced, {.device = device(), .seed = 1}),
       c = compile(traced, {.device = device(), .seed = 2}),
       r = compile(traced, {.device = Device::reference(), .seed = 1});
  auto bits = [&](Executable &executable) {
    Array out = executable(ones)[0];
    std::string text;
    for (float value : std::as_const(out).data<float>()) {
      EXPECT_TRUE(value == 0 || value == 2) << value;
      text += value == 0 ? '0' : '1';
    }
    return text;
  };
  std::string first = bits(a), second = bits(a);
  EXPECT_NE(first, second);
  EXPECT_EQ(bits(b), first);
  EXPECT_NE(bits(c), first);
  EXPECT_EQ(bits(r), first);
}

TEST_P(Compiled, IntermediateValuesByModulePath) {
  struct Net : nn::Module {
    nn::Linear fc{this, "fc", {.in_features = 2, .out_features = 2}};
    Tensor forward(Tensor x) { return fc(x).sum(); }
  } net;
  auto run = compile(trace([&](Tensor x) { return net.forward(x); }, {{{1, 2}, f32}}), compiling());
  run.set("fc.weight", Array({{1.f, 2.f}, {3.f, 4.f}}));
  run.set("fc.bias", Array({0.5f, 0.5f}));
  EXPECT_FLOAT_EQ(static_cast<float>(run(Array({{1.f, 10.f}}))[0].item()), 65);
  EXPECT_EQ(run.intermediate("fc").text(), "[[21.5, 43.5]]");
  EXPECT_EQ(run.intermediate("fc.bias").text(), "[0.5, 0.5]");
}

TEST_P(Compiled, DumpsAreNumberedAndSayHowToReplayThem) {
  test::TemporaryFolder folder;
  auto w = parameter("w", {2}, init::ones);
  auto loss = trace([&](Tensor x) { return sum(x * w); }, {{{2}, f32}});
  compile(grad(loss, {w}), {.device = device(), .dump_dir = folder / "dump"});
  EXPECT_TRUE(std::filesystem::exists(folder / "dump/main/00-traced.mlir"));
  EXPECT_TRUE(std::filesystem::exists(folder / "dump/main/01-autodiff.mlir") ||
              std::filesystem::exists(folder / "dump/main/02-autodiff.mlir"));
  std::ofstream(folder / "file") << "in the way";
  try {
    compile(loss, {.device = device(), .dump_dir = folder / "file"});
    ADD_FAILURE();
  } catch (const RuntimeError &error) {
    EXPECT_THAT(error.what(), HasSubstr("the dump folder"));
    EXPECT_THAT(error.what(), HasSubstr("cannot be made"));
  }
}

TEST_P(Compiled, PrintShowsValuesAfterEachRun) {
  auto run = compile(trace(
                         [](Tensor x) {
                           Tensor y = x * 2;
                           print(y, "doubled");
                           return y + 1;
                         },
                         {{{2}, f32}}),
                     compiling());
  testing::internal::CaptureStderr();
  auto out = run(Array({1.f, 2.f}));
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::ContainsRegex("CompileTest.cpp:[0-9]+: doubled = \\[2, 4\\]\n"));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text(), "[3, 5]");
}

SINTER_ON_DEVICES(Compiled, "reference", "cpu");
