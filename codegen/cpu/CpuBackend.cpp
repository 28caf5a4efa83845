#include "sinter/codegen/cpu/CpuBackend.h"

#include "sinter/codegen/LowerKernel.h"
#include "sinter/codegen/cpu/JitLibrary.h"
#include "sinter/ir/Numerics.h"
#include "sinter/runtime/Environment.h"
#include "sinter/runtime/KernelCache.h"
#include "sinter/runtime/cpu/KernelImage.h"

#include "llvm/Support/SHA256.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir;

namespace sinter::codegen {
namespace {

using runtime::Error;
using runtime::ErrorCode;
using runtime::Result;

/// Changes whenever this library does, so that a cache never serves another compiler's code.
const std::string &compilerIdentity() {
  static const std::string identity = [] {
    Dl_info info{};
    struct stat status {};
    if (!dladdr(reinterpret_cast<void *>(&compilerIdentity), &info) ||
        stat(info.dli_fname, &status) != 0)
      return std::string("unknown");
    return fmt::format("{}.{}.{}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }();
  return identity;
}

/// The kernel's text without locations and under a name that says nothing: equal for equal kernels.
std::string canonicalText(ir::KernelOp kernel) {
  ir::KernelOp copy = kernel.clone();
  copy.setSymName("kernel");
  for (NamedAttribute attribute : llvm::to_vector(copy->getDiscardableAttrs()))
    copy->removeAttr(attribute.getName());
  std::string text;
  llvm::raw_string_ostream stream(text);
  copy->print(stream, OpPrintingFlags().useLocalScope());
  copy->erase();
  return text;
}

std::string symbolOf(const std::string &key) {
  llvm::SHA256 hash;
  hash.update(key);
  return "sinter_" + llvm::toHex(hash.final(), /*LowerCase=*/true).substr(0, 24);
}

/// What the cache keeps of a kernel.
struct CompiledObject {
  int64_t range = 1, grain = 1;
  std::vector<uint8_t> object;

  std::vector<uint8_t> pack() const {
    std::vector<uint8_t> bytes(16);
    std::memcpy(bytes.data(), &range, 8);
    std::memcpy(bytes.data() + 8, &grain, 8);
    bytes.insert(bytes.end(), object.begin(), object.end());
    return bytes;
  }
  static std::optional<CompiledObject> unpack(const std::vector<uint8_t> &bytes) {
    if (bytes.size() <= 16) return std::nullopt;
    CompiledObject result;
    std::memcpy(&result.range, bytes.data(), 8);
    std::memcpy(&result.grain, bytes.data() + 8, 8);
    result.object.assign(bytes.begin() + 16, bytes.end());
    return result;
  }
};

/// A module with the kernel's function alone, lowered to the LLVM dialect in steps that `text` can stop.
class KernelModule {
public:
  KernelModule(ir::KernelOp kernel, const std::string &symbol) : kernel(kernel.clone()) {
    this->kernel.setSymName(symbol);
    module = ModuleOp::create(kernel.getLoc());
  }
  ~KernelModule() { kernel->erase(); }

  LogicalResult lower(const LoweringOptions &options) {
    OpBuilder builder = OpBuilder::atBlockBegin(module->getBody());
    FailureOr<LoweredKernel> result = lowerKernel(kernel, builder, options);
    if (failed(result)) return failure();
    lowered = *result;
    return success();
  }
  std::string text() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    return text;
  }

  ir::KernelOp kernel;
  OwningOpRef<ModuleOp> module;
  LoweredKernel lowered;
};

LoweringOptions loweringOptions(ir::KernelOp kernel, const std::string &isa) {
  ir::TargetAttr target = ir::targetOf(kernel);
  if (!target || target.getKind() != "cpu" || target.getIsa() != isa)
    target = *cpuTarget(*kernel.getContext(), isa);
  LoweringOptions options = LoweringOptions::of(target);
  options.strict = ir::isStrict(kernel);
  return options;
}

/// Owns the code that a Program's kernels point into, and the objects it was linked from.
struct LoadedCode {
  std::shared_ptr<cpu::JitLibrary> library;
  std::vector<std::vector<uint8_t>> objects;
};

class CpuBackend : public Backend {
public:
  CpuBackend(CpuBackendOptions options, runtime::KernelCache *cache)
      : options(std::move(options)), cache(cache) {}

  runtime::TargetKind kind() const override { return runtime::TargetKind::cpu; }

  FailureOr<std::vector<CompiledKernel>> compile(llvm::ArrayRef<ir::KernelOp> kernels,
                                                 runtime::Program &program) override {
    if (kernels.empty()) return std::vector<CompiledKernel>();
    cpu::prepareContext(*kernels.front()->getContext());
    program.target = runtime::TargetKind::cpu;
    program.isa = options.isa;
    // Kernels of one text are one.
    std::map<std::string, size_t> known;
    std::vector<Job> jobs;
    std::vector<size_t> jobOf;
    for (ir::KernelOp kernel : kernels) {
      LoweringOptions lowering = loweringOptions(kernel, options.isa);
      runtime::CacheKey key("cpu");
      key.add("isa", options.isa)
          .add("lanes", std::to_string(lowering.vectorLanes))
          .add("l1", std::to_string(lowering.l1Bytes))
          .add("l2", std::to_string(lowering.l2Bytes))
          .add("numerics", lowering.strict ? "strict" : "default")
          .add("asan", options.addressSanitizer ? "on" : "off")
          .add("compiler", compilerIdentity())
          .add("kernel's IR", canonicalText(kernel));
      auto [place, isNew] = known.try_emplace(key.bytes(), jobs.size());
      if (isNew) jobs.push_back({kernel, lowering, key, symbolOf(place->first), {}, false, {}});
      jobOf.push_back(place->second);
    }
    runAll(jobs);
    auto code = std::make_shared<LoadedCode>();
    auto library = cpu::JitLibrary::create();
    if (!library) return fail(kernels.front(), library.error());
    code->library = *library;
    for (Job &job : jobs) {
      // Each worker kept its messages; they are told in order, from this thread.
      for (auto &[location, message] : job.messages) emitError(location) << message;
      if (!job.done) return failure();
      if (runtime::Status status = code->library->add(job.result.object, job.symbol); !status)
        return fail(job.kernel, status.error());
    }
    std::vector<uint32_t> numbers;
    for (Job &job : jobs) {
      auto function = code->library->find(job.symbol);
      if (!function) return fail(job.kernel, function.error());
      runtime::Kernel kernel;
      kernel.name = job.symbol;
      kernel.function = *function;
      numbers.push_back(program.kernels.size());
      program.kernels.push_back(std::move(kernel));
      code->objects.push_back(std::move(job.result.object));
    }
    program.keepAlive = code;
    if (options.savable)
      if (runtime::Status status = addImages(program); !status)
        return fail(kernels.front(), status.error());
    std::vector<CompiledKernel> compiled;
    for (size_t job : jobOf) {
      CompiledKernel result;
      result.kernel = numbers[job];
      result.shape.range = jobs[job].result.range;
      result.shape.grain = jobs[job].result.grain;
      compiled.push_back(result);
    }
    return compiled;
  }

private:
  struct Job {
    ir::KernelOp kernel;
    LoweringOptions lowering;
    runtime::CacheKey key;
    std::string symbol;
    CompiledObject result;
    bool done = false;
    std::vector<std::pair<Location, std::string>> messages;
  };

  static LogicalResult fail(ir::KernelOp kernel, const Error &error) {
    return kernel.emitError() << error.message;
  }

  void runAll(std::vector<Job> &jobs) {
    std::atomic<size_t> next{0};
    auto work = [&] {
      for (size_t i = next++; i < jobs.size(); i = next++) runOne(jobs[i]);
    };
    size_t threads =
        options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
    if (!jobs.front().kernel->getContext()->isMultithreadingEnabled())
      threads = 1; // its types and attributes are not guarded
    std::vector<std::thread> team;
    for (size_t i = 1; i < std::min(threads, jobs.size()); ++i) team.emplace_back(work);
    work();
    for (std::thread &thread : team) thread.join();
  }

  void runOne(Job &job) {
    if (cache && options.cache && !options.dump) // texts to dump are not in the cache
      if (auto found = cache->find(job.key, job.kernel.getSymName()))
        if (auto object = CompiledObject::unpack(*found)) {
          job.result = std::move(*object);
          job.done = true;
          return;
        }
    // A context is shared by all threads; its handlers too. This one takes what its own thread says.
    uint64_t self = llvm::get_threadid();
    auto &engine = job.kernel->getContext()->getDiagEngine();
    auto handler = engine.registerHandler([&, self](Diagnostic &diagnostic) {
      if (llvm::get_threadid() != self) return failure();
      job.messages.push_back({diagnostic.getLocation(), diagnostic.str()});
      return success();
    });
    job.done = succeeded(compileOne(job));
    engine.eraseHandler(handler);
    if (job.done && cache && options.cache) {
      std::vector<uint8_t> bytes = job.result.pack();
      cache->store(job.key.bytes(), bytes);
    }
  }

  LogicalResult compileOne(Job &job) {
    KernelModule module(job.kernel, job.symbol);
    if (failed(module.lower(job.lowering))) return failure();
    job.result.range = module.lowered.range;
    job.result.grain = module.lowered.grain;
    cpu::CompileOptions compile{cpu::Isa::of(options.isa), options.addressSanitizer,
                                job.lowering.strict};
    if (options.dump) dump(job, ".mlir", module.text());
    if (failed(cpu::lowerToLlvm(*module.module, compile.isa, compile.strict))) return failure();
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> translated =
        cpu::translateAndOptimize(*module.module, job.symbol, context, compile);
    if (!translated) return failure();
    if (options.dump) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      translated->print(stream, nullptr);
      dump(job, ".ll", text);
    }
    if (options.dump && options.assembly) { // of a copy: making code changes a module
      std::vector<uint8_t> text =
          cpu::emitMachineCode(*llvm::CloneModule(*translated), compile, /*assembly=*/true);
      dump(job, ".s", std::string(text.begin(), text.end()));
    }
    job.result.object = cpu::emitMachineCode(*translated, compile);
    return success();
  }

  void dump(Job &job, const char *suffix, const std::string &text) {
    std::lock_guard lock(dumping);
    options.dump(job.kernel.getSymName().str() + suffix, text);
  }

  CpuBackendOptions options;
  runtime::KernelCache *cache;
  std::mutex dumping;
};

} // namespace

Result<ir::TargetAttr> cpuTarget(MLIRContext &context, const std::string &wanted) {
  std::string isa = wanted;
  if (isa.empty()) { SINTER_ASSIGN_OR_RETURN(isa, runtime::environment::cpuIsa()); }
  if (isa.empty()) isa = runtime::bestHostIsa();
  bool known = isa == "avx2" || isa == "generic";
  bool wide = isa == "amx" || isa == "avx512_bf16" || isa == "avx512";
  int64_t bytes = wide ? 64 : isa == "avx2" ? 32 : 16;
  if (!known && !wide)
    return Error{
        ErrorCode::invalidArgument,
        fmt::format("'{}' is no instruction set: amx, avx512_bf16, avx512, avx2 or generic", isa)};
  auto size = [](int name, int64_t otherwise) {
    long found = sysconf(name);
    return found > 0 ? int64_t(found) : otherwise;
  };
  context.loadDialect<ir::SinterDialect>();
  return ir::TargetAttr::get(&context, "cpu", isa, bytes, size(_SC_LEVEL1_DCACHE_SIZE, 32768),
                             size(_SC_LEVEL2_CACHE_SIZE, 1 << 20), 0, 1, 0, "none");
}

Result<std::unique_ptr<Backend>> cpuBackend(CpuBackendOptions options) {
  if (options.isa.empty()) { SINTER_ASSIGN_OR_RETURN(options.isa, runtime::environment::cpuIsa()); }
  if (options.isa.empty()) options.isa = runtime::bestHostIsa();
  if (!runtime::hostRuns(options.isa))
    return Error{ErrorCode::unsupported, fmt::format("this machine does not run {} code (best: {})",
                                                     options.isa, runtime::bestHostIsa())};
  runtime::KernelCache *cache = nullptr;
  if (options.cache) { SINTER_ASSIGN_OR_RETURN(cache, runtime::KernelCache::shared()); }
  return std::unique_ptr<Backend>(std::make_unique<CpuBackend>(std::move(options), cache));
}

runtime::Status addImages(runtime::Program &program) {
  if (program.target != runtime::TargetKind::cpu || !program.keepAlive)
    return {ErrorCode::invalidArgument,
            "only a program compiled for the CPU in this process has kernels to link"};
  auto code = std::static_pointer_cast<LoadedCode>(program.keepAlive);
  SINTER_ASSIGN_OR_RETURN(program.cpuImages[program.isa], cpu::linkSharedObject(code->objects));
  return {};
}

FailureOr<std::string> cpuText(ir::KernelOp kernel, CpuText what, const std::string &wanted) {
  cpu::prepareContext(*kernel.getContext());
  Result<ir::TargetAttr> target = cpuTarget(*kernel.getContext(), wanted);
  if (!target) return kernel.emitError() << target.error().message;
  std::string isa = target->getIsa().str();
  KernelModule module(kernel, kernel.getSymName().str());
  LoweringOptions lowering = loweringOptions(kernel, isa);
  if (failed(module.lower(lowering))) return failure();
  if (what == CpuText::kernelMlir) return module.text();
  cpu::CompileOptions compile{cpu::Isa::of(isa), false, lowering.strict};
  if (failed(cpu::lowerToLlvm(*module.module, compile.isa, compile.strict))) return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      cpu::translateAndOptimize(*module.module, kernel.getSymName().str(), context, compile);
  if (!translated) return failure();
  if (what == CpuText::assembly) {
    std::vector<uint8_t> text = cpu::emitMachineCode(*translated, compile, /*assembly=*/true);
    return std::string(text.begin(), text.end());
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  translated->print(stream, nullptr);
  return text;
}

} // namespace sinter::codegen
