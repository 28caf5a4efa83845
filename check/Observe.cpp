#include "sinter/check/Observe.h"

#include "sinter/check/FirstChange.h"
#include "sinter/check/Places.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <fmt/ranges.h>

using namespace mlir;

namespace sinter::check {

Errors::Errors(MLIRContext *context)
    : handler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error) return success();
        std::vector<std::string> places = placesOf(diagnostic.getLocation());
        text += fmt::format("{}{}{}\n", fmt::join(places, ", "), places.empty() ? "" : ": ",
                            diagnostic.str());
        return success();
      }) {}

std::string Errors::take() {
  std::string taken = std::move(text);
  text.clear();
  while (!taken.empty() && taken.back() == '\n') taken.pop_back();
  return taken;
}

std::string exactText(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, OpPrintingFlags().enableDebugInfo().printGenericOpForm().useLocalScope());
  return text;
}

static std::string signatureOf(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << function.getFunctionType();
  auto attributes = [&](const char *what, ArrayAttr all) {
    for (auto [number, each] : llvm::enumerate(all ? all.getValue() : ArrayRef<Attribute>()))
      if (auto dictionary = cast<DictionaryAttr>(each); !dictionary.empty())
        os << "; " << what << " " << number << " " << dictionary;
  };
  attributes("argument", function.getArgAttrsAttr());
  attributes("result", function.getResAttrsAttr());
  return text;
}

OwningOpRef<ModuleOp> evaluable(ModuleOp module, const EvaluateOptions &options) {
  bool closed = false;
  module.walk([&](ir::GradientOp) { closed = true; });
  if (!closed && !options.asF64) return nullptr;
  OwningOpRef<ModuleOp> copy = module.clone();
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  if (options.asF64) pm.addNestedPass<func::FuncOp>(passes::createRetypeF64());
  pm.addNestedPass<func::FuncOp>(passes::createAutodiff());
  if (failed(pm.run(*copy))) return nullptr;
  return copy;
}

Values retyped(const Values &values, func::FuncOp function) {
  Values made;
  for (auto [value, argument] : llvm::zip_equal(values, function.getArguments())) {
    made.push_back(value);
    made.back().type = cast<RankedTensorType>(argument.getType());
  }
  return made;
}

static bool isEvaluated(func::FuncOp function) {
  return !function.isExternal() && function.isPublic();
}

std::optional<Observation> observe(ModuleOp module, const Rounds &rounds, std::string &problem,
                                   const EvaluateOptions &options) {
  Errors errors(module.getContext());
  Observation seen;
  seen.text = exactText(module);
  seen.lines = linesOf(module);
  OwningOpRef<ModuleOp> copy = evaluable(module, options);
  ModuleOp evaluated = copy ? *copy : module;
  for (auto function : evaluated.getOps<func::FuncOp>()) {
    if (!isEvaluated(function)) continue;
    std::string name = function.getName().str();
    if (auto original = module.lookupSymbol<func::FuncOp>(name))
      seen.signatures[name] = signatureOf(original);
    auto known = rounds.find(name);
    if (known == rounds.end()) continue; // a function that a pass made: the signatures tell
    for (const Round &round : known->second) {
      if (round.inputs.size() != function.getNumArguments()) break; // likewise
      auto results = codegen::evaluate(function, retyped(round.inputs, function));
      if (failed(results)) {
        problem = fmt::format("@{} cannot be evaluated ({}): {}", name, round.name, errors.take());
        return std::nullopt;
      }
      seen.results[name].emplace_back(results->begin(), results->end());
    }
  }
  return seen;
}

std::optional<Rounds> drawRounds(ModuleOp module, uint64_t seed, int plain, bool edges,
                                 std::string &problem) {
  Errors errors(module.getContext());
  OwningOpRef<ModuleOp> copy = evaluable(module, {});
  ModuleOp evaluated = copy ? *copy : module;
  Rounds rounds;
  for (auto function : evaluated.getOps<func::FuncOp>()) {
    if (!isEvaluated(function)) continue;
    std::vector<Round> drawn;
    for (int i = 0; i < plain; ++i)
      drawn.push_back({fmt::format("plain inputs, seed {}", seed + i),
                       drawInputs(function, seed + uint64_t(i), Draw::plain)});
    if (edges)
      for (Draw draw : {Draw::edges, Draw::nan, Draw::infinity})
        drawn.push_back({fmt::format("{} among the inputs, seed {}", nameOf(draw), seed),
                         drawInputs(function, seed, draw)});
    std::vector<Round> usable;
    for (Round &round : drawn)
      if (succeeded(
              codegen::evaluate(function, round.inputs, {.trackErrors = false, .onResult = {}})))
        usable.push_back(std::move(round));
    std::string said = errors.take();
    if (usable.empty()) {
      problem = fmt::format("@{} cannot be evaluated: {}", function.getName().str(), said);
      return std::nullopt;
    }
    rounds[function.getName().str()] = std::move(usable);
  }
  return rounds;
}

static std::optional<Problem> compareSignatures(const Observation &before,
                                                const Observation &after) {
  for (const auto &[name, signature] : before.signatures) {
    auto found = after.signatures.find(name);
    if (found == after.signatures.end())
      return Problem{"signature", fmt::format("function @{} is gone", name)};
    if (found->second != signature)
      return Problem{"signature", fmt::format("the signature of @{} changed\n    - {}\n    + {}",
                                              name, signature, found->second)};
  }
  for (const auto &[name, signature] : after.signatures)
    if (!before.signatures.contains(name))
      return Problem{"signature", fmt::format("a function @{} has appeared", name)};
  return std::nullopt;
}

/// "result 1 ('conv1.weight')".
static std::string resultName(ModuleOp module, const std::string &function, size_t result) {
  std::string name;
  if (auto op = module.lookupSymbol<func::FuncOp>(function)) {
    if (auto attr = op.getResultAttrOfType<StringAttr>(unsigned(result), ir::nameAttr))
      name = attr.getValue().str();
    for (BlockArgument argument : op.getArguments())
      if (auto donated = op.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), ir::donatedAttr))
        if (auto attr = op.getArgAttrOfType<StringAttr>(argument.getArgNumber(), ir::nameAttr))
          if (donated.getInt() == int64_t(result)) name = attr.getValue().str();
  }
  return fmt::format("result {}{}", result, name.empty() ? "" : " ('" + name + "')");
}

std::optional<Problem> compare(const Observation &before, const Observation &after,
                               ModuleOp original, ModuleOp changed, const Rounds &rounds,
                               const EvaluateOptions &options) {
  if (auto problem = compareSignatures(before, after)) return problem;
  for (const std::string &place : after.lines)
    if (!before.lines.contains(place))
      return Problem{"location", fmt::format("an op says it comes from '{}', which no op came from "
                                             "before\n{}",
                                             place, changedOps(original, changed))};
  if (!options.asF64)
    if (std::string op = addedRounding(original, changed); !op.empty())
      return Problem{"precision", fmt::format("a rounding that was not there: {}", op)};
  for (const auto &[name, values] : before.results) {
    auto found = after.results.find(name);
    if (found == after.results.end()) continue;
    for (size_t r = 0; r < values.size(); ++r) {
      auto difference = firstDifference(values[r], found->second[r]);
      if (!difference) continue;
      const Round &round = rounds.at(name)[r];
      std::string text = fmt::format("@{} computes something else ({}): {}, {}\n", name, round.name,
                                     resultName(original, name, difference->result),
                                     describe(*difference, values[r][difference->result].type));
      text += firstChange(original, changed, name, round.inputs, options);
      std::string ops = changedOps(original, changed);
      if (!ops.empty()) text += "  ops that the pass took away and made:\n" + ops;
      return Problem{difference->lessPrecise ? "precision" : "value", text};
    }
  }
  return std::nullopt;
}

std::optional<Problem> checkAtRest(ModuleOp module) {
  Errors errors(module.getContext());
  if (failed(verify(module))) return Problem{"invalid", "the IR does not verify: " + errors.take()};
  auto passes = [&](std::unique_ptr<Pass> pass) {
    PassManager pm(module.getContext(), ModuleOp::getOperationName());
    pm.enableVerifier(false);
    pm.addPass(std::move(pass));
    return succeeded(pm.run(module));
  };
  if (!passes(passes::createCheckLocations())) return Problem{"location", errors.take()};
  bool planned = false;
  module.walk([&](ir::LaunchOp launch) { planned |= bool(launch.getHome()); });
  if (planned && !passes(passes::createCheckPlan()))
    return Problem{"plan", "the memory plan does not hold: " + errors.take()};
  return std::nullopt;
}

} // namespace sinter::check
