#include "sinter/codegen/cpu/JitLibrary.h"

#include "sinter/runtime/Environment.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

namespace sinter::codegen::cpu {

using runtime::Error;
using runtime::ErrorCode;
using runtime::Result;
using runtime::Status;

struct JitLibrary::State {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

JitLibrary::JitLibrary(std::unique_ptr<State> state) : state(std::move(state)) {}
JitLibrary::~JitLibrary() = default;

static Error asError(std::string_view what, llvm::Error error) {
  return {ErrorCode::deviceFailure,
          fmt::format("cpu code generation: {}: {}", what, llvm::toString(std::move(error)))};
}

Result<std::shared_ptr<JitLibrary>> JitLibrary::create() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit) return asError("cannot start ORC", jit.takeError());
  // Calls of libm, memset and memcpy.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process) return asError("cannot see this process' symbols", process.takeError());
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  auto state = std::make_unique<State>();
  state->jit = std::move(*jit);
  return std::shared_ptr<JitLibrary>(new JitLibrary(std::move(state)));
}

Status JitLibrary::add(std::span<const uint8_t> object, const std::string &name) {
  llvm::StringRef bytes(reinterpret_cast<const char *>(object.data()), object.size());
  if (llvm::Error error =
          state->jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(bytes, name)))
    return asError("cannot add kernel " + name, std::move(error));
  return {};
}

Result<runtime::CpuFunction> JitLibrary::find(const std::string &symbol) {
  auto address = state->jit->lookup(symbol);
  if (!address) return asError("cannot link kernel " + symbol, address.takeError());
  return address->toPtr<runtime::CpuFunction>();
}

Result<std::vector<uint8_t>> linkSharedObject(const std::vector<std::vector<uint8_t>> &objects) {
  std::string linker;
  for (const char *name : {"ld.lld-22", "ld.lld"})
    if (auto found = llvm::sys::findProgramByName(name); found && linker.empty()) linker = *found;
  if (linker.empty())
    return Error{
        ErrorCode::notFound,
        "ld.lld is not on the path; it links the kernels of saved programs (package lld-22)"};
  llvm::SmallString<128> folder;
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory(
          runtime::environment::temporaryDir() + "/sinter-link", folder))
    return Error{ErrorCode::ioFailure,
                 fmt::format("cannot create a folder to link in: {}", code.message())};
  std::vector<std::string> arguments{linker, "-shared", "-o", (folder + "/kernels.so").str()};
  auto link = [&]() -> Result<std::vector<uint8_t>> {
    for (size_t i = 0; i < objects.size(); ++i) {
      std::string path = fmt::format("{}/{}.o", folder.c_str(), i);
      std::error_code code;
      llvm::raw_fd_ostream file(path, code);
      file.write(reinterpret_cast<const char *>(objects[i].data()), objects[i].size());
      file.close();
      if (code || file.has_error())
        return Error{ErrorCode::ioFailure, fmt::format("cannot write '{}'", path)};
      arguments.push_back(path);
    }
    std::string log = (folder + "/log").str(), message;
    llvm::SmallVector<llvm::StringRef> words(arguments.begin(), arguments.end());
    std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), llvm::StringRef(log),
                                                  llvm::StringRef(log)};
    if (int code =
            llvm::sys::ExecuteAndWait(linker, words, std::nullopt, redirects, 0, 0, &message)) {
      auto text = llvm::MemoryBuffer::getFile(log);
      return Error{ErrorCode::deviceFailure,
                   fmt::format("{} failed with code {}: {}{}", linker, code, message,
                               text ? (*text)->getBuffer().str() : "")};
    }
    auto linked = llvm::MemoryBuffer::getFile(arguments[3]);
    if (!linked) return Error{ErrorCode::ioFailure, fmt::format("cannot read '{}'", arguments[3])};
    llvm::StringRef bytes = (*linked)->getBuffer();
    return std::vector<uint8_t>(bytes.bytes_begin(), bytes.bytes_end());
  };
  Result<std::vector<uint8_t>> result = link();
  (void)llvm::sys::fs::remove_directories(folder);
  return result;
}

} // namespace sinter::codegen::cpu
