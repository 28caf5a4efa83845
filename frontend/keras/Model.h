#pragma once

#include "sinter/frontend/Callbacks.h"
#include "sinter/frontend/keras/Layers.h"
#include "sinter/frontend/keras/Losses.h"

#include <initializer_list>
#include <memory>

/// Models in the manner of Keras: a list of layers, then compile, fit, evaluate and predict by names.
namespace sinter::keras {

/// A name, or what it stands for.
struct OptimizerArg {
  OptimizerArg(const char *name) : name(name) {}
  OptimizerArg(std::string name) : name(std::move(name)) {}
  /// Such as optim::Adam{.lr = 0.01}.
  template <class T>
  requires std::is_constructible_v<optim::Optimizer, T> OptimizerArg(T optimizer)
      : optimizer(std::make_shared<optim::Optimizer>(std::move(optimizer))) {}
  std::string name;
  std::shared_ptr<optim::Optimizer> optimizer;
};
struct LossArg {
  LossArg(const char *name) : name(name) {}
  LossArg(std::string name) : name(std::move(name)) {}
  LossArg(Loss loss) : loss(std::make_shared<Loss>(std::move(loss))) {}
  std::string name;
  std::shared_ptr<Loss> loss;
};
struct MetricArg {
  MetricArg(const char *name) : name(name) {}
  MetricArg(std::string name) : name(std::move(name)) {}
  MetricArg(Metric metric) : metric(std::make_shared<Metric>(std::move(metric))) {}
  std::string name;
  std::shared_ptr<Metric> metric;
};

struct FitArguments {
  int64_t batch_size = 32;
  int64_t epochs = 1;
  double validation_split = 0; // the share at the end of the data that is validated on
  const data::Dataset *validation_data = nullptr;
  bool shuffle = true;
  Array sample_weight = {}; // a number per sample; none without elements
  Verbosity verbose = Verbosity::automatic;
  std::vector<std::shared_ptr<Callback>> callbacks = {};
};

/// A model of layers, each on what the one before gives; the first is an Input. Images are channels last.
///
///   keras::Sequential model{keras::Input({28, 28, 1}), keras::Conv2D(32, 3, {.activation = "relu"}),
///                           keras::Flatten(), keras::Dense(10, {.activation = "softmax"})};
///   model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
///   model.fit(x, y, {.epochs = 5});
class Sequential {
public:
  Sequential(std::initializer_list<Layer> layers, Where where = Where::current());
  ~Sequential();

  /// Optimizers: adagrad, adam, adamw, rmsprop, sgd, with Keras's rates (their formulas are PyTorch's). Losses:
  /// binary_crossentropy, categorical_crossentropy, mean_absolute_error, mean_squared_error,
  /// sparse_categorical_crossentropy. Metrics: accuracy (which one, by the loss), binary_accuracy,
  /// categorical_accuracy, mean_absolute_error, sparse_categorical_accuracy. mae and mse are known, too. Another
  /// name is a UserError that lists them.
  void compile(OptimizerArg optimizer, LossArg loss, std::vector<MetricArg> metrics = {},
               TrainerOptions options = {}, Where where = Where::current());
  History fit(const Array &x, const Array &y, FitArguments arguments = {},
              Where where = Where::current());
  History fit(const data::Dataset &data, FitArguments arguments = {},
              Where where = Where::current());
  Scores evaluate(const Array &x, const Array &y, Where where = Where::current());
  Scores evaluate(const data::Dataset &data, Where where = Where::current());
  /// In batches of `batch_size`.
  Array predict(const Array &x, int64_t batch_size = 32, Where where = Where::current());
  /// A table of the layers, their output shapes and numbers of parameters.
  std::string summary() const;

  nn::Module &module();
  /// Throws UserError before `compile`.
  Trainer &trainer(Where where = Where::current());

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sinter::keras
