#include "sinter/check/CheckPipeline.h"

#include "sinter/check/FirstChange.h"
#include "sinter/check/Places.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <fmt/format.h>

#include <chrono>

using namespace mlir;

namespace sinter::check {

/// Where the bracket that `text` begins with is closed.
static size_t closing(StringRef text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(' || text[i] == '{') ++depth;
    if ((text[i] == ')' || text[i] == '}') && --depth == 0) return i;
  }
  return text.size();
}

std::vector<PassStep> splitPipeline(const std::string &place, StringRef pipeline) {
  std::vector<PassStep> steps;
  StringRef rest = pipeline.trim();
  if (rest.consume_front("builtin.module(")) rest = rest.drop_back();
  while (!(rest = rest.ltrim(", ")).empty()) {
    size_t length = rest.find_first_of("({,");
    StringRef name = rest.take_front(length).trim();
    StringRef after = length == StringRef::npos ? StringRef() : rest.drop_front(length);
    size_t end = 0;
    if (after.starts_with("(")) {
      end = closing(after) + 1;
      for (PassStep &inner : splitPipeline(place, after.slice(1, end - 1)))
        steps.push_back({place, fmt::format("{}({})", name.str(), inner.pipeline), inner.pass});
    } else {
      if (after.starts_with("{")) end = closing(after) + 1;
      steps.push_back({place, name.str() + after.take_front(end).str(), name.str()});
    }
    rest = after.drop_front(std::min(end, after.size()));
  }
  return steps;
}

static bool runPass(ModuleOp module, const std::string &pipeline) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false); // checkAtRest asks, and says what it is about
  std::string reason;
  llvm::raw_string_ostream os(reason);
  if (failed(parsePassPipeline(pipeline, pm, os))) {
    module.emitError(StringRef(reason).trim());
    return false;
  }
  return succeeded(pm.run(module));
}

std::optional<Problem> checkPass(ModuleOp module, const PassStep &step, const Rounds &rounds,
                                 Observation &before, bool &changed) {
  OwningOpRef<ModuleOp> original = module.clone(), again = module.clone();
  Errors errors(module.getContext());
  changed = true;
  if (!runPass(module, step.pipeline)) {
    changed = false; // what it left is no result
    std::string said = errors.take();
    return Problem{"failure", said.empty() ? "it fails and does not say why" : "it fails: " + said};
  }
  errors.take();
  if (auto problem = checkAtRest(module)) {
    problem->text += "\n" + changedOps(*original, module);
    return problem;
  }
  std::string text = exactText(module);
  changed = text != before.text;
  if (!runPass(*again, step.pipeline) || exactText(*again) != text)
    return Problem{"nondeterminism", "run twice on the same module it makes two different ones\n" +
                                         changedOps(module, *again)};
  errors.take();
  if (!changed) return std::nullopt;

  // A pass that lowers types changes every rounding, and is meant to: without roundings it changes nothing.
  EvaluateOptions exact{.asF64 = step.pass == "sinter-mixed-precision"};
  std::string reason;
  std::optional<Observation> then =
      exact.asF64 ? observe(*original, rounds, reason, exact) : std::optional(std::move(before));
  std::optional<Observation> now = observe(module, rounds, reason, exact);
  if (!then || !now) return Problem{"value", reason + "\n" + changedOps(*original, module)};
  auto problem = compare(*then, *now, *original, module, rounds, exact);
  if (exact.asF64) now = observe(module, rounds, reason);
  if (now) before = std::move(*now);
  return problem;
}

OwningOpRef<ModuleOp> twinOf(ModuleOp module, Rounds &rounds) {
  ScopedDiagnosticHandler quiet(module.getContext(), [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> copy = module.clone();
  if (!runPass(*copy, "func.func(sinter-retype-f64)") || failed(verify(*copy))) return nullptr;
  for (auto function : copy->getOps<func::FuncOp>())
    if (auto known = rounds.find(function.getName().str()); known != rounds.end())
      for (Round &round : known->second) {
        round.inputs = retyped(round.inputs, function);
        round.name += ", every float as f64";
      }
  return copy;
}

Twin::Twin(OwningOpRef<ModuleOp> given, Rounds rounds)
    : module(std::move(given)), rounds(std::move(rounds)) {
  if (!module) return;
  Errors errors(module->getContext());
  std::string reason;
  before = observe(*module, this->rounds, reason);
}

std::optional<Problem> Twin::check(const PassStep &step) {
  if (!module || !before) return std::nullopt;
  bool changed = false;
  auto problem = checkPass(*module, step, rounds, *before, changed);
  if (problem && problem->kind == "value") return problem;
  if (problem) module = nullptr;
  return std::nullopt;
}

PipelineReport checkPipeline(ModuleOp module, const PipelineCheckOptions &options) {
  passes::registerPasses();
  PipelineReport report;
  auto about = [&](const std::string &what) {
    if (options.about) options.about(what);
  };
  auto blame = [&](const PassStep &step, Problem problem) {
    report.blamed = step;
    report.problem = std::move(problem);
    return report;
  };
  PassStep input{"input", "", "the module as it was given"};
  about(input.pass);
  if (auto problem = checkAtRest(module)) return blame(input, *problem);
  std::string reason;
  std::optional<Rounds> rounds;
  if (options.rounds.empty())
    rounds = drawRounds(module, options.seed, options.plainRounds, options.edges, reason);
  else
    rounds = options.rounds;
  if (!rounds) return blame(input, {"value", reason});
  if (rounds->empty()) return blame(input, {"failure", "it has no function to evaluate"});
  std::optional<Observation> before = observe(module, *rounds, reason);
  if (!before) return blame(input, {"value", reason});
  for (const auto &[name, values] : before->results)
    for (const Values &round : values)
      for (const codegen::HostTensor &tensor : round) report.elements += tensor.numElements();

  llvm::raw_string_ostream stream(reason);
  auto stages = passes::pipelineStages(options.pipeline, stream);
  if (failed(stages)) return blame({"pipeline", "", "the pipeline"}, {"failure", reason});
  std::vector<PassStep> steps;
  for (const passes::Stage &stage : *stages) {
    PassManager pm(module.getContext(), ModuleOp::getOperationName());
    if (failed(stage.add(pm)))
      return blame({stage.name, "", stage.name}, {"failure", "it is none"});
    std::string text;
    llvm::raw_string_ostream textStream(text);
    pm.printAsTextualPipeline(textStream);
    for (PassStep &step : splitPipeline(StringRef(stage.name).split(':').first.str(), text))
      steps.push_back(std::move(step));
  }
  Rounds wide = *rounds;
  OwningOpRef<ModuleOp> copy = twinOf(module, wide);
  Twin twin(std::move(copy), std::move(wide));
  for (const PassStep &step : steps) {
    about(fmt::format("pass {} ({})", step.pass, step.place));
    auto start = std::chrono::steady_clock::now();
    bool changed = false;
    auto problem = checkPass(module, step, *rounds, *before, changed);
    if (!problem) problem = twin.check(step);
    if (problem) return blame(step, *problem);
    report.passed.push_back(
        {step, changed,
         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()});
  }
  for (const std::string &device : options.devices) {
    PassStep step{"code generation", "", device};
    about("code generation for " + device);
    std::string absent;
    auto problem = checkOnDevice(module, device, *rounds, *before, absent);
    if (problem) return blame(step, *problem);
    if (absent.empty())
      report.passed.push_back({step, true, 0});
    else
      report.notes.push_back(device + " was left out: " + absent);
  }
  return report;
}

} // namespace sinter::check
