// Optimisers against PyTorch's: the parameter after each of five steps with given gradients.
#include "EndToEnd.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace sinter;
using nlohmann::json;

namespace {

/// Its loss is sum(x * p), so the gradient of p is x.
struct Probe : nn::Module {
  explicit Probe(int64_t size) { p = parameter("p", {size}); }
  Tensor p;
  Tensor forward(Tensor x) { return x * p; }
};

class Optimizers : public test::OnDevice {};

optim::Betas betasOf(const json &attributes) {
  auto pair = attributes.value("betas", std::vector<double>{0.9, 0.999});
  return {pair[0], pair[1]};
}

optim::Optimizer make(const std::string &op, const json &a) {
  if (op == "sgd")
    return optim::SGD{.lr = a.at("lr"),
                      .momentum = a.value("momentum", 0.0),
                      .dampening = a.value("dampening", 0.0),
                      .weight_decay = a.value("weight_decay", 0.0),
                      .nesterov = a.value("nesterov", false)};
  if (op == "adam")
    return optim::Adam{.lr = a.at("lr"),
                       .betas = betasOf(a),
                       .eps = a.value("eps", 1e-8),
                       .weight_decay = a.value("weight_decay", 0.0)};
  return optim::AdamW{.lr = a.at("lr"),
                      .betas = betasOf(a),
                      .eps = a.value("eps", 1e-8),
                      .weight_decay = a.value("weight_decay", 1e-2)};
}

Array floats(const json &tensor) { return Array(tensor.at("data").get<std::vector<float>>()); }

} // namespace

TEST_P(Optimizers, FollowPyTorch) {
  for (std::string op : {"sgd", "adam", "adamw"}) {
    std::ifstream file(SINTER_TEST_SOURCE_DIR "/oracle/vectors/" + op + ".json");
    json vectors = json::parse(file);
    ASSERT_FALSE(vectors.at("cases").empty());
    for (const json &one : vectors.at("cases")) {
      SCOPED_TRACE(op + " " + one.at("name").get<std::string>());
      Array start = floats(one.at("inputs").at(0));
      Probe probe(start.size());
      probe.set_value("p", start);
      TrainStep step(
          probe, [](const Tensor &out, const Tensor &) { return out.sum(); },
          make(op, one.at("attributes")), options());
      for (size_t i = 0; i < one.at("outputs").size(); ++i) {
        Array gradient = floats(one.at("inputs").at(i + 1)).reshape({1, start.size()});
        step(gradient, Array::zeros({1}));
        Array expected = floats(one.at("outputs").at(i)), actual = probe.value("p");
        for (int64_t k = 0; k < start.size(); ++k)
          EXPECT_NEAR(actual.at(k), expected.at(k), 3e-7 * std::max(1.0, std::fabs(expected.at(k))))
              << "step " << i + 1;
      }
      EXPECT_EQ(step.steps(), static_cast<int64_t>(one.at("outputs").size()));
    }
  }
}

TEST_P(Optimizers, GroupsAndSchedulesSetTheRate) {
  struct Two : nn::Module {
    Two() { a = parameter("a", {2}), b = parameter("b", {2}); }
    Tensor a, b;
    Tensor forward(Tensor x) { return x * a + x * b; }
  } model;
  optim::SGD sgd{.lr = 1.0,
                 .schedule = optim::step_schedule(2, 0.5),
                 .groups = {{.parameters = {model.b}, .lr = 0.25}}};
  TrainStep step(
      model, [](const Tensor &out, const Tensor &) { return out.sum(); }, sgd, options());
  Array ones = Array::full({1, 2}, 1), target = Array::zeros({1});
  step(ones, target);
  EXPECT_EQ(model.value("a").text(), "[-1, -1]");
  EXPECT_EQ(model.value("b").text(), "[-0.25, -0.25]");
  step.set_epoch(1);
  step(ones, target);
  EXPECT_EQ(model.value("a").text(), "[-2, -2]");
  step.set_epoch(2);
  step(ones, target);
  EXPECT_EQ(model.value("a").text(), "[-2.5, -2.5]");
  EXPECT_EQ(model.value("b").text(), "[-0.625, -0.625]");
}

TEST_P(Optimizers, FrozenParametersStay) {
  test::SmallNet net;
  net.conv.requires_grad(false);
  std::string before = net.value("conv.weight").text(), head = net.value("fc.weight").text();
  TrainStep step(net, cross_entropy, optim::Adam{.lr = 0.1}, options());
  auto data = test::stripes(6, 0);
  step(data.x(), data.y());
  EXPECT_EQ(net.value("conv.weight").text(), before);
  EXPECT_NE(net.value("fc.weight").text(), head);
}

SINTER_ON_DEVICES(Optimizers, "reference", "cpu");
