#include "sinter/frontend/detail/FitLoop.h"

#include <fmt/format.h>

#include <algorithm>

namespace sinter::detail {

using Clock = std::chrono::steady_clock;
static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

FitLoop::FitLoop(Trainer &trainer, const data::Dataset &train, const FitOptions &given, Where where)
    : trainer(trainer), impl(*trainer.impl_), session(*impl.step.session()), train(train),
      options(given), where(where), loader(train,
                                           {.batch_size = options.batch_size,
                                            .shuffle = options.shuffle,
                                            .seed = impl.shuffleSeed,
                                            .drop_last = options.drop_last},
                                           where),
      progress(options, loader.numBatches()), fit(trainer, options, history, where),
      start(Clock::now()), lastSaved(start) {
  checkOptions();
}

void FitLoop::checkOptions() const {
  auto fail = [&](const std::string &message) { throw UserError("fit: " + message, where); };
  if (train.size() == 0) fail("the training data are empty");
  if (options.steps_per_launch < 1)
    fail(fmt::format("steps_per_launch is {}", options.steps_per_launch));
  if (options.epochs < 0) fail(fmt::format("epochs is {}", options.epochs));
  if (options.drop_last && train.size() < options.batch_size)
    fail(fmt::format("{} samples make no batch of {}, and drop_last leaves nothing", train.size(),
                     options.batch_size));
  for (size_t i = 0; i < options.callbacks.size(); ++i)
    if (!options.callbacks[i]) fail(fmt::format("callback {} is null", i));
  const CheckpointOptions &checkpoint = options.checkpoint;
  if (checkpoint.every_steps < 0)
    fail(fmt::format("checkpoint.every_steps is {}", checkpoint.every_steps));
  if (!(checkpoint.every_minutes >= 0))
    fail(fmt::format("checkpoint.every_minutes is {}", checkpoint.every_minutes));
  bool wanted = checkpoint.every_steps > 0 || checkpoint.every_minutes > 0 || checkpoint.resume;
  if (wanted && checkpoint.path.empty()) fail("checkpoint.path is empty");
}

History FitLoop::run() {
  impl.batchSize = std::min(options.batch_size, train.size());
  impl.metrics = options.metrics;
  if (options.checkpoint.resume && resume())
    loader = data::Loader(train,
                          {.batch_size = options.batch_size,
                           .shuffle = options.shuffle,
                           .seed = impl.shuffleSeed,
                           .drop_last = options.drop_last},
                          where);
  InterruptGuard interrupt;
  session.forget(); // of a fit that was left by an exception
  each(&Callback::on_train_begin);
  while (place.epoch <= options.epochs && !over()) epoch();
  each(&Callback::on_train_end);
  history.stopped = fit.stopped();
  if (history.interrupted)
    progress.note(fmt::format("interrupted after {} steps; the state is kept", place.steps));
  else if (!history.stopped.empty())
    progress.note(fmt::format("stopped after {} steps: {}", place.steps, history.stopped));
  return history;
}

void FitLoop::epoch() {
  impl.step.set_epoch(impl.epochsDone);
  if (!place.begun) {
    place.begun = true;
    place.made = impl.step.steps();
    each(&Callback::on_epoch_begin, place.epoch);
  }
  double before = place.seconds;
  auto epochStart = Clock::now();
  int64_t total = loader.numBatches();
  {
    data::Loader::Epoch batches = loader.epoch(impl.epochsDone, place.batches);
    for (const data::Example &one : batches) {
      batch(one, place.batches + ahead() + 1 == total);
      place.seconds = before + secondsSince(epochStart);
      history.interrupted |= InterruptGuard::requested();
      if (over()) break;
      saveIfDue(/*epochEnded=*/false);
    }
    drain();
    place.seconds = before + secondsSince(epochStart);
  }
  endEpoch();
  history.interrupted |= InterruptGuard::requested();
}

/// Whether something has to see the model as it is after each step.
bool FitLoop::looksAtEachStep() const {
  return !options.callbacks.empty() || options.checkpoint.every_steps > 0 ||
         options.log_every > 0 || session.runsAhead() == 1;
}

void FitLoop::batch(const data::Example &batch, bool last) {
  // Steps of another shape are another launch.
  if (!collected.empty() && collected.front().x.shape() != batch.x.shape()) launch(false);
  collected.push_back(batch);
  int64_t wanted = compiled && !looksAtEachStep() ? session.together(options.steps_per_launch) : 1;
  if (last || full() || static_cast<int64_t>(collected.size()) >= wanted) launch(last);
}

/// Begins the steps of the batches that were collected, and reads the losses of the launch before.
void FitLoop::launch(bool last) {
  if (collected.empty()) return;
  int64_t updates = session.updates();
  Step step{.lr = session.rateOf(0), .start = Clock::now()};
  session.begin(collected, last, where);
  step.update = session.updates() != updates;
  data::Example first = collected.front();
  for (const data::Example &batch : collected) {
    step.rows = batch.x.rank() ? batch.x.shape()[0] : 0;
    underWay.push_back(step);
  }
  launches.push_back({collected.size(), 0, 0});
  collected.clear();
  const size_t most = compiled && !looksAtEachStep() ? 1 : 0;
  while (launches.size() > most) finishStep();
  if (!std::exchange(compiled, true)) {
    history.compile_seconds = secondsSince(start);
    prepareLast(first);
  }
}

void FitLoop::drain() {
  launch(false);
  while (!launches.empty()) finishStep();
}

void FitLoop::finishStep() {
  Step step = underWay.front();
  underWay.pop_front();
  double loss = session.finish(where);
  Launched &launched = launches.front();
  if (launched.finished++ == 0) { // the steps of a launch end together
    launched.ms =
        1e3 * secondsSince(std::max(step.start, lastFinish)) / static_cast<double>(launched.steps);
    lastFinish = Clock::now();
  }
  history.step_ms.push_back(launched.ms);
  if (launched.finished == launched.steps) launches.pop_front();
  ++place.batches;
  double weighted = loss * static_cast<double>(step.rows);
  place.sum += weighted, place.groupSum += weighted;
  place.samples += step.rows, place.groupSamples += step.rows;
  progress.step(place.epoch, place.batches, place.sum / static_cast<double>(place.samples));
  if (!step.update) return;
  ++place.steps, ++place.ofEpoch;
  StepRecord record{place.epoch, place.steps,
                    place.groupSum / static_cast<double>(place.groupSamples), step.lr};
  place.groupSum = 0, place.groupSamples = 0;
  place.lr = step.lr;
  each(&Callback::on_step_end, record);
}

/// The step for the last, smaller batch is compiled while the first ones train.
void FitLoop::prepareLast(const data::Example &batch) {
  bool reached = options.max_steps <= 0 || options.max_steps >= loader.numBatches();
  int64_t rows = reached && !options.drop_last ? train.size() % options.batch_size : 0;
  if (rows == 0 || rows == batch.x.shape()[0]) return;
  TensorSpec x = batch.x.spec(), y = batch.y.spec();
  x.shape[0] = y.shape[0] = rows;
  std::optional<TensorSpec> weights;
  if (batch.weight) weights = TensorSpec{{rows}, f32};
  session.prepareStep(x, y, where, weights);
}

void FitLoop::endEpoch() {
  bool whole = place.batches == loader.numBatches();
  // Of a pass that is not over the checkpoint has the place in it.
  if (!whole && !options.checkpoint.path.empty()) save();
  EpochRecord record{.epoch = place.epoch, .seconds = place.seconds, .steps = place.ofEpoch};
  record.lr = place.lr;
  record.train_loss = place.samples ? place.sum / static_cast<double>(place.samples) : 0;
  if ((record.loss_scale = impl.step.loss_scale()))
    record.skipped_steps = record.steps - (impl.step.steps() - place.made);
  if (whole) session.endEpoch(impl.epochsDone++, where);
  if (options.validation && whole && !history.interrupted)
    record.validation =
        trainer.evaluate(*options.validation,
                         {.average = options.validate_average && session.averages() > 0}, where);
  if (whole && session.schedule().plateau && !history.interrupted) report(record);
  progress.epoch(record);
  history.epochs.push_back(record);
  if (options.on_epoch) options.on_epoch(history.epochs.back());
  if (whole) each(&Callback::on_epoch_end, history.epochs.back());
  place = {.epoch = place.epoch + 1, .steps = place.steps};
  if (whole) saveIfDue(/*epochEnded=*/true);
}

void FitLoop::report(const EpochRecord &record) {
  std::string metric = session.schedule().plateau->metric;
  if (metric.empty()) metric = record.validation ? "val_loss" : "loss";
  session.report(record.metric(metric, where), where);
}

void FitLoop::saveIfDue(bool epochEnded) {
  const CheckpointOptions &checkpoint = options.checkpoint;
  if (checkpoint.path.empty()) return;
  bool stepped = place.steps != savedSteps && session.accumulated() == 0;
  bool due = epochEnded && checkpoint.every_epoch;
  if (!epochEnded && stepped)
    due |= checkpoint.every_steps > 0 && place.steps % checkpoint.every_steps == 0;
  if (stepped)
    due |= checkpoint.every_minutes > 0 && secondsSince(lastSaved) >= 60 * checkpoint.every_minutes;
  if (!due) return;
  drain();
  save();
}

} // namespace sinter::detail
