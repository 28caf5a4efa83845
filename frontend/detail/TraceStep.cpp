// The functions that a session compiles.
#include "sinter/frontend/detail/Emitter.h"
#include "sinter/frontend/detail/Session.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

namespace {
/// Restores the modes of a model's modules.
class Modes {
public:
  explicit Modes(nn::Module &model) : model(model), before(model.modes()) {}
  ~Modes() { model.set_modes(before); }
  Modes(const Modes &) = delete;

private:
  nn::Module &model;
  std::vector<bool> before;
};
} // namespace

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

static Tensor checkedLoss(const Tensor &loss, Where place) {
  if (!loss || !loss.shape().empty() || !runtime::isFloat(loss.dtype()))
    throw UserError(fmt::format("the loss is {}, expected a floating-point scalar",
                                loss ? loss.spec().text() : "a tensor without a value"),
                    place);
  return loss;
}

/// The loss scale of a step that is being traced; without value in a step that has none.
struct Session::Scale {
  VariablePtr scale, tracker;
  Tensor value;

  explicit operator bool() const { return static_cast<bool>(value); }
};

/// The rule of PyTorch's GradScaler. `finite` is whether the step is made.
void Session::updateScale(Trace &trace, const Scale &scale, const Tensor &finite) {
  Tensor now = to(scale.value, f64), good = trace.tensor(trace.initial(scale.tracker)) + 1;
  Tensor due = good == scaling.growth_interval, grown = to(now * scaling.growth_factor, f32);
  Tensor kept = where(logical_and(due, isfinite(grown)), grown, scale.value);
  Tensor next = where(finite, kept, to(now * scaling.backoff_factor, f32));
  Tensor count = where(logical_and(finite, logical_not(due)), good, 0);
  Emitter e("train_step", place, &next);
  trace.write(scale.scale, e[next]);
  trace.write(scale.tracker, e[count]);
}

Session::Function Session::traceTrain(const TensorSpec &xSpec, const TensorSpec &ySpec) {
  return traceInto(
      "train_step", {xSpec, ySpec}, {"x", "y"}, place,
      [&](Trace &trace, const std::vector<Tensor> &in) {
        Tensor value = checkedLoss(loss.value(forward(in[0]), in[1]), place);

        PinnedPlace pinned(place);
        PathScope path("optimizer");
        // An optimiser works on f32 masters, also one that multiplies matrices.
        std::optional<PrecisionScope> masters;
        if (compileOptions.precision != Precision::f32 || PrecisionScope::current())
          masters.emplace(Precision::f32, place, /*onlyLow=*/true);
        Emitter e("train_step", place, &value);
        std::vector<Tensor> trained;
        std::vector<Value> wrt;
        for (const Tensor &parameter : model.parameters()) {
          const VariablePtr &variable = parameter.impl()->variable;
          bool known = llvm::any_of(
              trained, [&](const Tensor &t) { return t.impl()->variable == variable; });
          if (!variable->trainable || known || !trace.uses(variable)) continue;
          trained.push_back(parameter);
          wrt.push_back(trace.initial(variable));
        }
        if (trained.empty()) e.fail("the loss depends on no parameter that is trained");

        Scale scale;
        if (compileOptions.precision == Precision::f16 || trace.needsLossScale) {
          scale.scale = state(lossScaleName, {{}, f32}, runtime::StateRole::state);
          scale.scale->init = init::constant(scaling.initial_scale);
          scale.tracker = state(growthTrackerName, {{}, i32}, runtime::StateRole::state);
          scale.value = trace.tensor(trace.initial(scale.scale));
        }
        scalesLoss = static_cast<bool>(scale);
        std::vector<Value> operands{e[value]}, cotangents;
        // The gradients of scale * loss.
        if (scale) cotangents.push_back(e[to(scale.value, value.dtype())]);
        llvm::append_range(operands, wrt);
        llvm::append_range(operands, cotangents);
        std::vector<int32_t> segments{1, static_cast<int32_t>(wrt.size()),
                                      static_cast<int32_t>(cotangents.size())};
        Operation *gradient = e.makeOp(
            ir::GradientOp::getOperationName(), operands,
            e.attribute("operandSegmentSizes", DenseI32ArrayAttr::get(&context(), segments)),
            ValueRange(wrt).getTypes());
        std::vector<Tensor> gradients;
        for (Value each : gradient->getResults()) gradients.push_back(trace.tensor(each));

        // A step whose loss is not finite changes nothing, the count of steps included.
        Tensor finite = isfinite(value);
        if (scale) {
          Tensor inverse = to(1.0 / to(scale.value, f64), f32);
          for (Tensor &each : gradients) {
            each = each * to(inverse, each.dtype());
            // Of the elements as they are: no magnitudes to store for the sake of this.
            finite = logical_and(finite, logical_and(isfinite(amax(each)), isfinite(amin(each))));
          }
        }
        auto commit = [&](const VariablePtr &variable, const Tensor &next) {
          trace.write(variable, e[where(finite, next, trace.tensor(trace.initial(variable)))]);
        };
        for (const VariablePtr &variable : std::vector<VariablePtr>(trace.writtenVariables()))
          commit(variable, trace.tensor(trace.read(variable)));
        if (scale) updateScale(trace, scale, finite);

        Tensor next = trace.tensor(trace.step()) + 1;
        Tensor step = to(next, f32);
        for (size_t i = 0; i < trained.size(); ++i) {
          const VariablePtr &variable = trained[i].impl()->variable;
          PathScope inner("optimizer." + variable->name);
          size_t group = optimizer.groupOf(trained[i]);
          auto stateOf = [&](const std::string &name) {
            return state(variable->name + "." + name, variable->spec, runtime::StateRole::state);
          };
          optim::Update update;
          update.parameter = trace.tensor(trace.initial(variable));
          update.gradient = gradients[i];
          VariablePtr rate =
              state(fmt::format("lr.{}", group), {{}, f32}, runtime::StateRole::scalar);
          rate->init = init::constant(optimizer.rateOf(group, epoch));
          update.lr = tensorOf(rate);
          update.step = step;
          update.weightDecay = optimizer.decayOf(group);
          update.state = [&](const std::string &name) {
            return trace.tensor(trace.initial(stateOf(name)));
          };
          update.setState = [&](const std::string &name, const Tensor &moved) {
            commit(stateOf(name), moved);
          };
          commit(variable, optimizer.rule->apply(update));
        }
        commit(trace.stepVariable(), next);
        return std::vector<Value>{e[value]};
      });
}

/// Leading rows that count, as booleans of `shape`.
static Tensor rowsOf(const Tensor &mask, const Shape &shape) {
  Shape aligned(shape.size(), 1);
  aligned[0] = shape[0];
  return broadcast_to(reshape(mask, aligned), shape);
}

Session::Function Session::traceEvaluate(const TensorSpec &xSpec, const TensorSpec &ySpec,
                                         const std::vector<Metric> &metrics) {
  Modes modes(model);
  model.eval();
  std::vector<TensorSpec> inputs{xSpec, ySpec};
  std::vector<std::string> names{"x", "y"};
  if (canMask()) {
    inputs.push_back({{xSpec.shape.at(0)}, i1});
    names.push_back("mask");
  }
  return traceInto("eval_step", inputs, names, place, [&](Trace &, const std::vector<Tensor> &in) {
    Tensor output = forward(in[0]);
    std::vector<Tensor> results;
    if (!canMask()) {
      results.push_back(checkedLoss(loss.value(output, in[1]), place));
    } else {
      Tensor each = loss.elements(output, in[1]);
      PinnedPlace pinned(place);
      PathScope path("evaluation");
      Tensor counted = rowsOf(in[2], each.shape());
      if (loss.counts) counted = logical_and(counted, loss.counts(in[1]));
      results.push_back(sum(where(counted, to(each, f32), 0.0)));
      results.push_back(sum(to(counted, f32)));
    }
    PinnedPlace pinned(place);
    for (const Metric &metric : metrics) {
      PathScope path("metrics." + metric.name);
      Tensor each = to(metric.value(output, in[1]), f32);
      if (each.rank() == 0 || each.shape()[0] != xSpec.shape[0])
        throw UserError(fmt::format("metric '{}' gives {}, expected one value per sample",
                                    metric.name, each.spec().text()),
                        place);
      results.push_back(sum(canMask() ? where(rowsOf(in[2], each.shape()), each, 0.0) : each));
      results.push_back(full({}, static_cast<double>(each.spec().numElements() / xSpec.shape[0])));
    }
    std::vector<Value> values;
    Emitter e("eval_step", place, {});
    for (const Tensor &result : results) values.push_back(e[result]);
    return values;
  });
}

Session::Function Session::tracePredict(const TensorSpec &xSpec) {
  Modes modes(model);
  model.eval();
  return traceInto("predict", {xSpec}, {"x"}, place, [&](Trace &, const std::vector<Tensor> &in) {
    Tensor output = forward(in[0]);
    Emitter e("predict", place, &output);
    return std::vector<Value>{e[output]};
  });
}

Session::Function Session::traceForward(const TensorSpec &xSpec, const TensorSpec &ySpec) {
  return traceInto("loss", {xSpec, ySpec}, {"x", "y"}, place,
                   [&](Trace &, const std::vector<Tensor> &in) {
                     Tensor value = loss.value(forward(in[0]), in[1]);
                     Emitter e("loss", place, &value);
                     return std::vector<Value>{e[value]};
                   });
}

} // namespace sinter::detail
