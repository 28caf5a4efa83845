// Handwritten digits, 8x8: a small convolutional network, trained in seconds.
#include "../common/Digits.h"
#include "../common/Run.h"
#include "../models/DigitsCnn.h"

#include <algorithm>

/// Some test images side by side, with what the network says of them.
static void show(sinter::Trainer &trainer, const sinter::data::Dataset &test) {
  constexpr int64_t count = 8;
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(i);
  sinter::data::Example batch = test.batch(indices);
  sinter::Array logits = trainer.predict(batch.x);
  const char *shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t image = 0; image < count; ++image) {
      for (int64_t column = 0; column < 8; ++column)
        fmt::print("{}",
                   shades[static_cast<int>(batch.x.at(image * 64 + row * 8 + column) * 4.49)]);
      fmt::print(" ");
    }
    fmt::print("\n");
  }
  for (int64_t image = 0; image < count; ++image) {
    int64_t best = 0;
    for (int64_t digit = 1; digit < 10; ++digit)
      if (logits.at(image * 10 + digit) > logits.at(image * 10 + best)) best = digit;
    auto truth = static_cast<int64_t>(batch.y.at(image));
    fmt::print("{:<17}", best == truth ? fmt::format("  {}", best)
                                       : fmt::format("  {} (is a {})", best, truth));
  }
  fmt::print("\n");
}

/// What one training step is made of, and a kernel as a GPU would get it.
static void showKernels(const sinter::TrainStep &step) {
  sinter::Cost cost = step.cost();
  fmt::print("\nOne training step: {} launches, {} KiB of working memory\n", cost.kernels,
             (cost.peakBytes + 1023) / 1024);
  for (const sinter::LaunchInfo &launch : step.launches())
    fmt::print("  {:<60} {}\n", launch.ops, launch.source);
  auto kernels = step.cuda_kernels();
  auto shortest =
      std::min_element(kernels.begin(), kernels.end(),
                       [](const auto &a, const auto &b) { return a.text.size() < b.text.size(); });
  if (shortest != kernels.end())
    fmt::print("\nOne of its kernels in CUDA:\n\n{}\n", shortest->text);
}

int main(int argc, char **argv) {
  auto options = examples::parse(
      argc, argv, "Trains a small CNN on 1,797 handwritten digits of 8x8 pixels.",
      {.epochs = 20, .batch_size = 32, .lr = 2e-3, .data = SINTER_EXAMPLES_DATA "/digits.csv.gz"});
  return examples::guarded([&] {
    auto digits = examples::readDigits(options.data);
    auto [train, test] = sinter::data::random_split(digits, 0.2, /*seed=*/0);
    examples::DigitsCnn model;
    sinter::Trainer trainer(model, sinter::cross_entropy, examples::digitsOptimizer(options.lr),
                            options.trainer());
    auto outcome = examples::train({.example = "digits_cnn",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = train,
                                    .test = &test,
                                    .metrics = {sinter::metrics::accuracy}});
    fmt::print("\ntest accuracy {:.2f}%\n\n", 100 * outcome.test["accuracy"]);
    if (options.steps == 0 && !outcome.history.interrupted) {
      show(trainer, test);
      showKernels(trainer.step());
    }
    return 0;
  });
}
