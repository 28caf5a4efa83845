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

/// Warm-up over a tenth of the steps that the options make of `samples`, then a cosine to 0.
sinter::optim::Schedule warmUpAndCosine(const Options &options, int64_t samples);

/// Trains on the images cropped and flipped at random and normalised, and prints the accuracy on those for testing.
void trainOnImages(const std::string &example, const Options &options, sinter::nn::Module &model,
                   sinter::Trainer &trainer, const ImageSets &sets);

} // namespace examples
