// MNIST or Fashion-MNIST: two convolutions and a dense layer.
#include "../common/Run.h"
#include "../models/MnistCnn.h"

#include <filesystem>

int main(int argc, char **argv) {
  auto options = examples::parse(argc, argv, "Trains a CNN on MNIST or Fashion-MNIST.",
                                 {.epochs = 3, .batch_size = 64, .lr = 1e-3, .data = "data/mnist"});
  return examples::guarded([&] {
    if (!std::filesystem::is_directory(options.data)) {
      fmt::print(stderr,
                 "{0}: no such folder. Put these four files there, packed (.gz) or not:\n"
                 "  {0}/train-images-idx3-ubyte  {0}/train-labels-idx1-ubyte\n"
                 "  {0}/t10k-images-idx3-ubyte   {0}/t10k-labels-idx1-ubyte\n"
                 "MNIST: https://ossci-datasets.s3.amazonaws.com/mnist/\n"
                 "Fashion-MNIST: https://github.com/zalandoresearch/fashion-mnist (data/fashion)\n"
                 "or name another folder with --data.\n",
                 options.data);
      return 2;
    }
    auto mnist = sinter::data::mnist(options.data);
    examples::MnistCnn model;
    sinter::Trainer trainer(model, sinter::cross_entropy, sinter::optim::Adam{.lr = options.lr},
                            options.trainer());
    auto outcome = examples::train({.example = "mnist_cnn",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = mnist.train,
                                    .test = &mnist.test,
                                    .metrics = {sinter::metrics::accuracy}});
    fmt::print("test accuracy {:.2f}%\n", 100 * outcome.test["accuracy"]);
    return 0;
  });
}
