#pragma once

#include "sinter/frontend/Schedule.h"
#include "sinter/frontend/Tensor.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Optimisers, with PyTorch's defaults. They are traced into the training step.
namespace sinter::optim {

/// Parameters with a rate and a decay of their own. Those in no group follow the optimiser's.
struct Group {
  std::vector<Tensor> parameters;
  std::optional<double> lr = {};
  std::optional<double> weight_decay = {};
};

struct Betas {
  double first = 0.9, second = 0.999;
};

struct SGD {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  Schedule schedule = {};
  std::vector<Group> groups = {};
};

/// Kingma and Ba, 2014. Weight decay is added to the gradient.
struct Adam {
  double lr = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0;
  Schedule schedule = {};
  std::vector<Group> groups = {};
};

/// Loshchilov and Hutter, 2019. Weight decay shrinks the parameter itself.
struct AdamW {
  double lr = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  Schedule schedule = {};
  std::vector<Group> groups = {};
};

/// Tieleman and Hinton, 2012. The mean of squares decays by `alpha`; `centered` takes the variance instead,
/// which is not let below 0.
struct RMSprop {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  Schedule schedule = {};
  std::vector<Group> groups = {};
};

/// Duchi, Hazan and Singer, 2011.
struct Adagrad {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  Schedule schedule = {};
  std::vector<Group> groups = {};
};

/// One parameter's update, as a rule sees it. All tensors are of the parameter's shape or scalars.
struct Update {
  Tensor parameter, gradient;
  Tensor lr;   // of the parameter's group
  Tensor step; // this step's number, counted from 1, as f32
  Tensor momentum =
      {}; // where the schedule sets it, in place of the rule's own; else without a value
  double weightDecay = 0;
  /// A state of the parameter's shape, zeros before the first step, named "<parameter>.<name>".
  std::function<Tensor(const std::string &name)> state;
  std::function<void(const std::string &name, const Tensor &value)> setState;
};

/// What an optimiser of one's own implements.
class Rule {
public:
  virtual ~Rule() = default;
  /// The parameter's new value.
  virtual Tensor apply(const Update &update) const = 0;
  /// Whether it heeds Update::momentum.
  virtual bool hasMomentum() const { return false; }
};

/// Any optimiser.
class Optimizer {
public:
  Optimizer(SGD options);
  Optimizer(Adam options);
  Optimizer(AdamW options);
  Optimizer(RMSprop options);
  Optimizer(Adagrad options);
  Optimizer(std::shared_ptr<const Rule> rule, double lr, double weightDecay = 0,
            Schedule schedule = {}, std::vector<Group> groups = {})
      : rule(std::move(rule)), lr(lr), weightDecay(weightDecay), schedule(std::move(schedule)),
        groups(std::move(groups)) {}

  std::shared_ptr<const Rule> rule;
  double lr, weightDecay;
  Schedule schedule;
  std::vector<Group> groups;

  /// The group that `parameter` is in: 0 is that of all others, i + 1 is groups[i].
  size_t groupOf(const Tensor &parameter) const;
  /// At a time that the schedule counts.
  double rateOf(size_t group, int64_t time) const;
  double decayOf(size_t group) const;
};

/// Averages of the parameters beside them, to evaluate with: those of a training's end are noisier than their
/// mean. Batch statistics are the model's own.
struct Averaging {
  enum class Kind { none, exponential, equal } kind = Kind::none;
  double decay =
      0.999; // of an exponential one: average = decay * average + (1 - decay) * parameter
  Every unit = Every::step; // what `start` and `every` count
  int64_t start = 0; // the average starts as the parameters after this many units and one more
  int64_t every = 1;
};
struct EmaOptions {
  double decay = 0.999;
  int64_t start_step = 0;
  int64_t every_steps = 1;
};
/// The exponential moving average, after every step.
Averaging ema(EmaOptions options = {}, Where where = Where::current());
struct SwaOptions {
  int64_t start_epoch = 0;
  int64_t every_epochs = 1;
};
/// The equal average of the parameters at the end of epochs. Izmailov et al., 2018.
Averaging swa(SwaOptions options = {}, Where where = Where::current());

} // namespace sinter::optim
