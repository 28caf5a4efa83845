#include "sinter/runtime/emulated/EmulatedModule.h"

#include "sinter/runtime/emulated/HostCompiler.h"
#include "sinter/runtime/emulated/ShimHeaders.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <fmt/core.h>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace sinter::runtime::emulated {

namespace {

// Parsing the shim costs as much as several kernels; more than this many in a unit would leave the
// other cores idle.
constexpr size_t kernelsPerUnit = 50;

bool isIncludeLine(const std::string &line, std::string &name) {
  size_t i = line.find_first_not_of(" \t");
  if (i == std::string::npos || line[i] != '#') return false;
  i = line.find_first_not_of(" \t", i + 1);
  if (i == std::string::npos || line.compare(i, 7, "include") != 0) return false;
  const size_t open = line.find_first_of("<\"", i + 7);
  if (open == std::string::npos) return false;
  const size_t close = line.find_first_of(">\"", open + 1);
  if (close == std::string::npos) return false;
  name = line.substr(open + 1, close - open - 1);
  return true;
}

Status dlError(const char *what) {
  const char *reason = dlerror();
  return {ErrorCode::deviceFailure,
          fmt::format("cannot load emulated kernels: {}: {}", what, reason ? reason : "?")};
}

} // namespace

std::string translationUnit(const Program &program, const std::vector<uint32_t> &kernels) {
  std::string includes, bodies, table;
  std::set<std::string> seen;
  for (uint32_t index : kernels) {
    const Kernel &kernel = program.kernels[index];
    bodies += fmt::format("namespace sinter_kernel_{} {{\n#line 1 \"{}.cu\"\n", index, kernel.name);
    std::istringstream lines(kernel.source);
    for (std::string line, name; std::getline(lines, line);) {
      if (!isIncludeLine(line, name)) {
        bodies += line + "\n";
        continue;
      }
      bodies += "\n"; // an include may not stand in a namespace; the empty line keeps the count
      if (seen.insert(name).second) includes += fmt::format("#include \"{}\"\n", name);
    }
    bodies += "}\n";
    table +=
        fmt::format("  SINTER_EMU_ENTRY(\"{0}\", sinter_kernel_{1}::{0}),\n", kernel.name, index);
  }
  return "#include \"sinter/EmuEntry.h\"\n" + includes + bodies +
         "#line 1 \"entries\"\n"
         "__attribute__((visibility(\"hidden\"))) sinter_emu::Host *sinterEmuHost;\n"
         "extern \"C\" __attribute__((visibility(\"default\"))) sinter_emu::Host "
         "**sinterEmuHostSlot() { return &sinterEmuHost; }\n"
         "static const sinter_emu::KernelInfo sinterEmuTable[] = {\n" +
         table +
         "};\n"
         "extern \"C\" __attribute__((visibility(\"default\"))) const sinter_emu::KernelInfo "
         "*sinterEmuKernels() { return sinterEmuTable; }\n";
}

Result<std::shared_ptr<EmulatedModule>> EmulatedModule::buildOne(const Program &program,
                                                                 std::vector<uint32_t> kernels) {
  std::vector<IncludeFile> files;
  for (const ShimHeader &header : shimHeaders()) files.emplace_back(header.name, header.text);
  for (const Program::Header &header : program.headers)
    files.emplace_back(header.name, header.text);
  SINTER_ASSIGN_OR_RETURN(std::vector<uint8_t> object,
                          compileSharedObject(translationUnit(program, kernels), files));

  // From memory: no file to clean up, and no clash between two processes.
  const int fd = memfd_create("sinter-emulated-kernels", MFD_CLOEXEC);
  if (fd < 0)
    return Error{ErrorCode::ioFailure, fmt::format("memfd_create: {}", std::strerror(errno))};
  for (size_t done = 0; done < object.size();) {
    const ssize_t n = write(fd, object.data() + done, object.size() - done);
    if (n <= 0) {
      close(fd);
      return Error{ErrorCode::ioFailure, fmt::format("cannot write emulated kernels to memory: {}",
                                                     std::strerror(errno))};
    }
    done += static_cast<size_t>(n);
  }
  std::shared_ptr<EmulatedModule> module(new EmulatedModule);
  // glibc knows a loaded library by its name, and a closed descriptor's number comes back: it
  // stays open as long as the library.
  module->descriptor_ = fd;
  module->library_ = dlopen(fmt::format("/proc/self/fd/{}", fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module->library_) return dlError("dlopen");
  auto slot =
      reinterpret_cast<sinter_emu::Host **(*)()>(dlsym(module->library_, "sinterEmuHostSlot"));
  auto table = reinterpret_cast<const sinter_emu::KernelInfo *(*)()>(
      dlsym(module->library_, "sinterEmuKernels"));
  if (!slot || !table) return dlError("dlsym");
  module->hostSlot_ = slot();
  module->table_ = table();
  module->kernels_ = std::move(kernels);
  return module;
}

EmulatedModule::~EmulatedModule() {
  if (library_) dlclose(library_);
  if (descriptor_ >= 0) close(descriptor_);
}

Result<std::vector<std::shared_ptr<EmulatedModule>>> EmulatedModule::build(const Program &program) {
  // Names are C symbols, so two kernels of one name cannot share a unit.
  std::vector<std::vector<uint32_t>> units;
  std::vector<std::set<std::string>> names;
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const size_t share = (program.kernels.size() + cores - 1) / cores;
  const size_t perUnit = std::min(kernelsPerUnit, std::max<size_t>(share, 8));
  for (uint32_t i = 0; i < program.kernels.size(); ++i) {
    if (program.kernels[i].source.empty())
      return Error{
          ErrorCode::unsupported,
          fmt::format("kernel '{}' carries no CUDA text to emulate", program.kernels[i].name)};
    size_t u = 0;
    while (u < units.size() &&
           (units[u].size() >= perUnit || names[u].count(program.kernels[i].name)))
      ++u;
    if (u == units.size()) {
      units.emplace_back();
      names.emplace_back();
    }
    units[u].push_back(i);
    names[u].insert(program.kernels[i].name);
  }

  std::vector<std::optional<Result<std::shared_ptr<EmulatedModule>>>> built(units.size());
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t u; (u = next++) < units.size();) built[u].emplace(buildOne(program, units[u]));
  };
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < std::min(cores, units.size()); ++i) helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers) helper.join();

  std::vector<std::shared_ptr<EmulatedModule>> modules;
  for (auto &result : built) {
    if (!result->ok()) return result->error();
    modules.push_back(std::move(**result));
  }
  return modules;
}

Signature parseSignature(const std::string &text, const std::string &kernelName) {
  Signature signature;
  // The name directly before a parenthesis, after `__global__`.
  size_t at = 0, open = std::string::npos;
  const size_t global = text.find("__global__");
  for (at = global;
       at != std::string::npos && (at = text.find(kernelName, at)) != std::string::npos; ++at) {
    const size_t after = text.find_first_not_of(" \t\n", at + kernelName.size());
    if (after != std::string::npos && text[after] == '(' &&
        !(std::isalnum(static_cast<unsigned char>(text[at - 1])) || text[at - 1] == '_')) {
      open = after;
      break;
    }
  }
  if (open == std::string::npos) return signature;
  const std::string head =
      text.substr(text.rfind("__global__", open), open - text.rfind("__global__", open));
  if (size_t bounds = head.find("__launch_bounds__("); bounds != std::string::npos)
    std::sscanf(head.c_str() + bounds, "__launch_bounds__(%u", &signature.maxThreads);
  if (size_t cluster = head.find("__cluster_dims__("); cluster != std::string::npos)
    std::sscanf(head.c_str() + cluster, "__cluster_dims__(%u", &signature.cluster);
  int depth = 0;
  std::string name;
  for (size_t i = open; i < text.size(); ++i) {
    const char c = text[i];
    depth += c == '(' || c == '<' || c == '[';
    depth -= c == ')' || c == '>' || c == ']';
    if ((c == ',' && depth == 1) || depth == 0) {
      if (!name.empty()) signature.paramNames.push_back(name);
      name.clear();
      if (depth == 0) break;
    } else if (depth == 1) { // the last word before the comma is the name
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
        if (i && !(std::isalnum(static_cast<unsigned char>(text[i - 1])) || text[i - 1] == '_'))
          name.clear();
        name += c;
      }
    }
  }
  return signature;
}

} // namespace sinter::runtime::emulated
