#pragma once

#include <sinter/sinter.h>

namespace examples {

/// For CIFAR-10: two convolutions and two dense layers.
struct Cifar10Cnn : sinter::nn::Module {
  sinter::nn::Conv2d conv1{this, "conv1", {.in_channels = 3, .out_channels = 32, .kernel_size = 3}};
  sinter::nn::Conv2d conv2{
      this, "conv2", {.in_channels = 32, .out_channels = 64, .kernel_size = 3}};
  sinter::nn::Linear fc1{this, "fc1", {.in_features = 64 * 6 * 6, .out_features = 64}};
  sinter::nn::Linear fc2{this, "fc2", {.in_features = 64, .out_features = 10}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 3, 32, 32]
    x = max_pool2d(relu(conv1(x)), {.kernel_size = 2});
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    return fc2(relu(fc1(flatten(x, 1)))); // logits: [N, 10]
  }
};

} // namespace examples
