#pragma once

#include "sinter/frontend/Trainer.h"
#include "sinter/frontend/detail/Compiler.h"

#include <future>

namespace sinter::detail {

/// A model in training on a device: the compiled functions, by the shapes they are for, and the one
/// state that they share.
class Session {
public:
  Session(nn::Module &model, ForwardFunction forward, Loss loss, optim::Optimizer optimizer,
          TrainerOptions options, Where where);

  /// One step; its loss. Throws NonFiniteLoss.
  double train(const Array &x, const Array &y, Where where);
  /// A step, then `runs` steps with a clock on every launch.
  Profile profile(const Array &x, const Array &y, int64_t runs, Where where);
  /// Starts compiling the step for batches of another shape beside what runs now.
  void prepareStep(const TensorSpec &x, const TensorSpec &y, Where where);
  /// Sums over a batch of which the first `rows` samples count.
  struct Sums {
    double loss = 0, lossCount = 0;
    std::vector<double> metrics; // sums
    std::vector<double> metricCounts;
  };
  Sums evaluate(const Array &x, const Array &y, int64_t rows, const std::vector<Metric> &metrics,
                Where where);
  Array predict(const Array &x, Where where);

  /// Whether `evaluate` can leave samples out; otherwise `rows` must be the whole batch.
  bool canMask() const { return static_cast<bool>(loss.elements); }
  bool lossIsMean() const { return loss.isMean; }

  void setEpoch(int64_t epoch);
  int64_t steps() const;
  std::optional<double> lossScale() const;
  const Device &device() const { return compileOptions.device; }
  const CompileOptions &options() const { return compileOptions; }
  uint64_t seed() const { return compileOptions.seed; }
  Precision precision() const { return compileOptions.precision; }
  /// The runner of the latest training step; null before the first.
  const std::shared_ptr<Runner> &latestStep() const { return latest; }

  /// All variables of the state by name.
  void save(const std::string &path);
  void load(const std::string &path);
  void saveProgram(const std::string &path, const TensorSpec &x, const TensorSpec &y, Where where);

private:
  using Function = std::shared_ptr<const TracedImpl>;
  Function traceTrain(const TensorSpec &x, const TensorSpec &y);
  Function traceEvaluate(const TensorSpec &x, const TensorSpec &y,
                         const std::vector<Metric> &metrics);
  Function tracePredict(const TensorSpec &x);
  Function traceForward(const TensorSpec &x, const TensorSpec &y);
  std::shared_ptr<Runner> runnerOf(const std::string &entry, const std::string &key,
                                   const std::function<Function()> &trace);
  VariablePtr state(const std::string &name, const TensorSpec &spec, runtime::StateRole role);
  struct Scale;
  void updateScale(Trace &trace, const Scale &scale, const Tensor &finite);
  std::vector<VariablePtr> modelVariables() const;
  void acquire();
  bool isCompiled(const std::string &key) const { return runners.count(key) || pending.count(key); }
  /// To be called before `entry` is compiled for a batch: what makes it compile again is logged, or an
  /// error where the options forbid it.
  void noteShapes(const std::string &entry, const TensorSpec &x, const TensorSpec &y, Where where);
  void writeRates();
  [[noreturn]] void explainNonFinite(const Array &x, const Array &y);

  nn::Module &model;
  ForwardFunction forward;
  Loss loss;
  optim::Optimizer optimizer;
  Where place;
  CompileOptions compileOptions;
  LossScaling scaling;
  StateTable table;
  std::map<std::string, std::shared_ptr<Runner>> runners;
  struct Pending {
    Function traced;
    std::future<Compiled> compiled;
  };
  std::map<std::string, Pending> pending;
  std::shared_ptr<Runner> latest;
  TensorSpec latestX, latestY;
  std::map<std::string, std::pair<TensorSpec, TensorSpec>>
      shapes;                                      // that each entry was compiled for first
  std::map<std::string, VariablePtr> ownVariables; // moments, rates
  int64_t epoch = 0, numSteps = 0;
  bool ratesWritten = false, scalesLoss = false;
};

} // namespace sinter::detail
