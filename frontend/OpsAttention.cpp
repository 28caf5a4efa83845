#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

// Attention is one op of the dialect, [batch, heads, rows, features]; here shapes are brought to that.

namespace sinter {

using detail::Emitter;
using llvm::SmallVector;
using mlir::DenseI32ArrayAttr;
using mlir::NamedAttribute;
using mlir::Value;

namespace {

struct AttentionShapes {
  int64_t batch = 1, heads = 1, groups = 1, rows, keys, features, values;
  Shape leading; // what comes before rows and features of the query
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
  Shape leading(query.shape().begin(), query.shape().end() - 2);
  Shape other(key.shape().begin(), key.shape().end() - 2);
  if (Shape(value.shape().begin(), value.shape().end() - 2) != other)
    refuse("key and value have other batches or heads");
  shapes.leading = leading;
  if (rank > 2) {
    shapes.heads = leading.back(), shapes.groups = other.back();
    if (grouped && (shapes.groups < 1 || shapes.heads % shapes.groups))
      refuse("the query's heads are no multiple of the key's");
    if (grouped) leading.back() = shapes.groups;
  }
  if (leading != other) refuse("query and key have other batches or heads");
  for (size_t dim = 0; dim + 1 < leading.size(); ++dim) shapes.batch *= leading[dim];
  return shapes;
}

/// The mask as [batch, heads, rows, keys], with 1 where it is the same all along.
Value maskOf(Emitter &e, const Tensor &mask, DType dtype, const AttentionShapes &s) {
  Shape full = s.leading;
  full.insert(full.end(), {s.rows, s.keys});
  Shape shape = mask.shape();
  bool fits = shape.size() <= full.size();
  if (fits) shape.insert(shape.begin(), full.size() - shape.size(), 1);
  for (size_t dim = 0; fits && dim < full.size(); ++dim)
    fits = shape[dim] == 1 || shape[dim] == full[dim];
  if (!fits)
    e.fail(fmt::format("attn_mask {} does not broadcast to {}", text(mask.shape()), text(full)));
  Value value = e[mask];
  if (mask.dtype() != i1) value = e.cast(value, dtype);
  value = e.reshape(value, shape);
  // Several dimensions of batches are one here: the same all along, or all there.
  size_t batches = full.size() > 3 ? full.size() - 3 : 0;
  Shape front(shape.begin(), shape.begin() + batches);
  bool same = std::all_of(front.begin(), front.end(), [](int64_t extent) { return extent == 1; });
  if (!same) {
    std::copy(full.begin(), full.begin() + batches, shape.begin());
    value = e.broadcast(value, shape);
  }
  int64_t heads = full.size() > 2 ? shape[shape.size() - 3] : 1;
  return e.reshape(value, {same ? 1 : s.batch, heads, shape[shape.size() - 2], shape.back()});
}

} // namespace

Tensor detail::attention(const Tensor &query, const Tensor &key, const Tensor &value,
                         const AttentionOptions &options, Where where) {
  AttentionShapes s = shapesOf(query, key, value, options.enable_gqa, where);
  Emitter e("scaled_dot_product_attention", where, {&query, &key, &value});
  double p = options.dropout_p;
  if (!(p >= 0 && p <= 1)) e.fail(fmt::format("dropout_p is {}, expected a probability", p));
  Arg q(query, where), k(key, where), v(value, where);
  DType dtype = Emitter::promote({&q, &k, &v});
  if (!runtime::isFloat(dtype)) dtype = f32;
  SmallVector<Value> operands{
      e.reshape(e.cast(e[query], dtype), {s.batch, s.heads, s.rows, s.features}),
      e.reshape(e.cast(e[key], dtype), {s.batch, s.groups, s.keys, s.features}),
      e.reshape(e.cast(e[value], dtype), {s.batch, s.groups, s.keys, s.values})};
  bool drops = p > 0 && p < 1;
  if (options.attn_mask) operands.push_back(maskOf(e, options.attn_mask, dtype, s));
  if (drops) operands.append({e.inTrace().seed(), e.inTrace().randomStep()});
  SmallVector<NamedAttribute> attributes{
      e.number("scale", options.scale.value_or(1 / std::sqrt(static_cast<double>(s.features)))),
      e.flag("is_causal", options.is_causal),
      e.attribute("operandSegmentSizes",
                  DenseI32ArrayAttr::get(operands.front().getContext(),
                                         {1, 1, 1, options.attn_mask ? 1 : 0, drops, drops}))};
  if (drops)
    attributes.append({e.number("p", p), e.integer("stream", e.inTrace().newStream(where))});
  Value result = e.make<ir::AttentionOp>(operands, attributes);
  if (p == 1) result = e.make<ir::MulOp>({result, e.splat(detail::specOf(result.getType()), 0)});
  Shape full = s.leading;
  full.insert(full.end(), {s.rows, s.values});
  return e.tensor(e.reshape(result, full));
}

Tensor scaled_dot_product_attention(const Tensor &query, const Tensor &key, const Tensor &value,
                                    AttentionOptions options, Where where) {
  if (options.attn_mask && options.is_causal)
    throw UserError("scaled_dot_product_attention: attn_mask and is_causal exclude each other",
                    where);
  return detail::attention(query, key, value, options, where);
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
