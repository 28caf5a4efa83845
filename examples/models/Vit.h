#pragma once

#include <sinter/sinter.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

/// ViT-B/16's, with the dropout rates of torchvision's.
struct VitOptions {
  int64_t image_size = 224, patch_size = 16;
  int64_t layers = 12, heads = 12, width = 768, hidden = 3072;
  int64_t classes = 1000;
  double dropout = 0, attention_dropout = 0;
};

struct VitLayer : sinter::nn::Module {
  VitLayer(Module *parent, const std::string &name, const VitOptions &options)
      : Module(parent, name), ln_1(this, "ln_1", norm(options)),
        self_attention(this, "self_attention",
                       {.embed_dim = options.width,
                        .num_heads = options.heads,
                        .dropout = options.attention_dropout,
                        .batch_first = true}),
        drop(this, "dropout", {.p = options.dropout}), ln_2(this, "ln_2", norm(options)),
        mlp(this, options) {}
  sinter::Tensor forward(sinter::Tensor x) { // [N, T, D]
    sinter::Tensor y = ln_1(x);
    x = x + drop(self_attention(y, y, y));
    return x + drop(mlp.second(drop(gelu(mlp.first(ln_2(x))))));
  }
  static sinter::nn::LayerNormOptions norm(const VitOptions &options) {
    return {.normalized_shape = {options.width}, .eps = 1e-6};
  }

  sinter::nn::LayerNorm ln_1;
  sinter::nn::MultiheadAttention self_attention;
  sinter::nn::Dropout drop;
  sinter::nn::LayerNorm ln_2;
  struct Mlp : sinter::nn::Module {
    Mlp(Module *parent, const VitOptions &options)
        : Module(parent, "mlp"),
          first(this, "0", {.in_features = options.width, .out_features = options.hidden}),
          second(this, "3", {.in_features = options.hidden, .out_features = options.width}) {}
    sinter::nn::Linear first, second;
  } mlp;
};

/// A vision transformer (Dosovitskiy et al., 2020), under the names of torchvision's VisionTransformer.
struct Vit : sinter::nn::Module {
  explicit Vit(const VitOptions &options)
      : options(options), class_token(parameter("class_token", {1, 1, options.width})),
        conv_proj(this, "conv_proj",
                  {.in_channels = 3,
                   .out_channels = options.width,
                   .kernel_size = options.patch_size,
                   .stride = options.patch_size}),
        encoder(this, options), heads(this, options) {
    if (options.image_size % options.patch_size)
      throw std::runtime_error(fmt::format("images of {} are no whole number of patches of {}",
                                           options.image_size, options.patch_size));
  }
  sinter::Tensor forward(sinter::Tensor x) { // [N, 3, H, W]
    int64_t n = x.size(0), width = options.width;
    x = transpose(flatten(conv_proj(x), 2), 1, 2); // [N, patches, D]
    x = sinter::cat({broadcast_to(class_token, {n, 1, width}), x}, 1) + encoder.pos_embedding;
    x = encoder.drop(x);
    for (auto &layer : encoder.layers.all) x = call(*layer, x);
    return heads.head(select(encoder.ln(x), 1, 0));
  }

  const VitOptions options;
  sinter::Tensor class_token;
  sinter::nn::Conv2d conv_proj;
  struct Layers : sinter::nn::Module {
    Layers(Module *parent, const VitOptions &options) : Module(parent, "layers") {
      for (int64_t i = 0; i < options.layers; ++i)
        all.push_back(
            std::make_unique<VitLayer>(this, "encoder_layer_" + std::to_string(i), options));
    }
    std::vector<std::unique_ptr<VitLayer>> all;
  };
  struct Encoder : sinter::nn::Module {
    Encoder(Module *parent, const VitOptions &options)
        : Module(parent, "encoder"),
          pos_embedding(parameter("pos_embedding", {1, tokens(options), options.width},
                                  sinter::init::normal(0, 0.02))),
          drop(this, "dropout", {.p = options.dropout}), layers(this, options),
          ln(this, "ln", VitLayer::norm(options)) {}
    static int64_t tokens(const VitOptions &options) {
      int64_t side = options.image_size / options.patch_size;
      return side * side + 1;
    }
    sinter::Tensor pos_embedding;
    sinter::nn::Dropout drop;
    Layers layers;
    sinter::nn::LayerNorm ln;
  } encoder;
  struct Heads : sinter::nn::Module {
    Heads(Module *parent, const VitOptions &options)
        : Module(parent, "heads"),
          head(this, "head", {.in_features = options.width, .out_features = options.classes}) {}
    sinter::nn::Linear head;
  } heads;
};

} // namespace examples
