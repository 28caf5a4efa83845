#pragma once

#include <sinter/sinter.h>

namespace examples {

/// For MNIST and Fashion-MNIST: two convolutions and a dense layer.
struct MnistCnn : sinter::nn::Module {
  sinter::nn::Conv2d conv1{this, "conv1", {.in_channels = 1, .out_channels = 32, .kernel_size = 3}};
  sinter::nn::Conv2d conv2{
      this, "conv2", {.in_channels = 32, .out_channels = 64, .kernel_size = 3}};
  sinter::nn::Linear fc{this, "fc", {.in_features = 64 * 5 * 5, .out_features = 10}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 1, 28, 28]
    x = max_pool2d(relu(conv1(x)), {.kernel_size = 2});
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    return fc(flatten(x, 1)); // logits: [N, 10]
  }
};

} // namespace examples
