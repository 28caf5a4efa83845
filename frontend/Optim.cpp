#include "sinter/frontend/Optim.h"

#include "sinter/frontend/Ops.h"
#include "sinter/frontend/detail/Variable.h"

#include <cmath>

namespace sinter::optim {

Schedule step_schedule(int64_t step_size, double gamma, Where where) {
  if (step_size < 1) throw UserError("optim::step_schedule: step_size must be positive", where);
  return {[=](int64_t epoch) { return std::pow(gamma, static_cast<double>(epoch / step_size)); }};
}

namespace {

struct SgdRule : Rule {
  explicit SgdRule(SGD options) : o(std::move(options)) {}
  Tensor apply(const Update &u) const override {
    Tensor g = u.gradient;
    if (u.weightDecay != 0) g = g + u.parameter * u.weightDecay;
    if (o.momentum != 0) {
      Tensor b = u.state("momentum_buffer") * o.momentum;
      // The buffer starts as the first gradient, undampened.
      if (o.dampening != 0)
        b = b + where(u.step == 1, g, g * (1 - o.dampening));
      else
        b = b + g;
      u.setState("momentum_buffer", b);
      g = o.nesterov ? g + b * o.momentum : b;
    }
    return u.parameter - u.lr * g;
  }
  SGD o;
};

/// 1 - beta^step without cancellation: -expm1(a) = -2 t / (1 - t) with t = tanh(a / 2).
Tensor biasCorrection(double beta, const Tensor &step) {
  Tensor t = tanh(step * (0.5 * std::log(beta)));
  return t * -2.0 / (1.0 - t);
}

struct AdamRule : Rule {
  AdamRule(Betas betas, double eps, bool decoupled)
      : betas(betas), eps(eps), decoupled(decoupled) {}
  Tensor apply(const Update &u) const override {
    Tensor p = u.parameter, g = u.gradient;
    if (u.weightDecay != 0) {
      if (decoupled)
        p = p * (1.0 - u.lr * u.weightDecay);
      else
        g = g + p * u.weightDecay;
    }
    Tensor m = u.state("exp_avg"), v = u.state("exp_avg_sq");
    m = m + (g - m) * (1 - betas.first);
    v = v * betas.second + g * g * (1 - betas.second);
    u.setState("exp_avg", m);
    u.setState("exp_avg_sq", v);
    Tensor stepSize = u.lr / biasCorrection(betas.first, u.step);
    Tensor scale = rsqrt(biasCorrection(betas.second, u.step));
    return p - stepSize * (m / (sqrt(v) * scale + eps));
  }
  Betas betas;
  double eps;
  bool decoupled;
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

size_t Optimizer::groupOf(const Tensor &parameter) const {
  for (size_t i = 0; i < groups.size(); ++i)
    for (const Tensor &member : groups[i].parameters)
      if (member.impl() && member.impl()->variable == parameter.impl()->variable) return i + 1;
  return 0;
}

double Optimizer::rateOf(size_t group, int64_t epoch) const {
  double base = group == 0 ? lr : groups[group - 1].lr.value_or(lr);
  return base * schedule(epoch);
}

double Optimizer::decayOf(size_t group) const {
  return group == 0 ? weightDecay : groups[group - 1].weight_decay.value_or(weightDecay);
}

} // namespace sinter::optim
