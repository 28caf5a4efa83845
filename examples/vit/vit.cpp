// A vision transformer on colour images: CIFAR-10's, others in IDX files, or generated stripes.
#include "../models/Vit.h"
#include "../common/Images.h"

int main(int argc, char **argv) {
  int64_t patch = 4, layers = 6, width = 192, heads = 3, side = 32;
  auto options = examples::parse(argc, argv, "Trains a vision transformer on colour images.",
                                 {.epochs = 10, .batch_size = 64, .lr = 1e-3},
                                 {{"--patch", "side of a patch", &patch},
                                  {"--layers", "of the encoder", &layers},
                                  {"--width", "of a token", &width},
                                  {"--heads", "of attention", &heads},
                                  {"--side", "of generated images", &side}});
  return examples::guarded([&] {
    auto sets = examples::images(options, side);
    examples::Vit model({.image_size = sets.side,
                         .patch_size = std::max<int64_t>(patch, 1),
                         .layers = layers,
                         .heads = heads,
                         .width = width,
                         .hidden = 4 * width,
                         .classes = sets.classes,
                         .dropout = 0.1});
    auto schedule = examples::warmUpAndCosine(options, sets.train.size());
    sinter::Trainer trainer(
        model, sinter::cross_entropy,
        sinter::optim::AdamW{.lr = options.lr, .weight_decay = 0.05, .schedule = schedule},
        options.trainer());
    examples::trainOnImages("vit", options, model, trainer, sets);
    return 0;
  });
}
