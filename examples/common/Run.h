#pragma once

#include "Options.h"

namespace examples {

/// Everything an example's main does with its model: load, train, evaluate, save, and the record.
struct Run {
  std::string example;
  const Options &options;
  sinter::nn::Module &model;
  sinter::Trainer &trainer;
  const sinter::data::Dataset &train;
  const sinter::data::Dataset *test = nullptr;
  std::vector<sinter::Metric> metrics = {};
  int64_t line_every_epochs = 1;
  bool validate = true; // on the validation or test data after each epoch
  const sinter::data::Dataset *validation = nullptr;
  std::vector<std::shared_ptr<sinter::Callback>> callbacks = {};
  sinter::CheckpointOptions checkpoint = {};
};

struct Outcome {
  sinter::History history;
  sinter::Scores test;
};

/// Trains as the options say and writes what they ask for. The record has: example, device, precision,
/// parameters, compile_seconds, epochs, step_ms (median), kernels_per_step, peak_bytes,
/// lower_bound_bytes, test.
Outcome train(const Run &run);

/// Writes the record of a training that was done otherwise, where the options ask for one.
void writeRecord(const Run &run, const Outcome &outcome);

} // namespace examples
