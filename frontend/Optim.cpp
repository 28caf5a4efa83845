#include "sinter/frontend/Optim.h"

#include "sinter/frontend/Ops.h"
#include "sinter/frontend/detail/Variable.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::optim {

namespace {

struct SgdRule : Rule {
  explicit SgdRule(SGD options) : o(std::move(options)) {}
  bool hasMomentum() const override { return true; }
  Tensor apply(const Update &u) const override {
    Tensor g = u.gradient;
    if (u.weightDecay != 0) g = g + u.parameter * u.weightDecay;
    if (o.momentum != 0 || u.momentum) {
      Arg mu = u.momentum ? Arg(u.momentum) : Arg(o.momentum);
      Tensor b = u.state("momentum_buffer") * mu;
      // The buffer starts as the first gradient, undampened.
      if (o.dampening != 0)
        b = b + where(u.step == 1, g, g * (1 - o.dampening));
      else
        b = b + g;
      u.setState("momentum_buffer", b);
      g = o.nesterov ? g + b * mu : b;
    }
    return u.parameter - u.lr * g;
  }
  SGD o;
};

/// 1 - exp(step * log(beta)) without cancellation: -expm1(a) = -2 t / (1 - t) with t = tanh(a / 2).
Tensor biasCorrection(const Arg &halfLogBeta, const Tensor &step) {
  Tensor t = tanh(step * halfLogBeta);
  return t * -2.0 / (1.0 - t);
}

struct AdamRule : Rule {
  AdamRule(Betas betas, double eps, bool decoupled)
      : betas(betas), eps(eps), decoupled(decoupled) {}
  bool hasMomentum() const override { return true; }
  Tensor apply(const Update &u) const override {
    Tensor p = u.parameter, g = u.gradient;
    if (u.weightDecay != 0) {
      if (decoupled)
        p = p * (1.0 - u.lr * u.weightDecay);
      else
        g = g + p * u.weightDecay;
    }
    Tensor m = u.state("exp_avg"), v = u.state("exp_avg_sq");
    m = m + (g - m) * (u.momentum ? Arg(1.0 - u.momentum) : Arg(1 - betas.first));
    v = v * betas.second + g * g * (1 - betas.second);
    u.setState("exp_avg", m);
    u.setState("exp_avg_sq", v);
    Arg halfLog = u.momentum ? Arg(log(u.momentum) * 0.5) : Arg(0.5 * std::log(betas.first));
    Tensor stepSize = u.lr / biasCorrection(halfLog, u.step);
    Tensor scale = rsqrt(biasCorrection(0.5 * std::log(betas.second), u.step));
    return p - stepSize * (m / (sqrt(v) * scale + eps));
  }
  Betas betas;
  double eps;
  bool decoupled;
};

struct RmspropRule : Rule {
  explicit RmspropRule(RMSprop options) : o(std::move(options)) {}
  bool hasMomentum() const override { return true; }
  Tensor apply(const Update &u) const override {
    Tensor g = u.gradient;
    if (u.weightDecay != 0) g = g + u.parameter * u.weightDecay;
    Tensor squares = u.state("square_avg") * o.alpha + g * g * (1 - o.alpha);
    u.setState("square_avg", squares);
    if (o.centered) {
      Tensor mean = u.state("grad_avg") * o.alpha + g * (1 - o.alpha);
      u.setState("grad_avg", mean);
      squares = maximum(squares - mean * mean, 0.0);
    }
    Tensor scaled = g / (sqrt(squares) + o.eps);
    if (o.momentum != 0 || u.momentum) {
      Arg mu = u.momentum ? Arg(u.momentum) : Arg(o.momentum);
      scaled = u.state("momentum_buffer") * mu + scaled;
      u.setState("momentum_buffer", scaled);
    }
    return u.parameter - u.lr * scaled;
  }
  RMSprop o;
};

struct AdagradRule : Rule {
  explicit AdagradRule(Adagrad options) : o(std::move(options)) {}
  Tensor apply(const Update &u) const override {
    Tensor g = u.gradient;
    if (u.weightDecay != 0) g = g + u.parameter * u.weightDecay;
    Tensor sum = u.state("sum") + g * g;
    u.setState("sum", sum);
    if (o.initial_accumulator_value != 0) sum = sum + o.initial_accumulator_value;
    Tensor rate = o.lr_decay == 0 ? u.lr : u.lr / (1.0 + (u.step - 1.0) * o.lr_decay);
    return u.parameter - rate * (g / (sqrt(sum) + o.eps));
  }
  Adagrad o;
};

} // namespace

Optimizer::Optimizer(SGD o)
    : Optimizer(std::make_shared<SgdRule>(o), o.lr, o.weight_decay, o.schedule, o.groups) {}
Optimizer::Optimizer(Adam o)
    : Optimizer(std::make_shared<AdamRule>(o.betas, o.eps, false), o.lr, o.weight_decay, o.schedule,
                o.groups) {}
Optimizer::Optimizer(AdamW o)
    : Optimizer(std::make_shared<AdamRule>(o.betas, o.eps, true), o.lr, o.weight_decay, o.schedule,
                o.groups) {}
Optimizer::Optimizer(RMSprop o)
    : Optimizer(std::make_shared<RmspropRule>(o), o.lr, o.weight_decay, o.schedule, o.groups) {}
Optimizer::Optimizer(Adagrad o)
    : Optimizer(std::make_shared<AdagradRule>(o), o.lr, o.weight_decay, o.schedule, o.groups) {}

size_t Optimizer::groupOf(const Tensor &parameter) const {
  for (size_t i = 0; i < groups.size(); ++i)
    for (const Tensor &member : groups[i].parameters)
      if (member.impl() && member.impl()->variable == parameter.impl()->variable) return i + 1;
  return 0;
}

double Optimizer::rateOf(size_t group, int64_t time) const {
  double base = group == 0 ? lr : groups[group - 1].lr.value_or(lr);
  return schedule(base, time);
}

double Optimizer::decayOf(size_t group) const {
  return group == 0 ? weightDecay : groups[group - 1].weight_decay.value_or(weightDecay);
}

static void checkEvery(const char *what, int64_t start, int64_t every, Where where) {
  if (start < 0) throw UserError(fmt::format("optim::{}: start is {}", what, start), where);
  if (every < 1)
    throw UserError(fmt::format("optim::{}: every {} is not positive", what, every), where);
}

Averaging ema(EmaOptions options, Where where) {
  if (!(options.decay >= 0 && options.decay < 1))
    throw UserError(
        fmt::format("optim::ema: decay is {}, expected a number in [0, 1)", options.decay), where);
  checkEvery("ema", options.start_step, options.every_steps, where);
  return {Averaging::Kind::exponential, options.decay, Every::step, options.start_step,
          options.every_steps};
}

Averaging swa(SwaOptions options, Where where) {
  checkEvery("swa", options.start_epoch, options.every_epochs, where);
  return {Averaging::Kind::equal, 0, Every::epoch, options.start_epoch, options.every_epochs};
}

} // namespace sinter::optim
