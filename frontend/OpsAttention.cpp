#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

// Attention in products, a softmax and what masks it: the passes make of it what they make of any graph.

namespace sinter {

using detail::Emitter;

namespace {

struct AttentionShapes {
  Shape batch; // what comes before heads, rows and features
  int64_t heads = 1, shared = 1, rows, keys, features, values;
};

AttentionShapes shapesOf(const Tensor &query, const Tensor &key, const Tensor &value, bool grouped,
                         Where where) {
  Emitter e("scaled_dot_product_attention", where, {&query, &key, &value});
  auto refuse = [&](const char *why) {
    e.fail(fmt::format("query {}, key {} and value {}: {}", query.spec().text(), key.spec().text(),
                       value.spec().text(), why));
  };
  int64_t rank = query.rank();
  if (rank < 2 || key.rank() != rank || value.rank() != rank)
    refuse("expected [..., L, E], [..., S, E] and [..., S, V]");
  AttentionShapes shapes;
  shapes.rows = query.size(-2), shapes.features = query.size(-1);
  shapes.keys = key.size(-2), shapes.values = value.size(-1);
  if (key.size(-1) != shapes.features) refuse("query and key have other numbers of features");
  if (value.size(-2) != shapes.keys) refuse("key and value have other lengths");
  Shape batch(query.shape().begin(), query.shape().end() - 2);
  Shape other(key.shape().begin(), key.shape().end() - 2);
  if (Shape(value.shape().begin(), value.shape().end() - 2) != other)
    refuse("key and value have other batches or heads");
  if (grouped && rank > 2) {
    shapes.heads = other.back();
    if (shapes.heads < 1 || batch.back() % shapes.heads)
      refuse("the query's heads are no multiple of the key's");
    shapes.shared = batch.back() / shapes.heads;
    batch.back() = shapes.heads;
  }
  if (batch != other) refuse("query and key have other batches or heads");
  shapes.batch = batch;
  return shapes;
}

Shape joined(Shape front, std::initializer_list<int64_t> back) {
  front.insert(front.end(), back);
  return front;
}

/// Booleans [rows, keys]: whether the key's position is at most the row's.
Tensor causalMask(int64_t rows, int64_t keys, Where where) {
  Tensor row = unsqueeze(arange(rows, i32, where), 1, where), key = arange(keys, i32, where);
  return ge(Arg(broadcast_to(row, {rows, keys}, where), where), Arg(key, where));
}

} // namespace

Tensor scaled_dot_product_attention(const Tensor &query, const Tensor &key, const Tensor &value,
                                    AttentionOptions options, Where where) {
  AttentionShapes s = shapesOf(query, key, value, options.enable_gqa, where);
  auto fail = [&](const std::string &message) {
    throw UserError("scaled_dot_product_attention: " + message, where);
  };
  if (options.attn_mask && options.is_causal) fail("attn_mask and is_causal exclude each other");
  // Heads that share a key are more rows of one product.
  Tensor q =
      mul(Arg(query, where),
          Arg(options.scale.value_or(1 / std::sqrt(static_cast<double>(s.features))), where));
  q = reshape(q, joined(s.batch, {s.shared * s.rows, s.features}), where);
  Tensor scores = matmul(q, transpose(key, -2, -1, where), where);
  Shape full(query.shape().begin(), query.shape().end() - 2);
  full = joined(full, {s.rows, s.keys});
  scores = reshape(scores, full, where);
  Tensor mask = options.attn_mask;
  if (options.is_causal) mask = causalMask(s.rows, s.keys, where);
  if (mask && mask.dtype() == i1) {
    constexpr double none = -std::numeric_limits<double>::infinity();
    scores = sinter::where(broadcast_to(mask, full, where), Arg(scores, where), Arg(none, where));
  } else if (mask) {
    scores = add(Arg(scores, where), Arg(to(mask, scores.dtype(), where), where));
    if (scores.shape() != full)
      fail(fmt::format("attn_mask {} does not broadcast to {}", text(mask.shape()), text(full)));
  }
  Tensor weights = softmax(scores, -1, where);
  if (options.dropout_p != 0) weights = dropout(weights, {.p = options.dropout_p}, where);
  weights = reshape(weights, joined(s.batch, {s.shared * s.rows, s.keys}), where);
  Tensor result = matmul(weights, value, where);
  full.back() = s.values;
  return reshape(result, full, where);
}

Tensor rotary_embedding(const Tensor &x, RotaryOptions options, Where where) {
  Emitter e("rotary_embedding", where, &x);
  if (x.rank() < 2 || x.size(-1) % 2)
    e.fail(fmt::format("{} is not [..., L, E] with an even E", x.spec().text()));
  if (!runtime::isFloat(x.dtype())) e.fail(x.spec().text() + " is not of a floating type");
  int64_t rows = x.size(-2), half = x.size(-1) / 2;
  // Angles in double: large positions times small frequencies.
  std::vector<double> cosines, sines;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < half; ++i) {
      double part = static_cast<double>(i) / static_cast<double>(half);
      double angle = static_cast<double>(row + options.start) * std::pow(options.base, -part);
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
  Shape pairs = x.shape();
  pairs.back() = options.interleaved ? half : 2;
  pairs.push_back(options.interleaved ? 2 : half);
  int64_t which = options.interleaved ? -1 : -2;
  // bf16 and f16 are turned in f32 and rounded once.
  DType wide = x.dtype() == f64 ? f64 : f32;
  Tensor paired = reshape(to(x, wide, where), pairs, where);
  Tensor first = select(paired, which, 0, where), second = select(paired, which, 1, where);
  auto table = [&](const std::vector<double> &numbers) {
    if (wide == f64) return constant(Array(numbers, {rows, half}), where);
    return constant(Array(std::vector<float>(numbers.begin(), numbers.end()), {rows, half}), where);
  };
  Tensor cosine = table(cosines), sine = table(sines);
  auto product = [&](const Tensor &a, const Tensor &b) {
    return Arg(mul(Arg(a, where), Arg(b, where)), where);
  };
  Tensor turned = stack({sub(product(first, cosine), product(second, sine)),
                         add(product(second, cosine), product(first, sine))},
                        which, where);
  return to(reshape(turned, x.shape(), where), x.dtype(), where);
}

} // namespace sinter
