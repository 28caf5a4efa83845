#include "sinter/check/PassCheck.h"

#include "sinter/check/Places.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <unistd.h>

using namespace mlir;

namespace sinter::check {
namespace {

/// The pipeline's own passes on either side of a place.
struct Sides {
  std::vector<PassStep> before, after;
};

std::optional<Sides> sidesOf(const std::string &place, std::string &problem) {
  llvm::raw_string_ostream os(problem);
  // Something that is known to be a pass: it marks the place.
  passes::PipelineOptions options;
  options.insertions = {{place, "sinter-check-locations"}};
  auto stages = passes::pipelineStages(options, os);
  if (failed(stages)) return std::nullopt;
  Sides sides;
  bool isAfter = false;
  for (const passes::Stage &stage : *stages) {
    if (StringRef(stage.name).starts_with(place + ":")) {
      isAfter = true;
      continue;
    }
    OpPassManager pm(ModuleOp::getOperationName());
    std::string text;
    llvm::raw_string_ostream textStream(text);
    if (failed(stage.add(pm))) return std::nullopt;
    pm.printAsTextualPipeline(textStream);
    auto &side = isAfter ? sides.after : sides.before;
    for (PassStep &step : splitPipeline(stage.name, text)) side.push_back(std::move(step));
  }
  return sides;
}

bool runSteps(ModuleOp module, const std::vector<PassStep> &steps, PassStep *failedAt = nullptr) {
  for (const PassStep &step : steps) {
    PassManager pm(module.getContext(), ModuleOp::getOperationName());
    if (failedAt) *failedAt = step;
    if (failed(parsePassPipeline(step.pipeline, pm)) || failed(pm.run(module))) return false;
  }
  return true;
}

struct Workshop {
  Workshop() : context(registry(), MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }
  static DialectRegistry registry() {
    DialectRegistry registry;
    ir::registerDialects(registry);
    return registry;
  }
  MLIRContext context;
};

/// What a specimen is compiled for: for a GPU fusion keeps kernels apart that are one on a CPU when they are small.
std::string deviceOf(const Specimen &specimen) {
  return specimen.seed % 2 ? "cuda-emulated" : "cpu";
}

/// The specimen as the pass will meet it.
OwningOpRef<ModuleOp> atPlace(Workshop &shop, const Specimen &specimen, const Sides &sides) {
  auto module = parseSourceString<ModuleOp>(specimen.text, &shop.context);
  if (!module || failed(setTarget(*module, deviceOf(specimen)))) return nullptr;
  if (!runSteps(*module, sides.before)) return nullptr;
  return module;
}

} // namespace

std::vector<std::string> places() {
  std::string ignored;
  llvm::raw_string_ostream os(ignored);
  std::vector<std::string> all;
  auto stages = passes::pipelineStages({}, os);
  for (const passes::Stage &stage : *stages)
    for (const char *side : {"before-", "after-"}) all.push_back(side + stage.name);
  return all;
}

std::optional<std::string> anchored(StringRef pipeline, std::string &problem) {
  MLIRContext context;
  Errors errors(&context);
  StringRef inner = pipeline.trim();
  if (inner.consume_front("builtin.module(")) inner = inner.drop_back();
  // As it stands, else as a pass of functions; what the first attempt said is what is wrong.
  for (const std::string &text : {inner.str(), fmt::format("func.func({})", inner.str())}) {
    std::string reason;
    llvm::raw_string_ostream os(reason);
    PassManager pm(&context, ModuleOp::getOperationName());
    if (failed(parsePassPipeline(text, pm, os))) {
      if (problem.empty()) problem = StringRef(reason).trim().str();
      continue;
    }
    std::string printed;
    llvm::raw_string_ostream printedStream(printed);
    pm.printAsTextualPipeline(printedStream);
    StringRef whole = printed;
    if (whole.consume_front("builtin.module(")) whole = whole.drop_back();
    return whole.str();
  }
  return std::nullopt;
}

SpecimenReport checkSpecimen(const Specimen &specimen, const PassUnderTest &pass) {
  SpecimenReport report;
  Workshop shop;
  Errors errors(&shop.context);
  auto fails = [&](std::string kind, std::string text) {
    report.problem = {std::move(kind), std::move(text)};
    return report;
  };
  std::string reason;
  std::optional<Sides> sides = sidesOf(pass.place, reason);
  if (!sides) return fails("setup", reason);
  OwningOpRef<ModuleOp> module = atPlace(shop, specimen, *sides);
  if (!module) return fails("setup", "Sinter's own passes fail on it: " + errors.take());
  std::optional<Rounds> rounds = roundsOf(*module, specimen, reason);
  if (!rounds) return fails("setup", "it cannot be evaluated: " + reason);
  std::optional<Observation> before = observe(*module, *rounds, reason);
  if (!before) return fails("setup", reason);

  std::vector<PassStep> steps = splitPipeline(pass.place, pass.pipeline);
  // Of the graph as it was written: fused regions cannot be retyped, but made in f64.
  Rounds wide = *rounds;
  OwningOpRef<ModuleOp> copy = parseSourceString<ModuleOp>(specimen.text, &shop.context);
  if (failed(setTarget(*copy, deviceOf(specimen)))) copy = nullptr;
  if (copy) copy = twinOf(*copy, wide);
  if (copy && !runSteps(*copy, sides->before)) copy = nullptr;
  Twin twin(std::move(copy), std::move(wide));
  errors.take();
  for (const PassStep &step : steps) {
    bool changed = false;
    auto problem = checkPass(*module, step, *rounds, *before, changed);
    report.changed |= changed;
    if (!problem) problem = twin.check(step);
    if (problem) return fails(problem->kind, problem->text);
  }
  OwningOpRef<ModuleOp> once = module->clone();
  std::string text = exactText(*module);
  if (!runSteps(*module, steps))
    return fails("idempotence", "it fails on what it made itself: " + errors.take());
  if (exactText(*module) != text)
    return fails("idempotence",
                 "run again on what it made it changes that\n" + changedOps(*once, *module));
  if (!report.changed) return report;

  PassStep failedAt;
  if (!runSteps(*module, sides->after, &failedAt))
    return fails("pipeline", fmt::format("{} ({}) does not accept what it left: {}", failedAt.pass,
                                         failedAt.place, errors.take()));
  if (auto problem = checkAtRest(*module))
    return fails("pipeline", "after the rest of the pipeline: " + problem->text);
  std::optional<Observation> end = observe(*module, *rounds, reason);
  if (!end) return fails("pipeline", "after the rest of the pipeline " + reason);
  if (auto problem = compare(*before, *end, *once, *module, *rounds))
    return fails("pipeline", "after the rest of the pipeline: " + problem->text);
  return report;
}

static double processorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double timePass(const Specimen &specimen, const PassUnderTest &pass, int64_t copies) {
  Workshop shop;
  Errors errors(&shop.context);
  std::string reason;
  std::optional<Sides> sides = sidesOf(pass.place, reason);
  if (!sides) return -1;
  OwningOpRef<ModuleOp> module = atPlace(shop, specimen, *sides);
  if (!module) return -1;
  // Copies of what the pass meets, so that what comes before it takes no time.
  module = repeated(*module, copies);
  double best = -1, spent = 0;
  for (int run = 0; run < 5 && (run < 2 || spent < 1); ++run) {
    OwningOpRef<ModuleOp> copy = module->clone();
    PassManager pm(&shop.context, ModuleOp::getOperationName());
    pm.enableVerifier(false);
    if (failed(parsePassPipeline(pass.pipeline, pm))) return -1;
    double start = processorSeconds();
    if (failed(pm.run(*copy))) return -1;
    double seconds = processorSeconds() - start;
    spent += seconds;
    if (best < 0 || seconds < best) best = seconds;
  }
  return best;
}

std::set<std::string> registeredPasses() {
  // MLIR's registry can be printed, to standard output, and not be asked.
  llvm::outs().flush();
  std::FILE *file = std::tmpfile();
  if (!file) return {};
  int saved = dup(STDOUT_FILENO);
  dup2(fileno(file), STDOUT_FILENO);
  printRegisteredPasses();
  llvm::outs().flush();
  dup2(saved, STDOUT_FILENO);
  close(saved);
  std::rewind(file);
  std::set<std::string> names;
  char line[512];
  while (std::fgets(line, sizeof line, file)) {
    StringRef text = line;
    size_t start = text.find("--");
    // Options of a pass stand further to the right than the passes.
    if (start == StringRef::npos || start > 5) continue;
    names.insert(
        text.drop_front(start + 2).take_until([](char c) { return c == ' '; }).trim().str());
  }
  std::fclose(file);
  return names;
}

} // namespace sinter::check
