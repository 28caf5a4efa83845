#include "sinter/frontend/Trainer.h"

#include "sinter/frontend/data/Loader.h"
#include "sinter/frontend/detail/Progress.h"
#include "sinter/frontend/detail/Session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sinter {

using Clock = std::chrono::steady_clock;
static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Scores::operator[](const Name &name) const {
  auto found = values.find(name.text);
  if (found != values.end()) return found->second;
  std::string known;
  for (const auto &[other, value] : values) known += (known.empty() ? "" : ", ") + other;
  throw UserError(fmt::format("no score '{}': there are {}", name.text, known), name.where);
}

namespace detail {
struct TrainerImpl {
  TrainStep step;
  int64_t batchSize = 32;
  std::vector<Metric> metrics = {};
  int64_t epochsDone = 0;
};
} // namespace detail

Trainer::Trainer(nn::Module &model, detail::ForwardFunction forward, Loss loss,
                 optim::Optimizer optimizer, TrainerOptions options, Where where)
    : impl_(new detail::TrainerImpl{TrainStep(model, std::move(forward), std::move(loss),
                                              std::move(optimizer), std::move(options), where)}) {}
Trainer::~Trainer() = default;

TrainStep &Trainer::step() { return impl_->step; }

static void checkFit(const data::Dataset &train, const FitOptions &options, Where where) {
  auto fail = [&](const std::string &message) { throw UserError("fit: " + message, where); };
  if (train.size() == 0) fail("the training data are empty");
  if (options.batch_size < 1) fail(fmt::format("batch_size is {}", options.batch_size));
  if (options.epochs < 0) fail(fmt::format("epochs is {}", options.epochs));
  if (options.drop_last && train.size() < options.batch_size)
    fail(fmt::format("{} samples make no batch of {}, and drop_last leaves nothing", train.size(),
                     options.batch_size));
}

/// The step for the last, smaller batch is compiled while the first ones train.
static void prepareLast(detail::Session &session, const data::Example &batch, int64_t rows,
                        Where where) {
  if (rows == 0 || rows == batch.x.shape()[0]) return;
  TensorSpec x = batch.x.spec(), y = batch.y.spec();
  x.shape[0] = y.shape[0] = rows;
  session.prepareStep(x, y, where);
}

History Trainer::fit(const data::Dataset &train, FitOptions options, Where where) {
  checkFit(train, options, where);
  impl_->batchSize = std::min(options.batch_size, train.size());
  impl_->metrics = options.metrics;
  data::Loader loader(train, {.batch_size = options.batch_size,
                              .shuffle = options.shuffle,
                              .seed = impl_->step.session()->seed(),
                              .drop_last = options.drop_last});
  detail::Progress progress(options, loader.numBatches());
  detail::InterruptGuard interrupt;
  History history;
  auto start = Clock::now();
  int64_t total = 0;
  bool wantsLast =
      !options.drop_last && (options.max_steps <= 0 || options.max_steps >= loader.numBatches());
  auto full = [&] { return options.max_steps > 0 && total >= options.max_steps; };

  for (int64_t number = 1; number <= options.epochs && !history.interrupted && !full(); ++number) {
    impl_->step.set_epoch(impl_->epochsDone);
    auto epochStart = Clock::now();
    EpochRecord record;
    record.epoch = number;
    double sum = 0;
    int64_t samples = 0, before = impl_->step.steps();
    data::Loader::Epoch batches = loader.epoch(impl_->epochsDone);
    for (const data::Example &batch : batches) {
      auto stepStart = Clock::now();
      double loss = impl_->step(batch.x, batch.y, where);
      history.step_ms.push_back(1e3 * secondsSince(stepStart));
      int64_t rows = batch.x.shape()[0];
      if (total++ == 0) {
        history.compile_seconds = secondsSince(start);
        prepareLast(*impl_->step.session(), batch,
                    wantsLast ? train.size() % options.batch_size : 0, where);
      }
      sum += loss * static_cast<double>(rows);
      samples += rows;
      progress.step(number, ++record.steps, sum / static_cast<double>(samples));
      if ((history.interrupted = detail::InterruptGuard::requested()) || full()) break;
    }
    record.train_loss = samples ? sum / static_cast<double>(samples) : 0;
    record.seconds = secondsSince(epochStart);
    if ((record.loss_scale = impl_->step.loss_scale()))
      record.skipped_steps = record.steps - (impl_->step.steps() - before);
    bool whole = record.steps == loader.numBatches();
    if (whole) ++impl_->epochsDone;
    if (options.validation && whole && !history.interrupted)
      record.validation = evaluate(*options.validation, {}, where);
    progress.epoch(record);
    history.epochs.push_back(record);
    if (options.on_epoch) options.on_epoch(history.epochs.back());
    history.interrupted |= detail::InterruptGuard::requested();
  }
  if (history.interrupted)
    progress.note(fmt::format("interrupted after {} steps; the state is kept", total));
  return history;
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
    auto part = session.evaluate(pad ? padded(batch.x, batchSize) : batch.x,
                                 pad ? padded(batch.y, batchSize) : batch.y, rows, metrics, where);
    loss += part.loss;
    count += session.lossIsMean() ? part.lossCount : static_cast<double>(rows);
    for (size_t i = 0; i < metrics.size(); ++i) {
      sums[i] += part.metrics[i];
      counts[i] += part.metricCounts[i];
    }
  }
  Scores scores;
  scores.values["loss"] = loss / count;
  for (size_t i = 0; i < metrics.size(); ++i) scores.values[metrics[i].name] = sums[i] / counts[i];
  return scores;
}

Array Trainer::predict(const Array &x, Where where) {
  return impl_->step.session()->predict(x, where);
}
void Trainer::save(const std::string &path) const { impl_->step.session()->save(path); }
void Trainer::load(const std::string &path) { impl_->step.session()->load(path); }
void Trainer::save_program(const std::string &path, const TensorSpec &x, const TensorSpec &y,
                           Where where) {
  impl_->step.session()->saveProgram(path, x, y, where);
}

} // namespace sinter
