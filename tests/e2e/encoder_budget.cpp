// Trains a stack of encoder layers twice, as it is and within a share of the memory that it then needs, and
// compares every loss and parameter bit by bit. With --time, how much longer a step may take.
#include "../../examples/models/Encoder.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

using sinter::Array;

namespace {

struct Settings {
  examples::EncoderOptions model;
  int64_t tokens = 256, batch = 8;
  int steps = 3;
  double share = 0.5, time = 0;
};

Array normal(sinter::Shape shape, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(
      static_cast<size_t>(sinter::TensorSpec{shape, sinter::f32}.numElements()));
  for (float &value : values) value = distribution(generator);
  return Array(values, shape);
}

/// A model in training.
struct Training {
  Training(const Settings &settings, int64_t budget)
      : model(settings.model), step(model, sinter::mse_loss, sinter::optim::Adam{.lr = 1e-3},
                                    {.device = sinter::Device::cpu(), .memory_budget = budget}) {}

  double run(const Array &x, const Array &y) {
    auto start = std::chrono::steady_clock::now();
    double loss = step(x, y);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return loss;
  }
  /// Of the steps but the first, which compiles.
  double median() const {
    std::vector<double> sorted(seconds.begin() + 1, seconds.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }

  examples::Encoder model;
  sinter::TrainStep step;
  std::vector<double> seconds;
};

bool sameBits(const Array &a, const Array &b) {
  return a.bytes().size() == b.bytes().size() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

int run(const Settings &settings) {
  sinter::Shape shape{settings.batch, settings.tokens, settings.model.width};
  Array x = normal(shape, 1), y = normal(shape, 2);
  Training free(settings, 0);
  std::vector<double> losses{free.run(x, y)};
  sinter::Cost cost = free.step.cost();
  auto budget = static_cast<int64_t>(static_cast<double>(cost.peakBytes) * settings.share);
  Training tight(settings, budget);
  std::vector<double> again{tight.run(x, y)};
  for (int i = 1; i < settings.steps; ++i) { // by turns: whatever else runs slows both down
    losses.push_back(free.run(x, y));
    again.push_back(tight.run(x, y));
  }
  sinter::Cost less = tight.step.cost();
  double ratio = tight.median() / free.median();
  fmt::print("as it is: {} kernels, {:.2f} MB (bound {:.2f}), first step {:.2f} s, then {:.4f} s\n",
             cost.kernels, double(cost.peakBytes) / 1e6, double(cost.lowerBoundBytes) / 1e6,
             free.seconds.front(), free.median());
  fmt::print("budget {:.2f} MB: {} kernels, {:.2f} MB (bound {:.2f}), first step {:.2f} s, then "
             "{:.4f} s: {:.3f} of the time\n",
             double(budget) / 1e6, less.kernels, double(less.peakBytes) / 1e6,
             double(less.lowerBoundBytes) / 1e6, tight.seconds.front(), tight.median(), ratio);

  int mistakes = 0;
  auto expect = [&](bool fine, const std::string &what) {
    if (!fine) fmt::print("FAILED: {}\n", what);
    mistakes += !fine;
  };
  expect(less.peakBytes <= budget, "the budget is kept");
  expect(double(cost.peakBytes) <= 1.005 * double(cost.lowerBoundBytes) &&
             double(less.peakBytes) <= 1.005 * double(less.lowerBoundBytes),
         "both plans are within 1.005 of their bounds");
  expect(losses == again, "losses are the same");
  for (const auto &parameter : free.model.named_parameters())
    expect(sameBits(free.model.value(parameter.name), tight.model.value(parameter.name)),
           parameter.name + " is the same");
  if (settings.time > 0) expect(ratio <= settings.time, "a step takes no longer than it may");
  return mistakes != 0;
}

} // namespace

int main(int argc, char **argv) {
  Settings settings;
  CLI::App app("A stack of encoder layers within a budget of memory");
  app.add_option("--layers", settings.model.layers);
  app.add_option("--width", settings.model.width);
  app.add_option("--heads", settings.model.heads);
  app.add_option("--dropout", settings.model.dropout);
  app.add_option("--tokens", settings.tokens);
  app.add_option("--batch-size", settings.batch);
  app.add_option("--steps", settings.steps)->check(CLI::Range(2, 1000));
  app.add_option("--share", settings.share, "of the memory needed without a budget");
  app.add_option("--time", settings.time, "most of the time without a budget (0: any)");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(settings);
  } catch (const std::exception &error) {
    fmt::print("error: {}\n", error.what());
    return 1;
  }
}
