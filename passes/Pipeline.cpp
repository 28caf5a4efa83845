#include "sinter/passes/Pipeline.h"

#include "sinter/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mlir;

namespace sinter::passes {

/// The order of the compiler, each line with its reason.
static std::vector<Stage> ownStages(const PipelineOptions &options) {
  std::vector<Stage> stages;
  auto add = [&](const char *name, std::function<void(OpPassManager &)> passes) {
    stages.push_back({name, [passes = std::move(passes)](OpPassManager &pm) {
                        passes(pm);
                        return success();
                      }});
  };
  auto onFunctions = [&](const char *name, std::function<std::unique_ptr<Pass>()> create) {
    add(name, [create = std::move(create)](OpPassManager &pm) {
      pm.addNestedPass<func::FuncOp>(create());
    });
  };
  auto simplify = [limit = options.foldLimit] { return createSimplify({limit}); };

  // Before autodiff: gradients then follow the types of the forward graph.
  if (options.precision != "f32" || options.precisionScopes)
    onFunctions("precision", [type = options.precision] { return createMixedPrecision({type}); });
  // While composite ops are whole: their gradients are better than those of their parts.
  onFunctions("autodiff", [] { return createAutodiff(); });
  // What autodiff and tracing left: dead gradients, literal arithmetic, transposes of operands.
  onFunctions("simplify", simplify);
  // After gradients, before fusion: a kernel is made of primitive ops.
  onFunctions("decompose", [] { return createDecompose({/*all=*/true}); });
  // Forward and backward composites share parts (a softmax and its gradient): one copy of each.
  onFunctions("share", simplify);
  // On primitives, while every op still stands for itself: what asks for another order gets it.
  add("layout", [](OpPassManager &pm) {
    pm.addNestedPass<func::FuncOp>(createLayout());
    // A step of a scan is a function of its own from here on: fused, outlined and planned once.
    pm.addPass(createOutlineControl());
  });
  // Decides what one kernel computes; everything before has looked at whole ops.
  FusionOptions fusion;
  fusion.ledger = options.ledger;
  fusion.singletons = !options.fuse;
  fusion.numerics = options.numerics;
  fusion.budget = options.memoryBudget;
  add("fusion", [fusion](OpPassManager &pm) { pm.addPass(createFusion(fusion)); });
  // Equal regions become one kernel.
  add("outline", [](OpPassManager &pm) { pm.addPass(createOutline()); });
  // Last: it orders launches and fixes addresses, and with its copies their number is final.
  add("memory", [budget = options.memoryBudget](OpPassManager &pm) {
    // Launches run again are launches as any other by then.
    if (budget > 0) pm.addPass(createRematerialize({budget}));
    pm.addPass(createPlanMemory({budget}));
    pm.addPass(createCheckExpectations());
  });
  return stages;
}

/// What is inside of `builtin.module(...)`: our managers are anchored there already, and a module inside of
/// the module is not what is meant.
static std::string passesOf(StringRef pipeline) {
  StringRef inner = pipeline.trim();
  if (inner.consume_front("builtin.module(") && inner.consume_back(")")) return inner.str();
  return pipeline.trim().str();
}

FailureOr<std::vector<Stage>> pipelineStages(const PipelineOptions &options,
                                             llvm::raw_ostream &errors) {
  std::vector<Stage> stages;
  std::vector<bool> used(options.insertions.size());
  std::vector<std::string> pipelines;
  for (const Insertion &insertion : options.insertions) {
    // Said here, where there is a stream for it: a stage has none.
    OpPassManager parsed(ModuleOp::getOperationName());
    pipelines.push_back(passesOf(insertion.pipeline));
    std::string reason;
    llvm::raw_string_ostream stream(reason);
    if (succeeded(parsePassPipeline(pipelines.back(), parsed, stream))) continue;
    errors << "cannot insert '" << insertion.pipeline << "' at '" << insertion.place
           << "': " << StringRef(reason).trim() << "\n";
    return failure();
  }
  auto insertAt = [&](const std::string &place) {
    for (auto [i, insertion] : llvm::enumerate(options.insertions)) {
      if (insertion.place != place) continue;
      used[i] = true;
      stages.push_back({place + ":" + insertion.pipeline, [text = pipelines[i]](OpPassManager &pm) {
                          return parsePassPipeline(text, pm);
                        }});
    }
  };
  std::vector<std::string> places;
  for (Stage &stage : ownStages(options)) {
    std::string before = "before-" + stage.name, after = "after-" + stage.name;
    insertAt(before);
    stages.push_back(std::move(stage));
    insertAt(after);
    places.insert(places.end(), {before, after});
  }
  for (auto [i, insertion] : llvm::enumerate(options.insertions)) {
    if (used[i]) continue;
    errors << "cannot insert '" << insertion.pipeline << "' at '" << insertion.place
           << "': the pipeline has the places " << llvm::join(places, ", ") << "\n";
    return failure();
  }
  return stages;
}

LogicalResult buildPipeline(OpPassManager &pm, const PipelineOptions &options,
                            llvm::raw_ostream &errors) {
  FailureOr<std::vector<Stage>> stages = pipelineStages(options, errors);
  if (failed(stages)) return failure();
  for (const Stage &stage : *stages) {
    if (failed(stage.add(pm))) return failure();
    if (options.checkLocations) pm.addPass(createCheckLocations());
  }
  return success();
}

LogicalResult runPipeline(ModuleOp module, const PipelineOptions &options,
                          const StageCallback &afterStage, std::string *failedStage) {
  std::string errors;
  llvm::raw_string_ostream stream(errors);
  FailureOr<std::vector<Stage>> stages = pipelineStages(options, stream);
  if (failed(stages)) {
    if (failedStage) *failedStage = "pipeline";
    return module.emitError(StringRef(errors).rtrim());
  }
  for (const Stage &stage : *stages) {
    if (failedStage) *failedStage = stage.name;
    // A manager per stage: the callback sees a module at rest and a pipeline that replays the stage.
    PassManager pm(module.getContext(), ModuleOp::getOperationName());
    if (failed(stage.add(pm))) return module.emitError("cannot build stage '") << stage.name << "'";
    std::string text;
    llvm::raw_string_ostream textStream(text);
    pm.printAsTextualPipeline(textStream);
    if (options.checkLocations) pm.addPass(createCheckLocations());
    if (failed(pm.run(module))) return failure();
    if (afterStage) afterStage(stage.name, text, module);
  }
  if (failedStage) failedStage->clear();
  return success();
}

namespace {
struct CommandLineOptions : PassPipelineOptions<CommandLineOptions> {
  Option<std::string> precision{*this, "precision", llvm::cl::desc("f32, bf16 or f16"),
                                llvm::cl::init("f32")};
  Option<std::string> numerics{
      *this, "numerics", llvm::cl::desc("default, or strict: the same bits whatever is fused"),
      llvm::cl::init("default")};
  Option<bool> fuse{*this, "fuse", llvm::cl::desc("false: one kernel for each op"),
                    llvm::cl::init(true)};
  Option<int64_t> foldLimit{*this, "fold-limit", llvm::cl::desc("Largest folded constant in bytes"),
                            llvm::cl::init(PipelineOptions().foldLimit)};
  Option<int64_t> memoryBudget{*this, "memory-budget",
                               llvm::cl::desc("Most bytes of working memory of a function; 0: any"),
                               llvm::cl::init(0)};
  ListOption<std::string> insert{*this, "insert",
                                 llvm::cl::desc("PLACE:PIPELINE, a pipeline put at a named place")};
};
} // namespace

void registerPipeline() {
  PassPipelineRegistration<CommandLineOptions>(
      "sinter-pipeline", "From traced functions to planned kernels",
      [](OpPassManager &pm, const CommandLineOptions &flags) {
        PipelineOptions options;
        options.precision = flags.precision;
        options.precisionScopes = true; // the IR is not known yet
        options.numerics = flags.numerics;
        options.fuse = flags.fuse;
        options.foldLimit = flags.foldLimit;
        options.memoryBudget = flags.memoryBudget;
        for (const std::string &text : flags.insert) {
          auto [place, pipeline] = StringRef(text).split(':');
          options.insertions.push_back({place.str(), pipeline.str()});
        }
        if (failed(buildPipeline(pm, options, llvm::errs())))
          llvm::report_fatal_error("cannot build sinter-pipeline", /*gen_crash_diag=*/false);
      });
}

} // namespace sinter::passes
