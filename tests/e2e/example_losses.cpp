// The losses of 20 steps of an example's model on one batch, by the executor that compiled it:
//   example_losses digits_cnn|mnist_cnn|cifar10_cnn BATCH_SIZE X.npy Y.npy
// Writes the batch, so that sinter-run can be given the same, and prints a loss a line.
#include "../../examples/models/Cifar10Cnn.h"
#include "../../examples/models/DigitsCnn.h"
#include "../../examples/models/MnistCnn.h"

#include "sinter/runtime/Npy.h"

#include <random>

using sinter::Array;

static Array images(sinter::Shape shape) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<float> uniform;
  std::vector<float> values(
      static_cast<size_t>(sinter::TensorSpec{shape, sinter::f32}.numElements()));
  for (float &value : values) value = uniform(generator);
  return Array(values, shape);
}

static Array labels(int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(i * 7 % 10);
  return Array(values);
}

static void write(const std::string &path, const Array &array) {
  sinter::check(sinter::runtime::writeNpy(path, {array.dtype(), array.shape()}, array.bytes()));
}

template <class Model>
static void run(const Array &x, const Array &y, sinter::optim::Optimizer optimizer) {
  Model model;
  sinter::TrainStep step(model, sinter::cross_entropy, std::move(optimizer),
                         {.device = sinter::Device::cpu()});
  for (int i = 0; i < 20; ++i) fmt::print("{:.9g}\n", step(x, y));
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  try {
    std::string example = argv[1];
    int64_t batch = std::atoll(argv[2]);
    Array x = images(example == "digits_cnn"  ? sinter::Shape{batch, 1, 8, 8}
                     : example == "mnist_cnn" ? sinter::Shape{batch, 1, 28, 28}
                                              : sinter::Shape{batch, 3, 32, 32});
    Array y = labels(batch);
    write(argv[3], x);
    write(argv[4], y);
    // The examples' own optimisers at their default rates.
    if (example == "digits_cnn") run<examples::DigitsCnn>(x, y, examples::digitsOptimizer(2e-3));
    if (example == "mnist_cnn") run<examples::MnistCnn>(x, y, sinter::optim::Adam{.lr = 1e-3});
    if (example == "cifar10_cnn") run<examples::Cifar10Cnn>(x, y, sinter::optim::Adam{.lr = 1e-3});
    return 0;
  } catch (const std::exception &error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
