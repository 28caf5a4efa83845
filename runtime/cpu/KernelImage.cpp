#include "sinter/runtime/cpu/KernelImage.h"
#include "sinter/runtime/Environment.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sinter::runtime {
namespace {

constexpr std::array<std::string_view, 5> bestFirst{"amx", "avx512_bf16", "avx512", "avx2",
                                                    "generic"};

std::string listOf(const std::map<std::string, std::vector<uint8_t>> &images) {
  std::string text;
  for (const auto &[isa, bytes] : images) text += (text.empty() ? "" : ", ") + isa;
  return text;
}

Result<std::string> choose(const std::map<std::string, std::vector<uint8_t>> &images) {
  SINTER_ASSIGN_OR_RETURN(std::string wanted, environment::cpuIsa());
  if (!wanted.empty()) {
    if (!hostRuns(wanted))
      return Error{ErrorCode::unsupported,
                   fmt::format("SINTER_CPU_ISA asks for {}, which this machine does not have "
                               "(best: {})",
                               wanted, bestHostIsa())};
    if (!images.count(wanted))
      return Error{
          ErrorCode::notFound,
          fmt::format("SINTER_CPU_ISA asks for {}, but the program has kernels for {} only", wanted,
                      listOf(images))};
    return wanted;
  }
  for (std::string_view isa : bestFirst)
    if (hostRuns(isa) && images.count(std::string(isa))) return std::string(isa);
  return Error{ErrorCode::unsupported,
               fmt::format("the program has kernels for {}, this machine runs {} at best",
                           listOf(images), bestHostIsa())};
}

#if defined(__x86_64__)
/// Whether the processor multiplies tiles of bf16, and the kernel lets this process: tiles are eight
/// kilobytes more that it saves for each thread, so it wants to be asked (arch_prctl(2),
/// Documentation/arch/x86/xstate.rst). The permission is the process's, for threads of any age.
bool mayUseTiles() {
  constexpr unsigned amxBf16 = 1u << 22, amxTile = 1u << 24, avx512Bf16 = 1u << 5;
  constexpr long requestPermission = 0x1023, tileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amxBf16) || !(d & amxTile)) return false;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & avx512Bf16)) return false;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}
#endif

} // namespace

bool hostRuns(std::string_view isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (isa == "amx") {
    static const bool tiles = mayUseTiles();
    return tiles && hostRuns("avx512");
  }
  if (isa == "avx512_bf16") return __builtin_cpu_supports("avx512bf16") && hostRuns("avx512");
  if (isa == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return isa == "generic";
}

std::string_view bestHostIsa() {
  for (std::string_view isa : bestFirst)
    if (hostRuns(isa)) return isa;
  return "generic";
}

Result<std::shared_ptr<KernelImage>>
KernelImage::load(const std::map<std::string, std::vector<uint8_t>> &images) {
  SINTER_ASSIGN_OR_RETURN(std::string isa, choose(images));
  const std::vector<uint8_t> &bytes = images.at(isa);
  auto failed = [&](std::string_view step, const char *why) {
    return Error{ErrorCode::ioFailure,
                 fmt::format("cannot load the program's {} kernels: {}: {}", isa, step, why)};
  };

  int file = memfd_create("sinter-kernels", MFD_CLOEXEC);
  if (file < 0) return failed("memfd_create", std::strerror(errno));
  for (size_t done = 0; done < bytes.size();) {
    ssize_t written = ::write(file, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      Error error = failed("write", std::strerror(errno));
      ::close(file);
      return error;
    }
    done += static_cast<size_t>(written);
  }
  // The loader takes two libraries of one path for the same, even when the descriptor has been
  // closed and used again in between: so it stays open as long as the library.
  void *handle = dlopen(fmt::format("/proc/self/fd/{}", file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    Error error = failed("dlopen", dlerror());
    ::close(file);
    return error;
  }
  return std::shared_ptr<KernelImage>(new KernelImage(isa, file, handle));
}

KernelImage::~KernelImage() {
  dlclose(handle);
  ::close(file);
}

Result<CpuFunction> KernelImage::find(const std::string &symbol) const {
  void *address = dlsym(handle, symbol.c_str());
  if (!address)
    return Error{ErrorCode::corrupt,
                 fmt::format("the program's {} kernels lack the symbol '{}'", name, symbol)};
  return reinterpret_cast<CpuFunction>(address);
}

} // namespace sinter::runtime
