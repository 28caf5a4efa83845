// What is done to gradients: accumulation, freezing, clipping, weights of samples, averages.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::HasSubstr;
using testing::Not;

namespace {

class Gradients : public test::OnDevice {};

/// Without batch statistics and dropout: a batch is the sum of its parts.
struct Plain : nn::Module {
  nn::Conv2d conv{
      this, "conv", {.in_channels = 1, .out_channels = 4, .kernel_size = 3, .padding = 1}};
  nn::Linear fc{this, "fc", {.in_features = 16, .out_features = 3}};
  Tensor forward(Tensor x) { return fc(flatten(max_pool2d(relu(conv(x)), {.kernel_size = 2}), 1)); }
};

void expectClose(const nn::Module &a, const nn::Module &b, double tolerance) {
  for (const auto &named : a.named_parameters()) {
    Array x = a.value(named.name), y = b.value(named.name);
    for (int64_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(x.at(i), y.at(i), tolerance) << named.name << " " << i;
  }
}

std::string valuesOf(const nn::Module &model) {
  std::string text;
  for (const auto &named : model.named_parameters()) text += model.value(named.name).text();
  return text;
}

template <class F> std::string messageOf(F function) {
  try {
    function();
  } catch (const UserError &error) { return error.message; }
  return "";
}

} // namespace

TEST_P(Gradients, OfMicroBatchesAreThoseOfTheWholeBatch) {
  for (Reduction reduction : {Reduction::mean, Reduction::sum}) {
    Plain whole, parts;
    Loss loss(cross_entropy, {.reduction = reduction});
    optim::SGD sgd{.lr = 0.05, .momentum = 0.9};
    TrainerOptions accumulating = options(3);
    accumulating.gradients = {.accumulate = 4, .clip_norm = 0.5};
    TrainerOptions plain = options(3);
    plain.gradients.clip_norm = 0.5;
    TrainStep one(whole, loss, sgd, plain), four(parts, loss, sgd, accumulating);
    for (uint64_t step = 0; step < 5; ++step) {
      auto data = test::stripes(12, step);
      one(data.x(), data.y());
      // Batches of different sizes make one of their sum.
      for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 2}, {2, 5}, {5, 6}, {6, 12}}) {
        EXPECT_EQ(four.steps(), static_cast<int64_t>(step));
        four(data.x().rows(begin, end), data.y().rows(begin, end));
      }
      expectClose(whole, parts, 3e-6);
    }
    EXPECT_EQ(four.steps(), 5);
  }
}

TEST_P(Gradients, PassesOfAStepDrawDifferentNumbers) {
  struct Noise : nn::Module {
    Noise() { p = parameter("p", {1}); }
    Tensor p;
    Tensor forward(Tensor x) { return x * p + rand({1, 1}); }
  } model;
  TrainerOptions o = options();
  o.gradients.accumulate = 3;
  TrainStep step(
      model, [](const Tensor &out, const Tensor &) { return out.sum(); }, optim::SGD{.lr = 0}, o);
  std::vector<double> drawn;
  for (int i = 0; i < 9; ++i) drawn.push_back(step(Array::zeros({1, 1}), Array::zeros({1})));
  std::sort(drawn.begin(), drawn.end());
  EXPECT_EQ(std::unique(drawn.begin(), drawn.end()), drawn.end());
}

TEST_P(Gradients, FitMakesAStepOfTheLastGroupToo) {
  auto data = test::stripes(22, 1);
  Plain net;
  TrainerOptions o = options();
  o.gradients.accumulate = 3;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02}, o);
  // Batches of 4, 4, 4 | 4, 4, 2 in each epoch.
  History history =
      trainer.fit(data, {.epochs = 3, .batch_size = 4, .verbosity = Verbosity::silent});
  EXPECT_EQ(trainer.step().steps(), 6);
  for (const EpochRecord &record : history.epochs) EXPECT_EQ(record.steps, 2);
  EXPECT_LT(history.epochs.back().train_loss, history.epochs.front().train_loss);
  Plain five;
  o.gradients.accumulate = 5;
  Trainer other(five, cross_entropy, optim::Adam{.lr = 0.02}, o);
  other.fit(data, {.epochs = 2, .batch_size = 4, .verbosity = Verbosity::silent});
  EXPECT_EQ(other.step().steps(), 4); // 5 batches and the rest of one
}

TEST_P(Gradients, OfFrozenParametersAreNotComputed) {
  Plain net;
  auto data = test::stripes(6, 0);
  TrainStep step(net, cross_entropy, optim::Adam{.lr = 0.05}, options());
  step(data.x(), data.y());
  EXPECT_THAT(step.ir(), HasSubstr("conv.weight.exp_avg"));
  EXPECT_THAT(step.planned_ir(), HasSubstr("conv2d_weight_grad"));
  EXPECT_THAT(step.planned_ir(), HasSubstr("max_pool2d_grad"));
  auto size = [&] { return step.planned_ir().size(); };
  size_t all = size();

  net.conv.requires_grad(false);
  std::string conv = net.value("conv.weight").text(), head = net.value("fc.weight").text();
  step(data.x(), data.y());
  EXPECT_EQ(net.value("conv.weight").text(), conv);
  EXPECT_NE(net.value("fc.weight").text(), head);
  EXPECT_THAT(step.ir(), Not(HasSubstr("conv.weight.exp_avg")));
  EXPECT_THAT(step.planned_ir(), Not(HasSubstr("conv2d_weight_grad")));
  EXPECT_THAT(step.planned_ir(), Not(HasSubstr("max_pool2d_grad")));
  EXPECT_LT(size(), all);

  // One of them alone, and back: the moments are still there.
  net.requires_grad(true);
  net.requires_grad("fc.bias", false);
  std::string bias = net.value("fc.bias").text();
  step(data.x(), data.y());
  EXPECT_EQ(net.value("fc.bias").text(), bias);
  EXPECT_NE(net.value("conv.weight").text(), conv);
  net.requires_grad("fc.bias", true);
  step(data.x(), data.y());
  EXPECT_NE(net.value("fc.bias").text(), bias);
  EXPECT_EQ(size(), all);
  EXPECT_EQ(messageOf([&] { net.requires_grad("fc.wight", true); }),
            "requires_grad: the module has no parameter 'fc.wight'");
  net.requires_grad(false);
  EXPECT_THAT(messageOf([&] { step(data.x(), data.y()); }),
              HasSubstr("the loss depends on no parameter that is trained"));
}

TEST_P(Gradients, RatesChangeWithoutCompiling) {
  Plain net;
  auto data = test::stripes(6, 0);
  optim::Schedule schedule{[](int64_t step) { return 1.0 / static_cast<double>(1 + step); },
                           optim::Every::step};
  TrainerOptions o = options();
  o.require.no_recompile = true;
  TrainStep step(net, cross_entropy, optim::SGD{.lr = 0.5, .schedule = schedule}, o);
  std::string ir;
  for (int i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(step.lr(), 0.5 / (1 + i));
    step(data.x(), data.y());
    if (i == 0) ir = step.ir();
    EXPECT_EQ(step.ir(), ir);
  }
}

TEST_P(Gradients, WeightsOfSamplesAreFactorsOfTheirLosses) {
  auto data = test::stripes(8, 2);
  Array weights({1.f, 0.f, 2.f, 1.f, 0.5f, 3.f, 0.f, 1.f});
  data::TensorDataset weighted(data.x(), data.y(), weights);
  Plain net;
  Trainer trainer(net, cross_entropy, optim::SGD{.lr = 0}, options(1));
  double expected = 0;
  for (int64_t i = 0; i < 8; ++i)
    expected += weights.at(i) * trainer.step()(data.x().rows(i, i + 1), data.y().rows(i, i + 1));
  expected /= 8;
  std::vector<int64_t> all{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_NEAR(trainer.step()(weighted.batch(all)), expected, 1e-6);
  // Evaluation pads the last batch.
  for (int64_t size : {8, 5, 3})
    EXPECT_NEAR(trainer.evaluate(weighted, {.batch_size = size})["loss"], expected, 1e-6);
  EXPECT_EQ(
      messageOf([&] {
        TrainStep step(
            net, [](const Tensor &out, const Tensor &) { return out.mean(); }, optim::SGD{},
            options());
        step(weighted.batch(all));
      }),
      "the samples have weights, and the loss is a function that gives no value per sample: use "
      "one of Ops.h (cross_entropy, mse_loss, ...)");
  EXPECT_EQ(messageOf([&] {
              data::TensorDataset(data.x(), data.y(), Array({1.f, 2.f}));
            }),
            "TensorDataset: weights f32[2] for 8 samples, expected one each");
  Array withNan({1.f, NAN, 1.f, 1.f, 1.f, 1.f, 1.f, 1.f});
  EXPECT_EQ(messageOf([&] { data::TensorDataset(data.x(), data.y(), withNan); }),
            "TensorDataset: the weight of sample 1 is nan");
}

TEST_P(Gradients, AClassWeightedMeanIsEvaluatedAsAWhole) {
  auto data = test::stripes(11, 2);
  Plain net;
  Trainer trainer(net, Loss(cross_entropy, {.weight = {1, 0.25, 3}}), optim::SGD{.lr = 0},
                  options(1));
  double whole = trainer.step()(data.x(), data.y());
  for (int64_t size : {11, 4, 1})
    EXPECT_NEAR(trainer.evaluate(data, {.batch_size = size})["loss"], whole, 1e-6);
  EXPECT_THAT(
      messageOf([&] {
        Trainer wrong(net, Loss(cross_entropy, {.weight = {1, 2}}), optim::SGD{}, options());
        wrong.step()(data.x(), data.y());
      }),
      HasSubstr("cross_entropy: weight has 2 values, logits f32[11, 3] have 3 classes"));
}

TEST_P(Gradients, AveragesAreEvaluatedInPlaceOfParameters) {
  auto train = test::stripes(48, 1), test = test::stripes(24, 2);
  Plain net;
  TrainerOptions o = options();
  o.average = optim::swa({.start_epoch = 1});
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.05}, o);
  trainer.step()(train.x(), train.y());
  EXPECT_EQ(messageOf([&] { (void)trainer.evaluate(test, {.average = true}); }),
            "nothing has been averaged yet");
  std::vector<Array> ends;
  History history = trainer.fit(
      train, {.epochs = 4,
              .batch_size = 16,
              .validation = &test,
              .verbosity = Verbosity::silent,
              .on_epoch = [&](const EpochRecord &) { ends.push_back(net.value("fc.weight")); },
              .validate_average = true});
  std::string before = valuesOf(net);
  double own = trainer.evaluate(test)["loss"],
         average = trainer.evaluate(test, {.average = true})["loss"];
  EXPECT_NE(own, average);
  EXPECT_EQ((*history.epochs.back().validation)["loss"], average);
  EXPECT_EQ(valuesOf(net), before);
  {
    Averaged averaged(trainer.step());
    Array mean = net.value("fc.weight");
    for (int64_t i = 0; i < mean.size(); ++i)
      EXPECT_NEAR(mean.at(i), (ends[1].at(i) + ends[2].at(i) + ends[3].at(i)) / 3, 1e-6);
    EXPECT_THAT(messageOf([&] { trainer.step()(train.x(), train.y()); }),
                HasSubstr("the model has its averages in place of its parameters"));
  }
  EXPECT_EQ(valuesOf(net), before);
}

TEST_P(Gradients, OptionsThatMakeNoSenseAreRefused) {
  Plain net;
  auto refusal = [&](GradientOptions gradients) {
    return messageOf([&] {
      TrainerOptions o = options();
      o.gradients = gradients;
      TrainStep step(net, cross_entropy, optim::SGD{}, o);
    });
  };
  EXPECT_EQ(refusal({.accumulate = 0}), "gradients: accumulate is 0, expected a number of batches");
  EXPECT_EQ(refusal({.clip_norm = -1}), "gradients: clip_norm is -1");
  EXPECT_EQ(refusal({.clip_value = -2}), "gradients: clip_value is -2");
  EXPECT_EQ(messageOf([&] {
              TrainStep step(net, cross_entropy,
                             optim::Adagrad{.schedule = optim::one_cycle_schedule(
                                                {.max_lr = 0.1, .total_steps = 5})},
                             options());
            }),
            "the schedule sets a momentum (cycle_momentum), which this optimiser does not have");
  EXPECT_EQ(messageOf([&] {
              TrainStep step(net, cross_entropy, optim::SGD{}, options());
              step.report(1);
            }),
            "report: the optimiser's schedule is no plateau_schedule");
  EXPECT_EQ(messageOf([&] {
              TrainStep step(net, cross_entropy, optim::SGD{}, options());
              step.update_average();
            }),
            "update_average: the options ask for no average (TrainerOptions::average)");
}

SINTER_ON_DEVICES(Gradients, "reference", "cpu");

TEST(Emulated, AGpuMakesTheSameSteps) {
  struct Net : nn::Module {
    nn::Linear fc{this, "fc", {.in_features = 16, .out_features = 3}};
    Tensor forward(Tensor x) { return fc(flatten(x, 1)); }
  };
  std::vector<std::vector<double>> seen;
  for (const char *name : {"cpu", "cuda-emulated"}) {
    Net net;
    TrainStep step(
        net, Loss(cross_entropy, {.weight = {1, 2, 0.5}}),
        optim::RMSprop{.lr = 0.02,
                       .momentum = 0.5,
                       .centered = true,
                       .schedule = optim::one_cycle_schedule({.max_lr = 0.02, .total_steps = 4})},
        {.device = Device::named(name),
         .gradients = {.accumulate = 2, .clip_norm = 0.5, .clip_value = 0.2},
         .average = optim::ema({.decay = 0.5})});
    auto &values = seen.emplace_back();
    for (uint64_t i = 0; i < 6; ++i) {
      auto data = test::stripes(4, i);
      values.push_back(step(data.x(), data.y()));
    }
    values.push_back(step.grad_norm().value());
    Averaged averaged(step);
    Array mean = net.value("fc.weight");
    for (int64_t i = 0; i < mean.size(); ++i) values.push_back(mean.at(i));
  }
  ASSERT_EQ(seen[0].size(), seen[1].size());
  for (size_t i = 0; i < seen[0].size(); ++i) EXPECT_NEAR(seen[0][i], seen[1][i], 2e-5) << i;
}
