// MNIST or Fashion-MNIST: two convolutions and a dense layer.
#include "../common/Run.h"

#include <filesystem>

namespace nn = sinter::nn;
using sinter::Tensor;

struct MnistCnn : nn::Module {
  nn::Conv2d conv1{this, "conv1", {.in_channels = 1, .out_channels = 32, .kernel_size = 3}};
  nn::Conv2d conv2{this, "conv2", {.in_channels = 32, .out_channels = 64, .kernel_size = 3}};
  nn::Linear fc{this, "fc", {.in_features = 64 * 5 * 5, .out_features = 10}};

  Tensor forward(Tensor x) { // x: [N, 1, 28, 28]
    x = max_pool2d(relu(conv1(x)), {.kernel_size = 2});
    x = max_pool2d(relu(conv2(x)), {.kernel_size = 2});
    return fc(flatten(x, 1)); // logits: [N, 10]
  }
};

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
    MnistCnn model;
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
