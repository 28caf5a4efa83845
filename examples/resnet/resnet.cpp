// ResNet-18 or ResNet-50 on colour images: CIFAR-10's, others in IDX files, or generated stripes.
#include "../models/ResNet.h"
#include "../common/Images.h"
#include "../common/Run.h"

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
    auto normalise = examples::normaliser(sets.train);
    sinter::data::Augmented train(
        sets.train,
        {.padding = sets.side / 8, .flip = true, .transform = normalise, .seed = options.seed});
    sinter::data::Augmented test(sets.test, {.transform = normalise});
    int64_t total =
        options.steps
            ? options.steps
            : options.epochs * ((train.size() + options.batch_size - 1) / options.batch_size);
    sinter::Trainer trainer(model, sinter::cross_entropy,
                            sinter::optim::SGD{.lr = options.lr,
                                               .momentum = 0.9,
                                               .weight_decay = 5e-4,
                                               .schedule = sinter::optim::warmup_schedule(
                                                   {.warmup_steps = total / 10,
                                                    .total_steps = std::max<int64_t>(total, 1),
                                                    .decay = "cosine"})},
                            options.trainer());
    auto outcome = examples::train({.example = "resnet",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = train,
                                    .test = &test,
                                    .metrics = {sinter::metrics::accuracy}});
    fmt::print("test accuracy {:.2f}%\n", 100 * outcome.test["accuracy"]);
    return 0;
  });
}
