// Mixed precision as users meet it: scopes, what a summary says, what is refused.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::HasSubstr;
using testing::Not;

namespace {

class MixedPrecision : public test::OnDevice {
public:
  Executable compiled(const Traced &traced, Precision precision) const {
    return compile(traced, {.device = device(), .precision = precision});
  }
};

Array ramp(Shape shape, double step) {
  Array array = Array::zeros(shape);
  auto values = array.data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((static_cast<double>((i * 7) % 19) - 9) * step);
  return array;
}

bool sameBits(const Array &a, const Array &b) {
  return a.spec() == b.spec() && std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
}

std::vector<TensorSpec> twoMatrices() { return {{{8, 8}, f32}, {{8, 8}, f32}}; }
Array a() { return ramp({8, 8}, 1.0 / 3); }
Array b() { return ramp({8, 8}, 1.0 / 7); }

/// A layer whose last product the user wants in f32.
struct Careful : nn::Module {
  nn::Linear first{this, "first", {.in_features = 4, .out_features = 8}};
  nn::Linear last{this, "last", {.in_features = 8, .out_features = 3}};
  Tensor forward(Tensor x) {
    x = relu(first(x));
    return precision(Precision::f32, [&] { return last(x); });
  }
  int line = __LINE__ - 2;
};

} // namespace

TEST_P(MixedPrecision, AScopeOverridesWhatIsAskedFor) {
  auto plain = trace([](Tensor x, Tensor y) { return x.matmul(y); }, twoMatrices());
  auto inF32 = trace(
      [](Tensor x, Tensor y) { return precision(Precision::f32, [&] { return x.matmul(y); }); },
      twoMatrices());
  auto inF16 = trace(
      [](Tensor x, Tensor y) { return precision(Precision::f16, [&] { return x.matmul(y); }); },
      twoMatrices());
  Array full = compiled(plain, Precision::f32)(a(), b())[0];
  for (Precision low : {Precision::bf16, Precision::f16}) {
    EXPECT_FALSE(sameBits(compiled(plain, low)(a(), b())[0], full));
    EXPECT_TRUE(sameBits(compiled(inF32, low)(a(), b())[0], full));
  }
  Array half = compiled(plain, Precision::f16)(a(), b())[0];
  EXPECT_TRUE(sameBits(compiled(inF16, Precision::f32)(a(), b())[0], half));
  EXPECT_TRUE(sameBits(compiled(inF16, Precision::bf16)(a(), b())[0], half));
  // The result is a value of f16.
  EXPECT_TRUE(sameBits(half.to(f16).to(f32), half));
}

TEST_P(MixedPrecision, TheInnermostScopeCountsAndEndsWithItsBody) {
  auto traced = trace(
      [](Tensor x, Tensor y) {
        Tensor inner, after;
        precision(Precision::bf16, [&] {
          inner = precision(Precision::f32, [&] { return x.matmul(y); });
          after = x.matmul(y);
        });
        return std::tuple(inner, after, x.matmul(y));
      },
      twoMatrices());
  auto out = compiled(traced, Precision::f32)(a(), b());
  EXPECT_TRUE(sameBits(out[0], out[2]));
  EXPECT_FALSE(sameBits(out[1], out[2]));
  EXPECT_TRUE(sameBits(out[1].to(bf16).to(f32), out[1]));
  // An exception ends it, too.
  EXPECT_THROW(trace(
                   [](Tensor x, Tensor) -> Tensor {
                     return precision(Precision::f16, [&]() -> Tensor { return x.reshape({3}); });
                   },
                   twoMatrices()),
               UserError);
  auto later = trace([](Tensor x, Tensor y) { return x.matmul(y); }, twoMatrices());
  EXPECT_THAT(later.ir(), Not(HasSubstr("sinter.precision")));
}

TEST_P(MixedPrecision, GradientsObeyTheScope) {
  auto w = parameter("w", {8, 8}, init::constant(0.3));
  auto lossOf = [&](bool scope) {
    return trace(
        [&](Tensor x, Tensor y) {
          auto product = [&] { return (x * y).matmul(w).sum(); };
          return scope ? precision(Precision::f32, product) : product();
        },
        twoMatrices());
  };
  Array full = compiled(grad(lossOf(false), {w}), Precision::f32)(a(), b())[0];
  Array inScope = compiled(grad(lossOf(true), {w}), Precision::bf16)(a(), b())[0];
  Array low = compiled(grad(lossOf(false), {w}), Precision::bf16)(a(), b())[0];
  EXPECT_TRUE(sameBits(inScope, full));
  EXPECT_FALSE(sameBits(low, full));
}

TEST_P(MixedPrecision, AnF16ScopeOfAnF32StepScalesTheLoss) {
  struct Net : nn::Module {
    nn::Linear fc{this, "fc", {.in_features = 4, .out_features = 3}};
    Tensor forward(Tensor x) {
      return precision(Precision::f16, [&] { return fc(x); });
    }
  } net;
  TrainStep step(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  Array x = ramp({6, 4}, 0.25), y(std::vector<int64_t>{0, 1, 2, 0, 1, 2});
  double first = step(x, y);
  EXPECT_EQ(step.loss_scale(), 65536);
  EXPECT_LT(step(x, y), first);
}

TEST_P(MixedPrecision, UnscaledGradientsInF16AreRefused) {
  auto w = parameter("w", {8, 8}, init::constant(0.3));
  auto loss = trace([&](Tensor x, Tensor) { return x.matmul(w).mean(); }, twoMatrices());
  try {
    compiled(grad(loss, {w}), Precision::f16);
    ADD_FAILURE();
  } catch (const CompileError &error) {
    EXPECT_THAT(error.what(), HasSubstr("gradients in f16 need a scaled loss"));
    EXPECT_THAT(error.what(), HasSubstr("PrecisionTest.cpp:"));
  }
}

TEST_P(MixedPrecision, TheSummarySaysWhatRunsInWhatAndWhy) {
  Careful net;
  Array x = ramp({6, 4}, 0.25), y(std::vector<int64_t>{0, 1, 2, 0, 1, 2});
  for (Precision low : {Precision::bf16, Precision::f16}) {
    TrainStep step(net, cross_entropy, optim::SGD{.lr = 0.1},
                   {.device = device(), .precision = low});
    step(x, y);
    std::string summary = step.summary(), type = text(low);
    auto says = [&](const std::string &row) { EXPECT_THAT(summary, HasSubstr(row)); };
    says("1  matmul: " + type + ", contraction\n");
    says(fmt::format("1  matmul: f32, scope at PrecisionTest.cpp:{}\n", net.line));
    says(fmt::format("2  matmul: f32, gradient: scope at PrecisionTest.cpp:{}\n", net.line));
    says("1  matmul: " + type + ", gradient: contraction\n"); // that of x is not wanted
    says("1  cross_entropy: f32, listed as needing range\n");
    says("relu: " + type + ", ");
    says("update: f32, on f32 parameters\n");
  }
  TrainStep full(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  full(x, y);
  // The scope asks for what there is anyway, and is named as such.
  EXPECT_THAT(full.summary(), HasSubstr("matmul: f32, scope at PrecisionTest.cpp:"));
  EXPECT_THAT(full.summary(), HasSubstr("matmul: f32, asked for"));
  std::string types = full.summary();
  types.erase(0, types.find("precision")); // an instruction set may have a type in its name
  EXPECT_THAT(types, Not(HasSubstr("f16")));
}

SINTER_ON_DEVICES(MixedPrecision, "reference", "cpu", "cuda-emulated");

TEST(PrecisionNames, AreWhatTheCommandLinesTake) {
  for (const char *name : {"f32", "bf16", "f16"}) EXPECT_EQ(text(precisionNamed(name)), name);
  try {
    (void)precisionNamed("fp8");
    ADD_FAILURE();
  } catch (const UserError &error) {
    EXPECT_EQ(error.message, "no precision 'fp8': there are f32, bf16 and f16");
  }
}
