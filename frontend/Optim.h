#pragma once

#include "sinter/frontend/Tensor.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Optimisers, with PyTorch's defaults. They are traced into the training step.
namespace sinter::optim {

/// The learning rate's factor over time.
struct Schedule {
  /// Of the epoch, counted from 0.
  std::function<double(int64_t epoch)> factor = {};
  double operator()(int64_t epoch) const { return factor ? factor(epoch) : 1.0; }
};
inline Schedule constant_schedule() { return {}; }
/// Multiplies by gamma every step_size epochs.
Schedule step_schedule(int64_t step_size, double gamma = 0.1, Where where = Where::current());

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

/// One parameter's update, as a rule sees it. All tensors are of the parameter's shape or scalars.
struct Update {
  Tensor parameter, gradient;
  Tensor lr;   // of the parameter's group
  Tensor step; // this step's number, counted from 1, as f32
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
};

/// Any optimiser.
class Optimizer {
public:
  Optimizer(SGD options);
  Optimizer(Adam options);
  Optimizer(AdamW options);
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
  double rateOf(size_t group, int64_t epoch) const;
  double decayOf(size_t group) const;
};

} // namespace sinter::optim
