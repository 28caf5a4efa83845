#pragma once

#include "sinter/runtime/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Every environment variable that Sinter reads, in one place: nothing else calls getenv. A value
/// that cannot be used is an error which names the variable; it is read afresh at each call.
namespace sinter::runtime::environment {

/// A row of the table that the documentation is written from.
struct Variable {
  const char *name;
  const char *values; // what may stand there, e.g. "1..1024"
  const char *help;   // one sentence
};
std::span<const Variable> variables();

/// SINTER_NUM_THREADS; 0 when unset.
Result<int> numThreads();
/// SINTER_CPU_ISA: "amx", "avx512_bf16", "avx512", "avx2" or "generic"; empty when unset.
Result<std::string> cpuIsa();
/// Where the kernel cache lives: SINTER_CACHE_DIR, else $XDG_CACHE_HOME/sinter, else
/// ~/.cache/sinter; empty when there is no home either.
std::string cacheDir();
/// SINTER_CACHE: whether kernels are kept on disk at all.
Result<bool> cacheEnabled();
/// SINTER_CACHE_SIZE in bytes (suffixes K, M, G); 1 GiB when unset.
Result<int64_t> cacheSize();
/// SINTER_DUMP: the folder that dumps go to; empty when unset.
std::string dumpDir();
/// SINTER_DUMP_ASSEMBLY: whether dumps have assembly and PTX.
Result<bool> dumpAssembly();
/// SINTER_CXX: the host compiler of emulated CUDA; empty when unset.
std::string hostCompiler();
/// SINTER_CUDA_LIB: the driver library to open in libcuda's place; empty when unset.
std::string cudaLibrary();
/// SINTER_NVRTC_LIB: the NVRTC library to open; empty when unset.
std::string nvrtcLibrary();
/// SINTER_PASS_PLUGINS: shared libraries with passes, colon-separated.
std::vector<std::string> passPlugins();
/// Whether SINTER_LOG asks for lines on `topic`: "recompiles" or "cache".
Result<bool> logs(std::string_view topic);
/// TMPDIR, else /tmp.
std::string temporaryDir();

} // namespace sinter::runtime::environment
