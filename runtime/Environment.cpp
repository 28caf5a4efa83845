#include "sinter/runtime/Environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

namespace sinter::runtime::environment {
namespace {

constexpr int maxThreads = 1024;
constexpr int64_t defaultCacheSize = int64_t(1) << 30;

constexpr std::array table{
    Variable{"SINTER_NUM_THREADS", "1..1024",
             "Threads of the CPU device, the caller's included; by default the machine's."},
    Variable{"SINTER_CPU_ISA", "amx, avx512_bf16, avx512, avx2, generic",
             "Instruction set that CPU kernels are compiled or chosen for; by default the best "
             "one of this machine."},
    Variable{"SINTER_CACHE", "0, 1", "0 turns the kernel cache on disk off."},
    Variable{"SINTER_CACHE_DIR", "folder",
             "Where compiled kernels are kept; by default $XDG_CACHE_HOME/sinter, else "
             "~/.cache/sinter."},
    Variable{"SINTER_CACHE_SIZE", "bytes, or with suffix K, M or G",
             "The kernel cache drops its least recently used entries beyond this; by default 1G."},
    Variable{"SINTER_DUMP", "folder",
             "Every compilation writes its IR, kernels, fusion ledger, memory plan and "
             "`report.html` there."},
    Variable{"SINTER_DUMP_ASSEMBLY", "0, 1",
             "1 adds each CPU kernel's assembly and each CUDA kernel's PTX to dumps."},
    Variable{"SINTER_LOG", "recompiles, cache",
             "Lines on standard error: what made a step compile again, and which part of its key a "
             "kernel was not in the cache for."},
    Variable{"SINTER_CXX", "command",
             "Host C++ compiler of the cuda-emulated device; by default the one that built "
             "Sinter, else c++."},
    Variable{"SINTER_CUDA_LIB", "path", "Opened in place of libcuda.so.1."},
    Variable{"SINTER_NVRTC_LIB", "path", "Opened in place of the libnvrtc found by version."},
    Variable{"SINTER_PASS_PLUGINS", "paths, colon-separated",
             "Shared libraries with passes, loaded before compilation."},
};

/// An empty value means the same as none.
std::optional<std::string> read(const char *name) {
  const char *value = std::getenv(name);
  if (!value || !*value) return std::nullopt;
  return std::string(value);
}

Error badValue(const char *name, const std::string &value, std::string_view expected) {
  return {ErrorCode::invalidArgument,
          fmt::format("{} is '{}': expected {}", name, value, expected)};
}

/// The whole text as a decimal number, or nothing.
std::optional<int64_t> parseNumber(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A variable that is 0 or 1.
Result<bool> readSwitch(const char *name, bool otherwise) {
  auto text = read(name);
  if (!text) return otherwise;
  if (*text == "1") return true;
  if (*text == "0") return false;
  return badValue(name, *text, "0 or 1");
}

} // namespace

std::span<const Variable> variables() { return table; }

Result<int> numThreads() {
  auto text = read("SINTER_NUM_THREADS");
  if (!text) return 0;
  auto value = parseNumber(*text);
  if (!value || *value < 1 || *value > maxThreads)
    return badValue("SINTER_NUM_THREADS", *text, "a whole number from 1 to 1024");
  return static_cast<int>(*value);
}

Result<std::string> cpuIsa() {
  auto text = read("SINTER_CPU_ISA");
  if (!text) return std::string();
  if (*text != "amx" && *text != "avx512_bf16" && *text != "avx512" && *text != "avx2" &&
      *text != "generic")
    return badValue("SINTER_CPU_ISA", *text, "amx, avx512_bf16, avx512, avx2 or generic");
  return *text;
}

std::string cacheDir() {
  if (auto dir = read("SINTER_CACHE_DIR")) return *dir;
  if (auto base = read("XDG_CACHE_HOME")) return *base + "/sinter";
  if (auto home = read("HOME")) return *home + "/.cache/sinter";
  return {};
}

Result<bool> cacheEnabled() { return readSwitch("SINTER_CACHE", true); }
Result<bool> dumpAssembly() { return readSwitch("SINTER_DUMP_ASSEMBLY", false); }

Result<int64_t> cacheSize() {
  auto text = read("SINTER_CACHE_SIZE");
  if (!text) return defaultCacheSize;
  std::string_view digits = *text;
  int shift = 0;
  switch (digits.back()) {
  case 'K':
    shift = 10;
    break;
  case 'M':
    shift = 20;
    break;
  case 'G':
    shift = 30;
    break;
  default:
    break;
  }
  if (shift) digits.remove_suffix(1);
  auto value = parseNumber(digits);
  if (!value || *value < 0 || *value > (std::numeric_limits<int64_t>::max() >> shift))
    return badValue("SINTER_CACHE_SIZE", *text, "a number of bytes, e.g. 512M or 2G");
  return *value << shift;
}

std::string dumpDir() { return read("SINTER_DUMP").value_or(""); }
std::string hostCompiler() { return read("SINTER_CXX").value_or(""); }
std::string cudaLibrary() { return read("SINTER_CUDA_LIB").value_or(""); }
std::string nvrtcLibrary() { return read("SINTER_NVRTC_LIB").value_or(""); }
Result<bool> logs(std::string_view topic) {
  auto text = read("SINTER_LOG");
  bool found = false;
  for (std::string_view rest = text ? *text : std::string_view(); !rest.empty();) {
    size_t comma = std::min(rest.find(','), rest.size());
    std::string_view one = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one != "recompiles" && one != "cache")
      return badValue("SINTER_LOG", *text, "recompiles, cache or both with a comma");
    found |= one == topic;
  }
  return found;
}

std::string temporaryDir() { return read("TMPDIR").value_or("/tmp"); }

std::vector<std::string> passPlugins() {
  std::vector<std::string> paths;
  std::string text = read("SINTER_PASS_PLUGINS").value_or("");
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) paths.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

} // namespace sinter::runtime::environment
