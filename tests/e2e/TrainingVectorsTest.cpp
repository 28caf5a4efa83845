// Twenty steps of every optimiser and schedule against PyTorch's: the losses and rates of each step.
#include "EndToEnd.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace sinter;
using nlohmann::json;

namespace {

class TrainingVectors : public test::OnDevice {};

struct Net : nn::Module {
  nn::Linear fc{this, "fc", {.in_features = 4, .out_features = 2}};
  Tensor forward(Tensor x) { return fc(x); }
};

json vectors(const std::string &name) {
  std::ifstream file(SINTER_TEST_SOURCE_DIR "/oracle/vectors/" + name + ".json");
  return json::parse(file);
}

Array arrayOf(const json &tensor) {
  auto shape = tensor.at("shape").get<Shape>();
  if (tensor.at("dtype") == "i64")
    return Array(tensor.at("data").get<std::vector<int64_t>>()).reshape(shape);
  Array flat(tensor.at("data").get<std::vector<float>>());
  return flat.reshape(shape);
}

Array named(const json &list, const std::string &name) {
  for (const json &tensor : list)
    if (tensor.at("name") == name) return arrayOf(tensor);
  throw std::runtime_error("no tensor " + name);
}
bool has(const json &list, const std::string &name) {
  for (const json &tensor : list)
    if (tensor.at("name") == name) return true;
  return false;
}

optim::Schedule scheduleOf(const json &record) {
  if (!record.contains("schedule")) return {};
  std::string name = record.at("schedule");
  const json &a = record.at("arguments");
  if (name == "step") return optim::step_schedule(a.at("step_size"), a.at("gamma"));
  if (name == "multi_step") return optim::multi_step_schedule(a.at("milestones"), a.at("gamma"));
  if (name == "exponential") return optim::exponential_schedule(a.at("gamma"));
  if (name == "cosine")
    return optim::cosine_schedule({.T_max = a.at("T_max"), .eta_min = a.at("eta_min")});
  if (name == "linear")
    return optim::linear_schedule({.start_factor = a.at("start_factor"),
                                   .end_factor = a.at("end_factor"),
                                   .total_iters = a.at("total_iters")});
  if (name == "warmup")
    return optim::warmup_schedule({.warmup_steps = a.at("warmup_steps"),
                                   .total_steps = a.at("total_steps"),
                                   .decay = a.at("decay")});
  if (name == "one_cycle")
    return optim::one_cycle_schedule({.max_lr = a.at("max_lr"),
                                      .total_steps = a.at("total_steps"),
                                      .pct_start = a.value("pct_start", 0.3),
                                      .anneal_strategy = a.value("anneal_strategy", "cos"),
                                      .cycle_momentum = a.value("cycle_momentum", true),
                                      .three_phase = a.value("three_phase", false)});
  if (name == "plateau")
    return optim::plateau_schedule({.mode = a.value("mode", "min"),
                                    .factor = a.value("factor", 0.1),
                                    .patience = a.value("patience", int64_t(10)),
                                    .threshold = a.value("threshold", 1e-4),
                                    .threshold_mode = a.value("threshold_mode", "rel"),
                                    .cooldown = a.value("cooldown", int64_t(0)),
                                    .min_lr = a.value("min_lr", 0.0)});
  if (name == "sequential")
    return optim::sequential_schedule({optim::linear_schedule({.start_factor = a.at("start_factor"),
                                                               .total_iters = a.at("total_iters")}),
                                       optim::exponential_schedule(a.at("gamma"))},
                                      {a.at("milestone")});
  throw std::runtime_error("no schedule " + name);
}

optim::Optimizer optimizerOf(const json &record) {
  std::string kind = record.at("optimiser");
  const json &o = record.at("options");
  optim::Schedule schedule = scheduleOf(record);
  if (kind == "sgd")
    return optim::SGD{.lr = o.at("lr"), .momentum = o.value("momentum", 0.0), .schedule = schedule};
  if (kind == "adam") return optim::Adam{.lr = o.at("lr"), .schedule = schedule};
  if (kind == "adamw")
    return optim::AdamW{
        .lr = o.at("lr"), .weight_decay = o.value("weight_decay", 1e-2), .schedule = schedule};
  if (kind == "rmsprop")
    return optim::RMSprop{.lr = o.value("lr", 1e-2),
                          .alpha = o.value("alpha", 0.99),
                          .eps = o.value("eps", 1e-8),
                          .weight_decay = o.value("weight_decay", 0.0),
                          .momentum = o.value("momentum", 0.0),
                          .centered = o.value("centered", false),
                          .schedule = schedule};
  return optim::Adagrad{.lr = o.value("lr", 1e-2),
                        .lr_decay = o.value("lr_decay", 0.0),
                        .weight_decay = o.value("weight_decay", 0.0),
                        .schedule = schedule};
}

void expectNear(const Array &actual, const Array &expected, const std::string &what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (int64_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual.at(i), expected.at(i), 1e-4 * std::max(0.1, std::fabs(expected.at(i))))
        << what << " " << i;
}

} // namespace

TEST_P(TrainingVectors, FollowPyTorchForTwentySteps) {
  const json all = vectors("training");
  for (const json &one : all.at("cases")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    const json &record = one.at("attributes"), &in = one.at("inputs"), &out = one.at("outputs");
    Array x = named(in, "x"), y = named(in, "y");
    Array losses = named(out, "losses"), rates = named(out, "rates");
    ASSERT_EQ(losses.size(), 20);
    Net net;
    net.set_value("fc.weight", named(in, "weight"));
    net.set_value("fc.bias", named(in, "bias"));
    TrainerOptions options = this->options();
    options.gradients.clip_norm = record.value("clip_norm", 0.0);
    options.gradients.clip_value = record.value("clip_value", 0.0);
    if (record.contains("ema")) options.average = optim::ema({.decay = record.at("ema")});
    if (record.contains("swa")) options.average = optim::swa();
    TrainStep step(net, mse_loss, optimizerOf(record), options);
    for (int64_t i = 0; i < 20; ++i) {
      step.set_epoch(i);
      EXPECT_NEAR(step.lr(), rates.at(i), 1e-9 + 1e-6 * rates.at(i)) << "rate of step " << i + 1;
      double loss = step(x.rows(i, i + 1).reshape({8, 4}), y.rows(i, i + 1).reshape({8, 2}));
      EXPECT_NEAR(loss, losses.at(i), 1e-4 * losses.at(i)) << "loss of step " << i + 1;
      if (has(out, "norms")) {
        double norm = named(out, "norms").at(i);
        EXPECT_NEAR(step.grad_norm().value_or(0), norm, 1e-4 * norm) << "norm of step " << i + 1;
      }
      if (record.contains("schedule") && record.at("schedule") == "plateau") step.report(loss);
      if (record.contains("swa")) step.update_average();
    }
    expectNear(net.value("fc.weight"), named(out, "weight"), "weight");
    expectNear(net.value("fc.bias"), named(out, "bias"), "bias");
    EXPECT_FALSE(step.launches().empty());
    if (has(out, "average.weight")) {
      Averaged averaged(step);
      expectNear(net.value("fc.weight"), named(out, "average.weight"), "average of weight");
      expectNear(net.value("fc.bias"), named(out, "average.bias"), "average of bias");
    }
    expectNear(net.value("fc.weight"), named(out, "weight"), "weight after all");
  }
}

TEST_P(TrainingVectors, ClassWeightsArePyTorchs) {
  const json all = vectors("weighted_cross_entropy");
  for (const json &one : all.at("cases")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    const json &a = one.at("attributes");
    Array input = named(one.at("inputs"), "input"), target = named(one.at("inputs"), "target");
    std::string reduction = a.at("reduction");
    CrossEntropyOptions options{.reduction = reduction == "mean"  ? Reduction::mean
                                             : reduction == "sum" ? Reduction::sum
                                                                  : Reduction::none,
                                .label_smoothing = a.value("label_smoothing", 0.0),
                                .ignore_index = a.value("ignore_index", int64_t(-100)),
                                .weight = a.at("weight")};
    auto p = parameter("p", input.shape());
    auto cotangent = named(one.at("cotangents"), "output");
    auto traced = trace(
        [&](Tensor classes) {
          Tensor each = cross_entropy(p, classes, options);
          return each.rank() == 0 ? each * cotangent.item() : (each * constant(cotangent)).sum();
        },
        {target.spec()});
    Executable compiled = compile(value_and_grad(traced, {p}), {.device = device()});
    compiled.set("p", input);
    auto results = compiled(target);
    Array expected = named(one.at("outputs"), "output");
    double sum = 0;
    for (int64_t i = 0; i < expected.size(); ++i) sum += expected.at(i) * cotangent.at(i);
    EXPECT_NEAR(results[0].item(), sum, 1e-5 * std::max(1.0, std::fabs(sum)));
    expectNear(results[1], named(one.at("gradients"), "input"), "gradient");
  }
}

SINTER_ON_DEVICES(TrainingVectors, "reference", "cpu");
