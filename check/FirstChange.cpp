#include "sinter/check/FirstChange.h"

#include "sinter/check/Places.h"
#include "sinter/codegen/reference/Evaluator.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::check {
namespace {

/// A value that some op computed.
struct Computed {
  std::string op;
  std::vector<std::string> places;
  codegen::HostTensor value;
};

std::vector<Computed> evaluateEach(ModuleOp module, const std::string &name, const Values &inputs,
                                   const EvaluateOptions &options) {
  OwningOpRef<ModuleOp> copy = evaluable(module, options);
  ModuleOp evaluated = copy ? *copy : module;
  std::vector<Computed> all;
  codegen::EvaluatorOptions evaluator;
  evaluator.onResult = [&](Operation *op, unsigned, const codegen::HostTensor &value) {
    if (op->getNumRegions() || op->hasTrait<OpTrait::ConstantLike>() ||
        op->getName().getStringRef() == "sinter.launch")
      return;
    all.push_back({describe(op), placesOf(op->getLoc()), value});
  };
  auto function = evaluated.lookupSymbol<func::FuncOp>(name);
  if (function) (void)codegen::evaluate(function, retyped(inputs, function), evaluator);
  return all;
}

bool sharePlace(const Computed &a, const Computed &b) {
  return llvm::any_of(a.places,
                      [&](const std::string &p) { return llvm::is_contained(b.places, p); });
}

} // namespace

std::string firstChange(ModuleOp original, ModuleOp changed, const std::string &function,
                        const Values &inputs, const EvaluateOptions &options) {
  std::vector<Computed> before = evaluateEach(original, function, inputs, options);
  for (const Computed &now : evaluateEach(changed, function, inputs, options)) {
    bool isKnown = llvm::any_of(before, [&](const Computed &then) { return then.op == now.op; });
    std::optional<Difference> difference;
    std::string expected;
    bool compared = false, agrees = false;
    for (const Computed &then : before) {
      if (then.value.type != now.value.type || !sharePlace(then, now)) continue;
      if (isKnown && then.op != now.op) continue;
      auto here = firstDifference({then.value}, {now.value});
      compared = true;
      if (!here) {
        agrees = true;
        break;
      }
      if (!difference) difference = here, expected = then.op;
    }
    if (!compared || agrees) continue;
    return fmt::format("  first op with another result: {}\n    {}\n", now.op,
                       describe(*difference, now.value.type));
  }
  return "";
}

} // namespace sinter::check
