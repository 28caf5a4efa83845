#include "sinter/frontend/detail/Compiler.h"

#include "sinter/codegen/reference/ReferenceProgram.h"
#include "sinter/frontend/detail/Dump.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/Pipeline.h"
#include "sinter/runtime/Environment.h"

#include "mlir/Pass/PassManager.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

/// A module with copies of all functions.
static OwningOpRef<ModuleOp> joined(const std::vector<const TracedImpl *> &functions) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(functions.front()->function().getLoc());
  OpBuilder b(module->getBodyRegion());
  b.setInsertionPointToEnd(module->getBody());
  for (const TracedImpl *traced : functions) b.clone(*traced->function());
  return module;
}

/// The evaluator takes any op: only what is not computed yet is opened.
static std::string openGradients(ModuleOp module, Precision precision, Dump &dump) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  OpPassManager &functions = pm.nest<func::FuncOp>();
  if (precision == Precision::bf16) functions.addPass(passes::createMixedPrecision());
  functions.addPass(passes::createAutodiff());
  if (failed(pm.run(module))) return "autodiff";
  std::string pipeline;
  llvm::raw_string_ostream stream(pipeline);
  pm.printAsTextualPipeline(stream);
  if (dump) dump.stage("autodiff", pipeline, print(module, true));
  return {};
}

Compiled compileFunctions(const std::vector<const TracedImpl *> &functions,
                          const CompileOptions &options, const std::string &label, bool savable) {
  (void)savable;
  OwningOpRef<ModuleOp> module = joined(functions);
  Dump dump(options.dump_dir.empty() ? runtime::environment::dumpDir() : options.dump_dir, label);
  Compiled result;
  result.tracedIr = print(*module, false);
  if (dump) dump.stage("traced", {}, print(*module, true));

  Diagnostics diagnostics;
  auto failed = [&](const std::string &pass) { throw CompileError(pass, diagnostics.text()); };
  FailureOr<runtime::Program> program = failure();
  if (options.device.kind() == Device::Kind::reference) {
    std::string pass = openGradients(*module, options.precision, dump);
    if (!pass.empty()) failed(pass);
    program = codegen::referenceProgram(*module);
  }
  if (mlir::failed(program)) failed("codegen");
  result.plannedIr = print(*module, false);
  result.program = std::make_shared<const runtime::Program>(std::move(*program));
  return result;
}

} // namespace sinter::detail
