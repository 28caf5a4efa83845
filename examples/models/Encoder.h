#pragma once

#include <sinter/sinter.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace examples {

struct EncoderOptions {
  int64_t layers = 12, width = 256, heads = 4;
  int64_t hidden = 4; // of the MLP, in widths
  double dropout = 0;
};

/// Attention of every token to all tokens of its sequence, from matrix products and a softmax.
struct SelfAttention : sinter::nn::Module {
  SelfAttention(Module *parent, const std::string &name, const EncoderOptions &options)
      : Module(parent, name), heads(options.heads),
        qkv(this, "qkv", {.in_features = options.width, .out_features = 3 * options.width}),
        proj(this, "proj", {.in_features = options.width, .out_features = options.width}) {}

  sinter::Tensor forward(sinter::Tensor x) { // [N, T, D]
    int64_t n = x.shape()[0], t = x.shape()[1], d = x.shape()[2], h = d / heads;
    // [3, N, heads, T, D / heads]
    sinter::Tensor all = permute(reshape(qkv(x), {n, t, 3, heads, h}), {2, 0, 3, 1, 4});
    sinter::Tensor q = select(all, 0, 0), k = select(all, 0, 1), v = select(all, 0, 2);
    sinter::Tensor scores = matmul(q, transpose(k, -2, -1)) * (1 / std::sqrt(double(h)));
    sinter::Tensor mixed = matmul(softmax(scores, -1), v); // [N, heads, T, D / heads]
    return proj(reshape(permute(mixed, {0, 2, 1, 3}), {n, t, d}));
  }

  const int64_t heads;
  sinter::nn::Linear qkv, proj;
};

/// One layer, normalised before its parts: x + attention(norm1(x)), then x + mlp(norm2(x)).
struct EncoderLayer : sinter::nn::Module {
  EncoderLayer(Module *parent, const std::string &name, const EncoderOptions &options)
      : Module(parent, name), norm1(this, "norm1", {.normalized_shape = {options.width}}),
        attention(this, "attention", options),
        norm2(this, "norm2", {.normalized_shape = {options.width}}),
        fc1(this, "fc1",
            {.in_features = options.width, .out_features = options.hidden * options.width}),
        fc2(this, "fc2",
            {.in_features = options.hidden * options.width, .out_features = options.width}),
        drop(this, "drop", {.p = options.dropout}) {}

  sinter::Tensor forward(sinter::Tensor x) { // [N, T, D]
    x = x + drop(call(attention, norm1(x)));
    return x + drop(fc2(gelu(fc1(norm2(x)))));
  }

  sinter::nn::LayerNorm norm1;
  SelfAttention attention;
  sinter::nn::LayerNorm norm2;
  sinter::nn::Linear fc1, fc2;
  sinter::nn::Dropout drop;
};

/// A stack of encoder layers on [N, T, D].
struct Encoder : sinter::nn::Module {
  explicit Encoder(const EncoderOptions &options) {
    for (int64_t i = 0; i < options.layers; ++i)
      layers.push_back(std::make_unique<EncoderLayer>(this, std::to_string(i), options));
  }

  sinter::Tensor forward(sinter::Tensor x) {
    for (auto &layer : layers) x = call(*layer, x);
    return x;
  }

  std::vector<std::unique_ptr<EncoderLayer>> layers;
};

} // namespace examples
