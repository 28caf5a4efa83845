#pragma once

#include "sinter/runtime/Program.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sinter::codegen::cpu {

/// Objects linked into this process by ORC. The code lives as long as this does.
class JitLibrary {
public:
  static runtime::Result<std::shared_ptr<JitLibrary>> create();
  ~JitLibrary();

  runtime::Status add(std::span<const uint8_t> object, const std::string &name);
  runtime::Result<runtime::CpuFunction> find(const std::string &symbol);

private:
  struct State;
  explicit JitLibrary(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// Links objects into one ELF shared object with LLVM's linker: what a saved Program carries.
runtime::Result<std::vector<uint8_t>>
linkSharedObject(const std::vector<std::vector<uint8_t>> &objects);

} // namespace sinter::codegen::cpu
