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

/// One value per row, for all elements of a tensor of `shape`.
static Tensor alongRows(const Tensor &rows, const Shape &shape) {
  Shape aligned(shape.size(), 1);
  aligned[0] = shape[0];
  return broadcast_to(reshape(rows, aligned), shape);
}

Tensor Session::checkedLoss(const Tensor &value) const {
  if (value && value.shape().empty() && runtime::isFloat(value.dtype())) return value;
  throw UserError(fmt::format("the loss is {}, expected a floating-point scalar",
                              value ? value.spec().text() : "a tensor without a value"),
                  place);
}

/// The loss of a model's output on a step's inputs: x, y and the samples' weights, if there are any.
Tensor Session::lossOf(const Tensor &output, const std::vector<Tensor> &in) const {
  if (in.size() < 3) return checkedLoss(loss.value(output, in[1]));
  if (!loss.elements)
    throw UserError(
        "the samples have weights, and the loss is a function that gives no value per sample: "
        "use one of Ops.h (cross_entropy, mse_loss, ...)",
        place);
  Tensor each = loss.elements(output, in[1]);
  PinnedPlace pinned(place);
  Tensor weighted = each * to(alongRows(in[2], each.shape()), each.dtype());
  if (!loss.isMean) return sum(weighted);
  if (loss.weights) return sum(weighted) / sum(to(loss.weights(in[1]), each.dtype()));
  if (loss.counts) return sum(weighted) / sum(to(loss.counts(in[1]), each.dtype()));
  return mean(weighted);
}

Session::Function Session::traceEvaluate(const Batch &batch, const std::vector<Metric> &metrics) {
  Modes modes(model);
  model.eval();
  const TensorSpec &xSpec = batch.x;
  std::vector<TensorSpec> inputs{batch.x, batch.y};
  std::vector<std::string> names{"x", "y"};
  if (batch.weights) inputs.push_back(*batch.weights), names.push_back("weights");
  if (canMask()) {
    inputs.push_back({{xSpec.shape.at(0)}, i1});
    names.push_back("mask");
  }
  return traceInto("eval_step", inputs, names, place, [&](Trace &, const std::vector<Tensor> &in) {
    Tensor output = forward(in[0]);
    std::vector<Tensor> results;
    if (!canMask()) {
      results.push_back(checkedLoss(loss.value(output, in[1])));
    } else {
      Tensor each = loss.elements(output, in[1]);
      PinnedPlace pinned(place);
      PathScope path("evaluation");
      Tensor counted = alongRows(in.back(), each.shape());
      if (loss.counts) counted = logical_and(counted, loss.counts(in[1]));
      if (batch.weights) each = each * to(alongRows(in[2], each.shape()), each.dtype());
      results.push_back(sum(where(counted, to(each, f32), 0.0)));
      results.push_back(
          sum(loss.weights ? where(counted, loss.weights(in[1]), 0.0) : to(counted, f32)));
    }
    PinnedPlace pinned(place);
    for (const Metric &metric : metrics) {
      PathScope path("metrics." + metric.name);
      Tensor each = to(metric.value(output, in[1]), f32);
      if (each.rank() == 0 || each.shape()[0] != xSpec.shape[0])
        throw UserError(fmt::format("metric '{}' gives {}, expected one value per sample",
                                    metric.name, each.spec().text()),
                        place);
      Tensor rows = canMask() ? alongRows(in.back(), each.shape()) : Tensor();
      if (!metric.counts) {
        results.push_back(sum(rows ? where(rows, each, 0.0) : each));
        results.push_back(
            full({}, static_cast<double>(each.spec().numElements() / xSpec.shape[0])));
        continue;
      }
      Tensor counted = metric.counts(in[1]);
      if (counted.shape() != each.shape())
        throw UserError(fmt::format("metric '{}' gives {} and counts {}", metric.name,
                                    each.spec().text(), counted.spec().text()),
                        place);
      if (rows) counted = logical_and(rows, counted);
      results.push_back(sum(where(counted, each, 0.0)));
      results.push_back(sum(to(counted, f32)));
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
