#include "sinter/frontend/detail/Dump.h"

#include "sinter/frontend/Errors.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>

#include <filesystem>

namespace sinter::detail {

Dump::Dump(const std::string &folder, const std::string &label) {
  if (folder.empty()) return;
  std::error_code code;
  std::filesystem::path base = std::filesystem::path(folder) / label, free = base;
  std::filesystem::create_directories(folder, code);
  // Compilations may run side by side: the one that makes the folder has it.
  for (int i = 2; !code && !std::filesystem::create_directory(free, code); ++i)
    if (!code) free = fmt::format("{}.{}", base.string(), i);
  if (code)
    throw RuntimeError(
        {runtime::ErrorCode::ioFailure,
         fmt::format("the dump folder {} cannot be made: {}", free.string(), code.message())});
  path = free.string();
}

void Dump::stage(std::string_view stage, std::string_view pipeline, std::string_view ir) {
  if (path.empty()) return;
  std::string safe(stage.substr(0, stage.find(':')));
  std::string name = fmt::format("{:02}-{}.mlir", count++, safe);
  std::string first =
      previous.empty()
          ? "// As traced.\n"
          : fmt::format("// sinter-opt --mlir-print-debuginfo --pass-pipeline='{}' {}\n", pipeline,
                        previous);
  file(name, first + std::string(ir));
  previous = name;
}

void Dump::file(std::string_view name, std::string_view text) {
  if (path.empty()) return;
  check(runtime::writeFile(fmt::format("{}/{}", path, name), text));
}

} // namespace sinter::detail
