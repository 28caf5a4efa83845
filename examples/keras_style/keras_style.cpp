// Keras's convolutional network for MNIST, in Keras's manner: compile, fit, evaluate, predict.
#include "../common/Run.h"

namespace keras = sinter::keras;
using sinter::Array;

/// Images [n, 28, 28, 1] in [0, 1] and their classes.
struct Images {
  Array x, y;
};

static Images flattened(const sinter::data::TensorDataset &data, int64_t most) {
  int64_t count = most > 0 ? std::min(most, data.size()) : data.size();
  Array x = data.x().rows(0, count).to(sinter::f32);
  for (float &pixel : x.data<float>()) pixel /= 255;
  return {x.reshape({count, 28, 28, 1}), data.y().rows(0, count)};
}

/// The digits of 8x8 pixels, each pixel drawn 3x3 with a margin of two around the image.
static std::pair<Images, Images> digits(const std::string &path) {
  Array table = sinter::data::read_csv(path);
  int64_t count = table.shape()[0], tests = count / 5;
  Array x = Array::zeros({count, 28, 28, 1});
  std::vector<int64_t> labels;
  auto pixels = x.data<float>();
  std::vector<int64_t> order = sinter::data::permutation(count, /*seed=*/0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = order[static_cast<size_t>(i)] * 65;
    for (int64_t p = 0; p < 24 * 24; ++p)
      pixels[static_cast<size_t>((i * 28 + p / 24 + 2) * 28 + p % 24 + 2)] =
          static_cast<float>(table.at(row + p / 72 * 8 + p % 24 / 3) / 16);
    labels.push_back(static_cast<int64_t>(table.at(row + 64)));
  }
  Array y(labels);
  return {{x.rows(tests, count), y.rows(tests, count)}, {x.rows(0, tests), y.rows(0, tests)}};
}

int main(int argc, char **argv) {
  auto options = examples::parse(
      argc, argv,
      "Trains Keras's network for MNIST; on small digits unless --data names MNIST's folder.",
      {.epochs = 15, .batch_size = 32, .lr = 1e-3});
  return examples::guarded([&] {
    Images train, test;
    if (options.data.empty()) {
      std::tie(train, test) = digits(SINTER_EXAMPLES_DATA "/digits.csv.gz");
    } else {
      auto mnist = sinter::data::mnist(options.data);
      train = flattened(mnist.train, options.steps * options.batch_size);
      test = flattened(mnist.test, 0);
    }

    keras::Sequential model{
        keras::Input({28, 28, 1}),   keras::Conv2D(32, {3, 3}, {.activation = "relu"}),
        keras::MaxPooling2D({2, 2}), keras::Conv2D(64, {3, 3}, {.activation = "relu"}),
        keras::MaxPooling2D({2, 2}), keras::Flatten(),
        keras::Dropout(0.5),         keras::Dense(10, {.activation = "softmax"}),
    };
    fmt::print("{}", model.summary());
    keras::OptimizerArg optimizer = "adam";
    if (options.lr != 1e-3) optimizer = sinter::optim::Adam{.lr = options.lr, .eps = 1e-7};
    model.compile(optimizer, "sparse_categorical_crossentropy", {"accuracy"}, options.trainer());
    if (!options.load.empty()) sinter::load(model.module(), options.load);
    sinter::History history = model.fit(
        train.x, train.y,
        {.batch_size = options.batch_size, .epochs = options.epochs, .validation_split = 0.1});
    sinter::Scores scores = model.evaluate(test.x, test.y);
    fmt::print("test loss {:.4f}, test accuracy {:.2f}%\n", scores["loss"],
               100 * scores["accuracy"]);
    Array predicted = sinter::metrics::predicted_classes(model.predict(test.x));
    fmt::print("\n{}", sinter::metrics::classification_report(test.y, predicted).text());
    if (!options.save.empty()) sinter::save(model.module(), options.save);

    sinter::data::TensorDataset trainData(train.x, train.y), testData(test.x, test.y);
    examples::writeRecord({.example = "keras_style",
                           .options = options,
                           .model = model.module(),
                           .trainer = model.trainer(),
                           .train = trainData,
                           .test = &testData},
                          {history, scores});
    return 0;
  });
}
