#pragma once

#include "sinter/runtime/Program.h"
#include "sinter/runtime/emulated/shim/EmuAbi.h"

#include <memory>
#include <string>
#include <vector>

namespace sinter::runtime::emulated {

/// CUDA kernels compiled for the host and loaded into the process.
class EmulatedModule {
public:
  EmulatedModule(const EmulatedModule &) = delete;
  EmulatedModule &operator=(const EmulatedModule &) = delete;
  ~EmulatedModule();

  /// Compiles the kernels of `program` in as few translation units as their number allows.
  /// `which[i]`: the kernel's index in the program.
  static Result<std::vector<std::shared_ptr<EmulatedModule>>> build(const Program &program);

  /// Lets the kernels of this module call the scheduler behind `host`.
  void attach(sinter_emu::Host *host) { *hostSlot_ = host; }
  /// The program's indices of the module's kernels, and their entries in the same order.
  const std::vector<uint32_t> &kernels() const { return kernels_; }
  const sinter_emu::KernelInfo &info(size_t i) const { return table_[i]; }

private:
  EmulatedModule() = default;
  static Result<std::shared_ptr<EmulatedModule>> buildOne(const Program &program,
                                                          std::vector<uint32_t> kernels);

  void *library_ = nullptr;
  int descriptor_ = -1;
  sinter_emu::Host **hostSlot_ = nullptr;
  const sinter_emu::KernelInfo *table_ = nullptr;
  std::vector<uint32_t> kernels_;
};

/// The translation unit that holds `kernels`: shim, headers, each text in a namespace of its own, and
/// the table of entries.
std::string translationUnit(const Program &program, const std::vector<uint32_t> &kernels);

/// What a kernel's text says about its signature, for messages and checks.
struct Signature {
  std::vector<std::string> paramNames;
  unsigned maxThreads = 0; // of __launch_bounds__; 0: none given
  unsigned cluster = 1;    // blocks along x, of __cluster_dims__
};
Signature parseSignature(const std::string &text, const std::string &kernelName);

} // namespace sinter::runtime::emulated
