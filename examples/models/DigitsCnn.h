#pragma once

#include <sinter/sinter.h>

namespace examples {

/// For the handwritten digits, 8x8: two convolutions and two dense layers.
struct DigitsCnn : sinter::nn::Module {
  sinter::nn::Conv2d conv1{
      this, "conv1", {.in_channels = 1, .out_channels = 32, .kernel_size = 3, .padding = 1}};
  sinter::nn::Conv2d conv2{
      this, "conv2", {.in_channels = 32, .out_channels = 64, .kernel_size = 3, .padding = 1}};
  sinter::nn::Linear fc1{this, "fc1", {.in_features = 64 * 4 * 4, .out_features = 64}};
  sinter::nn::Linear fc2{this, "fc2", {.in_features = 64, .out_features = 10}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 1, 8, 8]
    x = relu(conv1(x));
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    x = relu(fc1(flatten(x, 1)));
    return fc2(x); // logits: [N, 10]
  }
};

inline sinter::optim::Adam digitsOptimizer(double lr) {
  return {.lr = lr, .schedule = sinter::optim::step_schedule(8, 0.3)};
}

} // namespace examples
