#pragma once

#include "sinter/frontend/Ops.h"
#include "sinter/frontend/nn/Module.h"

/// Layers, with PyTorch's names, layouts of weights and initial values. Each is called like a
/// function; `where` is the caller's line.
namespace sinter::nn {

struct LinearOptions {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
};
/// x [..., in] -> [..., out]; weight [out, in].
class Linear : public Module {
public:
  using Options = LinearOptions;
  Linear(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
};

struct Conv2dLayerOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Size2 kernel_size = 3;
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
/// [N, C, H, W] -> [N, O, H', W']; weight [O, C/groups, R, S].
class Conv2d : public Module {
public:
  using Options = Conv2dLayerOptions;
  Conv2d(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;
};

struct BatchNorm2dOptions {
  int64_t num_features = 0;
  double eps = 1e-5;
  double momentum = 0.1;
};
/// Over N, H and W of [N, C, H, W]. In training it uses the batch's statistics and moves the running
/// ones (running_var by the unbiased variance); in evaluation it uses the running ones.
class BatchNorm2d : public Module {
public:
  using Options = BatchNorm2dOptions;
  BatchNorm2d(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  const Options options;
};

struct LayerNormOptions {
  Shape normalized_shape = {};
  double eps = 1e-5;
};
/// Over the trailing dimensions, which must be `normalized_shape`.
class LayerNorm : public Module {
public:
  using Options = LayerNormOptions;
  LayerNorm(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;
};

struct RMSNormOptions {
  Shape normalized_shape = {};
  std::optional<double> eps = {}; // must be given
};
/// Over the trailing dimensions, which must be `normalized_shape`.
class RMSNorm : public Module {
public:
  using Options = RMSNormOptions;
  RMSNorm(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight;
  const Options options;
};

struct GroupNormOptions {
  int64_t num_groups = 0;
  int64_t num_channels = 0;
  double eps = 1e-5;
};
/// Over groups of neighbouring channels of [N, C, ...].
class GroupNorm : public Module {
public:
  using Options = GroupNormOptions;
  GroupNorm(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;
};

struct Conv1dLayerOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel_size = 3;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
/// [N, C, L] -> [N, O, L']; weight [O, C/groups, K].
class Conv1d : public Module {
public:
  using Options = Conv1dLayerOptions;
  Conv1d(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;
};

struct ConvTranspose2dLayerOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Size2 kernel_size = 3;
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  Size2 dilation = 1;
};
/// [N, C, H, W] -> [N, O, H', W']; weight [C, O/groups, R, S].
class ConvTranspose2d : public Module {
public:
  using Options = ConvTranspose2dLayerOptions;
  ConvTranspose2d(Module *parent, std::string name, Options options,
                  Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;
};

struct EmbeddingLayerOptions {
  int64_t num_embeddings = 0;
  int64_t embedding_dim = 0;
  std::optional<int64_t> padding_idx = {}; // a row that starts as zeros and is not trained
};
/// Indices [...] -> [..., embedding_dim].
class Embedding : public Module {
public:
  using Options = EmbeddingLayerOptions;
  Embedding(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &indices, Where where = Where::current());
  Tensor operator()(const Tensor &indices, Where where = Where::current()) {
    return forward(indices, where);
  }

  Tensor weight;
  const Options options;
};

struct DropoutLayerOptions {
  double p = 0.5;
};
class Dropout : public Module {
public:
  using Options = DropoutLayerOptions;
  Dropout(Module *parent, std::string name, Options options = {}, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  const Options options;
};

/// An op as a layer, for Sequential.
template <auto op, class OptionsT> class OpLayer : public Module {
public:
  using Options = OptionsT;
  OpLayer(Module *parent, std::string name, Options options = {}, Where where = Where::current())
      : Module(parent, std::move(name), where), options(std::move(options)) {}
  Tensor forward(const Tensor &x, Where where = Where::current()) {
    Scope scope(*this);
    return op(x, options, where);
  }
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  const Options options;
};
struct NoOptions {};
template <Tensor (*op)(const Tensor &, Where)>
Tensor withoutOptions(const Tensor &x, NoOptions, Where where) {
  return op(x, where);
}
using ReLU = OpLayer<withoutOptions<sinter::relu>, NoOptions>;
using Tanh = OpLayer<withoutOptions<sinter::tanh>, NoOptions>;
using Sigmoid = OpLayer<withoutOptions<sinter::sigmoid>, NoOptions>;
using SiLU = OpLayer<withoutOptions<sinter::silu>, NoOptions>;
using GELU = OpLayer<sinter::gelu, GeluOptions>;
using LeakyReLU = OpLayer<sinter::leaky_relu, LeakyReluOptions>;
using ELU = OpLayer<sinter::elu, EluOptions>;
using Softplus = OpLayer<sinter::softplus, SoftplusOptions>;
using MaxPool2d = OpLayer<sinter::max_pool2d, MaxPool2dOptions>;
using AvgPool2d = OpLayer<sinter::avg_pool2d, AvgPool2dOptions>;

struct AdaptivePoolOptions {
  Size2 output_size = 1;
};
inline Tensor adaptiveAvgPoolLayer(const Tensor &x, AdaptivePoolOptions options, Where where) {
  return sinter::adaptive_avg_pool2d(x, options.output_size, where);
}
inline Tensor adaptiveMaxPoolLayer(const Tensor &x, AdaptivePoolOptions options, Where where) {
  return sinter::adaptive_max_pool2d(x, options.output_size, where);
}
using AdaptiveAvgPool2d = OpLayer<adaptiveAvgPoolLayer, AdaptivePoolOptions>;
using AdaptiveMaxPool2d = OpLayer<adaptiveMaxPoolLayer, AdaptivePoolOptions>;

struct FlattenOptions {
  int64_t start_dim = 1;
  int64_t end_dim = -1;
};
inline Tensor flattenLayer(const Tensor &x, FlattenOptions options, Where where) {
  return sinter::flatten(x, options.start_dim, options.end_dim, where);
}
using Flatten = OpLayer<flattenLayer, FlattenOptions>;

struct SoftmaxOptions {
  int64_t dim = -1;
};
inline Tensor softmaxLayer(const Tensor &x, SoftmaxOptions options, Where where) {
  return sinter::softmax(x, options.dim, where);
}
inline Tensor logSoftmaxLayer(const Tensor &x, SoftmaxOptions options, Where where) {
  return sinter::log_softmax(x, options.dim, where);
}
using Softmax = OpLayer<softmaxLayer, SoftmaxOptions>;
using LogSoftmax = OpLayer<logSoftmaxLayer, SoftmaxOptions>;

} // namespace sinter::nn
