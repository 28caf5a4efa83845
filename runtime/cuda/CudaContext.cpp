#include "sinter/runtime/cuda/CudaContext.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace sinter::runtime::cuda {

// Calls a driver function and returns its failure, named.
#define SINTER_CU(function, ...)                                                                   \
  SINTER_RETURN_IF_ERROR(api->check(api->function(__VA_ARGS__), #function))

Result<std::shared_ptr<CudaContext>> CudaContext::open(std::shared_ptr<const CudaApi> api,
                                                       int ordinal) {
  std::shared_ptr<CudaContext> context(new CudaContext(std::move(api)));
  SINTER_RETURN_IF_ERROR(context->create(ordinal));
  return context;
}

Status CudaContext::create(int ordinal) {
  const CuResult initialised = api->cuInit(0);
  if (initialised == cuErrorNoDevice)
    return {ErrorCode::notFound,
            fmt::format("a CUDA driver is installed, but it finds no GPU: cuInit failed: {}",
                        api->errorName(initialised))};
  SINTER_RETURN_IF_ERROR(api->check(initialised, "cuInit"));
  SINTER_CU(cuDriverGetVersion, &driverVersion);
  int count = 0;
  SINTER_CU(cuDeviceGetCount, &count);
  if (count == 0) return {ErrorCode::notFound, "a CUDA driver is installed, but it finds no GPU"};
  if (ordinal < 0 || ordinal >= count)
    return {ErrorCode::invalidArgument,
            fmt::format("there is no CUDA device {}: this machine has {}", ordinal, count)};
  SINTER_CU(cuDeviceGet, &device_, ordinal);
  char text[256] = {};
  SINTER_CU(cuDeviceGetName, text, sizeof(text) - 1, device_);
  name = text;
  int major = 0, minor = 0, pools = 0;
  SINTER_CU(cuDeviceGetAttribute, &major, cuAttributeComputeCapabilityMajor, device_);
  SINTER_CU(cuDeviceGetAttribute, &minor, cuAttributeComputeCapabilityMinor, device_);
  SINTER_CU(cuDeviceGetAttribute, &maxSharedBytes, cuAttributeMaxSharedPerBlockOptin, device_);
  SINTER_CU(cuDeviceGetAttribute, &pools, cuAttributeMemoryPoolsSupported, device_);
  capability = major * 10 + minor;
  SINTER_CU(cuDeviceTotalMem_v2, &totalBytes, device_);
  SINTER_CU(cuDevicePrimaryCtxRetain, &context_, device_);
  SINTER_CU(cuCtxSetCurrent, context_);
  SINTER_CU(cuStreamCreate, &stream, cuStreamNonBlocking);
  pools_ = pools != 0;
  if (pools_) { // freed memory stays with the pool: the next step asks for the same sizes
    CuMemPool pool = nullptr;
    SINTER_CU(cuDeviceGetDefaultMemPool, &pool, device_);
    uint64_t keepAll = UINT64_MAX;
    SINTER_CU(cuMemPoolSetAttribute, pool, cuMemPoolReleaseThreshold, &keepAll);
  }
  return {};
}

CudaContext::~CudaContext() {
  if (!context_) return;
  // Nothing can be reported any more, and the driver may already be gone with the process.
  if (api->cuCtxSetCurrent(context_) == cuSuccess && stream) {
    (void)api->cuStreamSynchronize(stream);
    (void)api->cuStreamDestroy_v2(stream);
  }
  (void)api->cuDevicePrimaryCtxRelease_v2(device_);
}

Status CudaContext::enter() const {
  return api->check(api->cuCtxSetCurrent(context_), "cuCtxSetCurrent");
}

Result<CuDevicePtr> CudaContext::allocate(int64_t bytes) {
  if (bytes < 0)
    return Error{ErrorCode::invalidArgument, fmt::format("an allocation of {} bytes", bytes)};
  SINTER_RETURN_IF_ERROR(enter());
  const size_t size = bytes ? static_cast<size_t>(bytes) : 1; // empty tensors have an address too
  CuDevicePtr address = 0;
  const CuResult result =
      pools_ ? api->cuMemAllocAsync(&address, size, stream) : api->cuMemAlloc_v2(&address, size);
  const char *call = pools_ ? "cuMemAllocAsync" : "cuMemAlloc_v2";
  if (result == cuErrorOutOfMemory) {
    size_t free = 0, total = 0;
    std::string has = api->cuMemGetInfo_v2(&free, &total) == cuSuccess
                          ? fmt::format("{} of {} bytes are free", free, total)
                          : fmt::format("the device has {} bytes", totalBytes);
    return Error{
        ErrorCode::outOfMemory,
        fmt::format(
            "out of GPU memory: {} bytes ({:.2f} GiB) were asked for, {} on {}: {} failed: {}",
            size, static_cast<double>(size) / (1 << 30), has, name, call, api->errorName(result))};
  }
  SINTER_RETURN_IF_ERROR(api->check(result, call));
  return address;
}

void CudaContext::free(CuDevicePtr address) {
  if (CuResult entered = api->cuCtxSetCurrent(context_); entered != cuSuccess)
    return defer(entered, "cuCtxSetCurrent");
  if (pools_)
    defer(api->cuMemFreeAsync(address, stream), "cuMemFreeAsync");
  else
    defer(api->cuMemFree_v2(address), "cuMemFree_v2"); // waits for the device by itself
}

void CudaContext::defer(CuResult result, const char *call) {
  if (result == cuSuccess) return;
  std::lock_guard lock(mutex_);
  if (deferred_.ok()) deferred_ = api->check(result, call);
}

Status CudaContext::takeDeferred() {
  std::lock_guard lock(mutex_);
  return std::exchange(deferred_, Status());
}

PinnedStaging::~PinnedStaging() {
  const auto &api = context_.api;
  if (!context_.enter().ok()) return;
  for (Half &half : halves_) {
    if (half.event) context_.defer(api->cuEventDestroy_v2(half.event), "cuEventDestroy_v2");
    if (half.memory) context_.defer(api->cuMemFreeHost(half.memory), "cuMemFreeHost");
  }
  if (read_) context_.defer(api->cuMemFreeHost(read_), "cuMemFreeHost");
}

Status PinnedStaging::makeHalf(Half &half) {
  const auto &api = context_.api;
  if (!half.memory) SINTER_CU(cuMemHostAlloc, &half.memory, halfBytes, 0);
  if (!half.event) SINTER_CU(cuEventCreate, &half.event, cuEventDisableTiming);
  return {};
}

Status PinnedStaging::upload(CuDevicePtr to, const void *from, size_t bytes) {
  const auto &api = context_.api;
  for (size_t done = 0; done < bytes;) {
    Half &half = halves_[next_];
    next_ ^= 1;
    SINTER_RETURN_IF_ERROR(makeHalf(half));
    if (half.busy) {
      SINTER_CU(cuEventSynchronize, half.event);
      half.busy = false;
    }
    const size_t part = std::min(halfBytes, bytes - done);
    std::memcpy(half.memory, static_cast<const char *>(from) + done, part);
    SINTER_CU(cuMemcpyHtoDAsync_v2, to + done, half.memory, part, context_.stream);
    SINTER_CU(cuEventRecord, half.event, context_.stream);
    half.busy = true;
    done += part;
  }
  return {};
}

Status PinnedStaging::download(void *to, CuDevicePtr from, size_t bytes) {
  const auto &api = context_.api;
  if (bytes == 0) return {};
  if (bytes > readBytes - readUsed_) { // the driver stages it, and waits
    SINTER_CU(cuMemcpyDtoHAsync_v2, to, from, bytes, context_.stream);
    return {};
  }
  if (!read_) SINTER_CU(cuMemHostAlloc, &read_, readBytes, 0);
  SINTER_CU(cuMemcpyDtoHAsync_v2, static_cast<char *>(read_) + readUsed_, from, bytes,
            context_.stream);
  pending_.push_back({to, readUsed_, bytes});
  readUsed_ = std::min(readBytes, readUsed_ + (bytes + 63) / 64 * 64);
  return {};
}

void PinnedStaging::finish() {
  for (const Pending &p : pending_)
    std::memcpy(p.to, static_cast<const char *>(read_) + p.offset, p.bytes);
  abandon();
}

} // namespace sinter::runtime::cuda
