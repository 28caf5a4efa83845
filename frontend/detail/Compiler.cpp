#include "sinter/frontend/detail/Compiler.h"

#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/frontend/detail/ContractCheck.h"
#include "sinter/frontend/detail/Dump.h"
#include "sinter/frontend/detail/Plugins.h"
#include "sinter/runtime/Environment.h"

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

void dropExpectations(ModuleOp module) {
  module.walk([](Operation *op) {
    if (isa<ir::ExpectFusedOp, ir::ExpectKernelsOp>(op)) op->erase();
  });
}

/// How many kernels are timed besides the model's choice.
static constexpr unsigned autotunedAlternatives = 3;

ModuleOptions moduleOptions(const CompileOptions &options) {
  ModuleOptions compile;
  compile.device = options.device.name();
  compile.precision = text(options.precision);
  compile.memoryBudget = options.memory_budget;
  if (options.numerics == Numerics::strict) compile.numerics = "strict";
  if (options.device.kind() == Device::Kind::cuda) {
    compile.architecture =
        codegen::nearestCudaArchitecture(options.device.runtimeDevice()->architecture(),
                                         /*portable=*/false);
    compile.early = true;
  }
  compile.tf32 = options.tf32;
  if (options.autotune) compile.alternatives = autotunedAlternatives;
  for (const PassInsertion &pass : options.passes)
    compile.insertions.push_back({pass.place, pass.pipeline});
  return compile;
}

Compiled compileFunctions(const std::vector<const TracedImpl *> &functions,
                          const CompileOptions &options, const std::string &label, bool savable) {
  std::vector<std::string> plugins = runtime::environment::passPlugins();
  plugins.insert(plugins.end(), options.plugins.begin(), options.plugins.end());
  loadPlugins(plugins);
  OwningOpRef<ModuleOp> module = joined(functions);
  ModuleOptions compile = moduleOptions(options);
  auto dump = std::make_shared<Dump>(options.dump_dir.empty() ? runtime::environment::dumpDir()
                                                              : options.dump_dir,
                                     label, compile.device, compile.precision);
  Compiled result;
  result.tracedIr = print(*module, false);

  compile.savable = savable;
  // What is saved may meet a newer GPU.
  if (savable && options.device.kind() == Device::Kind::cuda)
    compile.architecture = codegen::nearestCudaArchitecture(
        options.device.runtimeDevice()->architecture(), /*portable=*/true);
  ContractCheck contracts(options);
  if (*dump || contracts.watchesStages())
    compile.afterStage = [&](llvm::StringRef stage, llvm::StringRef pipeline, ModuleOp module) {
      if (*dump) dump->stage(stage, pipeline, module);
      contracts.afterStage(stage, module);
    };
  if (*dump) {
    compile.assembly = check(runtime::environment::dumpAssembly());
    compile.text = [&](const std::string &name, const std::string &text) {
      dump->file(name, text);
    };
    result.dump = dump;
  }
  Diagnostics diagnostics;
  std::string stage;
  FailureOr<runtime::Program> program = compileModule(*module, compile, &stage);
  if (failed(program)) throw CompileError(stage, diagnostics.text(), diagnostics.place());
  dump->finish(*program, compile.assembly);
  contracts.check(*program);
  result.plannedIr = print(*module, false);
  result.autotune = options.autotune;
  result.program = std::make_shared<const runtime::Program>(std::move(*program));
  return result;
}

std::vector<KernelText> cudaTextOf(const TracedImpl &function, const CompileOptions &options) {
  OwningOpRef<ModuleOp> module = joined({&function});
  dropExpectations(*module); // they are the device's that the graph was compiled for
  ModuleOptions cuda = moduleOptions({.device = Device::reference(),
                                      .precision = options.precision,
                                      .numerics = options.numerics,
                                      .tf32 = options.tf32});
  cuda.device = "cuda";
  Diagnostics diagnostics;
  std::string stage;
  FailureOr<runtime::Program> program = compileModule(*module, cuda, &stage);
  if (failed(program)) throw CompileError(stage, diagnostics.text(), diagnostics.place());
  std::vector<KernelText> texts;
  for (const auto &kernel : program->kernels) texts.push_back({kernel.name, kernel.source});
  return texts;
}

} // namespace sinter::detail
