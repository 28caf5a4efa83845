// CIFAR-10: two convolutions and two dense layers.
#include "../common/Run.h"

#include <filesystem>

namespace nn = sinter::nn;
using sinter::Tensor;

struct Cifar10Cnn : nn::Module {
  nn::Conv2d conv1{this, "conv1", {.in_channels = 3, .out_channels = 32, .kernel_size = 3}};
  nn::Conv2d conv2{this, "conv2", {.in_channels = 32, .out_channels = 64, .kernel_size = 3}};
  nn::Linear fc1{this, "fc1", {.in_features = 64 * 6 * 6, .out_features = 64}};
  nn::Linear fc2{this, "fc2", {.in_features = 64, .out_features = 10}};

  Tensor forward(Tensor x) { // x: [N, 3, 32, 32]
    x = max_pool2d(relu(conv1(x)), {.kernel_size = 2});
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    return fc2(relu(fc1(flatten(x, 1)))); // logits: [N, 10]
  }
};

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
    Cifar10Cnn model;
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
