// Names the op that first gave a value that is not finite, by replaying a step on the evaluator.
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/Session.h"
#include "sinter/ir/Sinter.h"

#include <fmt/format.h>

#include <cmath>

using namespace mlir;

namespace sinter::detail {

static std::string pathOf(Location location) {
  std::string text;
  location->walk([&](Location inner) {
    auto name = dyn_cast<NameLoc>(inner);
    if (!name) return WalkResult::advance();
    text = name.getName().str();
    return WalkResult::interrupt();
  });
  return text;
}

static std::optional<int64_t> firstNonFinite(const codegen::HostTensor &tensor) {
  for (size_t i = 0; i < tensor.values.size(); ++i)
    if (!std::isfinite(tensor.values[i])) return static_cast<int64_t>(i);
  return {};
}

void Session::explainNonFinite(int64_t step, const Array &x, const Array &y) {
  std::string start = fmt::format(
      "the loss of step {} is not finite (parameters and state are unchanged{}): ", step,
      scalesLoss ? " but for the loss scale" : "");
  Function traced = traceForward(x.spec(), y.spec());
  SmallVector<codegen::HostTensor> inputs;
  auto add = [&](const Array &array) {
    inputs.push_back(codegen::fromBytes(typeOf(array.spec()), array.raw()));
  };
  add(x);
  add(y);
  for (const char *name : {"x", "y"})
    if (auto at = firstNonFinite(inputs[name[0] == 'x' ? 0 : 1]))
      throw NonFiniteLoss(step, "input", "",
                          fmt::format("{}input {} has {} at element {}", start, name,
                                      inputs[name[0] == 'x' ? 0 : 1].values[*at], *at));
  for (const VariablePtr &variable : traced->variables) add(table.get(variable->name));

  Operation *first = nullptr, *largestOp = nullptr;
  double value = 0, largest = 0;
  codegen::EvaluatorOptions options;
  options.trackErrors = false;
  options.onResult = [&](Operation *op, unsigned, const codegen::HostTensor &result) {
    if (first) return;
    if (auto at = firstNonFinite(result)) first = op, value = result.values[*at];
    for (double each : result.values)
      if (std::abs(each) > largest) largest = std::abs(each), largestOp = op;
  };
  Diagnostics diagnostics;
  (void)codegen::evaluate(traced->function(), inputs, options);
  auto described = [](Operation *op) {
    std::string path = pathOf(op->getLoc());
    return fmt::format("{}{}, {}", op->getName().stripDialect().str(),
                       path.empty() ? "" : " of '" + path + "'", placeOf(op->getLoc()));
  };
  if (!first)
    throw NonFiniteLoss(
        step, "", "",
        start +
            "computed op by op in double precision it is finite, so a value overflows in the "
            "precision of the device" +
            (largestOp
                 ? fmt::format("; the largest, {:.3g}, is of {}", largest, described(largestOp))
                 : ""));
  throw NonFiniteLoss(
      step, first->getName().stripDialect().str(), placeOf(first->getLoc()),
      fmt::format("{}the first op that gives {} is {}", start, value, described(first)));
}

} // namespace sinter::detail
