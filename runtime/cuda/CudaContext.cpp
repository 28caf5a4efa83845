#include "sinter/runtime/cuda/CudaContext.h"

#include <algorithm>
#include <cstdio>
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
    return {ErrorCode::notFound, fmt::format("a CUDA driver is installed, but it finds no GPU: {}",
                                             api->check(initialised, "cuInit").error().message)};
  SINTER_RETURN_IF_ERROR(api->check(initialised, "cuInit"));
  SINTER_CU(cuDriverGetVersion, &driverVersion);
  int count = 0;
  SINTER_CU(cuDeviceGetCount, &count);
  if (count == 0)
    return {ErrorCode::notFound, fmt::format("a CUDA driver is installed, but it finds no GPU: {}",
                                             CudaApi::advice(cuErrorNoDevice))};
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
  SINTER_CU(cuStreamCreate, &copyStream, cuStreamNonBlocking);
  SINTER_CU(cuEventCreate, &copied_, cuEventDisableTiming);
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
  defer(enterResult(), "cuCtxSetCurrent");
  for (CuStream each : {copyStream, stream}) {
    if (!each) continue;
    defer(api->cuStreamSynchronize(each), "cuStreamSynchronize");
    defer(api->cuStreamDestroy_v2(each), "cuStreamDestroy_v2");
  }
  if (copied_) defer(api->cuEventDestroy_v2(copied_), "cuEventDestroy_v2");
  defer(api->cuDevicePrimaryCtxRelease_v2(device_), "cuDevicePrimaryCtxRelease_v2");
  // At the end of a process the driver may be gone before us, which is no news.
  if (!deferred_.ok() && !gone_)
    std::fputs(fmt::format("sinter: when {} was given back: {}\n", name, deferred_.error().message)
                   .c_str(),
               stderr);
}

CuResult CudaContext::enterResult() const { return api->cuCtxSetCurrent(context_); }

Status CudaContext::enter() const { return api->check(enterResult(), "cuCtxSetCurrent"); }

Status CudaContext::joinCopies() {
  if (!copying_) return {};
  SINTER_CU(cuEventRecord, copied_, copyStream);
  SINTER_CU(cuStreamWaitEvent, stream, copied_, 0);
  copying_ = false;
  return {};
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
        fmt::format("out of GPU memory: {} bytes ({:.2f} GiB) were asked for, {} on {}: {}", size,
                    static_cast<double>(size) / (1 << 30), has, name,
                    api->check(result, call).error().message)};
  }
  SINTER_RETURN_IF_ERROR(api->check(result, call));
  return address;
}

void CudaContext::free(CuDevicePtr address) {
  defer(enterResult(), "cuCtxSetCurrent");
  if (Status joined = joinCopies(); !joined.ok()) defer(joined);
  if (pools_)
    defer(api->cuMemFreeAsync(address, stream), "cuMemFreeAsync");
  else
    defer(api->cuMemFree_v2(address), "cuMemFree_v2"); // waits for the device by itself
}

void CudaContext::defer(CuResult result, const char *call) {
  if (result == cuSuccess) return;
  gone_ |= result == cuErrorDeinitialized;
  defer(api->check(result, call));
}

void CudaContext::defer(Status failure) {
  std::lock_guard lock(mutex_);
  if (deferred_.ok()) deferred_ = std::move(failure);
}

Status CudaContext::takeDeferred() {
  std::lock_guard lock(mutex_);
  return std::exchange(deferred_, Status());
}

PinnedUploads::~PinnedUploads() {
  const auto &api = context_.api;
  context_.defer(context_.enterResult(), "cuCtxSetCurrent");
  for (Half &half : halves_) {
    if (half.event) {
      if (half.busy) context_.defer(api->cuEventSynchronize(half.event), "cuEventSynchronize");
      context_.defer(api->cuEventDestroy_v2(half.event), "cuEventDestroy_v2");
    }
    if (half.memory) context_.defer(api->cuMemFreeHost(half.memory), "cuMemFreeHost");
  }
}

Status PinnedUploads::makeHalf(Half &half) {
  const auto &api = context_.api;
  if (!half.memory) SINTER_CU(cuMemHostAlloc, &half.memory, halfBytes, 0);
  if (!half.event) SINTER_CU(cuEventCreate, &half.event, cuEventDisableTiming);
  return {};
}

Status PinnedUploads::upload(CuDevicePtr to, const void *from, size_t bytes) {
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
    SINTER_CU(cuMemcpyHtoDAsync_v2, to + done, half.memory, part, stream_);
    half.busy = true;
    SINTER_CU(cuEventRecord, half.event, stream_);
    done += part;
  }
  return {};
}

PinnedDownloads::~PinnedDownloads() {
  if (!ring_) return;
  context_.defer(context_.enterResult(), "cuCtxSetCurrent");
  // Copies that were given up may still be under way to the ring.
  context_.defer(context_.api->cuStreamSynchronize(context_.stream), "cuStreamSynchronize");
  context_.defer(context_.api->cuMemFreeHost(ring_), "cuMemFreeHost");
}

std::optional<size_t> PinnedDownloads::room(size_t bytes) const {
  if (pending_.empty()) return bytes <= ringBytes ? std::optional<size_t>(0) : std::nullopt;
  const Pending &last = pending_.back();
  const size_t begin = pending_.front().offset, end = (last.offset + last.bytes + 63) / 64 * 64;
  if (end > begin) { // what is under way does not pass the end of the ring
    if (end + bytes <= ringBytes) return end;
    return bytes < begin ? std::optional<size_t>(0) : std::nullopt;
  }
  return end + bytes < begin ? std::optional<size_t>(end) : std::nullopt;
}

Status PinnedDownloads::download(void *to, CuDevicePtr from, size_t bytes) {
  const auto &api = context_.api;
  if (bytes == 0) return {};
  const std::optional<size_t> offset = room(bytes);
  if (!offset) { // the driver stages it, and waits
    SINTER_CU(cuMemcpyDtoHAsync_v2, to, from, bytes, context_.stream);
    return {};
  }
  if (!ring_) SINTER_CU(cuMemHostAlloc, &ring_, ringBytes, 0);
  SINTER_CU(cuMemcpyDtoHAsync_v2, static_cast<char *>(ring_) + *offset, from, bytes,
            context_.stream);
  pending_.push_back({to, *offset, bytes});
  return {};
}

void PinnedDownloads::finish(uint64_t upTo) {
  for (; first_ < upTo && !pending_.empty(); ++first_) {
    const Pending &done = pending_.front();
    std::memcpy(done.to, static_cast<const char *>(ring_) + done.offset, done.bytes);
    pending_.pop_front();
  }
}

} // namespace sinter::runtime::cuda
