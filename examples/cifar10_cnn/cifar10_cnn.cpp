// CIFAR-10: two convolutions and two dense layers.
#include "../common/Run.h"
#include "../models/Cifar10Cnn.h"

#include <filesystem>

int main(int argc, char **argv) {
  auto options =
      examples::parse(argc, argv, "Trains a CNN on CIFAR-10.",
                      {.epochs = 10, .batch_size = 128, .lr = 1e-3, .data = "data/cifar10"});
  return examples::guarded([&] {
    if (!std::filesystem::is_directory(options.data)) {
      fmt::print(
          stderr,
          "{0}: no such folder. Get the binary version of CIFAR-10,\n"
          "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, and unpack it there, so that\n"
          "{0}/cifar-10-batches-bin/data_batch_1.bin to data_batch_5.bin and test_batch.bin "
          "exist,\n"
          "or name another folder with --data.\n",
          options.data);
      return 2;
    }
    auto cifar = sinter::data::cifar10(options.data);
    examples::Cifar10Cnn model;
    sinter::Trainer trainer(model, sinter::cross_entropy, sinter::optim::Adam{.lr = options.lr},
                            options.trainer());
    auto outcome = examples::train({.example = "cifar10_cnn",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = cifar.train,
                                    .test = &cifar.test,
                                    .metrics = {sinter::metrics::accuracy}});
    fmt::print("test loss {:.4f}, test accuracy {:.2f}%\n", outcome.test["loss"],
               100 * outcome.test["accuracy"]);
    return 0;
  });
}
