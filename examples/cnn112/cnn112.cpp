// Images of 3x112x112: a wider memory footprint than the small data sets have.
#include "../models/Cnn112.h"
#include "../common/Run.h"

#include <filesystem>

using sinter::Array;

constexpr int64_t side = 112, pixels = 3 * side * side;

/// Ten kinds of coloured stripes under noise, so that there is something to learn.
static sinter::data::TensorDataset generate(int64_t count, uint64_t seed) {
  std::vector<uint8_t> images;
  std::vector<int64_t> labels;
  images.reserve(static_cast<size_t>(count * pixels));
  uint64_t state = seed * 2 + 1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t label = i % 10;
    labels.push_back(label);
    for (int64_t p = 0; p < pixels; ++p) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      int64_t y = p / side % side, x = p % side, channel = p / (side * side);
      bool stripe = (label < 5 ? y : x) / (4 + label % 5 * 3) % 2 == channel % 2;
      images.push_back(static_cast<uint8_t>((stripe ? 96 : 32) + (state >> 57)));
    }
  }
  return {Array(images, {count, 3, side, side}), Array(labels),
          sinter::data::transforms::to_float()};
}

/// IDX files images (u8 [n, 3, 112, 112]) and labels (u8 [n]).
static sinter::data::TensorDataset read(const std::string &folder, const std::string &part) {
  auto find = [&](const std::string &name) {
    for (const char *suffix : {"", ".gz"})
      if (std::filesystem::exists(folder + "/" + name + suffix))
        return folder + "/" + name + suffix;
    throw std::runtime_error(folder + ": no " + name +
                             "; a folder has the IDX files train-images, train-labels, "
                             "test-images and test-labels, with or without .gz, images as "
                             "bytes [n, 3, 112, 112]");
  };
  Array images = sinter::data::read_idx(find(part + "-images")),
        labels = sinter::data::read_idx(find(part + "-labels"));
  if (images.rank() != 4 || images.shape()[1] != 3 || images.shape()[2] != side ||
      images.shape()[3] != side)
    throw std::runtime_error(fmt::format("{}/{}-images: {} is not [n, 3, 112, 112]", folder, part,
                                         images.spec().text()));
  return {images, labels.to(sinter::i64), sinter::data::transforms::to_float()};
}

template <class Model> static void run(const examples::Options &options,
                                       const sinter::data::Dataset &train,
                                       const sinter::data::Dataset &test) {
  Model model;
  sinter::Trainer trainer(model, sinter::cross_entropy, sinter::optim::Adam{.lr = options.lr},
                          options.trainer());
  auto outcome = examples::train({.example = "cnn112",
                                  .options = options,
                                  .model = model,
                                  .trainer = trainer,
                                  .train = train,
                                  .test = &test,
                                  .metrics = {sinter::metrics::accuracy}});
  fmt::print("test accuracy {:.2f}%\n", 100 * outcome.test["accuracy"]);
}

int main(int argc, char **argv) {
  bool deep = false;
  auto options = examples::parse(
      argc, argv, "Trains a CNN on images of 3x112x112; generated ones without --data.",
      {.epochs = 3, .batch_size = 32, .lr = 1e-3},
      {{"--deep", "four convolutions of 16 to 128 channels in place of two", &deep}});
  return examples::guarded([&] {
    bool generated = options.data.empty();
    // Some steps need no more images than they train on.
    bool few = options.steps > 0;
    int64_t count = few ? options.steps * options.batch_size : 640;
    auto train = generated ? generate(count, options.seed) : read(options.data, "train");
    auto test = generated ? generate(few ? options.batch_size : 160, options.seed + 1)
                          : read(options.data, "test");
    if (deep)
      run<examples::Cnn112Deep>(options, train, test);
    else
      run<examples::Cnn112>(options, train, test);
    return 0;
  });
}
