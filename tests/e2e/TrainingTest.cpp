// Training from end to end on each device: the same numbers, resumption, interruption, bad losses.
#include "EndToEnd.h"

#include <cmath>
#include <csignal>
#include <limits>

using namespace sinter;
using testing::HasSubstr;

namespace {

class Training : public test::OnDevice {};

std::vector<double> losses(nn::Module &, TrainStep &step, int count, int64_t batch = 6) {
  std::vector<double> result;
  for (int i = 0; i < count; ++i) {
    auto data = test::stripes(batch, static_cast<uint64_t>(i));
    result.push_back(step(data.x(), data.y()));
  }
  return result;
}

std::string stateOf(const nn::Module &model) {
  std::string text;
  for (const auto &list : {model.named_parameters(), model.named_buffers()})
    for (const auto &named : list) {
      Array value = model.value(named.name);
      text += named.name + std::string(reinterpret_cast<const char *>(value.raw()),
                                       static_cast<size_t>(value.numBytes()));
    }
  return text;
}

} // namespace

TEST_P(Training, LearnsAndAgreesWithTheEvaluator) {
  test::SmallNet net, expected;
  TrainStep step(net, cross_entropy, optim::Adam{.lr = 0.02}, options());
  TrainStep reference(expected, cross_entropy, optim::Adam{.lr = 0.02},
                      {.device = Device::reference()});
  auto ours = losses(net, step, 10), theirs = losses(expected, reference, 10);
  for (size_t i = 0; i < ours.size(); ++i)
    EXPECT_NEAR(ours[i], theirs[i], 2e-4 * theirs[i]) << "step " << i + 1;
  EXPECT_LT(ours.back(), 0.7 * ours.front());
}

TEST_P(Training, FitEvaluatesPartialBatchesExactly) {
  auto train = test::stripes(50, 1), test = test::stripes(23, 2);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02}, options());
  std::vector<int64_t> epochs;
  History history =
      trainer.fit(train, {.epochs = 6,
                          .batch_size = 8,
                          .validation = &test,
                          .metrics = {metrics::accuracy},
                          .verbosity = Verbosity::silent,
                          .on_epoch = [&](const EpochRecord &r) { epochs.push_back(r.steps); }});
  EXPECT_EQ(epochs, (std::vector<int64_t>(6, 7))); // 6 batches of 8 and one of 2
  EXPECT_GT((*history.epochs.back().validation)["accuracy"], 0.9);
  // The masked padding of the last batch changes nothing: batches of one give the same means.
  Scores padded = trainer.evaluate(test), single = trainer.evaluate(test, {.batch_size = 1});
  EXPECT_NEAR(padded["loss"], single["loss"], 1e-5);
  EXPECT_NEAR(padded["accuracy"], single["accuracy"], 1e-12);
  Array logits = trainer.predict(test.x());
  EXPECT_EQ(logits.shape(), (Shape{23, 3}));
}

TEST_P(Training, GoesOnAsIfNeverStopped) {
  test::TemporaryFolder folder;
  test::SmallNet whole, first, second;
  TrainStep wholeStep(whole, cross_entropy, optim::Adam{.lr = 0.02}, options(3));
  auto expected = losses(whole, wholeStep, 6);
  Trainer before(first, cross_entropy, optim::Adam{.lr = 0.02}, options(3));
  losses(first, before.step(), 3);
  before.save(folder / "state.safetensors");
  Trainer after(second, cross_entropy, optim::Adam{.lr = 0.02}, options(77));
  after.load(folder / "state.safetensors");
  EXPECT_EQ(after.step().steps(), 3);
  for (int i = 3; i < 6; ++i) {
    auto data = test::stripes(6, static_cast<uint64_t>(i));
    EXPECT_EQ(after.step()(data.x(), data.y()), expected[static_cast<size_t>(i)])
        << "step " << i + 1;
  }
  EXPECT_EQ(stateOf(whole), stateOf(second));
}

TEST_P(Training, ACheckpointOfAnotherTrainingIsRefused) {
  test::TemporaryFolder folder;
  struct Other : nn::Module {
    nn::Linear head{this, "head", {.in_features = 2, .out_features = 1}};
    Tensor forward(Tensor x) { return head(x); }
  } other;
  Trainer trained(other, mse_loss, optim::Adam{}, options());
  trained.step()(Array::zeros({1, 2}), Array::zeros({1, 1}));
  trained.save(folder / "other.safetensors");
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{}, options());
  try {
    trainer.load(folder / "other.safetensors");
    ADD_FAILURE();
  } catch (const RuntimeError &error) {
    EXPECT_THAT(error.what(),
                HasSubstr("is not a checkpoint of this training; missing: 'conv.weight'"));
    EXPECT_THAT(error.what(), HasSubstr("unexpected: 'head."));
  }
}

TEST_P(Training, ALossThatIsNotFiniteNamesStepOpAndLineAndHarmsNothing) {
  struct Net : nn::Module {
    nn::Linear fc{this, "fc", {.in_features = 2, .out_features = 2}};
    nn::BatchNorm2d norm{this, "norm", {.num_features = 2}};
    Tensor forward(Tensor x) {
      Tensor y = norm(reshape(fc(x), {-1, 2, 1, 1}));
      return log(x.sum(1)) + y.sum({1, 2, 3});
    }
    int line = __LINE__ - 2;
  } net;
  TrainStep step(net, mse_loss, optim::Adam{}, options());
  Array target = Array::zeros({2});
  step(Array({{1.f, 2.f}, {3.f, 4.f}}), target);
  std::string before = stateOf(net);
  try {
    step(Array({{1.f, -2.f}, {3.f, 4.f}}), target);
    ADD_FAILURE();
  } catch (const NonFiniteLoss &error) {
    EXPECT_EQ(error.step, 2);
    EXPECT_EQ(error.op, "log");
    EXPECT_EQ(error.location, fmt::format("TrainingTest.cpp:{}", net.line));
    EXPECT_THAT(error.what(),
                HasSubstr("the loss of step 2 is not finite (parameters and state are unchanged)"));
  }
  EXPECT_EQ(stateOf(net), before);
  try {
    step(Array({{1.f, std::numeric_limits<float>::infinity()}, {3.f, 4.f}}), target);
    ADD_FAILURE();
  } catch (const NonFiniteLoss &error) {
    EXPECT_THAT(error.what(), HasSubstr("input x has inf at element 1"));
  }
  EXPECT_TRUE(std::isfinite(step(Array({{1.f, 2.f}, {3.f, 4.f}}), target)));
  EXPECT_EQ(step.steps(), 2);
}

TEST_P(Training, CtrlCEndsFitAndKeepsTheState) {
  struct Interrupting : data::Dataset {
    data::TensorDataset inner = test::stripes(64, 0);
    int64_t size() const override { return inner.size(); }
    data::Example get(int64_t i) const override { return inner.get(i); }
    data::Example batch(std::span<const int64_t> indices) const override {
      if (++batches == 3) std::raise(SIGINT);
      return inner.batch(indices);
    }
    mutable int batches = 0;
  } data;
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  History history =
      trainer.fit(data, {.epochs = 5, .batch_size = 8, .verbosity = Verbosity::silent});
  EXPECT_TRUE(history.interrupted);
  ASSERT_EQ(history.epochs.size(), 1u);
  EXPECT_LT(history.epochs[0].steps, 8);
  EXPECT_EQ(trainer.step().steps(), history.epochs[0].steps);
  EXPECT_TRUE(std::isfinite(trainer.evaluate(data)["loss"]));
}

TEST_P(Training, MistakesAreNamed) {
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::SGD{}, options());
  auto data = test::stripes(6, 0);
  try {
    (void)trainer.evaluate(data)["acuracy"];
    ADD_FAILURE();
  } catch (const UserError &error) {
    EXPECT_EQ(error.message, "no score 'acuracy': there are loss");
    EXPECT_EQ(error.file, "TrainingTest.cpp");
  }
  try {
    trainer.step()(data.x(), Array(std::vector<int64_t>(5)));
    ADD_FAILURE();
  } catch (const UserError &error) {
    EXPECT_EQ(error.message,
              "train_step: f32[6, 1, 4, 4] inputs and i64[5] targets differ in number");
  }
  try {
    trainer.step()(data.x().reshape({6, 2, 2, 4}), data.y());
    ADD_FAILURE();
  } catch (const UserError &error) {
    EXPECT_EQ(error.message, "conv2d: input has 2 channels, weight 'conv.weight' expects 1");
  }
}

TEST_P(Training, TwoTrainersOfOneModelSeeEachOthersWork) {
  test::SmallNet net;
  TrainStep a(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  TrainStep b(net, cross_entropy, optim::SGD{.lr = 0.0}, {.device = Device::reference()});
  auto data = test::stripes(6, 0);
  a(data.x(), data.y());
  std::string trained = net.value("fc.weight").text();
  b(data.x(), data.y());
  EXPECT_EQ(net.value("fc.weight").text(), trained);
}

SINTER_ON_DEVICES(Training, "reference", "cpu");

TEST(Threads, DoNotChangeASingleBit) {
  std::vector<std::string> states;
  for (int threads : {1, 2, 3, 7}) {
    test::SmallNet net;
    TrainStep step(net, cross_entropy, optim::Adam{.lr = 0.02},
                   {.device = Device::cpu({.threads = threads}), .seed = 5});
    losses(net, step, 20, 64);
    states.push_back(stateOf(net));
  }
  for (const std::string &state : states) EXPECT_EQ(state, states[0]);
}
