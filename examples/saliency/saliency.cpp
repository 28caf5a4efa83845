// Which pixels a network looks at: the gradient of its answer with respect to the image.
#include "../common/Digits.h"
#include "../common/Run.h"
#include "../models/DigitsCnn.h"

#include <algorithm>
#include <cmath>

using sinter::Array;
using sinter::Tensor;

/// Images, and beneath each the magnitudes of its gradient.
static void show(const Array &images, const Array &gradients, int64_t count) {
  const char *shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  for (const Array *what : {&images, &gradients}) {
    for (int64_t row = 0; row < 8; ++row) {
      for (int64_t image = 0; image < count; ++image) {
        double most = 1e-12;
        for (int64_t p = 0; p < 64; ++p) most = std::max(most, std::fabs(what->at(image * 64 + p)));
        for (int64_t column = 0; column < 8; ++column)
          fmt::print("{}", shades[static_cast<int>(
                               std::fabs(what->at(image * 64 + row * 8 + column)) / most * 4.49)]);
        fmt::print(" ");
      }
      fmt::print("\n");
    }
    fmt::print("{}\n", what == &images ? "the images; below, the pixels that moved it most" : "");
  }
}

int main(int argc, char **argv) {
  auto options = examples::parse(
      argc, argv, "Trains a CNN on digits, and shows what its answers depend on.",
      {.epochs = 5, .batch_size = 32, .lr = 2e-3, .data = SINTER_EXAMPLES_DATA "/digits.csv.gz"});
  return examples::guarded([&] {
    auto digits = examples::readDigits(options.data);
    auto [train, test] = sinter::data::random_split(digits, 0.2, /*seed=*/0);
    examples::DigitsCnn model;
    sinter::Trainer trainer(model, sinter::cross_entropy, examples::digitsOptimizer(options.lr),
                            options.trainer());
    examples::train({.example = "saliency",
                     .options = options,
                     .model = model,
                     .trainer = trainer,
                     .train = train,
                     .test = &test,
                     .metrics = {sinter::metrics::accuracy}});

    constexpr int64_t count = 6;
    std::vector<int64_t> some{0, 1, 2, 3, 4, 5};
    Array images = test.batch(some).x;
    // Each image's answer has the gradient of its own pixels: the sum over images mixes nothing.
    auto saliency = sinter::compile(sinter::trace(
                                        [&](Tensor x) {
                                          Tensor answers = amax(sinter::nn::call(model, x), 1);
                                          return std::pair(answers, grad(answers.sum(), {x})[0]);
                                        },
                                        {images.spec()}),
                                    {.device = options.trainer().device});
    for (const auto &named : model.named_parameters())
      saliency.set(named.name, model.value(named.name));
    auto results = saliency(images);
    Array answers = results[0], gradients = results[1];
    show(images, gradients, count);

    // A small step along the gradient moves the answer by the square of its norm.
    constexpr float step = 1e-3f;
    Array moved = images.clone();
    double squares = 0, change = 0;
    for (int64_t i = 0; i < moved.size(); ++i) {
      moved.data<float>()[static_cast<size_t>(i)] += step * static_cast<float>(gradients.at(i));
      squares += gradients.at(i) * gradients.at(i);
    }
    Array after = saliency(moved)[0];
    for (int64_t i = 0; i < count; ++i) change += after.at(i) - answers.at(i);
    fmt::print("the logits moved by {:.4f}, the gradient says {:.4f}\n", change, step * squares);
    if (std::fabs(change - step * squares) > 0.05 * step * squares)
      throw std::runtime_error("the gradient is not that of the logits");
    return 0;
  });
}
