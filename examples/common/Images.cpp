#include "Images.h"
#include "Run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

namespace examples {

using sinter::Array;
using sinter::data::TensorDataset;

static TensorDataset stripes(int64_t count, int64_t side, uint64_t seed) {
  std::vector<uint8_t> images;
  std::vector<int64_t> labels;
  uint64_t state = seed * 2 + 1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t label = i % 10;
    labels.push_back(label);
    for (int64_t p = 0; p < 3 * side * side; ++p) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      int64_t y = p / side % side, x = p % side, channel = p / (side * side);
      bool stripe = (label < 5 ? y : x) / (1 + label % 5) % 2 == channel % 2;
      images.push_back(static_cast<uint8_t>((stripe ? 96 : 32) + (state >> 57)));
    }
  }
  return {Array(images, {count, 3, side, side}), Array(labels),
          sinter::data::transforms::to_float()};
}

static std::string fileOf(const std::string &folder, const std::string &name) {
  for (const char *suffix : {"", ".gz"})
    if (std::filesystem::exists(folder + "/" + name + suffix)) return folder + "/" + name + suffix;
  return {};
}

static TensorDataset idx(const std::string &folder, const std::string &part) {
  std::string paths[2] = {fileOf(folder, part + "-images"), fileOf(folder, part + "-labels")};
  for (const std::string &path : paths)
    if (path.empty())
      throw std::runtime_error(
          folder + ": neither CIFAR-10's data_batch_1.bin nor the IDX files train-images, "
                   "train-labels, test-images and test-labels");
  Array images = sinter::data::read_idx(paths[0]), labels = sinter::data::read_idx(paths[1]);
  if (images.rank() != 4 || images.shape()[1] != 3 || images.shape()[2] != images.shape()[3])
    throw std::runtime_error(
        fmt::format("{}: {} is not [n, 3, H, H]", paths[0], images.spec().text()));
  return {images, labels.to(sinter::i64), sinter::data::transforms::to_float()};
}

ImageSets images(const Options &options, int64_t side) {
  ImageSets sets;
  if (options.data.empty() || options.data == "generated") {
    // Some steps need no more images than they train on.
    bool few = options.steps > 0;
    sets.train = stripes(few ? options.steps * options.batch_size : 1000, side, options.seed);
    sets.test = stripes(few ? options.batch_size : 200, side, options.seed + 1);
  } else if (!fileOf(options.data, "data_batch_1.bin").empty() ||
             !fileOf(options.data, "cifar-10-batches-bin/data_batch_1.bin").empty()) {
    auto cifar = sinter::data::cifar10(options.data);
    sets.train = cifar.train, sets.test = cifar.test;
  } else {
    sets.train = idx(options.data, "train"), sets.test = idx(options.data, "test");
  }
  sets.side = sets.train.x().shape()[3];
  if (sets.test.x().shape()[3] != sets.side)
    throw std::runtime_error(fmt::format("{}: images of {} to train, of {} to test", options.data,
                                         sets.side, sets.test.x().shape()[3]));
  for (const TensorDataset *set : {&sets.train, &sets.test})
    for (int64_t label : set->y().data<int64_t>()) sets.classes = std::max(sets.classes, label + 1);
  return sets;
}

sinter::data::Transform normaliser(const TensorDataset &images) {
  std::vector<int64_t> some;
  for (int64_t i = 0; i < std::min<int64_t>(images.size(), 1000); ++i) some.push_back(i);
  Array x = images.batch(some).x;
  int64_t pixels = x.shape()[2] * x.shape()[3];
  std::vector<double> sums(3), squares(3), deviations;
  auto values = std::as_const(x).data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    size_t channel = i / static_cast<size_t>(pixels) % 3;
    sums[channel] += static_cast<double>(values[i]);
    squares[channel] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  double count = static_cast<double>(x.size()) / 3;
  for (size_t channel = 0; channel < 3; ++channel) {
    sums[channel] /= count;
    double variance = squares[channel] / count - sums[channel] * sums[channel];
    deviations.push_back(std::sqrt(std::max(variance, 1e-8)));
  }
  return sinter::data::transforms::normalise(sums, deviations);
}

sinter::optim::Schedule warmUpAndCosine(const Options &options, int64_t samples) {
  int64_t total = options.steps
                      ? options.steps
                      : options.epochs * ((samples + options.batch_size - 1) / options.batch_size);
  return sinter::optim::warmup_schedule(
      {.warmup_steps = total / 10, .total_steps = std::max<int64_t>(total, 1), .decay = "cosine"});
}

void trainOnImages(const std::string &example, const Options &options, sinter::nn::Module &model,
                   sinter::Trainer &trainer, const ImageSets &sets) {
  auto normalise = normaliser(sets.train);
  sinter::data::Augmented train(
      sets.train,
      {.padding = sets.side / 8, .flip = true, .transform = normalise, .seed = options.seed});
  sinter::data::Augmented test(sets.test, {.transform = normalise});
  auto outcome = examples::train({.example = example,
                                  .options = options,
                                  .model = model,
                                  .trainer = trainer,
                                  .train = train,
                                  .test = &test,
                                  .metrics = {sinter::metrics::accuracy}});
  fmt::print("test accuracy {:.2f}%\n", 100 * outcome.test["accuracy"]);
}

} // namespace examples
