// Models in Keras's manner: names, defaults, shapes, losses on probabilities.
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::HasSubstr;

namespace {

class Keras : public test::OnDevice {};

/// The stripes, channels last.
std::pair<Array, Array> images(int64_t count, uint64_t seed) {
  auto data = test::stripes(count, seed);
  return {data.x().reshape({count, 4, 4, 1}), data.y()};
}

keras::Sequential network() {
  return {keras::Input({4, 4, 1}), keras::Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
          keras::MaxPooling2D(2),  keras::Flatten(),
          keras::Dropout(0.1),     keras::Dense(3, {.activation = "softmax"})};
}

template <class F> UserError errorOf(F function) {
  try {
    function();
  } catch (const UserError &error) { return error; }
  return {"no error", Where::current()};
}

/// The loss of a function of a parameter that is given, and the gradient.
std::pair<double, Array> lossOf(const Device &device, const Array &p, const Array &target,
                                const std::function<Tensor(Tensor, Tensor)> &loss) {
  auto parameter = sinter::parameter("p", p.shape());
  auto traced = trace([&](Tensor y) { return loss(parameter, y); }, {target.spec()});
  Executable compiled = compile(value_and_grad(traced, {parameter}), {.device = device});
  compiled.set("p", p);
  auto results = compiled(target);
  return {results[0].item(), results[1]};
}

} // namespace

TEST_P(Keras, CompileFitEvaluatePredict) {
  auto [x, y] = images(96, 1);
  auto [testX, testY] = images(31, 2);
  keras::Sequential model = network();
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"}, options(2));
  History history =
      model.fit(x, y, {.epochs = 60, .validation_split = 0.25, .verbose = Verbosity::silent});
  EXPECT_EQ(history.epochs[0].steps, 3); // 72 samples in batches of 32
  EXPECT_LT(history.epochs.back().train_loss, history.epochs.front().train_loss);
  EXPECT_TRUE(history.epochs.back().validation->has("accuracy"));
  Scores scores = model.evaluate(testX, testY);
  EXPECT_GT(scores["accuracy"], 0.9);
  Array probabilities = model.predict(testX);
  EXPECT_EQ(probabilities.shape(), (Shape{31, 3}));
  double loss = 0;
  for (int64_t row = 0; row < 31; ++row) {
    double sum = 0;
    for (int64_t i = 0; i < 3; ++i) sum += probabilities.at(3 * row + i);
    EXPECT_NEAR(sum, 1, 1e-5);
    loss -= std::log(probabilities.at(3 * row + static_cast<int64_t>(testY.at(row)))) / 31;
  }
  EXPECT_NEAR(scores["loss"], loss, 1e-4);
}

TEST_P(Keras, DefaultsAreThoseOfKeras) {
  keras::Sequential model{keras::Input({6, 6, 2}), keras::Conv2D(8, 3), keras::Flatten(),
                          keras::Dense(5)};
  auto bounded = [&](const std::string &name, double bound) {
    Array weight = model.module().value(name);
    double most = 0;
    for (int64_t i = 0; i < weight.size(); ++i) most = std::max(most, std::fabs(weight.at(i)));
    EXPECT_LE(most, bound) << name;
    EXPECT_GT(most, 0.9 * bound) << name;
  };
  bounded("conv2d.weight", std::sqrt(6.0 / (2 * 9 + 8 * 9)));
  bounded("dense.weight", std::sqrt(6.0 / (128 + 5)));
  EXPECT_EQ(model.module().value("dense.bias").text(), "[0, 0, 0, 0, 0]");
  EXPECT_EQ(model.summary(),
            "Layer (type)                               Output Shape              Param #\n"
            "conv2d (conv2d)                            (None, 4, 4, 8)               152\n"
            "flatten (flatten)                          (None, 128)                     0\n"
            "dense (dense)                              (None, 5)                     645\n"
            "Total params: 797\n");
}

TEST_P(Keras, FlattenIsChannelsLastAndSamePaddingIsKeras) {
  keras::Sequential model{keras::Input({3, 4, 2}), keras::Flatten()};
  model.compile("sgd", "mse", {}, options());
  std::vector<float> values(24);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Array x(values, {1, 3, 4, 2});
  EXPECT_EQ(model.predict(x).reshape({24}).text(), Array(values).text());
  // A stride of 2 over 4 pads behind only: windows start at 0 and 2.
  keras::Sequential strided{
      keras::Input({4, 4, 1}),
      keras::Conv2D(1, 3, {.strides = 2, .padding = "same", .use_bias = false})};
  strided.compile("sgd", "mse", {}, options());
  Array kernel = Array::zeros({1, 1, 3, 3});
  kernel.data<float>()[0] = 1; // the window's first pixel
  strided.module().set_value("conv2d.weight", kernel);
  std::vector<float> square(16);
  for (size_t i = 0; i < square.size(); ++i) square[i] = static_cast<float>(i);
  EXPECT_EQ(strided.predict(Array(square, {1, 4, 4, 1})).reshape({4}).text(), "[0, 2, 8, 10]");
}

TEST_P(Keras, LossesAfterASoftmaxAreComputedFromLogits) {
  // Probabilities of which f32 makes exact zeros and ones.
  Array logits(std::vector<float>{200, 0, -200, 0, 150, 0}, {2, 3}),
      wrong({int64_t(2), int64_t(0)});
  auto [loss, gradient] = lossOf(device(), logits, wrong, [](Tensor p, Tensor y) {
    return keras::losses::sparse_categorical_crossentropy(softmax(p, -1), y);
  });
  EXPECT_NEAR(loss, (400 + 150) / 2.0, 1e-3);
  EXPECT_NEAR(gradient.at(2), -0.5, 1e-6);
  Array oneHot(std::vector<float>{0, 0, 1, 1, 0, 0}, {2, 3});
  auto [same, sameGradient] = lossOf(device(), logits, oneHot, [](Tensor p, Tensor y) {
    return keras::losses::categorical_crossentropy(softmax(p, -1), y);
  });
  EXPECT_NEAR(same, loss, 1e-3);
  EXPECT_NEAR(sameGradient.at(3), gradient.at(3), 1e-6);
  auto [binary, binaryGradient] =
      lossOf(device(), Array({-90.f, 90.f}), Array({1.f, 1.f}),
             [](Tensor p, Tensor y) { return keras::losses::binary_crossentropy(sigmoid(p), y); });
  EXPECT_NEAR(binary, 45, 1e-4);
  EXPECT_NEAR(binaryGradient.at(0), -0.5, 1e-6);
}

TEST_P(Keras, OtherProbabilitiesAreClipped) {
  Array p(std::vector<float>{0, 0.25f, 0.75f, 0.5f, 0.5f, 0}, {2, 3});
  auto [loss, gradient] =
      lossOf(device(), p, Array({int64_t(0), int64_t(1)}), [](Tensor p, Tensor y) {
        return keras::losses::sparse_categorical_crossentropy(p, y);
      });
  EXPECT_NEAR(loss, (-std::log(1e-7) - std::log(0.5)) / 2, 1e-4);
  for (int64_t i = 0; i < gradient.size(); ++i) EXPECT_TRUE(std::isfinite(gradient.at(i)));
  auto [binary, binaryGradient] =
      lossOf(device(), Array({1.f, 0.25f}), Array({0.f, 1.f}),
             [](Tensor p, Tensor y) { return keras::losses::binary_crossentropy(p, y); });
  EXPECT_NEAR(binary, (-std::log(1e-7) - std::log(0.25)) / 2, 0.2); // 1 - 1e-7 in f32
  EXPECT_NEAR(binaryGradient.at(1), -2, 1e-4);
}

TEST_P(Keras, UnknownNamesAreListed) {
  keras::Sequential model = network();
  auto compile = [&](const char *optimizer, const char *loss, const char *metric) {
    return errorOf([&] { model.compile(optimizer, loss, {metric}, options()); }).message;
  };
  EXPECT_EQ(compile("adm", "mse", "accuracy"),
            "compile: unknown optimizer 'adm': there are adagrad, adam, adamw, rmsprop, sgd");
  EXPECT_EQ(compile("adam", "crossentropy", "accuracy"),
            "compile: unknown loss 'crossentropy': there are binary_crossentropy, "
            "categorical_crossentropy, mae, mean_absolute_error, mean_squared_error, mse, "
            "sparse_categorical_crossentropy");
  EXPECT_EQ(compile("adam", "mse", "acc"),
            "compile: unknown metric 'acc': there are accuracy, binary_accuracy, "
            "categorical_accuracy, mae, mean_absolute_error, sparse_categorical_accuracy");
  auto lines = errorOf([&] {
    keras::Sequential({keras::Input({3}), keras::Dense(2, {.activation = "rleu"})});
  });
  EXPECT_EQ(lines.message,
            "keras: unknown activation 'rleu': there are gelu, linear, relu, sigmoid, "
            "silu, softmax, tanh");
  EXPECT_EQ(lines.file, "KerasTest.cpp");
  EXPECT_EQ(errorOf([&] { keras::Conv2D(2, 3, {.padding = "full"}); }).message,
            "keras::Conv2D: unknown padding 'full': there are same, valid");
  EXPECT_EQ(errorOf([&] {
              keras::Sequential({keras::Input({4, 4, 1}), keras::Dense(2)});
            }).message,
            "keras::Dense: its input has shape [4, 4, 1], expected one dimension (keras::Flatten "
            "makes one)");
  EXPECT_EQ(errorOf([&] { keras::Sequential({keras::Dense(2)}); }).message,
            "keras::Sequential: the first layer must be a keras::Input");
  auto [x, y] = images(3, 1);
  EXPECT_EQ(errorOf([&] { model.fit(x, y); }).message,
            "the model has no optimizer and no loss yet: call compile first");
  model.compile("adam", "sparse_categorical_crossentropy", {}, options());
  EXPECT_EQ(errorOf([&] {
              model.predict(x.reshape({3, 1, 4, 4}));
            }).message,
            "predict: x is f32[3, 1, 4, 4], the model takes samples of shape [4, 4, 1]");
}

SINTER_ON_DEVICES(Keras, "reference", "cpu");
