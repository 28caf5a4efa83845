#pragma once

#include "sinter/runtime/Program.h"

namespace sinter::runtime {

/// The widest instruction set with kernels that this machine has: "amx" (AVX-512 and AMX's tiles of bf16),
/// "avx512_bf16" (with products of pairs of bf16), "avx512", "avx2" or "generic".
std::string_view bestHostIsa();
/// Whether this machine can run kernels compiled for `isa`. Asks the kernel for the process's permission to
/// use tiles when it is first asked about "amx".
bool hostRuns(std::string_view isa);

/// A shared object with CPU kernels, loaded from memory.
class KernelImage {
public:
  /// Loads the best image this machine can run, or the one SINTER_CPU_ISA names.
  static Result<std::shared_ptr<KernelImage>>
  load(const std::map<std::string, std::vector<uint8_t>> &images);
  ~KernelImage();

  Result<CpuFunction> find(const std::string &symbol) const;
  const std::string &isa() const { return name; }

private:
  KernelImage(std::string isa, int file, void *handle)
      : name(std::move(isa)), file(file), handle(handle) {}

  std::string name;
  int file;
  void *handle;
};

} // namespace sinter::runtime
