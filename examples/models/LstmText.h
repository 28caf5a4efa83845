#pragma once

#include <sinter/sinter.h>

namespace examples {

/// Texts as numbers of words, padded by zeros: an embedding, an LSTM, and a dense layer on its last state.
struct LstmText : sinter::nn::Module {
  struct Options {
    int64_t words = 0; // with the padding
    int64_t classes = 0;
    int64_t embedding = 16;
    int64_t hidden = 32;
  };
  explicit LstmText(Options options) : options(options) {}

  const Options options;
  sinter::nn::Embedding embedding{
      this,
      "embedding",
      {.num_embeddings = options.words, .embedding_dim = options.embedding, .padding_idx = 0}};
  sinter::nn::LSTM lstm{
      this,
      "lstm",
      {.input_size = options.embedding, .hidden_size = options.hidden, .batch_first = true}};
  sinter::nn::Linear fc{
      this, "fc", {.in_features = options.hidden, .out_features = options.classes}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, L], i64
    auto states = lstm(embedding(x), {.lengths = sum(x != 0, 1)});
    return fc(select(states.h_n, 0, -1)); // logits: [N, classes]
  }
};

} // namespace examples
