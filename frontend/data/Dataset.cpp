#include "sinter/frontend/data/Dataset.h"

#include "sinter/runtime/Philox.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <numeric>

namespace sinter::data {

/// Rows `indices` of `source`.
static Array pick(const Array &source, std::span<const int64_t> indices) {
  Shape shape = source.shape();
  int64_t rows = shape[0], rowBytes = rows ? source.numBytes() / rows : 0;
  shape[0] = static_cast<int64_t>(indices.size());
  Array result = Array::zeros(shape, source.dtype());
  for (size_t i = 0; i < indices.size(); ++i)
    std::memcpy(static_cast<std::byte *>(result.raw()) + static_cast<int64_t>(i) * rowBytes,
                static_cast<const std::byte *>(source.raw()) + indices[i] * rowBytes,
                static_cast<size_t>(rowBytes));
  return result;
}

static Array stackRows(const std::vector<Array> &rows) {
  Shape shape = rows[0].shape();
  shape.insert(shape.begin(), static_cast<int64_t>(rows.size()));
  Array result = Array::zeros(shape, rows[0].dtype());
  auto *to = static_cast<std::byte *>(result.raw());
  for (const Array &row : rows) {
    if (row.spec() != rows[0].spec())
      throw Error(fmt::format("dataset: samples {} and {} differ", rows[0].spec().text(),
                              row.spec().text()));
    std::memcpy(to, row.raw(), static_cast<size_t>(row.numBytes()));
    to += row.numBytes();
  }
  return result;
}

Example Dataset::batch(std::span<const int64_t> indices) const {
  std::vector<Array> x, y, weights;
  for (int64_t index : indices) {
    Example sample = get(index);
    x.push_back(std::move(sample.x));
    y.push_back(std::move(sample.y));
    if (sample.weight) weights.push_back(sample.weight->to(f32).reshape({}));
  }
  if (x.empty()) return {};
  if (weights.empty()) return {stackRows(x), stackRows(y)};
  if (weights.size() != x.size()) throw Error("dataset: some samples have weights, others none");
  return {stackRows(x), stackRows(y), stackRows(weights)};
}

TensorDataset::TensorDataset(Array x, Array y, Transform transform, Where where)
    : x_(std::move(x)), y_(std::move(y)), transform_(std::move(transform)) {
  if (x_.rank() == 0 || y_.rank() == 0 || x_.shape()[0] != y_.shape()[0])
    throw UserError(fmt::format("TensorDataset: {} inputs and {} targets differ in number",
                                x_.spec().text(), y_.spec().text()),
                    where);
}

TensorDataset::TensorDataset(Array x, Array y, Array weights, Transform transform, Where where)
    : TensorDataset(std::move(x), std::move(y), std::move(transform), where) {
  if (weights.shape() != Shape{size()})
    throw UserError(fmt::format("TensorDataset: weights {} for {} samples, expected one each",
                                weights.spec().text(), size()),
                    where);
  weights_ = weights.to(f32);
  for (int64_t i = 0; i < weights_->size(); ++i)
    if (!std::isfinite(weights_->at(i)))
      throw UserError(
          fmt::format("TensorDataset: the weight of sample {} is {}", i, weights_->at(i)), where);
}

Example TensorDataset::batch(std::span<const int64_t> indices) const {
  Array x = pick(x_, indices);
  Example batch{transform_ ? transform_(x) : x, pick(y_, indices)};
  if (weights_) batch.weight = pick(*weights_, indices);
  return batch;
}

Example TensorDataset::get(int64_t index) const {
  Example one = batch({&index, 1});
  auto first = [](const Array &array) {
    return array.reshape(Shape(array.shape().begin() + 1, array.shape().end()));
  };
  Example sample{first(one.x), first(one.y)};
  if (one.weight) sample.weight = first(*one.weight);
  return sample;
}

std::vector<int64_t> Subset::inWhole(std::span<const int64_t> indices) const {
  std::vector<int64_t> inner;
  for (int64_t index : indices) inner.push_back(indices_.at(static_cast<size_t>(index)));
  return inner;
}
Example Subset::batch(std::span<const int64_t> indices) const {
  return whole_->batch(inWhole(indices));
}
Example Subset::batch_of_epoch(std::span<const int64_t> indices, int64_t epoch) const {
  return whole_->batch_of_epoch(inWhole(indices), epoch);
}

std::vector<int64_t> permutation(int64_t n, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  constexpr uint32_t stream = runtime::streamId("shuffle");
  for (uint64_t i = static_cast<uint64_t>(n); i > 1; --i) { // Fisher and Yates
    auto words = runtime::philox4x32({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                                      static_cast<uint32_t>(epoch), stream},
                                     seed);
    // A 64-bit draw: the bias of the remainder is below n / 2^64.
    uint64_t draw = (uint64_t(words[0]) << 32) | words[1];
    std::swap(order[i - 1], order[draw % i]);
  }
  return order;
}

std::pair<Subset, Subset> random_split(const Dataset &whole, double fraction, uint64_t seed,
                                       Where where) {
  if (!(fraction >= 0 && fraction <= 1))
    throw UserError(fmt::format("random_split: fraction {} lies outside [0, 1]", fraction), where);
  auto order = permutation(whole.size(), seed);
  auto second = static_cast<int64_t>(std::llround(static_cast<double>(whole.size()) * fraction));
  auto middle = order.end() - second;
  return {Subset(whole, {order.begin(), middle}), Subset(whole, {middle, order.end()})};
}

namespace transforms {

template <class F> static Array mapped(const Array &x, F f) {
  Array result = Array::zeros(x.shape(), f32);
  auto out = result.data<float>();
  if (x.dtype() == u8) {
    auto in = x.data<uint8_t>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = f(static_cast<float>(in[i]), i);
  } else {
    Array floats = x.to(f32);
    auto in = std::as_const(floats).data<float>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = f(in[i], i);
  }
  return result;
}

Transform to_float(double scale) {
  return [factor = static_cast<float>(scale)](const Array &x) {
    if (x.dtype() != u8) return x.to(f32);
    return mapped(x, [=](float value, size_t) { return value * factor; });
  };
}

Transform normalise(double mean, double std) {
  return [m = static_cast<float>(mean), s = static_cast<float>(std)](const Array &x) {
    return mapped(x, [=](float value, size_t) { return (value - m) / s; });
  };
}

Transform normalise(std::vector<double> mean, std::vector<double> std) {
  return [mean, std](const Array &x) {
    size_t channels = mean.size();
    if (std.size() != channels || x.rank() < 3 ||
        x.shape()[static_cast<size_t>(x.rank()) - 3] != static_cast<int64_t>(channels))
      throw Error(fmt::format("normalise: {} means and {} deviations for samples of {}", channels,
                              std.size(), x.spec().text()));
    auto pixels = static_cast<size_t>(x.shape().end()[-1] * x.shape().end()[-2]);
    return mapped(x, [&](float value, size_t i) {
      size_t channel = i / pixels % channels;
      return (value - static_cast<float>(mean[channel])) / static_cast<float>(std[channel]);
    });
  };
}

Transform compose(std::vector<Transform> steps) {
  return [steps](const Array &x) {
    Array value = x;
    for (const Transform &step : steps) value = step(value);
    return value;
  };
}

} // namespace transforms

} // namespace sinter::data
