#pragma once

#include "Options.h"

namespace examples {

struct ImageSets {
  sinter::data::TensorDataset train, test; // f32 [3, H, W] in [0, 1]
  int64_t side = 0, classes = 0;
};

/// Colour images: of CIFAR-10's binary files; of a folder with IDX files train-images, train-labels, test-images and
/// test-labels, images as bytes [n, 3, H, H], each with or without .gz; or, where no data are named, ten kinds of
/// coloured stripes under noise, of H = `side`.
ImageSets images(const Options &options, int64_t side);

/// Mean and deviation of each channel over the first images of a set.
sinter::data::Transform normaliser(const sinter::data::TensorDataset &images);

} // namespace examples
