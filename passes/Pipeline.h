#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/LogicalResult.h"

#include <functional>
#include <string>
#include <vector>

namespace sinter::passes {

/// A pass pipeline (as `--pass-pipeline` spells it, anchored on builtin.module) put into ours at a
/// place chosen by name: "before-<stage>" or "after-<stage>", the stages being those of Pipeline.cpp.
struct Insertion {
  std::string place;
  std::string pipeline;
};

struct PipelineOptions {
  /// Element type that the mixed-precision policy lowers f32 to: "f32" (none), "bf16" or "f16".
  std::string precision = "f32";
  /// Whether ops may have a precision of their own (MixedPrecision.h).
  bool precisionScopes = false;
  /// "default", or "strict": the same bits whatever is fused (ir/Numerics.h).
  std::string numerics = "default";
  /// False: fuse nothing, one kernel for each op.
  bool fuse = true;
  /// Largest constant that folding may make, in bytes.
  int64_t foldLimit = 64 * 1024;
  /// Most bytes of working memory that a function may need; 0: any.
  int64_t memoryBudget = 0;
  /// Record the fate of every producer-consumer edge (fusion/Ledger.h).
  bool ledger = false;
  /// Check after every stage that no op lost its source location.
  bool checkLocations = true;
  /// Passes from outside.
  std::vector<Insertion> insertions;
};

/// One step of the pipeline. `add` appends its passes to a pass manager of builtin.module.
struct Stage {
  std::string name;
  std::function<mlir::LogicalResult(mlir::OpPassManager &)> add;
};

/// The stages in their order, insertions included. An insertion at an unknown place is an error
/// written to `errors`, which lists the places.
mlir::FailureOr<std::vector<Stage>> pipelineStages(const PipelineOptions &options,
                                                   llvm::raw_ostream &errors);

/// Appends the whole pipeline to `pm`, a manager of builtin.module.
mlir::LogicalResult buildPipeline(mlir::OpPassManager &pm, const PipelineOptions &options,
                                  llvm::raw_ostream &errors);

/// Called after each stage with its name and the textual pipeline that replays it.
using StageCallback =
    std::function<void(llvm::StringRef stage, llvm::StringRef pipeline, mlir::ModuleOp module)>;

/// Runs the pipeline on `module`, a stage at a time. On failure the diagnostics have gone to the
/// context's handlers, `failedStage` (if given) holds the stage's name, and `module` is what that
/// stage left behind.
mlir::LogicalResult runPipeline(mlir::ModuleOp module, const PipelineOptions &options,
                                const StageCallback &afterStage = {},
                                std::string *failedStage = nullptr);

/// Registers `sinter-pipeline` for `sinter-opt` and `--pass-pipeline`. Called by registerPasses.
void registerPipeline();

} // namespace sinter::passes
