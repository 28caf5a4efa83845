#include "sinter/codegen/cpu/CompileObject.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"

#include <mutex>

using namespace llvm;

namespace sinter::codegen::cpu {
namespace {

struct Machine {
  std::string cpu, tune, features;
};
Machine machineOf(const Isa &isa) {
  if (isa.name == "avx512") return {"x86-64-v4", "skylake-avx512", ""};
  if (isa.name == "avx2") return {"x86-64-v3", "haswell", ""};
#if defined(__x86_64__)
  return {"x86-64", "generic", ""};
#else
  return {"generic", "generic", ""};
#endif
}

std::unique_ptr<TargetMachine> targetMachine(const Isa &isa) {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
  });
  Triple triple(sys::getDefaultTargetTriple());
  std::string message;
  const Target *target = TargetRegistry::lookupTarget(triple, message);
  if (!target) return nullptr;
  Machine machine = machineOf(isa);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Strict; // what is fused says so
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, machine.cpu, machine.features, options, Reloc::PIC_,
                                  CodeModel::Small, CodeGenOptLevel::Default));
}

/// Public `void name(void *const *buffers, const int64_t *scalars, int64_t begin, int64_t end)` around
/// the kernel, which becomes internal.
void addEntry(Module &module, const std::string &name) {
  Function *kernel = module.getFunction(name);
  LLVMContext &context = module.getContext();
  kernel->setName(name + ".body");
  kernel->setLinkage(GlobalValue::InternalLinkage);
  kernel->addFnAttr(Attribute::AlwaysInline);
  Type *pointer = PointerType::getUnqual(context), *i64 = Type::getInt64Ty(context);
  auto *type = FunctionType::get(Type::getVoidTy(context), {pointer, pointer, i64, i64}, false);
  auto *entry = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  entry->addFnAttr(Attribute::NoUnwind);
  IRBuilder<> b(BasicBlock::Create(context, "entry", entry));
  SmallVector<Value *> arguments;
  MDNode *empty = MDNode::get(context, {});
  for (unsigned i = 0; i + 2 < kernel->arg_size(); ++i) {
    Value *slot = b.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), i);
    LoadInst *buffer = b.CreateLoad(pointer, slot);
    buffer->setMetadata(LLVMContext::MD_invariant_load, empty);
    arguments.push_back(buffer);
  }
  arguments.push_back(entry->getArg(2));
  arguments.push_back(entry->getArg(3));
  b.CreateCall(kernel, arguments);
  b.CreateRetVoid();
}

} // namespace

std::unique_ptr<Module> translateAndOptimize(mlir::ModuleOp module, ArrayRef<std::string> kernels,
                                             LLVMContext &context, const CompileOptions &options) {
  std::unique_ptr<Module> translated = mlir::translateModuleToLLVMIR(module, context, "kernels");
  std::unique_ptr<TargetMachine> machine = targetMachine(options.isa);
  if (!translated || !machine) {
    if (!machine) module.emitError("LLVM has no code generator for this machine");
    return nullptr;
  }
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  for (const std::string &name : kernels) addEntry(*translated, name);
  Machine description = machineOf(options.isa);
  for (Function &function : *translated) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", description.cpu);
    function.addFnAttr("tune-cpu", description.tune);
    if (options.isa.name == "avx512") function.addFnAttr("prefer-vector-width", "512");
    if (options.addressSanitizer) function.addFnAttr(Attribute::SanitizeAddress);
  }

  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  PipelineTuningOptions tuning;
  PassBuilder builder(machine.get(), tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  if (options.addressSanitizer)
    builder.registerOptimizerLastEPCallback(
        [](ModulePassManager &passes, OptimizationLevel, ThinOrFullLTOPhase) {
          passes.addPass(AddressSanitizerPass(AddressSanitizerOptions()));
        });
  ModulePassManager passes = builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3);
  passes.run(*translated, modules);
  return translated;
}

std::vector<uint8_t> emitMachineCode(Module &module, const CompileOptions &options, bool assembly) {
  std::unique_ptr<TargetMachine> machine = targetMachine(options.isa);
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   assembly ? CodeGenFileType::AssemblyFile
                                            : CodeGenFileType::ObjectFile))
    return {};
  passes.run(module);
  return {bytes.begin(), bytes.end()};
}

} // namespace sinter::codegen::cpu
