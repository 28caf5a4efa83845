#include "sinter/frontend/detail/Dump.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Compiler.h"
#include "sinter/frontend/detail/Readable.h"
#include "sinter/runtime/File.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <fmt/format.h>

#include <filesystem>

namespace sinter::detail {

/// A line of timings.txt. The dump's own writing is not in it.
static std::string stageTime(llvm::StringRef stage, std::chrono::steady_clock::time_point since) {
  std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - since;
  return fmt::format("{:10.3f} ms  {}\n", time.count(), stage.str());
}

Dump::Dump(const std::string &folder, const std::string &label, const std::string &device,
           const std::string &precision)
    : report(label, device, precision) {
  if (folder.empty()) return;
  std::error_code code;
  std::filesystem::path base = std::filesystem::path(folder) / label, free = base;
  std::filesystem::create_directories(folder, code);
  // Compilations may run side by side: the one that makes the folder has it.
  for (int i = 2; !code && !std::filesystem::create_directory(free, code); ++i)
    if (!code) free = fmt::format("{}.{}", base.string(), i);
  if (!code) std::filesystem::create_directory(free / "exact", code);
  if (code)
    throw RuntimeError(
        {runtime::ErrorCode::ioFailure,
         fmt::format("the dump folder {} cannot be made: {}", free.string(), code.message())});
  path = free.string();
}

void Dump::stage(llvm::StringRef stage, llvm::StringRef pipeline, mlir::ModuleOp module) {
  if (path.empty()) return;
  if (!previous.empty()) timings += stageTime(stage, resumed);
  std::string safe = stage.split(':').first.str();
  std::string name = fmt::format("{:02}-{}.mlir", count++, safe), exact = "exact/" + name;
  std::string first =
      previous.empty() ? "// As traced.\n"
                       : fmt::format("// sinter-opt -mlir-print-debuginfo -pass-pipeline='{}' {}\n",
                                     pipeline.str(), previous);
  file(name, first + readable(module));
  auto functions = module.getOps<mlir::func::FuncOp>();
  if (module.lookupSymbol("init") && !llvm::hasSingleElement(functions)) {
    std::error_code ignored; // writing says what is wrong
    std::filesystem::create_directory(path + "/init", ignored);
    file("init/" + name, first + readable(module, /*init=*/true));
  }
  file(exact, first + print(module, true));
  previous = exact;
  report.stage(stage, module);
  resumed = Clock::now();
}

void Dump::file(std::string_view name, std::string_view text) {
  if (path.empty()) return;
  check(runtime::writeFile(fmt::format("{}/{}", path, name), text));
  if (!name.ends_with(".s") && !name.ends_with(".ptx")) // the page has enough of each kernel
    report.text(std::string(name), std::string(text));
}

// The PTX for the oldest supported GPU; where there is no NVRTC, a file that says so.
void Dump::ptxOf(const runtime::Program &program) {
  auto nvrtc = runtime::cuda::Nvrtc::open();
  for (const runtime::Kernel &kernel : program.kernels) {
    std::string text;
    if (nvrtc.ok()) {
      runtime::cuda::NvrtcRequest request{kernel.name, kernel.source, {}, "compute_80", {}};
      for (uint32_t header : kernel.headers)
        request.headers.emplace_back(program.headers[header].name, program.headers[header].text);
      auto compiled = (*nvrtc)->compile(request);
      text = compiled.ok() ? std::string(compiled->image.begin(), compiled->image.end())
                           : "// " + compiled.error().message + "\n";
      if (text.ends_with('\0')) text.pop_back();
    } else {
      text = "// " + nvrtc.error().message + "\n";
    }
    file(kernel.name + ".ptx", text);
  }
}

void Dump::finish(const runtime::Program &program, bool assembly) {
  if (path.empty()) return;
  timings += stageTime("codegen", resumed);
  file("timings.txt", timings);
  if (assembly && program.target == runtime::TargetKind::cuda) ptxOf(program);
  file("plan.txt", planText(program));
  report.program(program);
  file("report.html", report.page());
}

void Dump::measured(const std::string &entry, const std::vector<runtime::Profiler::Event> &events,
                    int64_t runs) {
  if (path.empty()) return;
  report.measured(entry, events, runs);
  file("report.html", report.page());
}

} // namespace sinter::detail
