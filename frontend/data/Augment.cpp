#include "sinter/frontend/data/Augment.h"

#include "sinter/runtime/Philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sinter::data {

Augmented::Augmented(const Dataset &images, AugmentOptions options, Where where)
    : images_(&images), options_(std::move(options)) {
  if (options_.padding < 0)
    throw UserError(fmt::format("data::Augmented: padding is {}", options_.padding), where);
}

/// `to` becomes the plane `from`, moved down and right and then mirrored; what comes from outside is zero.
static void place(const std::byte *from, std::byte *to, int64_t height, int64_t width,
                  size_t element, int64_t down, int64_t right, bool mirrored) {
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column) {
      int64_t y = row - down, x = (mirrored ? width - 1 - column : column) - right;
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      std::memcpy(to + static_cast<size_t>(row * width + column) * element,
                  from + static_cast<size_t>(y * width + x) * element, element);
    }
}

Example Augmented::batch_of_epoch(std::span<const int64_t> indices, int64_t epoch) const {
  Example batch = images_->batch_of_epoch(indices, epoch);
  if (batch.x.rank() != 4)
    throw Error(fmt::format("data::Augmented: samples of {} are no images [C, H, W]",
                            batch.x.spec().text()));
  int64_t channels = batch.x.shape()[1], height = batch.x.shape()[2], width = batch.x.shape()[3];
  auto element = static_cast<size_t>(runtime::byteWidth(batch.x.dtype()));
  Array moved = Array::zeros(batch.x.shape(), batch.x.dtype());
  constexpr uint32_t stream = runtime::streamId("augment");
  for (size_t i = 0; i < indices.size(); ++i) {
    auto index = static_cast<uint64_t>(indices[i]);
    auto words =
        runtime::philox4x32({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                             static_cast<uint32_t>(epoch), stream},
                            options_.seed);
    auto offset = [&](uint32_t word) {
      return static_cast<int64_t>(word % static_cast<uint32_t>(2 * options_.padding + 1)) -
             options_.padding;
    };
    int64_t down = offset(words[0]), right = offset(words[1]);
    bool mirrored = options_.flip && (words[2] & 1);
    for (int64_t channel = 0; channel < channels; ++channel) {
      size_t at =
          static_cast<size_t>((static_cast<int64_t>(i) * channels + channel) * height * width) *
          element;
      place(static_cast<const std::byte *>(batch.x.raw()) + at,
            static_cast<std::byte *>(moved.raw()) + at, height, width, element, down, right,
            mirrored);
    }
  }
  batch.x = options_.transform ? options_.transform(moved) : moved;
  return batch;
}

Example Augmented::get(int64_t index) const {
  Example one = batch_of_epoch({&index, 1}, 0);
  auto first = [](const Array &array) {
    return array.reshape(Shape(array.shape().begin() + 1, array.shape().end()));
  };
  Example sample{first(one.x), first(one.y)};
  if (one.weight) sample.weight = first(*one.weight);
  return sample;
}

} // namespace sinter::data
