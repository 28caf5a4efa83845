#pragma once

#include <sinter/sinter.h>

namespace examples {

/// For images of 3x112x112: two padded convolutions and two dense layers.
struct Cnn112 : sinter::nn::Module {
  sinter::nn::Conv2d conv1{
      this, "conv1", {.in_channels = 3, .out_channels = 16, .kernel_size = 3, .padding = 1}};
  sinter::nn::Conv2d conv2{
      this, "conv2", {.in_channels = 16, .out_channels = 32, .kernel_size = 3, .padding = 1}};
  sinter::nn::Linear fc1{this, "fc1", {.in_features = 32 * 28 * 28, .out_features = 128}};
  sinter::nn::Linear fc2{this, "fc2", {.in_features = 128, .out_features = 10}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 3, 112, 112]
    x = max_pool2d(relu(conv1(x)), {.kernel_size = 2});
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    return fc2(relu(fc1(flatten(x, 1)))); // logits: [N, 10]
  }
};

/// The same in four stages: convolutions of 16 to 128 channels, each with its pooling.
struct Cnn112Deep : sinter::nn::Module {
  sinter::nn::Conv2d conv1{
      this, "conv1", {.in_channels = 3, .out_channels = 16, .kernel_size = 3, .padding = 1}};
  sinter::nn::Conv2d conv2{
      this, "conv2", {.in_channels = 16, .out_channels = 32, .kernel_size = 3, .padding = 1}};
  sinter::nn::Conv2d conv3{
      this, "conv3", {.in_channels = 32, .out_channels = 64, .kernel_size = 3, .padding = 1}};
  sinter::nn::Conv2d conv4{
      this, "conv4", {.in_channels = 64, .out_channels = 128, .kernel_size = 3, .padding = 1}};
  sinter::nn::Linear fc1{this, "fc1", {.in_features = 128 * 7 * 7, .out_features = 128}};
  sinter::nn::Linear fc2{this, "fc2", {.in_features = 128, .out_features = 10}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 3, 112, 112]
    for (sinter::nn::Conv2d *conv : {&conv1, &conv2, &conv3, &conv4})
      x = max_pool2d(relu((*conv)(x)), {.kernel_size = 2});
    return fc2(relu(fc1(flatten(x, 1)))); // logits: [N, 10]
  }
};

} // namespace examples
