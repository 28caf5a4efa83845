// Trainer::fit: callbacks, early stopping, checkpoints that another trainer resumes, metrics of evaluation.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Fits : public test::OnDevice {};

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

template <class F> UserError errorOf(F function) {
  try {
    function();
  } catch (const UserError &error) { return error; }
  return {"no error", Where::current()};
}

} // namespace

TEST_P(Fits, CallbacksAreCalledInOrderAndMayStop) {
  auto data = test::stripes(24, 1);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02}, options());
  std::vector<std::string> seen;
  auto watching =
      callback({.on_train_begin = [&](Fit &) { seen.push_back("begin"); },
                .on_epoch_begin =
                    [&](Fit &, int64_t epoch) { seen.push_back(fmt::format("epoch {}", epoch)); },
                .on_step_end =
                    [&](Fit &, const StepRecord &step) {
                      EXPECT_TRUE(std::isfinite(step.loss));
                      EXPECT_DOUBLE_EQ(step.lr, 0.02);
                      seen.push_back(fmt::format("step {}", step.step));
                    },
                .on_epoch_end =
                    [&](Fit &fit, const EpochRecord &epoch) {
                      seen.push_back(fmt::format("end {}", epoch.epoch));
                      EXPECT_EQ(fit.history.epochs.size(), static_cast<size_t>(epoch.epoch));
                      if (epoch.epoch == 2) fit.stop("enough");
                    },
                .on_train_end = [&](Fit &fit) { seen.push_back("end: " + fit.stopped()); }});
  History history = trainer.fit(
      data,
      {.epochs = 9, .batch_size = 12, .verbosity = Verbosity::silent, .callbacks = {watching}});
  EXPECT_THAT(seen, ElementsAre("begin", "epoch 1", "step 1", "step 2", "end 1", "epoch 2",
                                "step 3", "step 4", "end 2", "end: enough"));
  EXPECT_EQ(history.stopped, "enough");
  EXPECT_EQ(history.epochs.size(), 2u);
  history = trainer.fit(
      data, {.epochs = 9,
             .batch_size = 6,
             .verbosity = Verbosity::silent,
             .callbacks = {callback({.on_step_end = [](Fit &fit, const StepRecord &step) {
               if (step.step == 6) fit.stop("a step");
             }})}});
  EXPECT_EQ(history.stopped, "a step");
  ASSERT_EQ(history.epochs.size(), 2u);
  EXPECT_EQ(history.epochs[1].steps, 2);
}

TEST_P(Fits, EarlyStoppingRestoresTheBestEpoch) {
  auto train = test::stripes(24, 1), test = test::stripes(24, 2);
  test::SmallNet net;
  // A rate that ruins what was learnt from the fourth epoch on.
  optim::Schedule ruin{[](int64_t epoch) { return epoch < 3 ? 1.0 : -3.0; }};
  Trainer trainer(net, cross_entropy, optim::SGD{.lr = 0.1, .schedule = ruin}, options());
  auto stopping = early_stopping({.patience = 2});
  std::vector<std::string> states;
  History history =
      trainer.fit(train, {.epochs = 20,
                          .batch_size = 6,
                          .validation = &test,
                          .verbosity = Verbosity::silent,
                          .on_epoch = [&](const EpochRecord &) { states.push_back(stateOf(net)); },
                          .callbacks = {stopping}});
  ASSERT_EQ(history.epochs.size(), static_cast<size_t>(stopping->best_epoch() + 2));
  EXPECT_LT(history.epochs.size(), 20u);
  double best = INFINITY;
  for (const auto &epoch : history.epochs) best = std::min(best, epoch.metric("val_loss"));
  EXPECT_EQ(stopping->best(), best);
  EXPECT_EQ(stateOf(net), states[static_cast<size_t>(stopping->best_epoch() - 1)]);
  EXPECT_EQ(trainer.evaluate(test)["loss"], best);
  EXPECT_EQ(history.stopped,
            fmt::format("val_loss has not improved since epoch {}", stopping->best_epoch()));

  auto lost = errorOf([&] {
    trainer.fit(train, {.verbosity = Verbosity::silent,
                        .callbacks = {early_stopping({.monitor = "val_acuracy"})}});
  });
  EXPECT_EQ(lost.message, "no metric 'val_acuracy' at the end of the epoch: there are loss");
  EXPECT_EQ(lost.file, "FitTest.cpp");
}

TEST_P(Fits, APlateauIsReportedByFit) {
  auto data = test::stripes(12, 1);
  test::SmallNet net;
  Trainer trainer(
      net, cross_entropy,
      optim::SGD{.lr = 0.4,
                 .schedule = optim::plateau_schedule(
                     {.factor = 0.5, .patience = 0, .threshold = 10, .threshold_mode = "abs"})},
      options());
  History history =
      trainer.fit(data, {.epochs = 4, .batch_size = 6, .verbosity = Verbosity::silent});
  std::vector<double> rates;
  for (const auto &epoch : history.epochs) rates.push_back(epoch.lr);
  EXPECT_THAT(rates, ElementsAre(0.4, 0.4, 0.2, 0.1));
}

/// Everything at once: dropout, batch statistics, accumulation, a schedule by steps, averages, early stopping.
struct Everything {
  test::TemporaryFolder folder;
  data::TensorDataset train = test::stripes(26, 1), validation = test::stripes(12, 2);

  struct Result {
    History history;
    std::string state, average;
    std::vector<std::pair<int64_t, double>> losses;
    int64_t bestEpoch;
  };
  Result run(TrainerOptions options, const std::string &path, int64_t stopAt, bool resume) const {
    test::SmallNet net;
    options.gradients = {.accumulate = 2, .clip_norm = 1};
    options.average = optim::ema({.decay = 0.8, .start_step = 3});
    Trainer trainer(
        net, cross_entropy,
        optim::Adam{.lr = 0.05,
                    .schedule = optim::one_cycle_schedule({.max_lr = 0.05, .total_steps = 30})},
        options);
    auto early = early_stopping({.patience = 3});
    Result result;
    auto watch = callback({.on_step_end = [&](Fit &, const StepRecord &step) {
      result.losses.emplace_back(step.step, step.loss);
      if (step.step == stopAt) throw std::runtime_error("killed");
    }});
    try {
      result.history =
          trainer.fit(train, {.epochs = 6,
                              .batch_size = 4,
                              .validation = &validation,
                              .metrics = {metrics::accuracy},
                              .verbosity = Verbosity::silent,
                              .callbacks = {early, watch},
                              .checkpoint = {.path = path, .every_steps = 3, .resume = resume}});
    } catch (const std::runtime_error &error) {
      if (std::string(error.what()) != "killed") throw;
      return result;
    }
    result.state = stateOf(net);
    Averaged averaged(trainer.step());
    result.average = stateOf(net);
    result.bestEpoch = early->best_epoch();
    return result;
  }
};

TEST_P(Fits, ResumeFromACheckpointBitForBit) {
  Everything all;
  auto whole = all.run(options(5), all.folder / "whole.ckpt", 0, false);
  ASSERT_GT(whole.losses.size(), 12u);
  // Epochs have 4 steps, so there are checkpoints after steps 3, 4, 6, 8, 9 and so on.
  for (auto [stopAt, first] : {std::pair<int64_t, int64_t>{1, 1}, {5, 5}, {8, 7}, {11, 10}}) {
    std::string path = all.folder / fmt::format("{}.ckpt", stopAt);
    all.run(options(5), path, stopAt, false);
    // Another seed in the options: that of the checkpoint counts, if there is one yet.
    auto resumed = all.run(options(stopAt < 3 ? 5 : 99), path, 0, true);
    EXPECT_EQ(resumed.state, whole.state) << stopAt;
    EXPECT_EQ(resumed.average, whole.average) << stopAt;
    EXPECT_EQ(resumed.bestEpoch, whole.bestEpoch);
    ASSERT_EQ(resumed.history.epochs.size(), whole.history.epochs.size());
    for (size_t i = 0; i < whole.history.epochs.size(); ++i) {
      EXPECT_EQ(resumed.history.epochs[i].train_loss, whole.history.epochs[i].train_loss);
      EXPECT_EQ(resumed.history.epochs[i].validation->values,
                whole.history.epochs[i].validation->values);
      EXPECT_EQ(resumed.history.epochs[i].lr, whole.history.epochs[i].lr);
    }
    EXPECT_TRUE(std::equal(resumed.losses.rbegin(), resumed.losses.rend(), whole.losses.rbegin()));
    EXPECT_EQ(resumed.losses.front().first, first);
  }
  // What is over stays over.
  auto again = all.run(options(5), all.folder / "whole.ckpt", 0, true);
  EXPECT_TRUE(again.losses.empty());
  EXPECT_EQ(again.state, whole.state);
}

TEST_P(Fits, CheckpointsAreWrittenByTime) {
  test::TemporaryFolder folder;
  auto data = test::stripes(12, 1);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  std::vector<bool> there;
  auto look = callback({.on_step_end = [&](Fit &, const StepRecord &) {
    there.push_back(std::filesystem::exists(folder / "a"));
    std::filesystem::remove(folder / "a");
  }});
  for (double minutes : {1e-9, 1e3}) {
    there.clear();
    trainer.fit(data, {.batch_size = 4,
                       .verbosity = Verbosity::silent,
                       .callbacks = {look},
                       .checkpoint = {
                           .path = folder / "a", .every_minutes = minutes, .every_epoch = false}});
    bool often = minutes < 1;
    EXPECT_THAT(there, ElementsAre(false, often, often));
    EXPECT_EQ(std::filesystem::exists(folder / "a"), often);
    std::filesystem::remove(folder / "a");
  }
}

TEST_P(Fits, ACheckpointOfAnotherFitIsRefused) {
  test::TemporaryFolder folder;
  auto data = test::stripes(12, 1);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::SGD{.lr = 0.1}, options());
  FitOptions fit{
      .batch_size = 4, .verbosity = Verbosity::silent, .checkpoint = {.path = folder / "a"}};
  trainer.fit(data, fit);
  auto resume = [&](FitOptions options) -> std::string {
    options.checkpoint.resume = true;
    try {
      trainer.fit(data, options);
    } catch (const RuntimeError &error) { return error.what(); }
    return "";
  };
  FitOptions other = fit;
  other.batch_size = 3;
  EXPECT_EQ(resume(other),
            folder / "a" + ": a checkpoint of a fit with batch_size 4, this one has 3");
  trainer.save(folder / "b");
  other = fit;
  other.checkpoint.path = folder / "b";
  EXPECT_THAT(resume(other), HasSubstr("a checkpoint without a place in the data"));
  EXPECT_EQ(errorOf([&] { trainer.fit(data, {.checkpoint = {.every_steps = 2}}); }).message,
            "fit: checkpoint.path is empty");
  EXPECT_EQ(errorOf([&] { trainer.fit(data, {.callbacks = {nullptr}}); }).message,
            "fit: callback 0 is null");
}

TEST_P(Fits, EvaluatesTopKAndPerplexity) {
  struct Table : nn::Module {
    Tensor forward(Tensor x) { return x * weight; }
    Tensor weight = parameter("weight", {4}, init::ones);
  } net;
  // Logits, so that targets have ranks 1, 2, 3 and 4.
  Array x(std::vector<float>{4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1}, {4, 4});
  Array y({int64_t(0), int64_t(1), int64_t(2), int64_t(3)});
  data::TensorDataset data(x, y);
  Trainer trainer(net, cross_entropy, optim::SGD{}, options());
  Scores scores = trainer.evaluate(
      data, {.batch_size = 3,
             .metrics = {metrics::accuracy, metrics::top_k_accuracy(2), metrics::top_k_accuracy(3),
                         metrics::perplexity(), metrics::perplexity_of("ignoring", 3)}});
  EXPECT_EQ(scores["accuracy"], 0.25);
  EXPECT_EQ(scores["top_2_accuracy"], 0.5);
  EXPECT_EQ(scores["top_3_accuracy"], 0.75);
  EXPECT_NEAR(scores["perplexity"], std::exp(scores["loss"]), 1e-5);
  double each = std::log(std::exp(4.) + std::exp(3.) + std::exp(2.) + std::exp(1.));
  EXPECT_NEAR(scores["ignoring"], std::exp(each - 3), 1e-5);
  Array all = trainer.predict(data, 3);
  EXPECT_EQ(all.text(), x.text());
}

SINTER_ON_DEVICES(Fits, "reference", "cpu");
