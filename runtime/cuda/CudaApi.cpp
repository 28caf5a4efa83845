#include "sinter/runtime/cuda/CudaApi.h"

#include "sinter/runtime/Environment.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace sinter::runtime::cuda {

Result<std::shared_ptr<const CudaApi>> CudaApi::open(std::string path) {
  const bool chosen = !path.empty() || !environment::cudaLibrary().empty();
  if (path.empty()) path = environment::cudaLibrary();
  if (path.empty()) path = "libcuda.so.1";
  auto api = std::make_shared<CudaApi>();
  api->library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!api->library_) {
    const char *reason = dlerror();
    return Error{
        ErrorCode::notFound,
        chosen
            ? fmt::format("cannot open the CUDA driver library '{}': {}", path,
                          reason ? reason : "?")
            : fmt::format("no CUDA driver: {} is not on this machine (install NVIDIA's driver; {})",
                          path, reason ? reason : "?")};
  }
  std::string missing;
  auto find = [&](auto &member, const char *name) {
    member =
        reinterpret_cast<std::remove_reference_t<decltype(member)>>(dlsym(api->library_, name));
    if (!member && missing.empty()) missing = name;
  };
#define SINTER_CUDA_FIND(name, params) find(api->name, #name);
  SINTER_CUDA_SYMBOLS(SINTER_CUDA_FIND)
#undef SINTER_CUDA_FIND
  if (!missing.empty()) {
    int version = 0;
    if (api->cuDriverGetVersion) api->cuDriverGetVersion(&version);
    return Error{ErrorCode::unsupported,
                 fmt::format("the CUDA driver '{}' (version {}.{}) is too old: it lacks {}; CUDA "
                             "12 or newer is needed",
                             path, version / 1000, version % 1000 / 10, missing)};
  }
  return std::shared_ptr<const CudaApi>(std::move(api));
}

CudaApi::~CudaApi() {
  if (library_) dlclose(library_);
}

std::string CudaApi::errorName(CuResult result) const {
  const char *name = nullptr, *text = nullptr;
  if (cuGetErrorName(result, &name) != cuSuccess || !name) return fmt::format("error {}", result);
  if (cuGetErrorString(result, &text) != cuSuccess || !text) return name;
  return fmt::format("{} ({})", name, text);
}

Status CudaApi::check(CuResult result, const char *call) const {
  if (result == cuSuccess) return {};
  return {result == cuErrorOutOfMemory ? ErrorCode::outOfMemory : ErrorCode::deviceFailure,
          fmt::format("{} failed: {}", call, errorName(result))};
}

} // namespace sinter::runtime::cuda
