#include "sinter/frontend/Callbacks.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter {

void Fit::stop(std::string reason) {
  if (reason_.empty()) reason_ = reason.empty() ? "a callback" : std::move(reason);
}

Callback::~Callback() = default;
void Callback::on_train_begin(Fit &) {}
void Callback::on_epoch_begin(Fit &, int64_t) {}
void Callback::on_step_end(Fit &, const StepRecord &) {}
void Callback::on_epoch_end(Fit &, const EpochRecord &) {}
void Callback::on_train_end(Fit &) {}
CallbackState Callback::state() const { return {}; }
void Callback::restore(const CallbackState &) {}

void LambdaCallback::on_train_begin(Fit &fit) {
  if (functions_.on_train_begin) functions_.on_train_begin(fit);
}
void LambdaCallback::on_epoch_begin(Fit &fit, int64_t epoch) {
  if (functions_.on_epoch_begin) functions_.on_epoch_begin(fit, epoch);
}
void LambdaCallback::on_step_end(Fit &fit, const StepRecord &step) {
  if (functions_.on_step_end) functions_.on_step_end(fit, step);
}
void LambdaCallback::on_epoch_end(Fit &fit, const EpochRecord &epoch) {
  if (functions_.on_epoch_end) functions_.on_epoch_end(fit, epoch);
}
void LambdaCallback::on_train_end(Fit &fit) {
  if (functions_.on_train_end) functions_.on_train_end(fit);
}

EarlyStopping::EarlyStopping(EarlyStoppingOptions options, Where where)
    : options_(std::move(options)) {
  if (options_.mode != "auto" && options_.mode != "min" && options_.mode != "max")
    throw UserError(
        fmt::format("EarlyStopping: mode '{}' is none of auto, min, max", options_.mode), where);
  if (options_.patience < 0)
    throw UserError(fmt::format("EarlyStopping: patience is {}", options_.patience), where);
  largest_ = options_.mode == "max";
  if (options_.mode == "auto")
    for (const char *good : {"accuracy", "precision", "recall", "f1"})
      largest_ |= options_.monitor.find(good) != std::string::npos;
}

void EarlyStopping::on_epoch_end(Fit &fit, const EpochRecord &epoch) {
  double value = epoch.metric(options_.monitor, fit.where);
  double gain = !best_ ? INFINITY : largest_ ? value - *best_ : *best_ - value;
  if (!std::isnan(value) && gain > options_.min_delta) {
    best_ = value;
    bestEpoch_ = epoch.epoch;
    waited_ = 0;
    if (!options_.restore_best_weights) return;
    const nn::Module &model = fit.trainer.model();
    for (const auto &list : {model.named_parameters(), model.named_buffers()})
      for (const auto &named : list) weights_[named.name] = model.value(named.name);
    return;
  }
  // As Keras counts: the epoch that is `patience` after the best one is the last.
  if (++waited_ >= options_.patience)
    fit.stop(fmt::format("{} has not improved since epoch {}", options_.monitor, bestEpoch_));
}

void EarlyStopping::on_train_end(Fit &fit) {
  for (const auto &[name, value] : weights_) fit.trainer.model().set_value(name, value);
}

CallbackState EarlyStopping::state() const {
  CallbackState state;
  state.numbers = {{"best_epoch", static_cast<double>(bestEpoch_)},
                   {"waited", static_cast<double>(waited_)}};
  if (best_) state.numbers["best"] = *best_;
  state.arrays = weights_;
  return state;
}

void EarlyStopping::restore(const CallbackState &state) {
  auto number = [&](const char *name) {
    auto found = state.numbers.find(name);
    return found == state.numbers.end() ? 0.0 : found->second;
  };
  bestEpoch_ = static_cast<int64_t>(number("best_epoch"));
  waited_ = static_cast<int64_t>(number("waited"));
  best_ = state.numbers.count("best") ? std::optional(number("best")) : std::nullopt;
  weights_ = state.arrays;
}

std::shared_ptr<LambdaCallback> callback(LambdaCallback::Functions functions) {
  return std::make_shared<LambdaCallback>(std::move(functions));
}
std::shared_ptr<EarlyStopping> early_stopping(EarlyStoppingOptions options, Where where) {
  return std::make_shared<EarlyStopping>(std::move(options), where);
}

} // namespace sinter
