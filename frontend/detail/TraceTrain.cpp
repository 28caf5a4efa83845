// The training step that a session compiles, and the average beside it.
#include "sinter/frontend/detail/Emitter.h"
#include "sinter/frontend/detail/Session.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

VariablePtr Session::state(const std::string &name, const TensorSpec &spec,
                           runtime::StateRole role) {
  VariablePtr &variable = ownVariables[name];
  if (!variable)
    variable = std::make_shared<Variable>(Variable{name, spec, role, {}, false, place});
  return variable;
}

static Tensor tensorOf(const VariablePtr &variable) {
  auto impl = std::make_shared<TensorImpl>();
  impl->spec = variable->spec;
  impl->variable = variable;
  return Tensor(std::move(impl));
}

/// A step while it is traced.
struct Session::TrainTracer {
  Session &session;
  Trace &trace;
  const Pass pass;
  const Where place;

  std::vector<Tensor> trained = {}, gradients = {};
  Tensor value = {};  // the loss
  Tensor finite = {}; // whether the step is made
  VariablePtr scale = {}, tracker = {};
  Tensor scaleValue = {}; // without value in a step that scales no loss

  bool accumulates() const { return session.gradients.accumulate > 1; }
  VariablePtr state(const std::string &name, const TensorSpec &spec) const {
    return session.state(name, spec, runtime::StateRole::state);
  }
  Tensor initial(const VariablePtr &variable) const {
    return trace.tensor(trace.initial(variable));
  }
  Emitter emitter() const { return {"train_step", place, {}}; }
  /// Writes a variable, unless the step is not made.
  void commit(const VariablePtr &variable, const Tensor &next) const {
    commit(variable, next, finite);
  }
  void commit(const VariablePtr &variable, const Tensor &next, const Tensor &made) const {
    trace.write(variable, emitter()[where(made, next, initial(variable))]);
  }

  void countPasses();
  void differentiate();
  void unscale();
  void addUp(int64_t rows);
  void clip();
  void updateScale() const;
  void update();
};

/// The passes of one step draw different random numbers.
void Session::TrainTracer::countPasses() {
  VariablePtr passes = state(gradientPassesName, {{}, i64});
  Tensor step = trace.tensor(trace.step()) * session.gradients.accumulate + initial(passes);
  trace.setRandomStep(emitter()[step]);
}

void Session::TrainTracer::differentiate() {
  Emitter e = emitter();
  std::vector<Value> wrt;
  for (const Tensor &parameter : session.model.parameters()) {
    const VariablePtr &variable = parameter.impl()->variable;
    bool known =
        llvm::any_of(trained, [&](const Tensor &t) { return t.impl()->variable == variable; });
    if (!variable->trainable || known || !trace.uses(variable)) continue;
    trained.push_back(parameter);
    wrt.push_back(trace.initial(variable));
  }
  if (trained.empty()) e.fail("the loss depends on no parameter that is trained");

  if (session.compileOptions.precision == Precision::f16 || trace.needsLossScale) {
    scale = state(lossScaleName, {{}, f32});
    scale->init = init::constant(session.scaling.initial_scale);
    tracker = state(growthTrackerName, {{}, i32});
    scaleValue = initial(scale);
  }
  session.scalesLoss = static_cast<bool>(scaleValue);
  std::vector<Value> operands{e[value]}, cotangents;
  // The gradients of scale * loss.
  if (scaleValue) cotangents.push_back(e[to(scaleValue, value.dtype())]);
  llvm::append_range(operands, wrt);
  llvm::append_range(operands, cotangents);
  std::vector<int32_t> segments{1, static_cast<int32_t>(wrt.size()),
                                static_cast<int32_t>(cotangents.size())};
  Operation *gradient =
      e.makeOp(ir::GradientOp::getOperationName(), operands,
               e.attribute("operandSegmentSizes", DenseI32ArrayAttr::get(&context(), segments)),
               ValueRange(wrt).getTypes());
  for (Value each : gradient->getResults()) gradients.push_back(trace.tensor(each));
}

/// Sums of gradients over the passes of a step, as those of the whole batch: a mean loss counts by its samples.
void Session::TrainTracer::addUp(int64_t rows) {
  VariablePtr samples = state(gradientSamplesName, {{}, f32}),
              passes = state(gradientPassesName, {{}, i64});
  Tensor seen = initial(samples) + static_cast<double>(rows), done = isfinite(value);
  for (size_t i = 0; i < trained.size(); ++i) {
    const VariablePtr &variable = trained[i].impl()->variable;
    VariablePtr sum = state(variable->name + ".grad", variable->spec);
    Tensor own = gradients[i];
    if (session.loss.isMean) own = own * static_cast<double>(rows);
    Tensor total = initial(sum) + own;
    if (pass == Pass::accumulate) {
      commit(sum, total, done);
    } else {
      gradients[i] = session.loss.isMean ? total / to(seen, total.dtype()) : total;
      commit(sum, zeros(variable->spec.shape, variable->spec.dtype), done);
    }
  }
  bool last = pass == Pass::update;
  commit(samples, last ? full({}, 0) : seen, done);
  commit(passes, last ? full({}, 0, i64) : initial(passes) + 1, done);
}

void Session::TrainTracer::unscale() {
  Tensor inverse = to(1.0 / to(scaleValue, f64), f32);
  for (Tensor &each : gradients) {
    each = each * to(inverse, each.dtype());
    // Of the elements as they are: no magnitudes to store for the sake of this.
    // One after the other: the order of two arguments would be the host compiler's, and with it kernels' names.
    Tensor low = isfinite(amin(each)), high = isfinite(amax(each));
    finite = logical_and(finite, logical_and(high, low));
  }
}

void Session::TrainTracer::clip() {
  const GradientOptions &options = session.gradients;
  if (options.clip_norm > 0) {
    PathScope path("optimizer.clip_grad_norm");
    Tensor squares;
    for (const Tensor &each : gradients) {
      Tensor wide = to(each, f32), own = sum(wide * wide);
      squares = squares ? squares + own : own;
    }
    Tensor norm = sqrt(squares), factor = minimum(options.clip_norm / (norm + 1e-6), 1.0);
    commit(state(gradientNormName, {{}, f32}), norm);
    for (Tensor &each : gradients) each = each * to(factor, each.dtype());
  }
  if (options.clip_value > 0) {
    PathScope path("optimizer.clip_grad_value");
    for (Tensor &each : gradients) each = clamp(each, -options.clip_value, options.clip_value);
  }
}

/// The rule of PyTorch's GradScaler.
void Session::TrainTracer::updateScale() const {
  const LossScaling &scaling = session.scaling;
  Tensor now = to(scaleValue, f64), good = initial(tracker) + 1;
  Tensor due = good == scaling.growth_interval, grown = to(now * scaling.growth_factor, f32);
  Tensor kept = where(logical_and(due, isfinite(grown)), grown, scaleValue);
  Tensor next = where(finite, kept, to(now * scaling.backoff_factor, f32));
  Tensor count = where(logical_and(finite, logical_not(due)), good, 0);
  Emitter e = emitter();
  trace.write(scale, e[next]);
  trace.write(tracker, e[count]);
}

void Session::TrainTracer::update() {
  const optim::Optimizer &optimizer = session.optimizer;
  Tensor next = trace.tensor(trace.step()) + 1, step = to(next, f32), momentum;
  if (optimizer.schedule.momentum) {
    VariablePtr cycled = session.state(momentumName, {{}, f32}, runtime::StateRole::scalar);
    cycled->init = init::constant(optimizer.schedule.momentum(0));
    momentum = tensorOf(cycled);
  }
  for (size_t i = 0; i < trained.size(); ++i) {
    const VariablePtr &variable = trained[i].impl()->variable;
    PathScope inner("optimizer." + variable->name);
    size_t group = optimizer.groupOf(trained[i]);
    auto stateOf = [&](const std::string &name) {
      return state(variable->name + "." + name, variable->spec);
    };
    optim::Update update;
    update.parameter = initial(variable);
    update.gradient = gradients[i];
    VariablePtr rate =
        session.state(fmt::format("lr.{}", group), {{}, f32}, runtime::StateRole::scalar);
    rate->init = init::constant(session.rateOf(group));
    update.lr = tensorOf(rate);
    update.step = step;
    update.momentum = momentum;
    update.weightDecay = optimizer.decayOf(group);
    update.state = [&](const std::string &name) { return initial(stateOf(name)); };
    update.setState = [&](const std::string &name, const Tensor &moved) {
      commit(stateOf(name), moved);
    };
    commit(variable, optimizer.rule->apply(update));
  }
  commit(trace.stepVariable(), next);
}

Session::Function Session::traceTrain(const Batch &batch, Pass pass) {
  std::vector<TensorSpec> inputs{batch.x, batch.y};
  std::vector<std::string> names{"x", "y"};
  if (batch.weights) inputs.push_back(*batch.weights), names.push_back("weights");
  const char *name = pass == Pass::update ? "train_step" : "gradient_step";
  return traceInto(name, inputs, names, place, [&](Trace &trace, const std::vector<Tensor> &in) {
    TrainTracer t{*this, trace, pass, place};
    if (t.accumulates()) {
      PinnedPlace pinned(place);
      t.countPasses();
    }
    t.value = lossOf(forward(in[0]), in);

    PinnedPlace pinned(place);
    PathScope path("optimizer");
    // An optimiser works on f32 masters, also one that multiplies matrices.
    std::optional<PrecisionScope> masters;
    if (compileOptions.precision != Precision::f32 || PrecisionScope::current())
      masters.emplace(Precision::f32, place, /*onlyLow=*/true);
    t.differentiate();
    // A step whose loss is not finite changes nothing, the count of steps included.
    t.finite = isfinite(t.value);
    std::vector<VariablePtr> buffers = trace.writtenVariables();
    if (t.accumulates()) t.addUp(batch.x.shape[0]);
    if (pass == Pass::update && t.scaleValue) t.unscale();
    for (const VariablePtr &variable : buffers)
      t.commit(variable, trace.tensor(trace.read(variable)));
    if (pass == Pass::accumulate) {
      trace.stepAdvances = false;
      return std::vector<Value>{t.emitter()[t.value]};
    }
    t.clip();
    if (t.scaleValue) t.updateScale();
    t.update();
    return std::vector<Value>{t.emitter()[t.value]};
  });
}

std::vector<Tensor> Session::averagedParameters() const {
  std::vector<Tensor> result;
  for (const Tensor &parameter : model.parameters()) {
    const VariablePtr &variable = parameter.impl()->variable;
    bool known =
        llvm::any_of(result, [&](const Tensor &t) { return t.impl()->variable == variable; });
    if (runtime::isFloat(variable->spec.dtype) && !known) result.push_back(parameter);
  }
  return result;
}

Session::Function Session::traceAverage() {
  return traceInto("average", {}, {}, place, [&](Trace &trace, const std::vector<Tensor> &) {
    PinnedPlace pinned(place);
    VariablePtr share = state(averageShareName, {{}, f32}, runtime::StateRole::scalar);
    Tensor part = tensorOf(share);
    for (const Tensor &parameter : averagedParameters()) {
      const VariablePtr &variable = parameter.impl()->variable;
      PathScope path("average." + variable->name);
      VariablePtr average =
          state(variable->name + averageSuffix, variable->spec, runtime::StateRole::state);
      Tensor before = trace.tensor(trace.initial(average));
      Tensor now = trace.tensor(trace.initial(variable));
      Tensor moved = before + (now - before) * to(part, now.dtype());
      Emitter e("average", place, {});
      trace.write(average, e[where(part == 1, now, moved)]);
    }
    return std::vector<Value>{};
  });
}

} // namespace sinter::detail
