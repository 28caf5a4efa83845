#pragma once

#include "sinter/frontend/Types.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Learning rates over time, as PyTorch's schedulers give them. A rate is written into the state that the
/// step reads: nothing is compiled again when it changes.
namespace sinter::optim {

/// What a schedule counts: epochs, or optimiser steps (those that loss scaling skipped included).
enum class Every { epoch, step };

/// PyTorch's ReduceLROnPlateau: the rate is multiplied by `factor` after more than `patience` reports in a row
/// without an improvement.
struct PlateauOptions {
  std::string mode = "min"; // or "max": what is better
  double factor = 0.1;
  int64_t patience = 10;
  double threshold = 1e-4;            // the least improvement
  std::string threshold_mode = "rel"; // to the best so far; or "abs"
  int64_t cooldown = 0;               // reports that are not counted after a reduction
  double min_lr = 0;
  double eps = 1e-8; // a smaller change of the rate is not made
  std::string metric =
      {}; // that fit reports: "val_loss", "loss", "val_accuracy"; by default the first it has
};

struct Schedule {
  /// Of the epoch (or step), counted from 0; the learning rate is multiplied by it.
  std::function<double(int64_t time)> factor = {};
  Every every = Every::epoch;
  /// In place of `factor`: the rate itself, from the optimiser's (or the group's).
  std::function<double(double lr, int64_t time)> rate = {};
  /// SGD's and RMSprop's momentum, Adam's first beta; the optimiser's own without it.
  std::function<double(int64_t time)> momentum = {};
  std::shared_ptr<const PlateauOptions> plateau = {};

  double operator()(double lr, int64_t time) const {
    return rate ? rate(lr, time) : factor ? lr * factor(time) : lr;
  }
};

inline Schedule constant_schedule() { return {}; }
/// StepLR: multiplies by gamma every step_size epochs.
Schedule step_schedule(int64_t step_size, double gamma = 0.1, Where where = Where::current());
/// MultiStepLR: multiplies by gamma at each of the milestones, which ascend.
Schedule multi_step_schedule(std::vector<int64_t> milestones, double gamma = 0.1,
                             Where where = Where::current());
/// ExponentialLR.
Schedule exponential_schedule(double gamma, Where where = Where::current());

struct CosineOptions {
  int64_t T_max = 0; // epochs (or steps) from the rate down to eta_min; then it rises again
  double eta_min = 0;
  Every every = Every::epoch;
};
/// CosineAnnealingLR. Loshchilov and Hutter, 2017.
Schedule cosine_schedule(CosineOptions options, Where where = Where::current());

struct LinearOptions {
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  int64_t total_iters = 5;
  Every every = Every::epoch;
};
/// LinearLR: from one factor to the other, then constant.
Schedule linear_schedule(LinearOptions options = {}, Where where = Where::current());

struct WarmupOptions {
  int64_t warmup_steps = 0;     // from 0 to the rate
  int64_t total_steps = 0;      // the end of the decay
  std::string decay = "linear"; // to 0; or "cosine" to 0, or "constant"
};
/// In steps: linear warm-up, then decay.
Schedule warmup_schedule(WarmupOptions options, Where where = Where::current());

struct OneCycleOptions {
  double max_lr = 0;
  int64_t total_steps = 0;
  double pct_start = 0.3;
  std::string anneal_strategy = "cos"; // or "linear"
  bool cycle_momentum = true;
  double base_momentum = 0.85;
  double max_momentum = 0.95;
  double div_factor = 25;
  double final_div_factor = 1e4;
  bool three_phase = false;
};
/// OneCycleLR, in steps; after total_steps the last rate stays. Smith and Topin, 2018. The optimiser's own
/// rate does not count.
Schedule one_cycle_schedule(OneCycleOptions options, Where where = Where::current());

/// ReduceLROnPlateau. `fit` reports after each epoch, `TrainStep::report` by hand.
Schedule plateau_schedule(PlateauOptions options = {}, Where where = Where::current());

/// SequentialLR: schedule i until milestone i, then the next, counted from there.
Schedule sequential_schedule(std::vector<Schedule> schedules, std::vector<int64_t> milestones,
                             Where where = Where::current());

/// Where a plateau schedule stands.
struct PlateauState {
  std::optional<double> best;
  int64_t bad = 0, cooldown = 0;
  std::vector<double> rates; // by group

  /// After a report; whether a rate changed.
  bool report(const PlateauOptions &options, double metric);
};

} // namespace sinter::optim
