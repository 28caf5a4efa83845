#include "sinter/runtime/cuda/Nvrtc.h"

#include "sinter/runtime/Environment.h"
#include "sinter/runtime/KernelCache.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <dlfcn.h>
#include <fmt/format.h>
#include <glob.h>
#include <numeric>
#include <optional>
#include <sstream>
#include <thread>

namespace sinter::runtime::cuda {

namespace {

std::vector<std::string> candidates() {
  std::vector<std::string> paths = {"libnvrtc.so.13", "libnvrtc.so.12",
                                    "/usr/local/cuda/lib64/libnvrtc.so.13",
                                    "/usr/local/cuda/lib64/libnvrtc.so.12"};
  for (const char *pattern : {"/usr/local/lib/python3*/*-packages/nvidia/*/lib/libnvrtc.so.1[23]",
                              "/usr/lib/python3*/*-packages/nvidia/*/lib/libnvrtc.so.1[23]"}) {
    glob_t found{};
    if (glob(pattern, 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    globfree(&found);
  }
  return paths;
}

/// Everything a compilation depends on.
CacheKey cacheKey(const NvrtcRequest &request, const std::vector<std::string> &options, int major,
                  int minor) {
  CacheKey key("nvrtc");
  key.add("NVRTC", fmt::format("{}.{}", major, minor));
  for (const std::string &option : options) key.add("option", option);
  for (const auto &[name, text] : request.headers) key.add("header", name).add(name, text);
  key.add("source", request.source);
  return key;
}

} // namespace

NvrtcRequest requestFor(const Program &program, const Kernel &kernel, std::string arch) {
  NvrtcRequest request{kernel.name, kernel.source, {}, std::move(arch), {}};
  for (uint32_t header : kernel.headers)
    request.headers.emplace_back(program.headers[header].name, program.headers[header].text);
  return request;
}

Result<std::shared_ptr<const Nvrtc>> Nvrtc::open(std::string path) {
  if (path.empty()) path = environment::nvrtcLibrary();
  std::shared_ptr<Nvrtc> nvrtc(new Nvrtc);
  std::string tried;
  for (const std::string &candidate :
       path.empty() ? candidates() : std::vector<std::string>{path}) {
    nvrtc->library_ = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (nvrtc->library_) {
      path = candidate;
      break;
    }
    if (tried.empty()) {
      const char *reason = dlerror();
      tried = reason ? reason : "?";
    }
  }
  if (!nvrtc->library_)
    return Error{ErrorCode::notFound,
                 path.empty() ? "no NVRTC, which compiles CUDA kernels: install the package "
                                "cuda-nvrtc-13-0 or the wheel "
                                "nvidia-cuda-nvrtc, or name the library in SINTER_NVRTC_LIB (" +
                                    tried + ")"
                              : fmt::format("cannot open NVRTC '{}': {}", path, tried)};
  std::string missing;
  auto find = [&](auto &member, const char *name) {
    member =
        reinterpret_cast<std::remove_reference_t<decltype(member)>>(dlsym(nvrtc->library_, name));
    if (!member && missing.empty()) missing = name;
  };
#define SINTER_NVRTC_FIND(name, params) find(nvrtc->name, #name);
  SINTER_NVRTC_SYMBOLS(SINTER_NVRTC_FIND)
#undef SINTER_NVRTC_FIND
  if (!missing.empty())
    return Error{ErrorCode::unsupported,
                 fmt::format("NVRTC '{}' is too old: it lacks {}", path, missing)};
  int count = 0;
  if (nvrtc->nvrtcVersion(&nvrtc->major_, &nvrtc->minor_) != 0 ||
      nvrtc->nvrtcGetNumSupportedArchs(&count) != 0)
    return Error{ErrorCode::deviceFailure,
                 fmt::format("NVRTC '{}' does not tell its version", path)};
  nvrtc->architectures_.resize(static_cast<size_t>(count));
  if (nvrtc->nvrtcGetSupportedArchs(nvrtc->architectures_.data()) != 0)
    return Error{ErrorCode::deviceFailure,
                 fmt::format("NVRTC '{}' does not tell its architectures", path)};
  std::sort(nvrtc->architectures_.begin(), nvrtc->architectures_.end());
  return std::shared_ptr<const Nvrtc>(std::move(nvrtc));
}

Nvrtc::~Nvrtc() {
  if (library_) dlclose(library_);
}

Status Nvrtc::suits(int capability) const {
  if (architectures_.empty() || capability >= architectures_.front()) return {};
  return {ErrorCode::unsupported,
          fmt::format("NVRTC {}.{} compiles for sm_{} and newer, this GPU is sm_{}: name an older "
                      "NVRTC in SINTER_NVRTC_LIB",
                      major_, minor_, architectures_.front(), capability)};
}

std::string Nvrtc::archFor(int capability) const {
  int below = 0;
  for (int arch : architectures_) {
    if (arch == capability) // 90a has all of 90 and wgmma, and runs on every 9.0
      return fmt::format("sm_{}{}", capability, capability == 90 ? "a" : "");
    if (arch < capability) below = arch;
  }
  return fmt::format("compute_{}", below ? below : capability);
}

Result<CompiledImage> Nvrtc::compile(const NvrtcRequest &request) const {
  // fmad stays on, as in nvcc: one rounding less. No fast-math: results are the functions' own.
  std::vector<std::string> options = {"--gpu-architecture=" + request.arch, "--std=c++17",
                                      "-default-device"};
  if (request.options.lineInfo) options.push_back("-lineinfo");
  if (request.options.resources) options.push_back("--ptxas-options=-v");
  if (request.options.noCache || request.options.resources) options.push_back("--no-cache");
  const bool cached = !request.options.noCache && !request.options.resources;
  KernelCache *cache = nullptr;
  std::optional<CacheKey> key;
  if (cached) {
    SINTER_ASSIGN_OR_RETURN(cache, KernelCache::shared());
    key = cacheKey(request, options, major_, minor_);
    if (auto hit = cache->find(*key, request.name)) return CompiledImage{std::move(*hit), {}, {}};
  }
  Result<CompiledImage> compiled = compileNow(request, options);
  if (compiled.ok() && cache) cache->store(key->bytes(), compiled->image);
  return compiled;
}

Result<CompiledImage> Nvrtc::compileNow(const NvrtcRequest &request,
                                        const std::vector<std::string> &options) const {
  std::vector<const char *> names, texts, words;
  for (const auto &[name, text] : request.headers) {
    names.push_back(name.c_str());
    texts.push_back(text.c_str());
  }
  for (const std::string &option : options) {
    // Before 12.8 there is no such option; it only spares time there.
    if (option == "--no-cache" && major_ * 100 + minor_ < 1208) continue;
    words.push_back(option.c_str());
  }
  const std::string file = request.name + ".cu";
  NvrtcProgram program = nullptr;
  if (nvrtcCreateProgram(&program, request.source.c_str(), file.c_str(),
                         static_cast<int>(names.size()), texts.data(), names.data()) != 0)
    return Error{ErrorCode::deviceFailure,
                 fmt::format("NVRTC cannot take the text of kernel '{}'", request.name)};
  auto destroy = [&] { nvrtcDestroyProgram(&program); };
  const NvrtcResult result =
      nvrtcCompileProgram(program, static_cast<int>(words.size()), words.data());
  CompiledImage compiled;
  size_t bytes = 0;
  if (nvrtcGetProgramLogSize(program, &bytes) == 0 && bytes > 1) {
    compiled.log.resize(bytes);
    if (nvrtcGetProgramLog(program, compiled.log.data()) != 0) bytes = 1;
    compiled.log.resize(bytes - 1);
  }
  if (result != 0) {
    destroy();
    return Error{ErrorCode::deviceFailure,
                 fmt::format("kernel '{}' does not compile for {} (NVRTC {}.{}):\n{}", request.name,
                             request.arch, major_, minor_, compiled.log)};
  }
  const bool ptx = request.arch.rfind("compute_", 0) == 0;
  NvrtcResult got = ptx ? nvrtcGetPTXSize(program, &bytes) : nvrtcGetCUBINSize(program, &bytes);
  if (got == 0) {
    compiled.image.resize(bytes);
    auto *data = reinterpret_cast<char *>(compiled.image.data());
    got = ptx ? nvrtcGetPTX(program, data) : nvrtcGetCUBIN(program, data);
  }
  destroy();
  if (got != 0 || compiled.image.empty())
    return Error{ErrorCode::deviceFailure, fmt::format("NVRTC made no image of kernel '{}' for {}",
                                                       request.name, request.arch)};
  if (request.options.resources) compiled.resources = parseResources(compiled.log);
  return compiled;
}

Result<std::vector<CompiledImage>>
Nvrtc::compileAll(const std::vector<NvrtcRequest> &requests) const {
  std::vector<std::optional<Result<CompiledImage>>> results(requests.size());
  // Long texts first: one of them at the end would keep a single core busy.
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return requests[a].source.size() > requests[b].source.size();
  });
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i; (i = next++) < order.size();)
      results[order[i]].emplace(compile(requests[order[i]]));
  };
  const size_t threads =
      std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()), requests.size());
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers) helper.join();
  std::vector<CompiledImage> images;
  for (auto &result : results) {
    if (!result->ok()) return result->error();
    images.push_back(std::move(**result));
  }
  return images;
}

std::vector<KernelResources> parseResources(const std::string &log) {
  // ptxas info: Function properties for k
  //     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
  // ptxas info: Used 18 registers, used 1 barriers, 1024 bytes smem, 368 bytes cmem[0]
  std::vector<KernelResources> all;
  KernelResources current;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (size_t at = line.find("bytes stack frame"); at != std::string::npos) {
      int frame = 0;
      std::sscanf(line.c_str(), "%d bytes stack frame, %d bytes spill stores, %d bytes spill loads",
                  &frame, &current.spillStores, &current.spillLoads);
    }
    size_t used = line.find("Used ");
    if (used == std::string::npos || line.find(" registers") == std::string::npos) continue;
    std::sscanf(line.c_str() + used, "Used %d registers", &current.registers);
    if (size_t shared = line.find(" bytes smem"); shared != std::string::npos) {
      size_t start = line.rfind(' ', shared - 1);
      std::sscanf(line.c_str() + start, " %d", &current.sharedBytes);
    }
    all.push_back(current);
    current = {};
  }
  return all;
}

} // namespace sinter::runtime::cuda
