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

TEST_P(Control, ScansMayHoldScans) {
  // A decaying sum over the rows of each matrix, from the last matrix to the first; and what it was on the way.
  Tensor decay = parameter("decay", {}, init::constant(0.5));
  auto decaying = [&](Tensor x) {
    auto made = scan(
        [&](const std::vector<Tensor> &s, const std::vector<Tensor> &matrix) {
          auto inner = scan(
              [&](const std::vector<Tensor> &t, const std::vector<Tensor> &row) {
                Tensor next = t[0] * decay + row[0];
                return ScanValues{{next}, {next * 2}};
              },
              {s[0]}, {matrix[0]});
          return ScanValues{{inner.state[0]}, {inner.outputs[0], inner.state[0] - s[0]}};
        },
        {full({2}, 0.0f)}, {x}, {.reverse = true});
    return std::vector<Tensor>{made.state[0], made.outputs[0], made.outputs[1]};
  };
  std::vector<float> x(24);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
  const Array input(x, {4, 3, 2});
  auto results = compile(trace(decaying, {{{4, 3, 2}, f32}}), compiling())(input);
  double state[2] = {0, 0};
  for (int64_t i = 3; i >= 0; --i)
    for (int64_t c = 0; c < 2; ++c) {
      double before = state[c];
      for (int64_t j = 0; j < 3; ++j) {
        state[c] = state[c] * 0.5 + x[(i * 3 + j) * 2 + c];
        EXPECT_NEAR(results[1].at((i * 3 + j) * 2 + c), 2 * state[c], 1e-5);
      }
      EXPECT_NEAR(results[2].at(i * 2 + c), state[c] - before, 1e-5);
    }
  for (int64_t c = 0; c < 2; ++c) EXPECT_NEAR(results[0].at(c), state[c], 1e-5);

  // The gradient of the last state's sum: d state / d decay goes along with the state.
  auto loss = trace([&](Tensor x) { return sum(decaying(x)[0]); }, {{{4, 3, 2}, f32}});
  double gradient = 0;
  for (int64_t c = 0; c < 2; ++c) {
    double at = 0, slope = 0;
    for (int64_t i = 3; i >= 0; --i)
      for (int64_t j = 0; j < 3; ++j) {
        slope = slope * 0.5 + at;
        at = at * 0.5 + x[(i * 3 + j) * 2 + c];
      }
    gradient += slope;
  }
  auto slopes = compile(grad(loss, {decay}), compiling())(input);
  EXPECT_NEAR(slopes[0].item(), gradient, 1e-4);
}

TEST_P(Control, ScansMayHoldBranchesAndLoops) {
  // Of each number, where its flag is set, how often it can be halved above 1, else the number twice.
  auto graph = trace(
      [](Tensor flags, Tensor numbers) {
        auto made = scan(
            [](const std::vector<Tensor> &s, const std::vector<Tensor> &x) {
              auto chosen = cond(
                  x[0],
                  [](const std::vector<Tensor> &v) {
                    auto halved =
                        while_loop([](const std::vector<Tensor> &t) { return t[0] > 1.0f; },
                                   [](const std::vector<Tensor> &t) {
                                     return std::vector<Tensor>{t[0] * 0.5f, t[1] + 1.0f};
                                   },
                                   {v[0], full({}, 0.0f)});
                    return std::vector<Tensor>{halved[1]};
                  },
                  [](const std::vector<Tensor> &v) { return std::vector<Tensor>{v[0] * 2}; },
                  {x[1]});
              return ScanValues{{s[0] + chosen[0]}, {chosen[0]}};
            },
            {full({}, 0.0f)}, {flags, numbers});
        return std::vector<Tensor>{made.state[0], made.outputs[0]};
      },
      {{{6}, i1}, {{6}, f32}});
  auto run = compile(graph, compiling());
  auto results =
      run(Array({true, false, true, true, false, true}), Array({8.f, 3.f, 1.f, 100.f, 5.f, 0.5f}));
  EXPECT_EQ(results[1].text(), "[3, 6, 0, 7, 10, 0]");
  EXPECT_EQ(results[0].item(), 26);
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
