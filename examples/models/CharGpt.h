#pragma once

#include <sinter/sinter.h>

namespace examples {

/// A transformer that predicts the next character from those before it (GPT-2's shape: normalised before each
/// part, learnt positions).
struct CharGpt : sinter::nn::Module {
  struct Options {
    int64_t characters = 0;
    int64_t block = 128; // characters that are seen at once
    int64_t layers = 4;
    int64_t width = 128;
    int64_t heads = 4;
    double dropout = 0;
  };

  struct Layer : sinter::nn::Module {
    using Options = CharGpt::Options;
    Layer(sinter::nn::Module *parent, std::string name, const Options &o,
          sinter::Where = sinter::Where::current())
        : Module(parent, std::move(name)), options(o),
          keys(buffer("keys", {1, o.heads, o.block, o.width / o.heads})),
          values(buffer("values", {1, o.heads, o.block, o.width / o.heads})) {}

    const Options options;
    sinter::nn::LayerNorm norm1{this, "norm1", {.normalized_shape = {options.width}}};
    sinter::nn::Linear qkv{
        this, "qkv", {.in_features = options.width, .out_features = 3 * options.width}};
    sinter::nn::Linear projection{
        this, "projection", {.in_features = options.width, .out_features = options.width}};
    sinter::nn::LayerNorm norm2{this, "norm2", {.normalized_shape = {options.width}}};
    sinter::nn::Linear up{
        this, "up", {.in_features = options.width, .out_features = 4 * options.width}};
    sinter::nn::Linear down{
        this, "down", {.in_features = 4 * options.width, .out_features = options.width}};
    sinter::nn::Dropout dropout{this, "dropout", {.p = options.dropout}};
    sinter::Tensor keys, values; // of the characters so far, when one after the other is asked for

    sinter::Tensor forward(sinter::Tensor x) { // [N, T, width]
      auto [q, k, v] = projected(x);
      auto y = scaled_dot_product_attention(
          q, k, v, {.dropout_p = training() ? options.dropout : 0, .is_causal = true});
      return after(x, y);
    }
    /// x [1, 1, width] is the character at `position`; those before it are remembered.
    sinter::Tensor next(sinter::Tensor x, sinter::Tensor position, sinter::Tensor seen) {
      sinter::nn::Scope scope(*this);
      auto [q, k, v] = projected(x);
      auto zero = sinter::zeros({}, sinter::i64);
      auto all = dynamic_update_slice(keys, k, {zero, zero, position, zero});
      auto found = dynamic_update_slice(values, v, {zero, zero, position, zero});
      update(keys, all);
      update(values, found);
      return after(x, scaled_dot_product_attention(q, all, found, {.attn_mask = seen}));
    }

  private:
    std::tuple<sinter::Tensor, sinter::Tensor, sinter::Tensor> projected(sinter::Tensor x) {
      int64_t width = options.width / options.heads;
      auto all = qkv(norm1(x));
      all = permute(reshape(all, {x.size(0), x.size(1), 3, options.heads, width}), {2, 0, 3, 1, 4});
      return {select(all, 0, 0), select(all, 0, 1), select(all, 0, 2)};
    }
    sinter::Tensor after(sinter::Tensor x, sinter::Tensor y) { // y: [N, heads, T, width / heads]
      x = x + dropout(projection(reshape(permute(y, {0, 2, 1, 3}), x.shape())));
      return x + dropout(down(gelu(up(norm2(x)))));
    }
  };

  explicit CharGpt(Options options) : options(options) {
    for (int64_t i = 0; i < options.layers; ++i) layers.add(options);
  }

  const Options options;
  sinter::nn::Embedding characters{
      this, "characters", {.num_embeddings = options.characters, .embedding_dim = options.width}};
  sinter::nn::LearnedPositions positions{
      this, "positions", {.max_positions = options.block, .embedding_dim = options.width}};
  sinter::nn::ModuleList<Layer> layers{this, "layers"};
  sinter::nn::LayerNorm norm{this, "norm", {.normalized_shape = {options.width}}};
  sinter::nn::Linear head{
      this, "head", {.in_features = options.width, .out_features = options.characters}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, T], i64
    auto y = positions(characters(x));
    for (Layer &layer : layers) y = sinter::nn::call(layer, y);
    return head(norm(y)); // logits: [N, T, characters]
  }
  /// Logits [characters] of what follows `character`, a scalar at `position` of the block.
  sinter::Tensor next(sinter::Tensor character, sinter::Tensor position) {
    auto seen =
        sinter::reshape(sinter::arange(options.block, sinter::i64) <= position, {1, options.block});
    auto y = characters(reshape(character, {1, 1})) +
             embedding(reshape(position, {1, 1}), positions.weight);
    for (Layer &layer : layers) y = layer.next(y, position, seen);
    return reshape(head(norm(y)), {options.characters});
  }
};

} // namespace examples
