#include "sinter/frontend/keras/Model.h"

#include "sinter/frontend/keras/Builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace sinter::keras {

/// What `name` is in a table; an error lists the table's names.
template <class T> static const T &find(const char *what, const std::string &name,
                                        const std::vector<std::pair<std::string, T>> &table,
                                        Where where) {
  std::vector<std::string> names;
  for (const auto &[each, value] : table) {
    if (each == name) return value;
    names.push_back(each);
  }
  throw UserError(fmt::format("compile: unknown {} {}", what, unknownName(name, names)), where);
}

static const optim::Optimizer &optimizerNamed(const std::string &name, Where where) {
  static const std::vector<std::pair<std::string, optim::Optimizer>> known = {
      {"adagrad", optim::Adagrad{.lr = 1e-3, .initial_accumulator_value = 0.1, .eps = 1e-7}},
      {"adam", optim::Adam{.lr = 1e-3, .eps = 1e-7}},
      {"adamw", optim::AdamW{.lr = 1e-3, .eps = 1e-7, .weight_decay = 4e-3}},
      {"rmsprop", optim::RMSprop{.lr = 1e-3, .alpha = 0.9, .eps = 1e-7}},
      {"sgd", optim::SGD{.lr = 1e-2}}};
  return find("optimizer", name, known, where);
}

static const Loss &lossNamed(const std::string &name, Where where) {
  static const std::vector<std::pair<std::string, Loss>> known = {
      {"binary_crossentropy", Loss(losses::binary_crossentropy)},
      {"categorical_crossentropy", Loss(losses::categorical_crossentropy)},
      {"mae", Loss(l1_loss)},
      {"mean_absolute_error", Loss(l1_loss)},
      {"mean_squared_error", Loss(mse_loss)},
      {"mse", Loss(mse_loss)},
      {"sparse_categorical_crossentropy", Loss(losses::sparse_categorical_crossentropy)}};
  return find("loss", name, known, where);
}

static Tensor sparseAccuracy(const Tensor &output, const Tensor &target) {
  Tensor classes = target.rank() == 2 ? squeeze(target, 1) : target;
  return argmax(output, -1) == to(classes, i64);
}
static Tensor categoricalAccuracy(const Tensor &output, const Tensor &target) {
  return argmax(output, -1) == argmax(target, -1);
}
static Tensor binaryAccuracy(const Tensor &output, const Tensor &target) {
  return eq(to(output > 0.5, f32), to(target, f32));
}

static Metric metricNamed(const std::string &name, const std::string &loss, Where where) {
  using Function = Tensor (*)(const Tensor &, const Tensor &);
  Function byLoss = loss == "binary_crossentropy"        ? binaryAccuracy
                    : loss == "categorical_crossentropy" ? categoricalAccuracy
                                                         : sparseAccuracy;
  const std::vector<std::pair<std::string, Function>> known = {
      {"accuracy", byLoss},
      {"binary_accuracy", binaryAccuracy},
      {"categorical_accuracy", categoricalAccuracy},
      {"mae", metrics::detail::absoluteError},
      {"mean_absolute_error", metrics::detail::absoluteError},
      {"sparse_categorical_accuracy", sparseAccuracy}};
  return {name, find("metric", name, known, where)};
}

struct Sequential::Impl {
  Network network;
  Builder builder{network};
  Shape input;
  std::unique_ptr<Trainer> trainer;
  std::vector<Metric> metrics;

  void checkInput(const char *what, const Array &x, Where where) const {
    Shape sample = x.rank() ? Shape(x.shape().begin() + 1, x.shape().end()) : Shape{};
    if (x.rank() && sample == input) return;
    throw UserError(fmt::format("{}: x is {}, the model takes samples of shape {}", what,
                                x.spec().text(), text(input)),
                    where);
  }
};

Sequential::Sequential(std::initializer_list<Layer> layers, Where where) : impl_(new Impl) {
  if (layers.size() == 0 || layers.begin()->kind != "input")
    throw UserError("keras::Sequential: the first layer must be a keras::Input", where);
  for (const Layer &layer : layers) {
    impl_->builder.add(layer);
    if (layer.kind == "input") impl_->input = impl_->builder.shape;
  }
}
Sequential::~Sequential() = default;

nn::Module &Sequential::module() { return impl_->network; }

Trainer &Sequential::trainer(Where where) {
  if (!impl_->trainer)
    throw UserError("the model has no optimizer and no loss yet: call compile first", where);
  return *impl_->trainer;
}

void Sequential::compile(OptimizerArg optimizer, LossArg loss, std::vector<MetricArg> metrics,
                         TrainerOptions options, Where where) {
  const optim::Optimizer &how =
      optimizer.optimizer ? *optimizer.optimizer : optimizerNamed(optimizer.name, where);
  const Loss &what = loss.loss ? *loss.loss : lossNamed(loss.name, where);
  std::vector<Metric> found;
  for (const MetricArg &metric : metrics)
    found.push_back(metric.metric ? *metric.metric : metricNamed(metric.name, loss.name, where));
  impl_->metrics = std::move(found);
  impl_->trainer = std::make_unique<Trainer>(impl_->network, what, how, std::move(options), where);
}

History Sequential::fit(const data::Dataset &data, FitArguments arguments, Where where) {
  Trainer &trainer = this->trainer(where);
  if (!(arguments.validation_split >= 0 && arguments.validation_split < 1))
    throw UserError(fmt::format("fit: validation_split is {}", arguments.validation_split), where);
  if (arguments.sample_weight.size() > 0)
    throw UserError("fit: sample_weight goes with arrays; a data set has its own weights", where);
  // As Keras: the samples at the end, before they are shuffled.
  auto kept = static_cast<int64_t>(
      std::floor(static_cast<double>(data.size()) * (1 - arguments.validation_split)));
  std::vector<int64_t> all(static_cast<size_t>(data.size()));
  std::iota(all.begin(), all.end(), 0);
  data::Subset first(data, {all.begin(), all.begin() + kept}),
      rest(data, {all.begin() + kept, all.end()});
  bool split = arguments.validation_split > 0 && !arguments.validation_data && rest.size() > 0;
  return trainer.fit(split ? static_cast<const data::Dataset &>(first) : data,
                     {.epochs = arguments.epochs,
                      .batch_size = arguments.batch_size,
                      .validation = split ? &rest : arguments.validation_data,
                      .metrics = impl_->metrics,
                      .shuffle = arguments.shuffle,
                      .verbosity = arguments.verbose,
                      .callbacks = arguments.callbacks},
                     where);
}

History Sequential::fit(const Array &x, const Array &y, FitArguments arguments, Where where) {
  impl_->checkInput("fit", x, where);
  Array weights = std::exchange(arguments.sample_weight, {});
  if (weights.size() == 0)
    return fit(data::TensorDataset(x, y, data::Transform(), where), arguments, where);
  return fit(data::TensorDataset(x, y, weights, {}, where), arguments, where);
}

Scores Sequential::evaluate(const data::Dataset &data, Where where) {
  return trainer(where).evaluate(data, {.batch_size = 32, .metrics = impl_->metrics}, where);
}
Scores Sequential::evaluate(const Array &x, const Array &y, Where where) {
  impl_->checkInput("evaluate", x, where);
  return evaluate(data::TensorDataset(x, y, data::Transform(), where), where);
}

Array Sequential::predict(const Array &x, int64_t batch_size, Where where) {
  impl_->checkInput("predict", x, where);
  if (batch_size < 1) throw UserError(fmt::format("predict: batch_size is {}", batch_size), where);
  return trainer(where).predict(data::TensorDataset(x, Array::zeros({x.shape()[0]})), batch_size,
                                where);
}

std::string Sequential::summary() const {
  std::string out =
      fmt::format("{:<42} {:<22} {:>10}\n", "Layer (type)", "Output Shape", "Param #");
  int64_t total = 0;
  for (const Builder::Line &line : impl_->builder.lines) {
    std::vector<std::string> sizes{"None"};
    for (int64_t size : line.output) sizes.push_back(std::to_string(size));
    out += fmt::format("{:<42} {:<22} {:>10}\n", fmt::format("{} ({})", line.name, line.kind),
                       fmt::format("({})", fmt::join(sizes, ", ")), line.parameters);
    total += line.parameters;
  }
  return out + fmt::format("Total params: {}\n", total);
}

} // namespace sinter::keras
