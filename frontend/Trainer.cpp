#include "sinter/frontend/Trainer.h"

#include "sinter/frontend/data/Loader.h"
#include "sinter/frontend/detail/FitLoop.h"
#include "sinter/frontend/detail/Session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sinter {

double Scores::operator[](const Name &name) const {
  auto found = values.find(name.text);
  if (found != values.end()) return found->second;
  std::string known;
  for (const auto &[other, value] : values) known += (known.empty() ? "" : ", ") + other;
  throw UserError(fmt::format("no score '{}': there are {}", name.text, known), name.where);
}

double EpochRecord::metric(const std::string &name, Where where) const {
  if (name == "loss") return train_loss;
  std::string known = "loss";
  if (validation)
    for (const auto &[other, value] : validation->values) {
      if (name == "val_" + other) return value;
      known += ", val_" + other;
    }
  throw UserError(fmt::format("no metric '{}' at the end of the epoch: there are {}", name, known),
                  where);
}

Trainer::Trainer(nn::Module &model, detail::ForwardFunction forward, Loss loss,
                 optim::Optimizer optimizer, TrainerOptions options, Where where)
    : impl_(new detail::TrainerImpl{model,
                                    TrainStep(model, std::move(forward), std::move(loss),
                                              std::move(optimizer), std::move(options), where)}) {
  impl_->shuffleSeed = impl_->step.session()->seed();
}
Trainer::~Trainer() = default;

TrainStep &Trainer::step() { return impl_->step; }
nn::Module &Trainer::model() { return impl_->model; }

History Trainer::fit(const data::Dataset &train, FitOptions options, Where where) {
  return detail::FitLoop(*this, train, options, where).run();
}

/// The first `rows` rows of `array` and copies of its first row up to `wanted`.
static Array padded(const Array &array, int64_t wanted) {
  int64_t rows = array.shape()[0];
  if (rows == wanted) return array;
  Shape shape = array.shape();
  shape[0] = wanted;
  Array result = Array::zeros(shape, array.dtype());
  int64_t rowBytes = array.numBytes() / rows;
  auto *to = static_cast<std::byte *>(result.raw());
  const auto *from = static_cast<const std::byte *>(array.raw());
  std::copy_n(from, array.numBytes(), to);
  for (int64_t row = rows; row < wanted; ++row) std::copy_n(from, rowBytes, to + row * rowBytes);
  return result;
}

Scores Trainer::evaluate(const data::Dataset &dataset, EvaluateOptions options, Where where) {
  if (dataset.size() == 0) throw UserError("evaluate: the data are empty", where);
  std::optional<Averaged> averaged;
  if (options.average) averaged.emplace(impl_->step, where);
  detail::Session &session = *impl_->step.session();
  std::vector<Metric> metrics = options.metrics.empty() ? impl_->metrics : options.metrics;
  int64_t batchSize =
      std::min(options.batch_size > 0 ? options.batch_size : impl_->batchSize, dataset.size());
  data::Loader loader(dataset, {.batch_size = batchSize});
  double loss = 0, count = 0;
  std::vector<double> sums(metrics.size()), counts(metrics.size());
  data::Loader::Epoch batches = loader.epoch(0);
  for (const data::Example &batch : batches) {
    int64_t rows = batch.x.shape()[0];
    bool pad = session.canMask() && rows < batchSize;
    data::Example whole = batch;
    if (pad) {
      whole.x = padded(batch.x, batchSize), whole.y = padded(batch.y, batchSize);
      if (batch.weight) whole.weight = padded(*batch.weight, batchSize);
    }
    auto part = session.evaluate(whole, rows, metrics, where);
    loss += part.loss;
    count += session.lossIsMean() ? part.lossCount : static_cast<double>(rows);
    for (size_t i = 0; i < metrics.size(); ++i) {
      sums[i] += part.metrics[i];
      counts[i] += part.metricCounts[i];
    }
  }
  Scores scores;
  scores.values["loss"] = loss / count;
  for (size_t i = 0; i < metrics.size(); ++i) {
    double mean = sums[i] / counts[i];
    scores.values[metrics[i].name] = metrics[i].finish ? metrics[i].finish(mean) : mean;
  }
  return scores;
}

Array Trainer::predict(const Array &x, Where where) {
  return impl_->step.session()->predict(x, where);
}

Array Trainer::predict(const data::Dataset &dataset, int64_t batch_size, Where where) {
  if (dataset.size() == 0) throw UserError("predict: the data are empty", where);
  batch_size = std::min(batch_size, dataset.size());
  data::Loader loader(dataset, {.batch_size = batch_size}, where);
  Array result;
  int64_t done = 0;
  data::Loader::Epoch batches = loader.epoch(0);
  for (const data::Example &batch : batches) {
    int64_t rows = batch.x.shape()[0];
    Array output = predict(padded(batch.x, batch_size), where);
    if (output.rank() == 0 || output.shape()[0] != batch_size)
      throw UserError(fmt::format("predict: the model gives {} for {} samples",
                                  output.spec().text(), batch_size),
                      where);
    if (done == 0) {
      Shape shape = output.shape();
      shape[0] = dataset.size();
      result = Array::empty(shape, output.dtype());
    }
    int64_t rowBytes = output.numBytes() / batch_size;
    std::copy_n(static_cast<const std::byte *>(output.raw()), rows * rowBytes,
                static_cast<std::byte *>(result.raw()) + done * rowBytes);
    done += rows;
  }
  return result;
}
void Trainer::save(const std::string &path) const {
  impl_->step.session()->save(path, {.notes = detail::placeNotes(*impl_)});
}
void Trainer::load(const std::string &path) {
  detail::readPlace(*impl_, impl_->step.session()->load(path).notes);
}
void Trainer::save_program(const std::string &path, const TensorSpec &x, const TensorSpec &y,
                           Where where) {
  impl_->step.session()->saveProgram(path, x, y, where);
}

} // namespace sinter
