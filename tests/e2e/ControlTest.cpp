// Branches and loops on values: on every device what the same C++ does.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::HasSubstr;

namespace {

class Control : public test::OnDevice {
public:
  CompileOptions compiling() const { return {.device = device()}; }
};

template <class T> Array scalar(T value) { return Array(std::vector<T>{value}).reshape({}); }

std::string refusalOf(const std::function<void()> &call) {
  try {
    call();
  } catch (const std::exception &error) { return error.what(); }
  return "no error";
}

} // namespace

TEST_P(Control, ALoopStopsWhereItsConditionDoes) {
  // Newton's iteration for a root, and how many steps it took.
  auto root = trace(
      [](Tensor a) {
        auto far = [&](const std::vector<Tensor> &s) { return abs(s[0] * s[0] - a) > 1e-3f * a; };
        auto step = [&](const std::vector<Tensor> &s) {
          return std::vector<Tensor>{(s[0] + a / s[0]) * 0.5f, s[1] + 1};
        };
        return while_loop(far, step, {a, full({}, 0.0f)});
      },
      {{{}, f32}});
  auto run = compile(root, compiling());
  for (float a : {1.0f, 2.0f, 10.0f, 1e4f}) {
    float x = a;
    int steps = 0;
    for (; std::abs(x * x - a) > 1e-3f * a; ++steps) x = (x + a / x) * 0.5f;
    auto results = run(scalar(a));
    EXPECT_NEAR(results[0].item(), x, 1e-5 * x) << a;
    EXPECT_EQ(results[1].item(), steps) << a;
  }
}

TEST_P(Control, ABranchRunsWhereItsConditionHolds) {
  auto graph = trace(
      [](Tensor x, Tensor limit) {
        return cond(
            sum(x) > limit,
            [&](const std::vector<Tensor> &v) {
              return std::vector<Tensor>{exp(v[0]), v[0]};
            },
            [&](const std::vector<Tensor> &v) {
              // Would never end.
              auto forever =
                  while_loop([](const std::vector<Tensor> &s) { return s[0] < 1; },
                             [](const std::vector<Tensor> &s) { return s; }, {limit * 0});
              return std::vector<Tensor>{v[0] * limit + forever[0], v[0] - x};
            },
            {x});
      },
      {{{3}, f32}, {{}, f32}});
  auto run = compile(graph, compiling());
  auto results = run(Array({0.f, 1.f, 2.f}), scalar(1.0f));
  for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(results[0].at(i), std::exp(double(i)), 1e-5);
  EXPECT_EQ(results[1].text(), "[0, 1, 2]");
}

TEST_P(Control, TheGradientIsThatOfTheBranch) {
  auto w = parameter("w", {3}, init::ones), unused = parameter("unused", {3}, init::ones);
  auto loss = trace(
      [&](Tensor x, Tensor limit) {
        Tensor y = cond(
            sum(x) > limit,
            [&](const std::vector<Tensor> &) { return std::vector<Tensor>{w * w * x}; },
            [&](const std::vector<Tensor> &) { return std::vector<Tensor>{exp(w) + unused}; })[0];
        return sum(y * 2);
      },
      {{{3}, f32}, {{}, f32}});
  auto run = compile(grad(loss, {w, unused}), compiling());
  Array x({1.f, 2.f, 3.f});
  auto first = run(x, scalar(0.0f)), second = run(x, scalar(100.0f));
  EXPECT_EQ(first[0].text(), "[4, 8, 12]");
  EXPECT_EQ(first[1].text(), "[0, 0, 0]");
  for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(second[0].at(i), 2 * std::exp(1.0), 1e-5);
  EXPECT_EQ(second[1].text(), "[2, 2, 2]");
}

TEST_P(Control, RegionsMayLieInRegions) {
  // The steps that Collatz's numbers take to 1.
  auto graph = trace(
      [](Tensor n) {
        return while_loop(
            [](const std::vector<Tensor> &s) { return s[0] != 1; },
            [](const std::vector<Tensor> &s) {
              auto next = cond(
                  remainder(s[0], 2) == 0,
                  [](const std::vector<Tensor> &v) {
                    return std::vector<Tensor>{floor_divide(v[0], 2)};
                  },
                  [](const std::vector<Tensor> &v) { return std::vector<Tensor>{v[0] * 3 + 1}; },
                  {s[0]});
              return std::vector<Tensor>{next[0], s[1] + 1};
            },
            {n, full({}, 0, i64)});
      },
      {{{}, i64}});
  auto run = compile(graph, compiling());
  for (int64_t n : {1, 6, 7, 27}) {
    int64_t steps = 0;
    for (int64_t at = n; at != 1; ++steps) at = at % 2 == 0 ? at / 2 : 3 * at + 1;
    EXPECT_EQ(run(scalar(n))[1].item(), steps) << n;
  }
}

TEST_P(Control, ALoopHasNoGradient) {
  auto w = parameter("w", {}, init::ones);
  auto graph = trace(
      [&](Tensor x) {
        return while_loop(
            [](const std::vector<Tensor> &s) { return s[0] < 10; },
            [&](const std::vector<Tensor> &s) { return std::vector<Tensor>{s[0] * w + 1}; },
            {x})[0];
      },
      {{{}, f32}});
  EXPECT_THAT(refusalOf([&] { compile(grad(graph, {w}), compiling()); }),
              HasSubstr("'sinter.while' cannot be differentiated"));
}

SINTER_ON_DEVICES(Control, "reference", "cpu", "cuda-emulated");
