#pragma once

#include "sinter/frontend/Array.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sinter::data {

/// One sample, or a batch of them along a new first dimension.
struct Example {
  Array x, y;
  std::optional<Array> weight = {}; // of the sample in the loss: a number
};

/// Samples by number. Two methods make one; they are called from a loading thread.
class Dataset {
public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// Sample `index`, 0 <= index < size(). All have the same shapes and types.
  virtual Example get(int64_t index) const = 0;

  /// Several samples, stacked. Override where this can be done faster.
  virtual Example batch(std::span<const int64_t> indices) const;
  /// The same in a pass over the data, for samples that are changed at random and differ from one to the next.
  virtual Example batch_of_epoch(std::span<const int64_t> indices, int64_t epoch) const {
    (void)epoch;
    return batch(indices);
  }
};

/// Turns a sample's (or a batch's) input into another.
using Transform = std::function<Array(const Array &)>;
namespace transforms {
/// u8 to f32, divided by 255; other types to f32.
Transform to_float(double scale = 1.0 / 255);
/// (x - mean) / std.
Transform normalise(double mean, double std);
/// The same per channel: the first dimension of a sample's last three.
Transform normalise(std::vector<double> mean, std::vector<double> std);
/// One after the other.
Transform compose(std::vector<Transform> steps);
} // namespace transforms

/// Samples held in memory: row i of `x` and of `y`.
class TensorDataset : public Dataset {
public:
  TensorDataset() = default;
  /// The transform is applied to x when a sample is fetched, and to whole batches at once.
  TensorDataset(Array x, Array y, Transform transform = {}, Where where = Where::current());
  /// With a weight per sample, by which its loss is multiplied.
  TensorDataset(Array x, Array y, Array weights, Transform transform = {},
                Where where = Where::current());

  int64_t size() const override { return x_.rank() ? x_.shape()[0] : 0; }
  Example get(int64_t index) const override;
  Example batch(std::span<const int64_t> indices) const override;

  /// Before the transform.
  const Array &x() const { return x_; }
  const Array &y() const { return y_; }
  /// Replaces the transform.
  void transform(Transform transform) { transform_ = std::move(transform); }

private:
  Array x_, y_;
  std::optional<Array> weights_;
  Transform transform_;
};

/// Some samples of another dataset, which must outlive it.
class Subset : public Dataset {
public:
  Subset(const Dataset &whole, std::vector<int64_t> indices)
      : whole_(&whole), indices_(std::move(indices)) {}
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Example get(int64_t index) const override {
    return whole_->get(indices_.at(static_cast<size_t>(index)));
  }
  Example batch(std::span<const int64_t> indices) const override;
  Example batch_of_epoch(std::span<const int64_t> indices, int64_t epoch) const override;

private:
  std::vector<int64_t> inWhole(std::span<const int64_t> indices) const;
  const Dataset *whole_;
  std::vector<int64_t> indices_;
};

/// The numbers 0 to n - 1 in an order that depends on (seed, epoch) alone.
std::vector<int64_t> permutation(int64_t n, uint64_t seed, uint64_t epoch = 0);

/// Two parts after a shuffle by `seed`: the second holds `fraction` of the samples, rounded.
std::pair<Subset, Subset> random_split(const Dataset &whole, double fraction, uint64_t seed,
                                       Where where = Where::current());

} // namespace sinter::data
