#pragma once

#include "sinter/frontend/Compile.h"
#include "sinter/frontend/Loss.h"
#include "sinter/frontend/Optim.h"
#include "sinter/frontend/data/Dataset.h"
#include "sinter/frontend/nn/Module.h"

#include <concepts>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sinter {

namespace detail {
class Session;
class FitLoop;
struct TrainerImpl;
using ForwardFunction = std::function<Tensor(const Tensor &)>;
template <class M> ForwardFunction forwardOf(M &model) {
  return [&model](const Tensor &x) { return nn::call(model, x); };
}
} // namespace detail

/// Dynamic loss scaling, for steps with ops in f16; with the defaults and the rules of PyTorch's
/// GradScaler. The loss is multiplied by the scale before it is differentiated, and the gradients are
/// divided by it. Where one is not finite the step changes nothing but the scale, which it multiplies by
/// `backoff_factor`; after `growth_interval` good steps in a row it is multiplied by `growth_factor`. Scale
/// and count are state of the step, on its device and in its checkpoints ("loss_scale",
/// "loss_scale.growth_tracker").
struct LossScaling {
  double initial_scale = 65536; // of a training that does not start from a checkpoint
  double growth_factor = 2;     // above 1
  double backoff_factor = 0.5;  // between 0 and 1
  int64_t growth_interval = 2000;
};

/// What is done to gradients before an optimiser gets them, in this order.
struct GradientOptions {
  /// A step is made of so many batches: their gradients are added up, and the last one's call moves the
  /// parameters, as one batch of all their samples would (but for layers whose statistics are a batch's).
  int64_t accumulate = 1;
  /// PyTorch's clip_grad_norm_: gradients are multiplied by min(1, clip_norm / (norm + 1e-6)), where norm is
  /// that of all of them together; 0: they are not.
  double clip_norm = 0;
  /// clip_grad_value_: elements are brought into [-clip_value, clip_value]; 0: they are not.
  double clip_value = 0;
};

struct TrainerOptions {
  Device device = Device::best();
  Precision precision = Precision::f32;
  uint64_t seed = 0; // of initial values, shuffling and dropout
  std::string dump_dir = {};
  Contracts require = {};
  int64_t memory_budget =
      0; // most bytes of working memory of a compiled step, as in CompileOptions
  LossScaling loss_scaling = {}; // with f16 only
  Numerics numerics = Numerics::standard;
  GradientOptions gradients = {};
  optim::Averaging average = {};
  bool autotune = false; // as in CompileOptions
  bool tf32 = false;     // as in CompileOptions
};

/// One training step as a compiled function, for loops of one's own. It keeps parameters, moments and
/// running statistics on the device.
class TrainStep {
public:
  template <std::derived_from<nn::Module> M>
  TrainStep(M &model, Loss loss, optim::Optimizer optimizer, TrainerOptions options = {},
            Where where = Where::current())
      : TrainStep(model, detail::forwardOf(model), std::move(loss), std::move(optimizer),
                  std::move(options), where) {}
  TrainStep(nn::Module &model, detail::ForwardFunction forward, Loss loss,
            optim::Optimizer optimizer, TrainerOptions options, Where where);

  /// Trains on a batch and returns its loss. Another batch size compiles once. A loss that is not
  /// finite throws NonFiniteLoss and changes nothing (but the loss scale, where there is one).
  double operator()(const Array &x, const Array &y, Where where = Where::current());
  /// With the weights of samples in the batch, if it has any.
  double operator()(const data::Example &batch, Where where = Where::current());
  /// The epoch that schedules count with.
  void set_epoch(int64_t epoch);
  /// Steps that were made; those that loss scaling skipped are not.
  int64_t steps() const;
  /// The learning rate of the next step; group i + 1 is the optimiser's groups[i].
  double lr(size_t group = 0) const;
  /// A metric, for a plateau schedule; whether it changed the rate. `fit` reports by itself.
  bool report(double metric, Where where = Where::current());
  /// The norm of all gradients in the latest step, before it was clipped; none where it is not.
  std::optional<double> grad_norm() const;
  /// Moves the averages to where the parameters are now; those that count steps move by themselves.
  void update_average(Where where = Where::current());
  /// What the loss is multiplied by now (read from the device); none where nothing runs in f16, or
  /// before the first step.
  std::optional<double> loss_scale() const;
  /// Of the step for batches like the latest.
  Cost cost() const;
  /// Parameters, kernels, operations, bytes, memory against the bound, precision, and what was not
  /// fused by its reason, in words.
  std::string summary() const;
  /// Trains on the batch once, then `runs` times with a clock on every launch: these are steps like any
  /// other. With a dump, `report.html` gets the times.
  Profile profile(const Array &x, const Array &y, int64_t runs = 10,
                  Where where = Where::current());
  std::string ir() const;
  std::string planned_ir() const;
  std::vector<LaunchInfo> launches() const;
  std::vector<KernelText> kernel_sources() const;
  /// The CUDA C++ that the step would be on a GPU; needs none.
  std::vector<KernelText> cuda_kernels() const;

  const std::shared_ptr<detail::Session> &session() const { return session_; }

private:
  std::shared_ptr<detail::Session> session_;
};

template <std::derived_from<nn::Module> M>
TrainStep train_step(M &model, Loss loss, optim::Optimizer optimizer, TrainerOptions options = {},
                     Where where = Where::current()) {
  return TrainStep(model, std::move(loss), std::move(optimizer), std::move(options), where);
}

/// While it lives, the model has the averages of its parameters in place of the parameters: to evaluate,
/// predict or save with. Training meanwhile is an error.
class Averaged {
public:
  explicit Averaged(TrainStep &step, Where where = Where::current());
  ~Averaged();
  Averaged(const Averaged &) = delete;

private:
  std::shared_ptr<detail::Session> session_;
};

/// What an evaluation found: "loss" and the metrics, by name.
class Scores {
public:
  /// A name and the line where it is asked for.
  struct Name {
    Name(const char *text, Where where = Where::current()) : text(text), where(where) {}
    Name(std::string text, Where where = Where::current()) : text(std::move(text)), where(where) {}
    std::string text;
    Where where;
  };
  /// Throws UserError, listing the names there are.
  double operator[](const Name &name) const;
  bool has(const std::string &name) const { return values.count(name) != 0; }
  std::map<std::string, double> values;
};

struct EpochRecord {
  int64_t epoch = 0; // from 1
  double train_loss = 0;
  std::optional<Scores> validation = {};
  double seconds = 0; // of training
  int64_t steps = 0;
  std::optional<double> loss_scale = {}; // at the end of the epoch, where losses are scaled
  int64_t skipped_steps = 0;             // of `steps`, by loss scaling
  double lr = 0;                         // of the epoch's last step

  /// "loss", or "val_NAME" of the validation. Throws UserError, listing the names there are.
  double metric(const std::string &name, Where where = Where::current()) const;
};

/// What a step was: of a group of batches, where gradients are accumulated.
struct StepRecord {
  int64_t epoch = 0; // from 1
  int64_t step = 0;  // of the whole fit, from 1
  double loss = 0;
  double lr = 0;
};

struct History {
  std::vector<EpochRecord> epochs;
  bool interrupted = false;    // by Ctrl-C
  std::string stopped = {};    // why a callback ended it; empty: none did
  double compile_seconds = 0;  // from trace to the end of the first step
  std::vector<double> step_ms; // of each batch
};

class Callback;

/// Checkpoints of a fit, from which another process goes on bit for bit: parameters, buffers, the optimiser's
/// state, loss scale, random numbers, averages, schedules, the place in the data, the history, and what
/// callbacks keep. The file is replaced in one step.
struct CheckpointOptions {
  std::string path = {}; // none: none are written
  int64_t every_steps = 0;
  double every_minutes = 0;
  bool every_epoch = true;
  /// Goes on from the file if it is there; then `epochs` and `max_steps` are those of the whole fit.
  bool resume = false;
};

enum class Verbosity {
  automatic,
  silent,
  lines,
  bar
}; // automatic: a bar on a terminal, else lines

struct FitOptions {
  int64_t epochs = 1;
  int64_t batch_size = 32;
  const data::Dataset *validation = nullptr; // evaluated after each epoch
  std::vector<Metric> metrics = {};
  bool shuffle = true;
  int64_t log_every = 0;  // batches between lines; 0: one line an epoch
  int64_t max_steps = 0;  // stop after this many; 0: never
  bool drop_last = false; // leave out a last batch that is smaller
  Verbosity verbosity = Verbosity::automatic;
  int64_t line_every_epochs = 1; // where lines are printed: one each so many epochs
  std::function<void(const EpochRecord &)> on_epoch = {};
  std::vector<std::shared_ptr<Callback>> callbacks = {};
  CheckpointOptions checkpoint = {};
  bool validate_average = false; // validation is of the averages, once there are any
  /// So many steps are one launch, on a GPU: their batches travel together, and their losses come back together.
  /// Where a rate changes within them, or something looks at every step (callbacks, averages, checkpoints by
  /// steps), there are fewer.
  int64_t steps_per_launch = 1;
};

struct EvaluateOptions {
  int64_t batch_size = 0;           // 0: that of the latest fit, else 32
  std::vector<Metric> metrics = {}; // none: those of the latest fit
  bool average = false;             // of the averages of the parameters (TrainerOptions::average)
};

/// Trains and evaluates a model. The model must outlive it.
class Trainer {
public:
  template <std::derived_from<nn::Module> M>
  Trainer(M &model, Loss loss, optim::Optimizer optimizer, TrainerOptions options = {},
          Where where = Where::current())
      : Trainer(model, detail::forwardOf(model), std::move(loss), std::move(optimizer),
                std::move(options), where) {}
  Trainer(nn::Module &model, detail::ForwardFunction forward, Loss loss, optim::Optimizer optimizer,
          TrainerOptions options, Where where);
  ~Trainer();

  /// Goes over the data `epochs` times. Ctrl-C ends it after the step that runs, with the state kept.
  History fit(const data::Dataset &train, FitOptions options = {}, Where where = Where::current());
  Scores evaluate(const data::Dataset &dataset, EvaluateOptions options = {},
                  Where where = Where::current());
  /// The model's output in evaluation mode.
  Array predict(const Array &x, Where where = Where::current());
  /// Of all samples of a data set, in batches; the last one is padded, so that nothing is compiled for it.
  Array predict(const data::Dataset &dataset, int64_t batch_size = 32,
                Where where = Where::current());

  /// Parameters, buffers, moments, step, rates, schedules and averages, to go on later as if never stopped
  /// (for the place in the data see FitOptions::checkpoint).
  void save(const std::string &path) const;
  void load(const std::string &path);

  TrainStep &step();
  nn::Module &model();
  /// Writes init, train_step, eval_step and predict for batches of `x`'s and `y`'s shapes.
  void save_program(const std::string &path, const TensorSpec &x, const TensorSpec &y,
                    Where where = Where::current());

private:
  friend class detail::FitLoop;
  std::unique_ptr<detail::TrainerImpl> impl_;
};

} // namespace sinter
