// ResNet-18 or ResNet-50 on colour images: CIFAR-10's, others in IDX files, or generated stripes.
#include "../models/ResNet.h"
#include "../common/Images.h"

int main(int argc, char **argv) {
  int64_t depth = 18, width = 64, side = 32;
  std::string stem = "auto";
  auto options = examples::parse(
      argc, argv, "Trains a ResNet on colour images.", {.epochs = 10, .batch_size = 64, .lr = 0.1},
      {{"--depth", "18 or 50", &depth},
       {"--width", "channels after the stem (64: the paper's)", &width},
       {"--side", "of generated images", &side},
       {"--stem", "small (3x3), large (7x7 and pooling), or auto: by the images", &stem}});
  return examples::guarded([&] {
    if (stem != "auto" && stem != "small" && stem != "large")
      throw std::runtime_error(fmt::format("--stem {}: it is auto, small or large", stem));
    auto sets = examples::images(options, side);
    examples::ResNet model({.depth = depth,
                            .classes = sets.classes,
                            .width = width,
                            .small_stem = stem == "auto" ? sets.side <= 64 : stem == "small"});
    auto schedule = examples::warmUpAndCosine(options, sets.train.size());
    sinter::Trainer trainer(
        model, sinter::cross_entropy,
        sinter::optim::SGD{
            .lr = options.lr, .momentum = 0.9, .weight_decay = 5e-4, .schedule = schedule},
        options.trainer());
    examples::trainOnImages("resnet", options, model, trainer, sets);
    return 0;
  });
}
