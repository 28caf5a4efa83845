#include "sinter/frontend/nn/Attention.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::nn {

static void require(bool holds, const char *layer, const char *option, int64_t value, Where where) {
  if (!holds) throw UserError(fmt::format("{}: {} is {}", layer, option, value), where);
}

MultiheadAttention::MultiheadAttention(Module *parent, std::string name, Options options,
                                       Where where)
    : Module(parent, std::move(name), where), options(options),
      out_proj(this, "out_proj",
               {.in_features = options.embed_dim,
                .out_features = options.embed_dim,
                .bias = options.bias},
               where) {
  int64_t width = options.embed_dim;
  require(options.num_heads > 0 && width % options.num_heads == 0, "nn::MultiheadAttention",
          "num_heads (which must divide embed_dim)", options.num_heads, where);
  in_proj_weight =
      parameter("in_proj_weight", {3 * width, width}, init::xavier_uniform(), f32, where);
  if (options.bias) in_proj_bias = parameter("in_proj_bias", {3 * width}, init::zeros, f32, where);
}

/// Boolean masks of this layer say what is left out; attention's say what takes part.
static Tensor takingPart(const Tensor &mask, Where where) {
  return mask.dtype(where) == i1 ? logical_not(mask, where) : mask;
}
/// As numbers to add.
static Tensor added(const Tensor &mask, Where where) {
  if (mask.dtype(where) != i1) return mask;
  return sinter::where(mask, Arg(-HUGE_VAL, where), Arg(0.0, where));
}

Tensor MultiheadAttention::forward(const Tensor &query, const Tensor &key, const Tensor &value,
                                   AttentionMasks masks, Where where) {
  Scope scope(*this);
  int64_t width = options.embed_dim, heads = options.num_heads, each = width / heads;
  for (const Tensor *x : {&query, &key, &value})
    if (x->rank(where) != 3 || x->size(-1, where) != width)
      throw UserError(fmt::format("multihead_attention: input {} is not {}, as '{}' expects",
                                  x->spec(where).text(),
                                  options.batch_first ? fmt::format("[N, L, {}]", width)
                                                      : fmt::format("[L, N, {}]", width),
                                  in_proj_weight.name()),
                      where);
  int64_t batch = query.size(options.batch_first ? 0 : 1, where);
  // [N, heads, L, E / heads] of part `number` of the projections.
  auto projected = [&](const Tensor &x, int64_t number) {
    Tensor weight = narrow(in_proj_weight, 0, number * width, width, where), bias;
    if (in_proj_bias) bias = narrow(in_proj_bias, 0, number * width, width, where);
    Tensor y = linear(x, weight, bias, where);
    int64_t length = x.size(options.batch_first ? 1 : 0, where);
    if (options.batch_first)
      return permute(reshape(y, {batch, length, heads, each}, where), {0, 2, 1, 3}, where);
    return permute(reshape(y, {length, batch, heads, each}, where), {1, 2, 0, 3}, where);
  };
  Tensor q = projected(query, 0), k = projected(key, 1), v = projected(value, 2);
  int64_t length = q.size(2, where), keys = k.size(2, where);

  AttentionOptions attention{.dropout_p = training() ? options.dropout : 0.0};
  Tensor mask = masks.attn_mask;
  if (mask && mask.rank(where) == 3) mask = reshape(mask, {batch, heads, length, keys}, where);
  Tensor padding = masks.key_padding_mask;
  if (padding) padding = reshape(padding, {batch, 1, 1, keys}, where);
  attention.is_causal = masks.is_causal;
  if (mask && padding)
    mask = mask.dtype(where) == i1 && padding.dtype(where) == i1
               ? logical_or(Arg(mask, where), Arg(padding, where))
               : add(Arg(added(mask, where), where), Arg(added(padding, where), where));
  else if (padding)
    mask = padding;
  if (mask) attention.attn_mask = takingPart(mask, where);

  Tensor y = sinter::detail::attention(q, k, v, attention, where);
  if (options.batch_first)
    y = reshape(permute(y, {0, 2, 1, 3}, where), {batch, length, width}, where);
  else
    y = reshape(permute(y, {2, 0, 1, 3}, where), {length, batch, width}, where);
  return out_proj(y, where);
}

static MultiheadAttentionOptions attentionOf(const TransformerLayerOptions &options) {
  return {.embed_dim = options.d_model,
          .num_heads = options.nhead,
          .dropout = options.dropout,
          .bias = options.bias,
          .batch_first = options.batch_first};
}
static LinearOptions widening(const TransformerLayerOptions &options) {
  return {.in_features = options.d_model,
          .out_features = options.dim_feedforward,
          .bias = options.bias};
}
static LinearOptions narrowing(const TransformerLayerOptions &options) {
  return {.in_features = options.dim_feedforward,
          .out_features = options.d_model,
          .bias = options.bias};
}
static LayerNormOptions normOf(const TransformerLayerOptions &options) {
  return {.normalized_shape = {options.d_model}, .eps = options.layer_norm_eps};
}

TransformerEncoderLayer::TransformerEncoderLayer(Module *parent, std::string name, Options given,
                                                 Where where)
    : Module(parent, std::move(name), where), options(std::move(given)),
      self_attn(this, "self_attn", attentionOf(options), where),
      linear1(this, "linear1", widening(options), where),
      dropout(this, "dropout", {.p = options.dropout}, where),
      linear2(this, "linear2", narrowing(options), where),
      norm1(this, "norm1", normOf(options), where), norm2(this, "norm2", normOf(options), where),
      dropout1(this, "dropout1", {.p = options.dropout}, where),
      dropout2(this, "dropout2", {.p = options.dropout}, where) {}

/// x + part(x), normalised before or after.
template <class Part>
static Tensor residual(const Tensor &x, LayerNorm &norm, bool normFirst, Where where, Part part) {
  if (normFirst) return add(Arg(x, where), Arg(part(norm(x, where)), where));
  return norm(add(Arg(x, where), Arg(part(x), where)), where);
}

Tensor TransformerEncoderLayer::forward(const Tensor &src, AttentionMasks masks, Where where) {
  Scope scope(*this);
  bool first = options.norm_first;
  Tensor x = residual(src, norm1, first, where, [&](const Tensor &y) {
    return dropout1(self_attn(y, y, y, masks, where), where);
  });
  return residual(x, norm2, first, where, [&](const Tensor &y) {
    Tensor hidden = dropout(options.activation(linear1(y, where)), where);
    return dropout2(linear2(hidden, where), where);
  });
}

TransformerDecoderLayer::TransformerDecoderLayer(Module *parent, std::string name, Options given,
                                                 Where where)
    : Module(parent, std::move(name), where), options(std::move(given)),
      self_attn(this, "self_attn", attentionOf(options), where),
      multihead_attn(this, "multihead_attn", attentionOf(options), where),
      linear1(this, "linear1", widening(options), where),
      dropout(this, "dropout", {.p = options.dropout}, where),
      linear2(this, "linear2", narrowing(options), where),
      norm1(this, "norm1", normOf(options), where), norm2(this, "norm2", normOf(options), where),
      norm3(this, "norm3", normOf(options), where),
      dropout1(this, "dropout1", {.p = options.dropout}, where),
      dropout2(this, "dropout2", {.p = options.dropout}, where),
      dropout3(this, "dropout3", {.p = options.dropout}, where) {}

Tensor TransformerDecoderLayer::forward(const Tensor &tgt, const Tensor &memory, AttentionMasks own,
                                        AttentionMasks of_memory, Where where) {
  Scope scope(*this);
  bool first = options.norm_first;
  Tensor x = residual(tgt, norm1, first, where, [&](const Tensor &y) {
    return dropout1(self_attn(y, y, y, own, where), where);
  });
  x = residual(x, norm2, first, where, [&](const Tensor &y) {
    return dropout2(multihead_attn(y, memory, memory, of_memory, where), where);
  });
  return residual(x, norm3, first, where, [&](const Tensor &y) {
    Tensor hidden = dropout(options.activation(linear1(y, where)), where);
    return dropout3(linear2(hidden, where), where);
  });
}

LearnedPositions::LearnedPositions(Module *parent, std::string name, Options options, Where where)
    : Module(parent, std::move(name), where), options(options) {
  require(options.max_positions > 0, "nn::LearnedPositions", "max_positions", options.max_positions,
          where);
  require(options.embedding_dim > 0, "nn::LearnedPositions", "embedding_dim", options.embedding_dim,
          where);
  weight = parameter("weight", {options.max_positions, options.embedding_dim}, init::normal(), f32,
                     where);
}

Tensor LearnedPositions::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  if (x.rank(where) < 2 || x.size(-1, where) != options.embedding_dim ||
      x.size(-2, where) > options.max_positions)
    throw UserError(fmt::format("positions: input {} is not [..., L, {}] with L up to {}",
                                x.spec(where).text(), options.embedding_dim, options.max_positions),
                    where);
  Tensor rows = narrow(weight, 0, 0, x.size(-2, where), where);
  return add(Arg(x, where), Arg(rows, where));
}

} // namespace sinter::nn
