#pragma once

#include "sinter/runtime/Program.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct _nvrtcProgram;

namespace sinter::runtime::cuda {

using NvrtcResult = int;
using NvrtcProgram = _nvrtcProgram *;

// X(name, parameters): the part of NVRTC that the runtime uses.
#define SINTER_NVRTC_SYMBOLS(X)                                                                    \
  X(nvrtcVersion, (int *major, int *minor))                                                        \
  X(nvrtcGetNumSupportedArchs, (int *count))                                                       \
  X(nvrtcGetSupportedArchs, (int *archs))                                                          \
  X(nvrtcCreateProgram, (NvrtcProgram * program, const char *source, const char *name,             \
                         int numHeaders, const char *const *headers, const char *const *names))    \
  X(nvrtcDestroyProgram, (NvrtcProgram * program))                                                 \
  X(nvrtcCompileProgram, (NvrtcProgram program, int numOptions, const char *const *options))       \
  X(nvrtcGetPTXSize, (NvrtcProgram program, size_t * bytes))                                       \
  X(nvrtcGetPTX, (NvrtcProgram program, char *text))                                               \
  X(nvrtcGetCUBINSize, (NvrtcProgram program, size_t * bytes))                                     \
  X(nvrtcGetCUBIN, (NvrtcProgram program, char *image))                                            \
  X(nvrtcGetProgramLogSize, (NvrtcProgram program, size_t * bytes))                                \
  X(nvrtcGetProgramLog, (NvrtcProgram program, char *text))

struct NvrtcOptions {
  bool lineInfo = false;  // -lineinfo: profilers show the text's lines
  bool resources = false; // ask ptxas for registers and spills; such a compilation is not cached
  bool noCache = false;   // neither our cache nor NVRTC's own
};

/// A kernel's text, with the headers it includes by name.
struct NvrtcRequest {
  std::string name; // for messages
  std::string source;
  std::vector<std::pair<std::string, std::string>> headers; // name, text
  std::string arch; // "sm_90": a cubin; "compute_90": PTX that the driver compiles
  NvrtcOptions options;
};

/// The request for a program's kernel.
NvrtcRequest requestFor(const Program &program, const Kernel &kernel, std::string arch);

/// What ptxas says a kernel needs.
struct KernelResources {
  int registers = 0;
  int spillStores = 0, spillLoads = 0; // bytes
  int sharedBytes = 0;                 // of static arrays
};

struct CompiledImage {
  std::vector<uint8_t> image; // cubin, or PTX with its terminating zero
  std::string log;
  std::vector<KernelResources> resources; // one per kernel, when asked for
};

/// The run-time compiler, opened at run time. Calls from several threads are fine.
class Nvrtc {
public:
  /// Opens `path`, or $SINTER_NVRTC_LIB, or the newest found by the loader, under /usr/local/cuda or
  /// in NVIDIA's wheels. The error says what to install.
  static Result<std::shared_ptr<const Nvrtc>> open(std::string path = {});
  ~Nvrtc();
  Nvrtc(const Nvrtc &) = delete;
  Nvrtc &operator=(const Nvrtc &) = delete;

  /// Compiles one text. The error holds the kernel's name and the compiler's log.
  Result<CompiledImage> compile(const NvrtcRequest &request) const;
  /// Compiles many on the machine's cores; the first error by index, if there is one.
  Result<std::vector<CompiledImage>> compileAll(const std::vector<NvrtcRequest> &requests) const;

  int major() const { return major_; }
  int minor() const { return minor_; }
  /// Ascending compute capabilities, 90 for sm_90.
  const std::vector<int> &architectures() const { return architectures_; }
  /// The arch to ask for on a GPU of this capability: "sm_90a" or "sm_XY" where this NVRTC knows it,
  /// else PTX of the newest it knows below.
  std::string archFor(int capability) const;
  /// Fails for a GPU that is too old for this NVRTC, saying what to do.
  Status suits(int capability) const;
  std::string version() const { return std::to_string(major_) + "." + std::to_string(minor_); }

private:
  Nvrtc() = default;
  Result<CompiledImage> compileNow(const NvrtcRequest &request,
                                   const std::vector<std::string> &options) const;

  void *library_ = nullptr;
  int major_ = 0, minor_ = 0;
  std::vector<int> architectures_;
#define SINTER_NVRTC_MEMBER(name, params) NvrtcResult(*name) params = nullptr;
  SINTER_NVRTC_SYMBOLS(SINTER_NVRTC_MEMBER)
#undef SINTER_NVRTC_MEMBER
};

/// Reads registers, spills and shared memory out of ptxas' messages, kernel by kernel.
std::vector<KernelResources> parseResources(const std::string &log);

} // namespace sinter::runtime::cuda
