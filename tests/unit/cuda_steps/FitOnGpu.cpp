// Trainer::fit on a GPU: it runs ahead of the losses that it reads, and several steps are one launch, with the losses
// of the emulated device. The driver is the fake one, whose kernels run on the emulated device.
#include "../../fake_driver/FakeGpu.h"
#include "../../support/NvrtcOrSkip.h"

#include "sinter/frontend/detail/Session.h"

#include <sinter/sinter.h>

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

using namespace sinter;
using testing::HasSubstr;

namespace {

struct Model : nn::Module {
  nn::Linear hidden{this, "hidden", {.in_features = 8, .out_features = 16}};
  nn::Linear out{this, "out", {.in_features = 16, .out_features = 3}};
  Tensor forward(Tensor x) { return out(relu(hidden(x))); }
};

data::TensorDataset samples(int64_t count) {
  std::vector<float> x(static_cast<size_t>(count * 8));
  std::vector<int64_t> y(static_cast<size_t>(count));
  uint64_t state = 7;
  auto next = [&] { return state ^= state << 13, state ^= state >> 7, state ^= state << 17; };
  for (float &value : x) value = static_cast<float>(next() % 2000) / 1000 - 1;
  for (size_t i = 0; i < y.size(); ++i) y[i] = x[i * 8] > 0.3f ? 2 : x[i * 8 + 1] > 0 ? 1 : 0;
  return data::TensorDataset(Array(x, {count, 8}), Array(y, {count}));
}

struct Fitted {
  std::vector<double> epochs; // losses
  Array weight;
  int64_t steps = 0;
};

Fitted fit(Device device, int64_t stepsPerLaunch, optim::Schedule schedule = {}) {
  Model model;
  auto train = samples(96); // six batches
  Trainer trainer(model, cross_entropy, optim::Adam{.lr = 1e-2, .schedule = schedule},
                  {.device = device, .seed = 3});
  History history = trainer.fit(train, {.epochs = 2,
                                        .batch_size = 16,
                                        .verbosity = Verbosity::silent,
                                        .steps_per_launch = stepsPerLaunch});
  Fitted fitted;
  for (const EpochRecord &epoch : history.epochs) fitted.epochs.push_back(epoch.train_loss);
  fitted.weight = model.value("hidden.weight");
  fitted.steps = static_cast<int64_t>(history.step_ms.size());
  return fitted;
}

class FitOnGpu : public testing::Test {
protected:
  void SetUp() override {
    SINTER_NVRTC_OR_SKIP(nvrtc);
    setenv("SINTER_CUDA_LIB", SINTER_FAKE_DRIVER, 1);
  }
  void TearDown() override { unsetenv("SINTER_CUDA_LIB"); }

  /// The program of the fit's step, for the fake GPU to know its kernels.
  static runtime::Program program() {
    Model model;
    auto train = samples(16);
    TrainStep step(model, cross_entropy, optim::Adam{.lr = 1e-2},
                   {.device = Device::cuda_emulated(), .seed = 3});
    step(train.x(), train.y());
    return *step.session()->latestStep()->compiled.program;
  }
};

TEST_F(FitOnGpu, losesNothingByRunningAhead) {
  const Fitted expected = fit(Device::cuda_emulated(), 1);
  fake::FakeGpu gpu(program());
  gpu.setDevice(1, 80, 1, 1ull << 30);
  for (bool lazy : {false, true}) {
    gpu.setLazy(lazy);
    for (int64_t together : {1, 4}) {
      const int before = gpu.calls("cuGraphLaunch");
      const Fitted fitted = fit(Device::cuda(), together);
      EXPECT_EQ(fitted.epochs, expected.epochs) << together;
      EXPECT_EQ(fitted.weight.text(), expected.weight.text()) << together;
      EXPECT_EQ(fitted.steps, expected.steps);
      EXPECT_EQ(gpu.race(), "");
      EXPECT_EQ(gpu.error, "");
      printf("%lld steps: %d launches\n", static_cast<long long>(fitted.steps),
             gpu.calls("cuGraphLaunch") - before);
    }
  }
}

TEST_F(FitOnGpu, aLossThatIsNotFiniteIsFoundAStepLateAndNamed) {
  fake::FakeGpu gpu(program());
  gpu.setDevice(1, 80, 1, 1ull << 30);
  for (int64_t together : {1, 4}) {
    auto train = samples(96);
    Array x = train.x().clone();
    x.data<float>()[2 * 16 * 8 + 5] = std::nanf(""); // in the third batch
    data::TensorDataset bad(x, train.y());
    Model model;
    Trainer trainer(model, cross_entropy, optim::Adam{.lr = 1e-2},
                    {.device = Device::cuda(), .seed = 3});
    try {
      trainer.fit(bad, {.batch_size = 16,
                        .shuffle = false,
                        .verbosity = Verbosity::silent,
                        .steps_per_launch = together});
      ADD_FAILURE() << "no loss was refused";
    } catch (const NonFiniteLoss &error) {
      EXPECT_THAT(error.what(), HasSubstr("the loss of step 3 is not finite"));
      EXPECT_THAT(error.what(), HasSubstr("input x has nan at element 5"));
    }
    // The trainer goes on, with the state that the good steps left.
    EXPECT_EQ(trainer.fit(train, {.batch_size = 16, .verbosity = Verbosity::silent}).step_ms.size(),
              6u);
    EXPECT_EQ(gpu.race(), "");
  }
}

} // namespace
