#pragma once

#include <sinter/sinter.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace examples {

struct ResNetOptions {
  int64_t depth = 18; // or 50
  int64_t classes = 1000;
  int64_t width = 64;      // channels after the stem
  bool small_stem = false; // for images as small as CIFAR's: 3x3, and no pooling
};

/// A convolution without bias, its fan in kept by Kaiming's initial values.
struct PlainConv : sinter::nn::Module {
  PlainConv(Module *parent, const std::string &name, int64_t in, int64_t out, int64_t kernel,
            int64_t stride = 1)
      : Module(parent, name), kernel(kernel), stride(stride),
        weight(parameter("weight", {out, in, kernel, kernel},
                         sinter::init::kaiming_normal({.mode = sinter::init::Init::Fan::out}))) {}
  sinter::Tensor operator()(const sinter::Tensor &x) {
    sinter::nn::Scope scope(*this);
    return conv2d(x, weight, {.stride = stride, .padding = kernel / 2});
  }

  const int64_t kernel, stride;
  sinter::Tensor weight;
};

/// Two convolutions 3x3, or 1x1, 3x3 and 1x1 with four times the channels at the end; and what came in, if need be through
/// a 1x1. A stride is that of the 3x3.
struct ResidualBlock : sinter::nn::Module {
  ResidualBlock(Module *parent, const std::string &name, int64_t in, int64_t width, int64_t stride,
                bool deep)
      : Module(parent, name), conv1(this, "conv1", in, width, deep ? 1 : 3, deep ? 1 : stride),
        bn1(this, "bn1", {.num_features = width}),
        conv2(this, "conv2", width, width, 3, deep ? stride : 1),
        bn2(this, "bn2", {.num_features = width}) {
    int64_t out = deep ? 4 * width : width;
    if (deep) {
      conv3.emplace(this, "conv3", width, out, 1);
      bn3.emplace(this, "bn3", sinter::nn::BatchNorm2dOptions{.num_features = out});
    }
    if (stride != 1 || in != out) downsample.emplace(this, in, out, stride);
  }
  sinter::Tensor forward(sinter::Tensor x) {
    sinter::Tensor y = bn2(conv2(relu(bn1(conv1(x)))));
    if (conv3) y = (*bn3)((*conv3)(relu(y)));
    return relu(y + (downsample ? downsample->norm(downsample->conv(x)) : x));
  }

  PlainConv conv1;
  sinter::nn::BatchNorm2d bn1;
  PlainConv conv2;
  sinter::nn::BatchNorm2d bn2;
  std::optional<PlainConv> conv3;
  std::optional<sinter::nn::BatchNorm2d> bn3;
  struct Downsample : sinter::nn::Module {
    Downsample(Module *parent, int64_t in, int64_t out, int64_t stride)
        : Module(parent, "downsample"), conv(this, "0", in, out, 1, stride),
          norm(this, "1", {.num_features = out}) {}
    PlainConv conv;
    sinter::nn::BatchNorm2d norm;
  };
  std::optional<Downsample> downsample;
};

/// ResNet-18 or ResNet-50 (He et al., 2015; the stride in the 3x3), under torchvision's names.
struct ResNet : sinter::nn::Module {
  explicit ResNet(const ResNetOptions &options)
      : options(options), conv1(this, "conv1", 3, options.width, options.small_stem ? 3 : 7,
                                options.small_stem ? 1 : 2),
        bn1(this, "bn1", {.num_features = options.width}) {
    bool deep = options.depth == 50;
    if (!deep && options.depth != 18)
      throw std::runtime_error(
          fmt::format("a ResNet of depth {} is neither 18 nor 50", options.depth));
    const std::vector<int64_t> counts =
        deep ? std::vector<int64_t>{3, 4, 6, 3} : std::vector<int64_t>{2, 2, 2, 2};
    int64_t channels = options.width;
    for (size_t i = 0; i < counts.size(); ++i) {
      layers.push_back(std::make_unique<Layer>(this, "layer" + std::to_string(i + 1)));
      for (int64_t j = 0; j < counts[i]; ++j) {
        int64_t width = options.width << i;
        layers.back()->blocks.push_back(
            std::make_unique<ResidualBlock>(layers.back().get(), std::to_string(j), channels, width,
                                            i > 0 && j == 0 ? 2 : 1, deep));
        channels = deep ? 4 * width : width;
      }
    }
    fc.emplace(this, "fc",
               sinter::nn::LinearOptions{.in_features = channels, .out_features = options.classes});
  }
  sinter::Tensor forward(sinter::Tensor x) { // [N, 3, H, W]
    x = relu(bn1(conv1(x)));
    if (!options.small_stem) x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
    for (auto &layer : layers)
      for (auto &block : layer->blocks) x = call(*block, x);
    return (*fc)(global_avg_pool2d(x));
  }

  const ResNetOptions options;
  PlainConv conv1;
  sinter::nn::BatchNorm2d bn1;
  struct Layer : sinter::nn::Module {
    using Module::Module;
    std::vector<std::unique_ptr<ResidualBlock>> blocks;
  };
  std::vector<std::unique_ptr<Layer>> layers;
  std::optional<sinter::nn::Linear> fc;
};

} // namespace examples
