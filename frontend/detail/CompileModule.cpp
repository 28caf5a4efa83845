#include "sinter/frontend/detail/CompileModule.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/passes/MixedPrecision.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/Pipeline.h"
#include "sinter/passes/fusion/ContractionSchedule.h"
#include "sinter/passes/fusion/LedgerAttribute.h"
#include "sinter/passes/fusion/LedgerRemarks.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace sinter::detail {

/// The reference device's evaluator takes any op: only what is not computed yet is opened.
static LogicalResult openGradients(ModuleOp module, const ModuleOptions &options,
                                   std::string *failedStage) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  OpPassManager &functions = pm.nest<func::FuncOp>();
  if (options.precision != "f32" || passes::hasPrecisionScopes(module)) {
    passes::MixedPrecisionOptions precision;
    precision.type = options.precision;
    functions.addPass(passes::createMixedPrecision(precision));
  }
  functions.addPass(passes::createAutodiff());
  if (failed(pm.run(module))) {
    if (failedStage) *failedStage = "autodiff";
    return failure();
  }
  if (options.afterStage) {
    std::string pipeline;
    llvm::raw_string_ostream stream(pipeline);
    pm.printAsTextualPipeline(stream);
    options.afterStage("autodiff", pipeline, module);
  }
  return success();
}

static LogicalResult setTarget(ModuleOp module, const ModuleOptions &options) {
  if (options.device != "cpu") {
    auto target = codegen::cudaTarget(*module.getContext(),
                                      options.architecture.empty() ? "sm_80" : options.architecture,
                                      options.tf32 && options.numerics != "strict");
    if (succeeded(target)) module->setAttr(ir::targetAttr, *target);
    return success(succeeded(target));
  }
  auto target = codegen::cpuTarget(*module.getContext(), options.architecture);
  if (!target) return module.emitError() << target.error().message;
  module->setAttr(ir::targetAttr, *target);
  return success();
}

LogicalResult planModule(ModuleOp module, const ModuleOptions &options, std::string *failedStage) {
  bool evaluates = options.device == "reference";
  if (!evaluates && failed(setTarget(module, options))) return failure();
  // With its target: that is what the stages after it start from.
  if (options.afterStage) options.afterStage("traced", "", module);
  if (evaluates) return openGradients(module, options, failedStage);
  passes::PipelineOptions pipeline;
  pipeline.precision = options.precision;
  pipeline.precisionScopes = passes::hasPrecisionScopes(module);
  pipeline.numerics = options.numerics;
  pipeline.insertions = options.insertions;
  pipeline.memoryBudget = options.memoryBudget;
  pipeline.ledger = bool(options.text);
  if (failed(passes::runPipeline(module, pipeline, options.afterStage, failedStage)))
    return failure();
  if (options.alternatives) passes::fusion::addAlternatives(module, options.alternatives);
  if (options.text) {
    std::vector<passes::Ledger> ledgers = passes::takeLedgers(module);
    options.text("ledger.json", passes::toJson(ledgers));
    options.text("remarks.yaml", passes::toRemarks(ledgers));
  }
  return success();
}

FailureOr<runtime::Program> compileModule(ModuleOp module, const ModuleOptions &options,
                                          std::string *failedStage) {
  if (failed(planModule(module, options, failedStage))) return failure();
  codegen::CodegenOptions codegen;
  codegen.target = options.device == "cpu"         ? runtime::TargetKind::cpu
                   : options.device == "reference" ? runtime::TargetKind::reference
                                                   : runtime::TargetKind::cuda;
  codegen.isa = options.architecture;
  codegen.savable = options.savable;
  codegen.dump = options.text;
  codegen.assembly = options.assembly;
  codegen.cuda.early = options.early;
  if (failedStage) *failedStage = "codegen";
  return codegen::compileToProgram(module, codegen);
}

} // namespace sinter::detail
