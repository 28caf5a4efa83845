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
    return Error{
        ErrorCode::unsupported,
        fmt::format("the CUDA driver '{}' (version {}.{}) is too old: it lacks {}; install "
                    "NVIDIA's driver 545 (CUDA 12.3) or newer",
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
          fmt::format("{} failed: {}: {}", call, errorName(result), advice(result))};
}

const char *CudaApi::advice(CuResult result) {
  switch (result) {
  case cuErrorOutOfMemory:
    return "use a smaller batch or a memory budget, or end what else is on the GPU (nvidia-smi "
           "lists it)";
  case cuErrorNotInitialized:
  case cuErrorDeinitialized:
    return "the process is ending: destroy devices, trainers and arrays before main returns";
  case cuErrorStubLibrary:
    return "the toolkit's stub was opened in place of the driver: take its folder out of "
           "LD_LIBRARY_PATH, or name libcuda.so.1 in SINTER_CUDA_LIB";
  case cuErrorDeviceUnavailable:
    return "another process has the GPU for itself: end it, or set the compute mode to default "
           "(nvidia-smi -c 0)";
  case cuErrorNoDevice:
    return "check nvidia-smi, CUDA_VISIBLE_DEVICES, and that a container was given the GPU";
  case cuErrorInvalidImage:
  case cuErrorNoBinaryForGpu:
    return "the image is for another GPU or from a newer toolkit than the driver: update the "
           "driver, or name an older NVRTC in SINTER_NVRTC_LIB";
  case cuErrorInvalidPtx:
  case cuErrorUnsupportedPtxVersion:
    return "the driver is older than the toolkit that made the PTX: update the driver, or name an "
           "older NVRTC in SINTER_NVRTC_LIB";
  case cuErrorJitCompilerNotFound:
    return "the driver's PTX compiler (libnvidia-ptxjitcompiler.so) is not installed: install the "
           "whole driver, or an NVRTC that knows this GPU";
  case cuErrorEccUncorrectable:
    return "the GPU's memory is faulty: see nvidia-smi -q -d ECC, and reset or replace it";
  case cuErrorIllegalAddress:
  case cuErrorMisalignedAddress:
  case cuErrorIllegalInstruction:
  case cuErrorLaunchFailed:
    return "the GPU cannot be used by this process any more; run the same on the device "
           "cuda-emulated, or under compute-sanitizer, to find the access";
  case cuErrorLaunchOutOfResources:
    return "the kernel needs more registers or shared memory than a block has: please report it";
  case cuErrorLaunchTimeout:
    return "a display's watchdog ended the kernel: use a GPU without a display, or smaller batches";
  case cuErrorSystemNotReady:
    return "the fabric manager is not running: start nvidia-fabricmanager";
  case cuErrorSystemDriverMismatch:
    return "the kernel module and libcuda are of different versions: reboot";
  case cuErrorCompatNotSupported:
    return "cuda-compat does not work on this GPU: take its folder out of LD_LIBRARY_PATH";
  case cuErrorNotReady:
  case cuErrorCaptureUnsupported:
  case cuErrorCaptureInvalidated:
  case cuErrorCaptureUnjoined:
    return "this is a mistake of the runtime: please report it";
  default:
    return "see the driver's lines (NVRM, Xid) in dmesg";
  }
}

} // namespace sinter::runtime::cuda
