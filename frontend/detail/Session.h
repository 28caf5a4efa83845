#pragma once

#include "sinter/frontend/Trainer.h"
#include "sinter/frontend/detail/Compiler.h"

#include <deque>
#include <future>

namespace sinter::detail {

/// What a checkpoint holds besides the state: texts, and tensors whose names start with `prefix`.
struct CheckpointExtra {
  static constexpr const char *prefix = "training/";
  std::map<std::string, std::string> notes = {};
  std::map<std::string, Array> tensors = {};
};

/// A model in training on a device: the compiled functions, by the shapes they are for, and the one
/// state that they share.
class Session {
public:
  Session(nn::Module &model, ForwardFunction forward, Loss loss, optim::Optimizer optimizer,
          TrainerOptions options, Where where);

  /// One step; its loss. Throws NonFiniteLoss. With accumulation only every so many calls move parameters,
  /// and the one that is the `last` of its group. `weights` of samples may be empty.
  double train(const data::Example &batch, bool last, Where where);
  /// Queues the steps of these batches, which are of one shape; more than one of them only where nothing happens
  /// between them (`together`). On a GPU it returns before they are done.
  void begin(const std::vector<data::Example> &batches, bool last, Where where);
  /// Waits for the earliest step that was begun and not finished; its loss. Throws NonFiniteLoss, by when later
  /// steps may have been made.
  double finish(Where where);
  /// Gives up the losses of steps that were begun.
  void forget();
  ~Session() { forget(); }
  /// How many launches may be under way before the first is finished: 1 where the host has to look at each.
  int runsAhead() const;
  /// How many of the next `most` steps can be one launch: no rate changes within them.
  int64_t together(int64_t most) const;
  /// A step, then `runs` steps with a clock on every launch.
  Profile profile(const Array &x, const Array &y, int64_t runs, Where where);
  /// Starts compiling the step for batches of another shape beside what runs now.
  void prepareStep(const TensorSpec &x, const TensorSpec &y, Where where,
                   const std::optional<TensorSpec> &weights = {});
  /// Sums over a batch of which the first `rows` samples count.
  struct Sums {
    double loss = 0, lossCount = 0;
    std::vector<double> metrics; // sums
    std::vector<double> metricCounts;
  };
  Sums evaluate(const data::Example &batch, int64_t rows, const std::vector<Metric> &metrics,
                Where where);
  Array predict(const Array &x, Where where);

  /// Whether `evaluate` can leave samples out; otherwise `rows` must be the whole batch.
  bool canMask() const { return static_cast<bool>(loss.elements); }
  bool lossIsMean() const { return loss.isMean; }

  void setEpoch(int64_t epoch);
  int64_t steps() const;
  /// Updates that were asked for: steps, and those that loss scaling skipped.
  int64_t updates() const { return progress.updates; }
  /// Batches that wait for the rest of their group.
  int64_t accumulated() const { return progress.accumulated; }
  double rateOf(size_t group) const;
  std::optional<double> gradientNorm() const;
  /// A metric for a plateau schedule; whether rates changed.
  bool report(double metric, Where where);
  const optim::Schedule &schedule() const { return optimizer.schedule; }
  /// Moves the average of the parameters to where they are now.
  void updateAverage(Where where);
  /// After an epoch: moves an average that counts epochs.
  void endEpoch(int64_t epoch, Where where);
  int64_t averages() const { return progress.averages; }
  /// Exchanges the parameters and their averages.
  void swapAverages(Where where);
  std::optional<double> lossScale() const;
  const Device &device() const { return compileOptions.device; }
  const CompileOptions &options() const { return compileOptions; }
  uint64_t seed() const { return compileOptions.seed; }
  Precision precision() const { return compileOptions.precision; }
  /// The runner of the latest training step; null before the first.
  const std::shared_ptr<Runner> &latestStep() const { return latest; }

  using Extra = CheckpointExtra;
  /// All variables of the state by name, where the training stands, and what the caller adds.
  void save(const std::string &path, const Extra &extra = {});
  Extra load(const std::string &path);
  void saveProgram(const std::string &path, const TensorSpec &x, const TensorSpec &y, Where where);

  /// What of a training is kept outside of the device's state.
  struct Progress {
    int64_t epoch = 0, steps = 0, updates = 0, accumulated = 0, averages = 0;
    optim::PlateauState plateau = {};
  };
  const Progress &at() const { return progress; }

private:
  using Function = std::shared_ptr<const TracedImpl>;
  /// What a step is given; `weights` has no shape where samples have none.
  struct Batch {
    TensorSpec x, y;
    std::optional<TensorSpec> weights;
    std::string text() const;
    friend bool operator==(const Batch &, const Batch &) = default;
  };
  static Batch batchOf(const data::Example &batch);
  /// A pass over a batch: the whole step, or one that only adds up gradients.
  enum class Pass { update, accumulate };
  struct TrainTracer;
  Function traceTrain(const Batch &batch, Pass pass);
  Function traceAverage();
  Function traceEvaluate(const Batch &batch, const std::vector<Metric> &metrics);
  Function tracePredict(const TensorSpec &x);
  Function traceForward(const TensorSpec &x, const TensorSpec &y);
  std::shared_ptr<Runner> runnerOf(const std::string &entry, const std::string &key,
                                   const std::function<Function()> &trace);
  VariablePtr state(const std::string &name, const TensorSpec &spec, runtime::StateRole role);
  Tensor checkedLoss(const Tensor &value) const;
  Tensor lossOf(const Tensor &output, const std::vector<Tensor> &in) const;
  std::vector<Tensor> averagedParameters() const;
  std::string trainedKey();
  std::shared_ptr<Runner> stepRunner(const Batch &batch, Pass pass, Where where);
  std::vector<VariablePtr> modelVariables() const;
  void acquire();
  bool isCompiled(const std::string &key) const { return runners.count(key) || pending.count(key); }
  /// To be called before `entry` is compiled for a batch: what makes it compile again is logged, or an
  /// error where the options forbid it.
  void noteShapes(const std::string &entry, const Batch &batch, Where where);
  void writeRates();
  void checkBatch(const data::Example &batch, Where where) const;
  [[noreturn]] void explainNonFinite(int64_t step, const Array &x, const Array &y);

  nn::Module &model;
  ForwardFunction forward;
  Loss loss;
  optim::Optimizer optimizer;
  Where place;
  CompileOptions compileOptions;
  LossScaling scaling;
  GradientOptions gradients;
  optim::Averaging averaging;
  StateTable table;
  std::map<std::string, std::shared_ptr<Runner>> runners;
  struct Pending {
    Function traced;
    std::future<Compiled> compiled;
  };
  std::map<std::string, Pending> pending;
  /// A launch of one or more steps that were begun.
  struct Begun {
    std::shared_ptr<Runner> runner;
    Runner::Started started;
    std::vector<data::Example> batches;
    Pass pass = Pass::update;
    int64_t firstStep = 0, accumulated = 0; // as they were before
    size_t finished = 0;                    // of its steps
    bool waited = false;
  };
  std::deque<Begun> begun;
  std::shared_ptr<Runner> latest, latestPass; // the latest update, and the latest pass of any kind
  Batch latestBatch;
  Pass latestKind = Pass::update;
  std::map<std::string, std::pair<Batch, std::string>>
      shapes; // that each entry was compiled for first, and what was trained
  std::map<std::string, VariablePtr> ownVariables; // moments, rates
  Progress progress;
  std::string trained;            // which parameters are, where some are not
  int64_t trainedGeneration = -1; // of the model's choice
  std::vector<double> written;    // rates, and the momentum, as the state has them
  bool scalesLoss = false, swapped = false;
};

} // namespace sinter::detail
