#include "Run.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <numeric>

namespace examples {

using nlohmann::ordered_json;

static ordered_json metricsOf(const sinter::Scores &scores) {
  ordered_json metrics = ordered_json::object();
  for (const auto &[name, value] : scores.values)
    if (name != "loss") metrics[name] = value;
  return metrics;
}

static ordered_json epochsOf(const Run &run, const sinter::History &history) {
  ordered_json epochs = ordered_json::array();
  for (const auto &record : history.epochs) {
    ordered_json one{{"train_loss", record.train_loss}};
    if (record.validation)
      one["val_loss"] = (*record.validation)["loss"],
      one["metrics"] = metricsOf(*record.validation);
    one["seconds"] = record.seconds;
    epochs.push_back(std::move(one));
  }
  if (run.options.steps == 0 || history.epochs.size() < 2) return epochs;
  // Of so many steps, however many passes over the data they are, one record.
  double sum = 0, seconds = 0;
  int64_t steps = 0;
  for (const auto &record : history.epochs) {
    sum += record.train_loss * static_cast<double>(record.steps);
    steps += record.steps;
    seconds += record.seconds;
  }
  epochs.front()["train_loss"] = sum / static_cast<double>(steps);
  epochs.front()["seconds"] = seconds;
  return ordered_json::array({epochs.front()});
}

static double median(std::vector<double> values) {
  if (values.empty()) return 0;
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void writeRecord(const Run &run, const Outcome &outcome) {
  const Options &options = run.options;
  if (options.json.empty()) return;
  // The first step compiles; it is counted there.
  std::vector<double> steps = outcome.history.step_ms;
  if (steps.size() > 1) steps.erase(steps.begin());
  ordered_json record{{"example", run.example},
                      {"device", sinter::Device::named(options.device, options.threads).name()},
                      {"precision", options.precision},
                      {"parameters", run.model.num_parameters()},
                      {"compile_seconds", outcome.history.compile_seconds},
                      {"epochs", epochsOf(run, outcome.history)},
                      {"step_ms", median(steps)}};
  if (!outcome.history.step_ms.empty()) {
    sinter::Cost cost = run.trainer.step().cost();
    record["kernels_per_step"] = cost.kernels;
    record["peak_bytes"] = cost.peakBytes;
    record["lower_bound_bytes"] = cost.lowerBoundBytes;
    if (auto scale = run.trainer.step().loss_scale()) {
      record["loss_scale"] = *scale;
      int64_t skipped = 0;
      for (const auto &epoch : outcome.history.epochs) skipped += epoch.skipped_steps;
      record["skipped_steps"] = skipped;
    }
  }
  if (run.test)
    record["test"] = {{"loss", outcome.test["loss"]}, {"metrics", metricsOf(outcome.test)}};
  std::ofstream file(options.json);
  file << record.dump(2) << "\n";
  if (!file.flush()) throw std::runtime_error(options.json + ": cannot be written");
}

static sinter::TensorSpec batchOf(const sinter::Array &sample, int64_t size) {
  sinter::TensorSpec spec = sample.spec();
  spec.shape.insert(spec.shape.begin(), size);
  return spec;
}

static sinter::History fit(const Run &run) {
  const Options &options = run.options;
  int64_t epochs = options.epochs;
  if (options.steps > 0) { // as many as the steps need
    int64_t perEpoch = (run.train.size() + options.batch_size - 1) / options.batch_size;
    epochs = (options.steps + perEpoch - 1) / perEpoch;
  }
  return run.trainer.fit(run.train,
                         {.epochs = epochs,
                          .batch_size = options.batch_size,
                          .validation = run.validate && options.steps == 0
                                            ? (run.validation ? run.validation : run.test)
                                            : nullptr,
                          .metrics = run.metrics,
                          .log_every = options.log_every,
                          .max_steps = options.steps,
                          .line_every_epochs = run.line_every_epochs,
                          .callbacks = run.callbacks,
                          .checkpoint = run.checkpoint});
}

/// What the step is made of, at the end: a profile trains on its batch.
static void inspect(const Run &run) {
  if (run.options.summary) fmt::print("{}", run.trainer.step().summary());
  if (run.options.profile.empty()) return;
  std::vector<int64_t> rows(
      static_cast<size_t>(std::min(run.options.batch_size, run.train.size())));
  std::iota(rows.begin(), rows.end(), 0);
  sinter::data::Example batch = run.train.batch(rows);
  sinter::Profile profile = run.trainer.step().profile(batch.x, batch.y);
  fmt::print("{}", profile.text());
  profile.write_chrome_trace(run.options.profile);
  fmt::print("wrote {}\n", run.options.profile);
}

Outcome train(const Run &run) {
  const Options &options = run.options;
  if (!options.load.empty()) sinter::load(run.model, options.load);
  if (!options.save_program.empty()) {
    sinter::data::Example sample = run.train.get(0);
    int64_t size = std::min(options.batch_size, run.train.size());
    run.trainer.save_program(options.save_program, batchOf(sample.x, size),
                             batchOf(sample.y, size));
    fmt::print("wrote {}\n", options.save_program);
  }
  Outcome outcome;
  try {
    outcome.history = fit(run);
  } catch (const sinter::NonFiniteLoss &) { // the state is that of before the step
    if (!options.save.empty()) {
      sinter::save(run.model, options.save);
      fmt::print(stderr, "wrote {}, the state of before the step that failed\n", options.save);
    }
    throw;
  }
  if (run.test) outcome.test = run.trainer.evaluate(*run.test, {.metrics = run.metrics});
  if (!options.save.empty()) {
    sinter::save(run.model, options.save);
    fmt::print("wrote {}\n", options.save);
  }
  writeRecord(run, outcome);
  inspect(run);
  return outcome;
}

} // namespace examples
