#pragma once

#include <sinter/sinter.h>

#include <cmath>

namespace examples {

/// How likely a user clicks on an item: the product of their embeddings, biases, and two dense layers on both.
struct Recommender : sinter::nn::Module {
  struct Options {
    int64_t users = 0, items = 0;
    int64_t dim = 8, hidden = 32;
  };
  explicit Recommender(Options options) : options(options) {}

  const Options options;
  sinter::nn::Embedding user{
      this, "user", {.num_embeddings = options.users, .embedding_dim = options.dim}};
  sinter::nn::Embedding item{
      this, "item", {.num_embeddings = options.items, .embedding_dim = options.dim}};
  sinter::nn::Embedding user_bias{
      this, "user_bias", {.num_embeddings = options.users, .embedding_dim = 1}};
  sinter::nn::Embedding item_bias{
      this, "item_bias", {.num_embeddings = options.items, .embedding_dim = 1}};
  sinter::nn::Linear fc1{
      this, "fc1", {.in_features = 2 * options.dim, .out_features = options.hidden}};
  sinter::nn::Linear fc2{this, "fc2", {.in_features = options.hidden, .out_features = 1}};

  sinter::Tensor forward(sinter::Tensor x) { // x: [N, 2], i64: a user and an item
    sinter::Tensor u = select(x, 1, 0), i = select(x, 1, 1), a = user(u), b = item(i);
    sinter::Tensor likes = sum(a * b, 1, true) * (1 / std::sqrt(double(options.dim)));
    sinter::Tensor deep = fc2(relu(fc1(sinter::cat({a, b}, 1))));
    return squeeze(likes + user_bias(u) + item_bias(i) + deep, 1); // logits: [N]
  }
};

} // namespace examples
