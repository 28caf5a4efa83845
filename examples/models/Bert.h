#pragma once

#include <sinter/sinter.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace examples {

/// Under the names of Hugging Face's config.json.
struct BertConfig {
  int64_t vocab_size = 30522;
  int64_t hidden_size = 768;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t intermediate_size = 3072;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  std::string hidden_act = "gelu"; // or "gelu_new", "relu"
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  int64_t pad_token_id = 0;
  std::vector<std::string> labels = {}; // of the classifier
  sinter::nn::LoraOptions lora = {};
  std::vector<std::string> lora_targets = {"query", "value"}; // layers that have adapters
};

/// A linear layer with BERT's initial values, and an adapter where the configuration asks for one.
struct BertLinear : sinter::nn::LoraLinear {
  BertLinear(Module *parent, const std::string &name, const BertConfig &config, int64_t in,
             int64_t out)
      : LoraLinear(parent, name,
                   {.in_features = in,
                    .out_features = out,
                    .init = sinter::init::normal(0, config.initializer_range),
                    .lora = hasAdapter(config, name) ? config.lora : sinter::nn::LoraOptions{}}) {}
  static bool hasAdapter(const BertConfig &config, const std::string &name) {
    return std::count(config.lora_targets.begin(), config.lora_targets.end(), name) > 0;
  }
};

/// The matrix of an embedding, likewise.
struct BertTable : sinter::nn::Module {
  BertTable(Module *parent, const std::string &name, const BertConfig &config, int64_t rows)
      : Module(parent, name), weight(parameter("weight", {rows, config.hidden_size},
                                               sinter::init::normal(0, config.initializer_range))) {
  }
  sinter::Tensor weight;
};

/// A dense layer, dropout, and the sum with what came in, normalised.
struct BertOutput : sinter::nn::Module {
  BertOutput(Module *parent, const std::string &name, const BertConfig &config, int64_t in)
      : Module(parent, name), dense(this, "dense", config, in, config.hidden_size),
        LayerNorm(this, "LayerNorm",
                  {.normalized_shape = {config.hidden_size}, .eps = config.layer_norm_eps}),
        dropout(this, "dropout", {.p = config.hidden_dropout_prob}) {}
  sinter::Tensor forward(sinter::Tensor x, sinter::Tensor residual) {
    return LayerNorm(dropout(dense(x)) + residual);
  }

  BertLinear dense;
  sinter::nn::LayerNorm LayerNorm;
  sinter::nn::Dropout dropout;
};

struct BertAttention : sinter::nn::Module {
  BertAttention(Module *parent, const BertConfig &config)
      : Module(parent, "attention"), self(this, config),
        output(this, "output", config, config.hidden_size) {}
  sinter::Tensor forward(sinter::Tensor x, sinter::Tensor mask) {
    return call(output, call(self, x, mask), x);
  }

  struct Self : sinter::nn::Module {
    Self(Module *parent, const BertConfig &config)
        : Module(parent, "self"), heads(config.num_attention_heads),
          dropout(config.attention_probs_dropout_prob),
          query(this, "query", config, config.hidden_size, config.hidden_size),
          key(this, "key", config, config.hidden_size, config.hidden_size),
          value(this, "value", config, config.hidden_size, config.hidden_size) {}
    sinter::Tensor forward(sinter::Tensor x,
                           sinter::Tensor mask) { // x: [N, L, D], mask: [N, 1, 1, L]
      int64_t n = x.size(0), length = x.size(1), width = x.size(2);
      auto split = [&](sinter::Tensor y) { // [N, heads, L, D / heads]
        return permute(reshape(y, {n, length, heads, width / heads}), {0, 2, 1, 3});
      };
      sinter::Tensor mixed = scaled_dot_product_attention(
          split(query(x)), split(key(x)), split(value(x)),
          {.attn_mask = mask, .dropout_p = training() ? dropout : 0.0});
      return reshape(permute(mixed, {0, 2, 1, 3}), {n, length, width});
    }

    const int64_t heads;
    const double dropout;
    BertLinear query, key, value;
  } self;
  BertOutput output;
};

struct BertLayer : sinter::nn::Module {
  BertLayer(Module *parent, const std::string &name, const BertConfig &config)
      : Module(parent, name), activation(config.hidden_act), attention(this, config),
        intermediate(this, config), output(this, "output", config, config.intermediate_size) {}
  sinter::Tensor forward(sinter::Tensor x, sinter::Tensor mask) {
    x = call(attention, x, mask);
    sinter::Tensor hidden = intermediate.dense(x);
    hidden = activation == "relu" ? relu(hidden)
                                  : gelu(hidden, {activation == "gelu_new" ? "tanh" : "none"});
    return call(output, hidden, x);
  }

  const std::string activation;
  BertAttention attention;
  struct Intermediate : sinter::nn::Module {
    Intermediate(Module *parent, const BertConfig &config)
        : Module(parent, "intermediate"),
          dense(this, "dense", config, config.hidden_size, config.intermediate_size) {}
    BertLinear dense;
  } intermediate;
  BertOutput output;
};

struct BertEmbeddings : sinter::nn::Module {
  BertEmbeddings(Module *parent, const BertConfig &config)
      : Module(parent, "embeddings"), padding(config.pad_token_id),
        word_embeddings(this, "word_embeddings", config, config.vocab_size),
        position_embeddings(this, "position_embeddings", config, config.max_position_embeddings),
        token_type_embeddings(this, "token_type_embeddings", config, config.type_vocab_size),
        LayerNorm(this, "LayerNorm",
                  {.normalized_shape = {config.hidden_size}, .eps = config.layer_norm_eps}),
        dropout(this, "dropout", {.p = config.hidden_dropout_prob}) {}
  sinter::Tensor forward(sinter::Tensor ids) { // [N, L]; all are of the first segment
    sinter::Tensor words = embedding(ids, word_embeddings.weight, {.padding_idx = padding});
    sinter::Tensor places = narrow(position_embeddings.weight, 0, 0, ids.size(1));
    return dropout(LayerNorm(words + select(token_type_embeddings.weight, 0, 0) + places));
  }

  const int64_t padding;
  BertTable word_embeddings, position_embeddings, token_type_embeddings;
  sinter::nn::LayerNorm LayerNorm;
  sinter::nn::Dropout dropout;
};

struct BertEncoder : sinter::nn::Module {
  BertEncoder(Module *parent, const BertConfig &config)
      : Module(parent, "encoder"), layer(this, config) {}
  sinter::Tensor forward(sinter::Tensor x, sinter::Tensor mask) {
    for (auto &one : layer.layers) x = call(*one, x, mask);
    return x;
  }

  struct Layers : sinter::nn::Module {
    Layers(Module *parent, const BertConfig &config) : Module(parent, "layer") {
      for (int64_t i = 0; i < config.num_hidden_layers; ++i)
        layers.push_back(std::make_unique<BertLayer>(this, std::to_string(i), config));
    }
    std::vector<std::unique_ptr<BertLayer>> layers;
  } layer;
};

/// BERT (Devlin et al., 2018) with a class for each token, under the names of Hugging Face's
/// BertForTokenClassification.
struct BertForTokenClassification : sinter::nn::Module {
  explicit BertForTokenClassification(const BertConfig &config)
      : config(config), bert(this, config),
        dropout(this, "dropout", {.p = config.hidden_dropout_prob}),
        classifier(this, "classifier", config, config.hidden_size,
                   static_cast<int64_t>(config.labels.size())) {}

  sinter::Tensor forward(sinter::Tensor ids) {   // [N, L], i64; filled up with pad_token_id
    return classifier(dropout(call(bert, ids))); // logits: [N, L, labels]
  }

  const BertConfig config;
  struct Bert : sinter::nn::Module {
    Bert(Module *parent, const BertConfig &config)
        : Module(parent, "bert"), embeddings(this, config), encoder(this, config) {}
    sinter::Tensor forward(sinter::Tensor ids) {
      sinter::Tensor mask = reshape(ids != embeddings.padding, {ids.size(0), 1, 1, ids.size(1)});
      return call(encoder, call(embeddings, ids), mask);
    }
    BertEmbeddings embeddings;
    BertEncoder encoder;
  } bert;
  sinter::nn::Dropout dropout;
  BertLinear classifier;
};

/// Cross entropy of logits [N, L, labels] at the places whose target is not -100.
inline sinter::Loss tokenLoss() {
  auto logits = [](const sinter::Tensor &output) { return transpose(output, 1, 2); };
  sinter::Loss loss([=](const sinter::Tensor &output, const sinter::Tensor &target) {
    return cross_entropy(logits(output), target);
  });
  loss.elements = [=](const sinter::Tensor &output, const sinter::Tensor &target) {
    return cross_entropy(logits(output), target, {.reduction = sinter::Reduction::none});
  };
  loss.counts = [](const sinter::Tensor &target) { return target != -100; };
  return loss;
}
/// The share of words whose tag is right.
inline const sinter::Metric tokenAccuracy{
    "accuracy",
    [](const sinter::Tensor &output, const sinter::Tensor &target) {
      return argmax(output, 2) == target;
    },
    [](const sinter::Tensor &target) { return target != -100; }};

/// AdamW as BERT is trained with it: biases and normalisations do not decay.
inline sinter::optim::AdamW bertOptimizer(const sinter::nn::Module &model, double lr,
                                          sinter::optim::Schedule schedule) {
  sinter::optim::Group still{.parameters = {}, .weight_decay = 0};
  for (const auto &named : model.named_parameters())
    if (named.name.ends_with(".bias") || named.name.find("LayerNorm") != std::string::npos)
      still.parameters.push_back(named.tensor);
  return {.lr = lr,
          .weight_decay = 0.01,
          .schedule = std::move(schedule),
          .groups = {std::move(still)}};
}

} // namespace examples
