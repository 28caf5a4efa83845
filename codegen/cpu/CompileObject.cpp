#include "sinter/codegen/cpu/CompileObject.h"
#include "sinter/codegen/BufferArray.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"

#include <mutex>
#include <optional>

using namespace llvm;

namespace sinter::codegen::cpu {
namespace {

struct Machine {
  std::string cpu, tune, features;
};
Machine machineOf(const Isa &isa) {
  if (isa.name == "amx") // what else is compiled the same for both
    return {"x86-64-v4", "skylake-avx512", "+amx-tile,+amx-bf16,+avx512bf16"};
  if (isa.name == "avx512_bf16") return {"x86-64-v4", "skylake-avx512", "+avx512bf16"};
  if (isa.name == "avx512") return {"x86-64-v4", "skylake-avx512", ""};
  if (isa.name == "avx2" || isa.emulatesTiles) return {"x86-64-v3", "haswell", ""};
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
/// the kernel, which becomes internal. `taken` lists the buffers that it takes, -1 for the array itself.
void addEntry(Module &module, const std::string &name, ArrayRef<int64_t> taken) {
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
  for (int64_t number : taken) {
    if (number < 0) {
      arguments.push_back(entry->getArg(0));
      continue;
    }
    Value *slot = b.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), uint64_t(number));
    LoadInst *buffer = b.CreateLoad(pointer, slot);
    buffer->setMetadata(LLVMContext::MD_invariant_load, empty);
    arguments.push_back(buffer);
  }
  arguments.push_back(entry->getArg(2));
  arguments.push_back(entry->getArg(3));
  b.CreateCall(kernel, arguments);
  b.CreateRetVoid();
}

/// The numbers of the buffers that a kernel takes: all, unless it says which.
SmallVector<int64_t> buffersOf(mlir::ModuleOp module, const std::string &name, Module &translated) {
  auto function = module.lookupSymbol<mlir::LLVM::LLVMFuncOp>(name);
  if (auto taken = function->getAttrOfType<mlir::DenseI64ArrayAttr>(buffersAttr))
    return SmallVector<int64_t>(taken.asArrayRef());
  return to_vector(seq<int64_t>(0, int64_t(translated.getFunction(name)->arg_size()) - 2));
}

/// The lane that is stored under `mask` if it is known to be just one.
std::optional<unsigned> onlyLane(Value *mask) {
  auto *constant = dyn_cast<Constant>(mask);
  auto *type = dyn_cast<FixedVectorType>(mask->getType());
  if (!constant || !type) return std::nullopt;
  std::optional<unsigned> found;
  for (unsigned lane = 0; lane < type->getNumElements(); ++lane) {
    Constant *bit = constant->getAggregateElement(lane);
    if (!bit || (!bit->isNullValue() && (found || !bit->isOneValue()))) return std::nullopt;
    if (bit->isOneValue()) found = lane;
  }
  return found;
}

/// LLVM 22's x86 back end folds a truncation into a masked store, and makes one of a single known lane a
/// scalar store of the lane as it was before: four bytes where two or one were meant, over what lies
/// next to it. As a scalar store from the start it is right.
void storeSingleLanes(Function &function) {
  for (Instruction &each : make_early_inc_range(instructions(function))) {
    auto *store = dyn_cast<IntrinsicInst>(&each);
    if (!store || store->getIntrinsicID() != Intrinsic::masked_store) continue;
    Value *vector = store->getArgOperand(0), *address = store->getArgOperand(1);
    std::optional<unsigned> lane = onlyLane(store->getArgOperand(2));
    if (!lane) continue;
    IRBuilder<> b(store);
    Type *element = cast<VectorType>(vector->getType())->getElementType();
    uint64_t bytes = function.getDataLayout().getTypeStoreSize(element);
    Align align = commonAlignment(store->getParamAlign(1).valueOrOne(), *lane * bytes);
    b.CreateAlignedStore(b.CreateExtractElement(vector, *lane),
                         b.CreateConstInBoundsGEP1_64(element, address, *lane), align);
    store->eraseFromParent();
  }
}

/// Buffers that only calls of the kernel's own functions want are loaded there: an update has hundreds, which
/// would all be loaded first and kept on the stack, in a block whose scheduling takes the square of them.
void loadBeforeCalls(Function &function) {
  SmallVector<LoadInst *> loads;
  for (Instruction &each : instructions(function))
    if (auto *load = dyn_cast<LoadInst>(&each);
        load && load->hasMetadata(LLVMContext::MD_invariant_load))
      loads.push_back(load);
  for (LoadInst *load : loads) {
    auto callsOwn = [](User *user) {
      auto *call = dyn_cast<CallInst>(user);
      return call && call->getCalledFunction() && !call->getCalledFunction()->isDeclaration();
    };
    if (load->use_empty() || !all_of(load->users(), callsOwn)) continue;
    for (Use &use : make_early_inc_range(load->uses())) {
      Instruction *own = load->clone();
      own->insertBefore(cast<Instruction>(use.getUser())->getIterator());
      use.set(own);
    }
    load->eraseFromParent();
  }
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
  for (const std::string &name : kernels)
    addEntry(*translated, name, buffersOf(module, name, *translated));
  Machine description = machineOf(options.isa);
  for (Function &function : *translated) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", description.cpu);
    function.addFnAttr("tune-cpu", description.tune);
    if (options.isa.name == "avx512" || options.isa.tiles)
      function.addFnAttr("prefer-vector-width", "512");
    if (options.addressSanitizer) function.addFnAttr(Attribute::SanitizeAddress);
    // LLVM's own values of sin and the like are not libm's to the last bit.
    if (options.strict) function.addFnAttr("no-builtins");
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
  for (Function &function : *translated) {
    storeSingleLanes(function);
    loadBeforeCalls(function);
  }
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
