#pragma once

#include "sinter/frontend/data/Dataset.h"

namespace sinter::data {

struct AugmentOptions {
  int64_t padding = 0; // zeros around an image before a part of its own size is cut out at random
  bool flip = false;   // half of the images are mirrored, left to right
  Transform transform = {}; // of whole batches, afterwards: transforms::normalise
  uint64_t seed = 0;
};

/// Images [C, H, W] of another dataset, each cut out and mirrored at random. What is done to one depends on the seed,
/// its number and the pass over the data alone: neither on batches nor on threads, and a training that goes on from a
/// checkpoint sees the same. The other dataset must outlive it.
class Augmented : public Dataset {
public:
  Augmented(const Dataset &images, AugmentOptions options, Where where = Where::current());
  int64_t size() const override { return images_->size(); }
  Example get(int64_t index) const override;
  Example batch(std::span<const int64_t> indices) const override {
    return batch_of_epoch(indices, 0);
  }
  Example batch_of_epoch(std::span<const int64_t> indices, int64_t epoch) const override;

private:
  const Dataset *images_;
  AugmentOptions options_;
};

} // namespace sinter::data
