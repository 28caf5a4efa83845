#include "sinter/frontend/detail/Dump.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Compiler.h"
#include "sinter/frontend/detail/Readable.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>

#include <filesystem>

namespace sinter::detail {

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
  std::string safe = stage.split(':').first.str();
  std::string name = fmt::format("{:02}-{}.mlir", count++, safe), exact = "exact/" + name;
  std::string first =
      previous.empty()
          ? "// As traced.\n"
          : fmt::format("// sinter-opt --mlir-print-debuginfo --pass-pipeline='{}' {}\n",
                        pipeline.str(), previous);
  file(name, first + readable(module));
  file(exact, first + print(module, true));
  previous = exact;
  report.stage(stage, module);
}

void Dump::file(std::string_view name, std::string_view text) {
  if (path.empty()) return;
  check(runtime::writeFile(fmt::format("{}/{}", path, name), text));
  report.text(std::string(name), std::string(text));
}

void Dump::finish(const runtime::Program &program) {
  if (path.empty()) return;
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
