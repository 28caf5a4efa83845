#include "sinter/frontend/Schedule.h"

#include "sinter/frontend/Errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sinter::optim {

using std::numbers::pi;

[[noreturn]] static void refuse(const char *schedule, const std::string &message, Where where) {
  throw UserError(fmt::format("optim::{}: {}", schedule, message), where);
}

template <class T> static void require(bool holds, const char *schedule, const char *option,
                                       const T &value, const char *expected, Where where) {
  if (!holds)
    refuse(schedule, fmt::format("{} is {}, expected {}", option, value, expected), where);
}

Schedule step_schedule(int64_t step_size, double gamma, Where where) {
  if (step_size < 1) throw UserError("optim::step_schedule: step_size must be positive", where);
  return {[=](int64_t epoch) { return std::pow(gamma, static_cast<double>(epoch / step_size)); }};
}

Schedule multi_step_schedule(std::vector<int64_t> milestones, double gamma, Where where) {
  if (!std::is_sorted(milestones.begin(), milestones.end()))
    refuse("multi_step_schedule",
           fmt::format("the milestones [{}] do not ascend", fmt::join(milestones, ", ")), where);
  return {[=](int64_t epoch) {
    auto passed = std::upper_bound(milestones.begin(), milestones.end(), epoch);
    return std::pow(gamma, static_cast<double>(passed - milestones.begin()));
  }};
}

Schedule exponential_schedule(double gamma, Where where) {
  require(gamma > 0, "exponential_schedule", "gamma", gamma, "a positive number", where);
  return {[=](int64_t epoch) { return std::pow(gamma, static_cast<double>(epoch)); }};
}

Schedule cosine_schedule(CosineOptions o, Where where) {
  require(o.T_max > 0, "cosine_schedule", "T_max", o.T_max, "a positive number", where);
  Schedule schedule{.every = o.every};
  schedule.rate = [=](double lr, int64_t time) {
    double share = static_cast<double>(time) / static_cast<double>(o.T_max);
    return o.eta_min + (lr - o.eta_min) * (1 + std::cos(pi * share)) / 2;
  };
  return schedule;
}

Schedule linear_schedule(LinearOptions o, Where where) {
  require(o.start_factor > 0 && o.start_factor <= 1, "linear_schedule", "start_factor",
          o.start_factor, "a number in (0, 1]", where);
  require(o.end_factor >= 0 && o.end_factor <= 1, "linear_schedule", "end_factor", o.end_factor,
          "a number in [0, 1]", where);
  require(o.total_iters > 0, "linear_schedule", "total_iters", o.total_iters, "a positive number",
          where);
  return {[=](int64_t time) {
            double share = static_cast<double>(std::min(time, o.total_iters)) /
                           static_cast<double>(o.total_iters);
            return o.start_factor + (o.end_factor - o.start_factor) * share;
          },
          o.every};
}

Schedule warmup_schedule(WarmupOptions o, Where where) {
  bool linear = o.decay == "linear", cosine = o.decay == "cosine";
  if (!linear && !cosine && o.decay != "constant")
    refuse("warmup_schedule",
           fmt::format("decay '{}' is none of linear, cosine, constant", o.decay), where);
  require(o.warmup_steps >= 0, "warmup_schedule", "warmup_steps", o.warmup_steps,
          "a number of steps", where);
  if (linear || cosine)
    require(o.total_steps > o.warmup_steps, "warmup_schedule", "total_steps", o.total_steps,
            "more than warmup_steps", where);
  return {[=](int64_t step) {
            if (step < o.warmup_steps)
              return static_cast<double>(step) / static_cast<double>(o.warmup_steps);
            if (!linear && !cosine) return 1.0;
            double done = static_cast<double>(std::min(step, o.total_steps) - o.warmup_steps) /
                          static_cast<double>(o.total_steps - o.warmup_steps);
            return linear ? 1 - done : (1 + std::cos(pi * done)) / 2;
          },
          Every::step};
}

Schedule one_cycle_schedule(OneCycleOptions o, Where where) {
  const char *name = "one_cycle_schedule";
  require(o.max_lr > 0, name, "max_lr", o.max_lr, "a positive rate", where);
  require(o.total_steps > 0, name, "total_steps", o.total_steps, "a positive number", where);
  require(o.pct_start >= 0 && o.pct_start <= 1, name, "pct_start", o.pct_start, "a share in [0, 1]",
          where);
  bool cosine = o.anneal_strategy == "cos";
  if (!cosine && o.anneal_strategy != "linear")
    refuse(name, fmt::format("anneal_strategy '{}' is none of cos, linear", o.anneal_strategy),
           where);
  double start = o.max_lr / o.div_factor, least = start / o.final_div_factor;
  struct Phase {
    double end; // the step at which it is over
    double lr[2], momentum[2];
  };
  double total = static_cast<double>(o.total_steps), low = o.base_momentum, high = o.max_momentum;
  std::vector<Phase> phases{{o.pct_start * total - 1, {start, o.max_lr}, {high, low}}};
  if (o.three_phase) {
    phases.push_back({2 * o.pct_start * total - 2, {o.max_lr, start}, {low, high}});
    phases.push_back({total - 1, {start, least}, {high, high}});
  } else {
    phases.push_back({total - 1, {o.max_lr, least}, {low, high}});
  }
  auto at = [=](int64_t time, auto member) {
    double step = std::min(static_cast<double>(time), total - 1), begin = 0;
    for (const Phase &phase : phases) {
      if (step > phase.end && &phase != &phases.back()) {
        begin = phase.end;
        continue;
      }
      const double *range = member(phase);
      double share = phase.end > begin ? (step - begin) / (phase.end - begin) : 1;
      return cosine ? range[1] + (range[0] - range[1]) / 2 * (1 + std::cos(pi * share))
                    : range[0] + (range[1] - range[0]) * share;
    }
    return 0.0;
  };
  Schedule schedule{.every = Every::step};
  schedule.rate = [=](double, int64_t step) {
    return at(step, [](const Phase &phase) { return phase.lr; });
  };
  if (o.cycle_momentum)
    schedule.momentum = [=](int64_t step) {
      return at(step, [](const Phase &phase) { return phase.momentum; });
    };
  return schedule;
}

Schedule plateau_schedule(PlateauOptions o, Where where) {
  const char *name = "plateau_schedule";
  if (o.mode != "min" && o.mode != "max")
    refuse(name, fmt::format("mode '{}' is none of min, max", o.mode), where);
  if (o.threshold_mode != "rel" && o.threshold_mode != "abs")
    refuse(name, fmt::format("threshold_mode '{}' is none of rel, abs", o.threshold_mode), where);
  require(o.factor > 0 && o.factor < 1, name, "factor", o.factor, "a number between 0 and 1",
          where);
  require(o.patience >= 0, name, "patience", o.patience, "a number of reports", where);
  Schedule schedule;
  schedule.plateau = std::make_shared<PlateauOptions>(std::move(o));
  return schedule;
}

Schedule sequential_schedule(std::vector<Schedule> schedules, std::vector<int64_t> milestones,
                             Where where) {
  const char *name = "sequential_schedule";
  if (schedules.size() != milestones.size() + 1)
    refuse(name,
           fmt::format("{} schedules need {} milestones, got {}", schedules.size(),
                       std::max<size_t>(schedules.size(), 1) - 1, milestones.size()),
           where);
  if (!std::is_sorted(milestones.begin(), milestones.end()))
    refuse(name, fmt::format("the milestones [{}] do not ascend", fmt::join(milestones, ", ")),
           where);
  for (const Schedule &each : schedules) {
    if (each.every != schedules[0].every)
      refuse(name, "some schedules count epochs, others steps", where);
    if (each.plateau || each.momentum)
      refuse(name, "a plateau or one-cycle schedule cannot be a part", where);
  }
  Schedule result{.every = schedules[0].every};
  result.rate = [=](double lr, int64_t time) {
    auto passed = std::upper_bound(milestones.begin(), milestones.end(), time);
    auto index = static_cast<size_t>(passed - milestones.begin());
    return schedules[index](lr, time - (index ? milestones[index - 1] : 0));
  };
  return result;
}

bool PlateauState::report(const PlateauOptions &o, double metric) {
  bool least = o.mode == "min";
  auto improves = [&](double best) {
    double margin = o.threshold_mode == "rel" ? best * o.threshold : o.threshold;
    return least ? metric < best - margin : metric > best + margin;
  };
  if (best ? improves(*best) : !std::isnan(metric)) {
    best = metric;
    bad = 0;
  } else {
    ++bad;
  }
  if (cooldown > 0) {
    --cooldown;
    bad = 0;
  }
  if (bad <= o.patience) return false;
  cooldown = o.cooldown;
  bad = 0;
  bool changed = false;
  for (double &rate : rates) {
    double next = std::max(rate * o.factor, o.min_lr);
    if (rate - next <= o.eps) continue;
    rate = next;
    changed = true;
  }
  return changed;
}

} // namespace sinter::optim
