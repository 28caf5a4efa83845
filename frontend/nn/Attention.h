#pragma once

#include "sinter/frontend/nn/Layers.h"

#include <functional>

/// Attention, the layers of a transformer, and positions; with PyTorch's names of parameters.
namespace sinter::nn {

struct MultiheadAttentionOptions {
  int64_t embed_dim = 0;
  int64_t num_heads = 0;
  double dropout = 0; // of the weights, in training
  bool bias = true;
  bool batch_first = false;
};
/// What a call of attention is given besides its tensors.
struct AttentionMasks {
  Tensor key_padding_mask = {}; // booleans [N, S]: true is left out
  Tensor attn_mask = {};  // [L, S] or [N*heads, L, S]: booleans (true is left out) or added numbers
  bool is_causal = false; // position i sees positions up to i
};
/// query [L, N, E], key and value [S, N, E] -> [L, N, E]; with batch_first [N, L, E].
class MultiheadAttention : public Module {
public:
  using Options = MultiheadAttentionOptions;
  MultiheadAttention(Module *parent, std::string name, Options options,
                     Where where = Where::current());
  Tensor forward(const Tensor &query, const Tensor &key, const Tensor &value,
                 AttentionMasks masks = {}, Where where = Where::current());
  Tensor operator()(const Tensor &query, const Tensor &key, const Tensor &value,
                    AttentionMasks masks = {}, Where where = Where::current()) {
    return forward(query, key, value, std::move(masks), where);
  }

  Tensor in_proj_weight, in_proj_bias; // [3 E, E] and [3 E]: of query, key and value
  const Options options;
  Linear out_proj;
};

struct TransformerLayerOptions {
  int64_t d_model = 0;
  int64_t nhead = 0;
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::function<Tensor(const Tensor &)> activation = [](const Tensor &x) { return relu(x); };
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true; // of the linear layers and the attention
};
/// Attention to oneself, then two linear layers; each added to its input and normalised.
class TransformerEncoderLayer : public Module {
public:
  using Options = TransformerLayerOptions;
  TransformerEncoderLayer(Module *parent, std::string name, Options options,
                          Where where = Where::current());
  Tensor forward(const Tensor &src, AttentionMasks masks = {}, Where where = Where::current());
  Tensor operator()(const Tensor &src, AttentionMasks masks = {}, Where where = Where::current()) {
    return forward(src, std::move(masks), where);
  }

  const Options options;
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
};

/// Attention to oneself, attention to `memory`, two linear layers.
class TransformerDecoderLayer : public Module {
public:
  using Options = TransformerLayerOptions;
  TransformerDecoderLayer(Module *parent, std::string name, Options options,
                          Where where = Where::current());
  Tensor forward(const Tensor &tgt, const Tensor &memory, AttentionMasks own = {},
                 AttentionMasks of_memory = {}, Where where = Where::current());
  Tensor operator()(const Tensor &tgt, const Tensor &memory, AttentionMasks own = {},
                    AttentionMasks of_memory = {}, Where where = Where::current()) {
    return forward(tgt, memory, std::move(own), std::move(of_memory), where);
  }

  const Options options;
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout1, dropout2, dropout3;
};

struct LearnedPositionsOptions {
  int64_t max_positions = 0;
  int64_t embedding_dim = 0;
};
/// x [..., L, E] plus a learnt row for each of its L positions; weight [max_positions, E].
class LearnedPositions : public Module {
public:
  using Options = LearnedPositionsOptions;
  LearnedPositions(Module *parent, std::string name, Options options,
                   Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight;
  const Options options;
};

} // namespace sinter::nn
