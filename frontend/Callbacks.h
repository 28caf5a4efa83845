#pragma once

#include "sinter/frontend/Trainer.h"

/// What is called while Trainer::fit works, and the callbacks that come with Sinter.
namespace sinter {

/// A fit, as its callbacks see it.
class Fit {
public:
  Fit(Trainer &trainer, const FitOptions &options, const History &history, Where where)
      : trainer(trainer), options(options), history(history), where(where) {}

  Trainer &trainer;
  const FitOptions &options;
  const History &history; // of the epochs before
  const Where where;      // the line that called fit

  /// Ends the fit after the step or epoch that has ended; `reason` becomes History::stopped.
  void stop(std::string reason);
  /// Why it ends; empty: it does not.
  const std::string &stopped() const { return reason_; }

private:
  std::string reason_;
};

/// What a callback keeps, for checkpoints.
struct CallbackState {
  std::map<std::string, double> numbers = {};
  std::map<std::string, Array> arrays = {};
};

/// Called in the order of FitOptions::callbacks. What one throws ends the fit.
class Callback {
public:
  virtual ~Callback();
  /// Also where a fit goes on from a checkpoint; `restore` was called before, then.
  virtual void on_train_begin(Fit &fit);
  virtual void on_epoch_begin(Fit &fit, int64_t epoch); // from 1
  virtual void on_step_end(Fit &fit, const StepRecord &step);
  virtual void on_epoch_end(Fit &fit, const EpochRecord &epoch); // of whole epochs
  virtual void on_train_end(Fit &fit);

  virtual CallbackState state() const;
  virtual void restore(const CallbackState &state);
};

/// Functions as a callback; those without value are left out.
class LambdaCallback : public Callback {
public:
  struct Functions {
    std::function<void(Fit &)> on_train_begin = {};
    std::function<void(Fit &, int64_t)> on_epoch_begin = {};
    std::function<void(Fit &, const StepRecord &)> on_step_end = {};
    std::function<void(Fit &, const EpochRecord &)> on_epoch_end = {};
    std::function<void(Fit &)> on_train_end = {};
  };
  explicit LambdaCallback(Functions functions) : functions_(std::move(functions)) {}
  void on_train_begin(Fit &fit) override;
  void on_epoch_begin(Fit &fit, int64_t epoch) override;
  void on_step_end(Fit &fit, const StepRecord &step) override;
  void on_epoch_end(Fit &fit, const EpochRecord &epoch) override;
  void on_train_end(Fit &fit) override;

private:
  Functions functions_;
};

struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  double min_delta = 0; // the least improvement that counts
  int64_t patience = 0; // epochs in a row without one before it stops
  std::string mode =
      "auto"; // "min", "max"; auto: max of what is named accuracy, precision, recall or f1
  /// At the end the model has the parameters and buffers of the best epoch.
  bool restore_best_weights = true;
};
/// Ends a fit whose metric no longer improves. Keras's EarlyStopping.
class EarlyStopping : public Callback {
public:
  explicit EarlyStopping(EarlyStoppingOptions options = {}, Where where = Where::current());
  void on_epoch_end(Fit &fit, const EpochRecord &epoch) override;
  void on_train_end(Fit &fit) override;
  CallbackState state() const override;
  void restore(const CallbackState &state) override;

  std::optional<double> best() const { return best_; }
  int64_t best_epoch() const { return bestEpoch_; } // from 1; 0: none yet

private:
  EarlyStoppingOptions options_;
  bool largest_ = false;
  std::optional<double> best_;
  int64_t bestEpoch_ = 0, waited_ = 0;
  std::map<std::string, Array> weights_;
};

/// As FitOptions::callbacks takes them.
std::shared_ptr<LambdaCallback> callback(LambdaCallback::Functions functions);
std::shared_ptr<EarlyStopping> early_stopping(EarlyStoppingOptions options = {},
                                              Where where = Where::current());

} // namespace sinter
