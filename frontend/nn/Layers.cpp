#include "sinter/frontend/nn/Layers.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::nn {

/// PyTorch's default of linear and convolution layers: U(+-1/sqrt(fan_in)).
static init::Init fanInUniform(double fanIn) {
  double bound = 1 / std::sqrt(std::max(fanIn, 1.0));
  return init::uniform(-bound, bound);
}

static void require(bool holds, const char *layer, const char *option, int64_t value, Where where) {
  if (!holds) throw UserError(fmt::format("{}: {} is {}", layer, option, value), where);
}

Linear::Linear(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where) {
  require(options.in_features > 0, "nn::Linear", "in_features", options.in_features, where);
  require(options.out_features > 0, "nn::Linear", "out_features", options.out_features, where);
  auto init = fanInUniform(static_cast<double>(options.in_features));
  weight = parameter("weight", {options.out_features, options.in_features}, init, f32, where);
  if (options.bias) bias = parameter("bias", {options.out_features}, init, f32, where);
}

Tensor Linear::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::linear(x, weight, bias, where);
}

Conv2d::Conv2d(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  require(options.in_channels > 0, "nn::Conv2d", "in_channels", options.in_channels, where);
  require(options.out_channels > 0, "nn::Conv2d", "out_channels", options.out_channels, where);
  require(options.groups > 0 && options.in_channels % options.groups == 0 &&
              options.out_channels % options.groups == 0,
          "nn::Conv2d", "groups (which must divide both numbers of channels)", options.groups,
          where);
  Shape shape{options.out_channels, options.in_channels / options.groups,
              options.kernel_size.height, options.kernel_size.width};
  auto init = fanInUniform(static_cast<double>(shape[1] * shape[2] * shape[3]));
  weight = parameter("weight", shape, init, f32, where);
  if (options.bias) bias = parameter("bias", {options.out_channels}, init, f32, where);
}

Tensor Conv2d::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::conv2d(x, weight, bias,
                        {.stride = options.stride,
                         .padding = options.padding,
                         .dilation = options.dilation,
                         .groups = options.groups},
                        where);
}

BatchNorm2d::BatchNorm2d(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  require(options.num_features > 0, "nn::BatchNorm2d", "num_features", options.num_features, where);
  Shape shape{options.num_features};
  weight = parameter("weight", shape, init::ones, f32, where);
  bias = parameter("bias", shape, init::zeros, f32, where);
  running_mean = buffer("running_mean", shape, init::zeros, f32, where);
  running_var = buffer("running_var", shape, init::ones, f32, where);
  num_batches_tracked = buffer("num_batches_tracked", {}, init::zeros, i64, where);
}

Tensor BatchNorm2d::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  if (x.rank(where) != 4 || x.size(1, where) != options.num_features)
    throw UserError(fmt::format("batch_norm: input {} is not [N, {}, H, W], as '{}' expects",
                                x.spec(where).text(), options.num_features, weight.name()),
                    where);
  if (!training())
    return sinter::batch_norm(x, running_mean, running_var, weight, bias, {.eps = options.eps},
                              where);
  double count = static_cast<double>(x.spec(where).numElements() / options.num_features);
  if (count < 2)
    throw UserError(fmt::format("batch_norm: one value per channel in training, input {}",
                                x.spec(where).text()),
                    where);
  BatchNorm batch = sinter::batch_norm(x, weight, bias, {.eps = options.eps}, where);
  auto moved = [&](const Tensor &running, const Tensor &value, double factor) {
    return add(
        Arg(mul(Arg(running, where), Arg(1 - options.momentum, where)), where),
        Arg(mul(Arg(to(value, f32, where), where), Arg(options.momentum * factor, where)), where));
  };
  update(running_mean, moved(running_mean, batch.mean, 1), where);
  update(running_var, moved(running_var, batch.variance, count / (count - 1)), where);
  update(num_batches_tracked, add(Arg(num_batches_tracked, where), Arg(1, where)), where);
  return batch.result;
}

LayerNorm::LayerNorm(Module *parent, std::string name, Options given, Where where)
    : Module(parent, std::move(name), where), options(std::move(given)) {
  if (options.normalized_shape.empty())
    throw UserError("nn::LayerNorm: normalized_shape is empty", where);
  weight = parameter("weight", options.normalized_shape, init::ones, f32, where);
  bias = parameter("bias", options.normalized_shape, init::zeros, f32, where);
}

Tensor LayerNorm::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::layer_norm(x, weight, bias, {.eps = options.eps}, where);
}

RMSNorm::RMSNorm(Module *parent, std::string name, Options given, Where where)
    : Module(parent, std::move(name), where), options(std::move(given)) {
  if (options.normalized_shape.empty())
    throw UserError("nn::RMSNorm: normalized_shape is empty", where);
  if (!options.eps) throw UserError("nn::RMSNorm: eps must be given", where);
  weight = parameter("weight", options.normalized_shape, init::ones, f32, where);
}

Tensor RMSNorm::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::rms_norm(x, weight, {.eps = options.eps}, where);
}

GroupNorm::GroupNorm(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  require(options.num_channels > 0, "nn::GroupNorm", "num_channels", options.num_channels, where);
  require(options.num_groups > 0 && options.num_channels % options.num_groups == 0, "nn::GroupNorm",
          "num_groups (which must divide the channels)", options.num_groups, where);
  weight = parameter("weight", {options.num_channels}, init::ones, f32, where);
  bias = parameter("bias", {options.num_channels}, init::zeros, f32, where);
}

Tensor GroupNorm::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::group_norm(x, options.num_groups, weight, bias, {.eps = options.eps}, where);
}

/// Both numbers of channels, and groups that divide them.
static void requireChannels(const char *layer, int64_t in, int64_t out, int64_t groups,
                            Where where) {
  require(in > 0, layer, "in_channels", in, where);
  require(out > 0, layer, "out_channels", out, where);
  require(groups > 0 && in % groups == 0 && out % groups == 0, layer,
          "groups (which must divide both numbers of channels)", groups, where);
}

Conv1d::Conv1d(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  requireChannels("nn::Conv1d", options.in_channels, options.out_channels, options.groups, where);
  Shape shape{options.out_channels, options.in_channels / options.groups, options.kernel_size};
  auto init = fanInUniform(static_cast<double>(shape[1] * shape[2]));
  weight = parameter("weight", shape, init, f32, where);
  if (options.bias) bias = parameter("bias", {options.out_channels}, init, f32, where);
}

Tensor Conv1d::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::conv1d(x, weight, bias,
                        {.stride = options.stride,
                         .padding = options.padding,
                         .dilation = options.dilation,
                         .groups = options.groups},
                        where);
}

ConvTranspose2d::ConvTranspose2d(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  requireChannels("nn::ConvTranspose2d", options.in_channels, options.out_channels, options.groups,
                  where);
  Shape shape{options.in_channels, options.out_channels / options.groups,
              options.kernel_size.height, options.kernel_size.width};
  // As PyTorch's, whose fan_in is of the second dimension here, too.
  auto init = fanInUniform(static_cast<double>(shape[1] * shape[2] * shape[3]));
  weight = parameter("weight", shape, init, f32, where);
  if (options.bias) bias = parameter("bias", {options.out_channels}, init, f32, where);
}

Tensor ConvTranspose2d::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::conv_transpose2d(x, weight, bias,
                                  {.stride = options.stride,
                                   .padding = options.padding,
                                   .output_padding = options.output_padding,
                                   .groups = options.groups,
                                   .dilation = options.dilation},
                                  where);
}

Embedding::Embedding(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  require(options.num_embeddings > 0, "nn::Embedding", "num_embeddings", options.num_embeddings,
          where);
  require(options.embedding_dim > 0, "nn::Embedding", "embedding_dim", options.embedding_dim,
          where);
  init::Init init = init::normal();
  if (options.padding_idx) {
    int64_t row = *options.padding_idx < 0 ? *options.padding_idx + options.num_embeddings
                                           : *options.padding_idx;
    require(row >= 0 && row < options.num_embeddings, "nn::Embedding", "padding_idx",
            *options.padding_idx, where);
    init.zero_row = row;
  }
  weight = parameter("weight", {options.num_embeddings, options.embedding_dim}, init, f32, where);
}

Tensor Embedding::forward(const Tensor &indices, Where where) {
  Scope scope(*this);
  return sinter::embedding(indices, weight, {.padding_idx = options.padding_idx}, where);
}

Dropout::Dropout(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  if (!(options.p >= 0 && options.p <= 1))
    throw UserError(fmt::format("nn::Dropout: p is {}, expected a probability", options.p), where);
}

Tensor Dropout::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  return sinter::dropout(x, {.p = options.p, .training = training()}, where);
}

} // namespace sinter::nn
