// Dynamic loss scaling in f16: PyTorch's rule step by step, what a skipped step leaves alone, checkpoints.
#include "EndToEnd.h"

#include <sinter/runtime/Executor.h>
#include <sinter/runtime/Safetensors.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>

using namespace sinter;
using nlohmann::json;
using testing::HasSubstr;

namespace {

class LossScale : public test::OnDevice {
public:
  TrainerOptions half(LossScaling scaling = {}, uint64_t seed = 0) const {
    return {.device = device(), .precision = Precision::f16, .seed = seed, .loss_scaling = scaling};
  }
};

/// What takes longer, and differs between devices in nothing but the kernels.
class HalfTraining : public LossScale {};

/// Its loss is sum(x * p), so the gradient of p is x.
struct Probe : nn::Module {
  explicit Probe(int64_t size) { p = parameter("p", {size}); }
  Tensor p;
  Tensor forward(Tensor x) { return x * p; }
};

/// The same through a product in f16, so that the gradient of p is x rounded to f16.
struct HalfProbe : nn::Module {
  HalfProbe() { p = parameter("p", {4, 1}); }
  Tensor p;
  Tensor forward(Tensor x) { return x.matmul(p); }
};

Loss summed() {
  return [](const Tensor &out, const Tensor &) { return out.sum(); };
}

Array floats(const json &tensor) {
  auto numbers = tensor.at("data").get<std::vector<double>>();
  return Array(std::vector<float>(numbers.begin(), numbers.end()));
}

/// PyTorch's GradScaler, once more and by hand, over SGD without momentum.
struct Model {
  float scale = 256;
  int tracker = 0, interval = 3, skipped = 0;
  std::vector<float> p = std::vector<float>(4, 0.0f);

  void step(const std::vector<float> &x) {
    std::vector<float> gradient;
    bool finite = true;
    for (float each : x) {
      double scaled = Array(std::vector<float>{each * scale}).to(f16).to(f64).at(0);
      finite &= std::isfinite(scaled);
      gradient.push_back(static_cast<float>(scaled) / scale);
    }
    if (!finite) {
      scale *= 0.5f, tracker = 0, ++skipped;
      return;
    }
    for (size_t i = 0; i < p.size(); ++i) p[i] -= 0.5f * gradient[i];
    if (++tracker == interval) scale *= 2, tracker = 0;
  }
};

/// Each tensor of a checkpoint, as bytes.
std::map<std::string, std::string> tensorsOf(const std::string &path) {
  auto file = check(runtime::SafetensorsFile::open(path));
  std::map<std::string, std::string> all;
  for (const auto &tensor : file.tensors())
    all[tensor.name] = std::string(tensor.bytes.begin(), tensor.bytes.end());
  return all;
}
template <class T> T as(const std::string &bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

} // namespace

TEST_P(LossScale, FollowsPyTorch) {
  std::ifstream file(SINTER_TEST_SOURCE_DIR "/oracle/vectors/grad_scaler.json");
  json vectors = json::parse(file);
  ASSERT_EQ(vectors.at("cases").size(), 4u);
  for (const json &one : vectors.at("cases")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    const json &a = one.at("attributes");
    optim::Optimizer optimizer =
        one.at("name") == "adam" ? optim::Optimizer(optim::Adam{.lr = a.at("lr")})
        : one.at("name") == "adamw"
            ? optim::Optimizer(optim::AdamW{.lr = a.at("lr")})
            : optim::Optimizer(optim::SGD{.lr = a.at("lr"), .momentum = a.value("momentum", 0.0)});
    Array start = floats(one.at("inputs").at(0));
    Probe probe(start.size());
    probe.set_value("p", start);
    TrainStep step(probe, summed(), optimizer,
                   half({.initial_scale = a.at("init_scale"),
                         .growth_factor = a.at("growth_factor"),
                         .backoff_factor = a.at("backoff_factor"),
                         .growth_interval = a.at("growth_interval")}));
    int64_t made = 0;
    double before = a.at("init_scale");
    for (size_t i = 0; i + 1 < one.at("inputs").size(); ++i) {
      SCOPED_TRACE(i + 1);
      step(floats(one.at("inputs").at(i + 1)).reshape({1, start.size()}), Array::zeros({1}));
      Array expected = floats(one.at("outputs").at(2 * i)), actual = probe.value("p");
      for (int64_t k = 0; k < start.size(); ++k)
        EXPECT_NEAR(actual.at(k), expected.at(k), 1e-6 * std::max(1.0, std::fabs(expected.at(k))));
      double scale = one.at("outputs").at(2 * i + 1).at("data").at(0);
      EXPECT_EQ(step.loss_scale(), scale);
      made += scale >= before;
      before = scale;
      EXPECT_EQ(step.steps(), made);
    }
  }
}

TEST_P(LossScale, SkipsWhatOverflowsInF16AndGrowsAgain) {
  HalfProbe probe;
  probe.set_value("p", Array::zeros({4, 1}));
  Model model;
  TrainStep step(probe, summed(), optim::SGD{.lr = 0.5},
                 half({.initial_scale = 256, .growth_interval = model.interval}));
  uint32_t state = 1;
  for (int i = 0; i < 24; ++i) {
    SCOPED_TRACE(i);
    std::vector<float> x;
    for (int k = 0; k < 4; ++k) {
      state = state * 1664525u + 1013904223u;
      x.push_back(static_cast<float>(static_cast<int>(state >> 24) - 128) / 64.0f);
    }
    if (i == 5 || i == 6 || i == 17) x[static_cast<size_t>(i) % 4] = 500; // 65504 is the most
    step(Array(x, {1, 4}), Array::zeros({1}));
    model.step(x);
    EXPECT_EQ(step.loss_scale(), model.scale);
    Array p = probe.value("p");
    for (int64_t k = 0; k < 4; ++k) EXPECT_NEAR(p.at(k), model.p[static_cast<size_t>(k)], 1e-6);
  }
  EXPECT_EQ(model.skipped, 3);
  EXPECT_EQ(step.steps(), 24 - model.skipped);
}

TEST_P(LossScale, ASkippedStepChangesNothingElse) {
  test::TemporaryFolder folder;
  test::SmallNet net;
  // Good steps first, so that there are moments and statistics to spoil; then a scale far too large.
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02},
                  half({.initial_scale = 64, .growth_factor = 0x1p20, .growth_interval = 4}));
  auto data = test::stripes(6, 0);
  for (int i = 0; i < 4; ++i) trainer.step()(data.x(), data.y());
  EXPECT_EQ(trainer.step().loss_scale(), 0x1p26);
  trainer.save(folder / "before.safetensors");
  trainer.step()(data.x(), data.y());
  trainer.save(folder / "after.safetensors");
  auto before = tensorsOf(folder / "before.safetensors"),
       after = tensorsOf(folder / "after.safetensors");
  EXPECT_EQ(as<float>(before.at("loss_scale")), 0x1p26f);
  EXPECT_EQ(as<float>(after.at("loss_scale")), 0x1p25f);
  EXPECT_EQ(as<int64_t>(after.at("step")), 4);
  ASSERT_TRUE(before.count("conv.weight.exp_avg_sq") && before.count("norm.running_var"));
  for (const std::string name : {"loss_scale", "loss_scale.growth_tracker"})
    before.erase(name), after.erase(name);
  EXPECT_EQ(before, after);
  // It backs off until a step is possible again.
  int tries = 0;
  while (trainer.step().steps() == 4 && ++tries < 20) trainer.step()(data.x(), data.y());
  EXPECT_EQ(trainer.step().steps(), 5);
  EXPECT_LE(*trainer.step().loss_scale(), 0x1p21);
}

TEST_P(HalfTraining, GoesOnFromACheckpoint) {
  test::TemporaryFolder folder;
  auto run = [](Trainer &trainer, int from, int to) {
    std::vector<double> losses;
    for (int i = from; i < to; ++i) {
      auto data = test::stripes(6, static_cast<uint64_t>(i));
      losses.push_back(trainer.step()(data.x(), data.y()));
      losses.push_back(*trainer.step().loss_scale());
    }
    return losses;
  };
  LossScaling scaling{.initial_scale = 128, .growth_interval = 4};
  test::SmallNet whole, first, second;
  Trainer all(whole, cross_entropy, optim::Adam{.lr = 0.02}, half(scaling, 3));
  auto expected = run(all, 0, 7);
  Trainer before(first, cross_entropy, optim::Adam{.lr = 0.02}, half(scaling, 3));
  run(before, 0, 3); // in the middle of an interval
  before.save(folder / "state.safetensors");
  Trainer after(second, cross_entropy, optim::Adam{.lr = 0.02},
                half({.initial_scale = 2, .growth_interval = 4}, 77));
  after.load(folder / "state.safetensors");
  EXPECT_EQ(run(after, 3, 7), std::vector<double>(expected.begin() + 6, expected.end()));
  EXPECT_EQ(expected.back(), 256);
}

TEST_P(HalfTraining, TheTrainerShowsIt) {
  auto data = test::stripes(12, 1);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02}, half({.initial_scale = 0x1p20}));
  EXPECT_EQ(trainer.step().loss_scale(), std::nullopt);
  std::vector<EpochRecord> records =
      trainer.fit(data, {.epochs = 8, .batch_size = 6, .verbosity = Verbosity::silent}).epochs;
  EXPECT_GT(records.front().skipped_steps, 0);
  EXPECT_EQ(records.front().loss_scale, 0x1p20 / std::exp2(records.front().skipped_steps));
  EXPECT_EQ(records.back().skipped_steps, 0);
  EXPECT_LT(records.back().train_loss, records.front().train_loss);
  EXPECT_THAT(trainer.step().summary(), HasSubstr("loss scale "));
  TrainStep full(net, cross_entropy, optim::SGD{}, options());
  full(data.x(), data.y());
  EXPECT_EQ(full.loss_scale(), std::nullopt);
}

TEST_P(LossScale, AgreesWithTheEvaluator) {
  test::SmallNet net, expected;
  TrainStep step(net, cross_entropy, optim::Adam{.lr = 0.02}, half());
  TrainStep reference(expected, cross_entropy, optim::Adam{.lr = 0.02},
                      {.device = Device::reference(), .precision = Precision::f16});
  double first = 0, last = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    auto data = test::stripes(6, i);
    last = step(data.x(), data.y());
    if (i == 0) first = last;
    double theirs = reference(data.x(), data.y());
    // Sums in another order round differently, and Adam divides by what is small at first.
    EXPECT_NEAR(last, theirs, 1e-2 * theirs) << "step " << i + 1;
    EXPECT_EQ(step.loss_scale(), reference.loss_scale());
  }
  EXPECT_LT(last, 0.7 * first);
}

SINTER_ON_DEVICES(LossScale, "reference", "cpu", "cuda-emulated");
SINTER_ON_DEVICES(HalfTraining, "reference", "cpu");

TEST(LossScaling, DoesNotDependOnTheNumberOfThreads) {
  test::TemporaryFolder folder;
  std::vector<std::map<std::string, std::string>> states;
  for (int threads : {1, 2, 3, 7}) {
    test::SmallNet net;
    Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02},
                    {.device = Device::cpu({.threads = threads}),
                     .precision = Precision::f16,
                     .seed = 5,
                     .loss_scaling = {.initial_scale = 0x1p22, .growth_interval = 5}});
    for (uint64_t i = 0; i < 20; ++i) {
      auto data = test::stripes(64, i);
      trainer.step()(data.x(), data.y());
    }
    trainer.save(folder / "state.safetensors");
    states.push_back(tensorsOf(folder / "state.safetensors"));
  }
  EXPECT_LT(as<int64_t>(states[0].at("step")), 20); // some were skipped
  for (const auto &state : states) EXPECT_EQ(state, states[0]);
}

TEST(LossScaling, IsPartOfASavedProgram) {
  test::TemporaryFolder folder;
  auto data = test::stripes(6, 0);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02},
                  {.device = Device::cpu(),
                   .precision = Precision::f16,
                   .seed = 11,
                   .loss_scaling = {.initial_scale = 0x1p22, .growth_interval = 6}});
  trainer.save_program(folder / "p.sinter", data.x().spec(), data.y().spec());
  std::vector<float> expected;
  for (int i = 0; i < 16; ++i)
    expected.push_back(static_cast<float>(trainer.step()(data.x(), data.y())));
  auto program =
      std::make_shared<const runtime::Program>(check(runtime::loadProgram(folder / "p.sinter")));
  auto executor = check(runtime::Executor::create(program, Device::cpu().runtimeDevice()));
  test::expectLosses(*executor, data.x(), data.y(), expected);
  auto bytes = check(executor->state()->get("loss_scale"));
  float scale = 0;
  std::memcpy(&scale, bytes.data(), sizeof scale);
  EXPECT_EQ(scale, trainer.step().loss_scale());
  EXPECT_LT(trainer.step().steps(), 16);
}

TEST(LossScaling, RefusesOptionsThatMakeNoSense) {
  test::SmallNet net;
  auto message = [&](LossScaling scaling) -> std::string {
    try {
      TrainStep step(net, cross_entropy, optim::SGD{}, {.loss_scaling = scaling});
    } catch (const UserError &error) { return error.message; }
    return "";
  };
  EXPECT_EQ(message({.initial_scale = 0}),
            "loss_scaling: initial_scale is 0, expected a positive number that f32 can hold");
  EXPECT_EQ(message({.growth_factor = 1}),
            "loss_scaling: growth_factor is 1, expected more than 1");
  EXPECT_EQ(message({.backoff_factor = 1}),
            "loss_scaling: backoff_factor is 1, expected a number between 0 and 1");
  EXPECT_EQ(message({.growth_interval = 0}),
            "loss_scaling: growth_interval is 0, expected a positive i32");
}
