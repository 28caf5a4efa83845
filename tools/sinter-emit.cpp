// sinter-emit: prints what a module becomes: its kernels as CUDA C++, PTX or a cubin's listing, as LLVM IR
// or assembly for the CPU. The module may be traced (every pass is run) or outlined already.

#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/codegen/cuda/DeviceHeaders.h"
#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/SourceMgr.h"

#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <tuple>
#include <unistd.h>

using namespace mlir;
using namespace sinter;

namespace {

struct Options {
  std::string file, target = "cuda", architecture, kernel, output, precision = "f32",
                    numerics = "default";
  unsigned alternatives = 0;
  bool tf32 = false;
  bool ptx = false, cubin = false, llvm = false, assembly = false, mlir = false, early = false;
};

int fail(const std::string &message) {
  std::cerr << "sinter-emit: error: " << message << "\n";
  return 1;
}

/// PTX or a cubin of one kernel's text, by NVRTC.
runtime::Result<std::string> assembleCuda(const std::string &name, const std::string &source,
                                          const Options &options) {
  SINTER_ASSIGN_OR_RETURN(auto nvrtc, runtime::cuda::Nvrtc::open());
  runtime::cuda::NvrtcRequest request;
  request.name = name;
  request.source = source;
  for (const codegen::DeviceHeader &header : codegen::deviceHeaders())
    request.headers.emplace_back(header.name, header.text);
  std::string architecture = options.architecture.empty() ? "sm_90" : options.architecture;
  // PTX is asked for by a virtual architecture, a cubin by a real one.
  request.arch = options.ptx && architecture.starts_with("sm_")
                     ? "compute_" + architecture.substr(3)
                     : architecture;
  SINTER_ASSIGN_OR_RETURN(runtime::cuda::CompiledImage compiled, nvrtc->compile(request));
  std::string image(compiled.image.begin(), compiled.image.end());
  if (options.ptx && image.ends_with('\0')) image.pop_back();
  return image;
}

FailureOr<std::string> textOf(ir::KernelOp kernel, const Options &options) {
  if (options.target == "cpu")
    return codegen::cpuText(kernel,
                            options.llvm       ? codegen::CpuText::llvmIr
                            : options.assembly ? codegen::CpuText::assembly
                                               : codegen::CpuText::kernelMlir,
                            options.architecture);
  FailureOr<std::string> text = codegen::cudaText(kernel, {.early = options.early});
  if (failed(text) || (!options.ptx && !options.cubin)) return text;
  auto assembled = assembleCuda(kernel.getSymName().str(), *text, options);
  if (!assembled) return kernel.emitError() << assembled.error().message;
  return *assembled;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Prints the kernels of a module of IR as code for a target.");
  app.add_option("file", options.file, "FILE.mlir")->required();
  app.add_option("--target", options.target, "cuda or cpu")->check(CLI::IsMember({"cuda", "cpu"}));
  app.add_option("--arch", options.architecture,
                 "sm_90, ... or amx, avx512_bf16, avx512, avx2, generic");
  app.add_option("--kernel", options.kernel, "Only this kernel");
  app.add_option("--precision", options.precision, "f32, bf16 or f16")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--numerics", options.numerics,
                 "default, or strict: the same bits whatever is fused")
      ->check(CLI::IsMember({"default", "strict"}));
  app.add_option(
      "--alternatives", options.alternatives,
      "CUDA: lists so many other tiles of a product by the matrix unit, with predictions");
  app.add_flag("--tf32", options.tf32,
               "CUDA: matrix units multiply f32, each factor rounded to tf32");
  app.add_flag("--early", options.early,
               "CUDA, sm_90: kernels wait by themselves for those before them");
  app.add_flag("--ptx", options.ptx, "PTX instead of CUDA C++");
  app.add_flag("--cubin", options.cubin, "A cubin (binary; one kernel, use --kernel and -o)");
  app.add_flag("--llvm", options.llvm, "LLVM IR instead of the kernel in MLIR");
  app.add_flag("--asm", options.assembly, "Assembly instead of the kernel in MLIR");
  app.add_option("-o,--output", options.output, "File to write instead of standard output");
  CLI11_PARSE(app, argc, argv);

  bool cuda = options.target == "cuda";
  for (auto [flag, given, needsCuda] :
       {std::tuple("--ptx", options.ptx, true), std::tuple("--cubin", options.cubin, true),
        std::tuple("--llvm", options.llvm, false), std::tuple("--asm", options.assembly, false)})
    if (given && needsCuda != cuda)
      return fail(std::string(flag) + " is for --target " + (needsCuda ? "cuda" : "cpu"));
  if (options.ptx + options.cubin + options.llvm + options.assembly > 1)
    return fail("one of --ptx and --cubin, or of --llvm and --asm");
  if (options.cubin && options.output.empty() && isatty(STDOUT_FILENO))
    return fail("a cubin is binary: name a file with -o");

  DialectRegistry registry;
  ir::registerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false); // a message about the target would print the whole module
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  // The text is what was asked for: what passes remark on is for sinter-opt.
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &diagnostic) {
    return success(diagnostic.getSeverity() == DiagnosticSeverity::Remark);
  });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(options.file, sources, &context);
  if (!module) return fail("cannot read " + options.file);
  if (module->getOps<ir::KernelOp>().empty()) {
    sinter::detail::ModuleOptions compile;
    compile.device = options.target;
    compile.precision = options.precision;
    compile.numerics = options.numerics;
    compile.alternatives = options.alternatives;
    compile.tf32 = options.tf32;
    compile.architecture =
        options.target == "cuda" && options.architecture.empty() ? "sm_90" : options.architecture;
    if (failed(sinter::detail::planModule(*module, compile))) return 1;
  }
  std::string all;
  int count = 0;
  for (auto kernel : module->getOps<ir::KernelOp>()) {
    if (isa<ir::ScanScheduleAttr>(kernel.getSchedule())) continue; // its step's kernels have text
    if (!options.kernel.empty() && kernel.getSymName() != options.kernel) continue;
    FailureOr<std::string> text = textOf(kernel, options);
    if (failed(text)) return 1;
    all += (count++ ? "\n" : "") + *text;
  }
  if (!count)
    return fail(options.kernel.empty() ? "the module has no kernels"
                                       : "there is no kernel '" + options.kernel + "'");
  if (options.cubin && count > 1) return fail("a cubin holds one kernel: choose one with --kernel");
  if (options.output.empty()) {
    std::cout << all;
    return 0;
  }
  std::ofstream stream(options.output, std::ios::binary);
  stream << all;
  return stream ? 0 : fail("cannot write " + options.output);
}
