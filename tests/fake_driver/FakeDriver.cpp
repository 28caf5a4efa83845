// A CUDA driver without a GPU: device memory is host memory, work is done when it is queued, and any
// call can be made to fail. Modules are text; the function "addScalar" is known by name:
// addScalar(float *data, int64_t n, float x).
#include "FakeDriver.h"

#include "sinter/runtime/cuda/CudaApi.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace sinter::runtime::cuda;

namespace {

struct FailNext {
  int code = 0, skip = 0;
};

struct Graph {
  std::vector<std::function<CuResult()>> work;
};

struct State {
  std::map<std::string, FailNext> failures;
  std::map<std::string, int> calls;
  std::map<CuDevicePtr, size_t> memory;
  std::set<void *> live; // handles of every kind
  size_t usedBytes = 0;
  int count = 1, capability = 90, memoryPools = 1;
  size_t totalBytes = size_t(1) << 30;
  bool current = false;
  Graph *capture = nullptr;
};

State &state() {
  static State s;
  return s;
}

/// Counts the call and says whether it is to fail.
CuResult enter(const char *name) {
  State &s = state();
  ++s.calls[name];
  auto found = s.failures.find(name);
  if (found == s.failures.end()) return cuSuccess;
  if (found->second.skip-- > 0) return cuSuccess;
  const int code = found->second.code;
  s.failures.erase(found);
  return code;
}

#define ENTER(name)                                                                                \
  if (CuResult failed = enter(#name); failed != cuSuccess) return failed
#define NEED_CONTEXT()                                                                             \
  if (!state().current) return 201 /* CUDA_ERROR_INVALID_CONTEXT */

bool inside(CuDevicePtr address, size_t bytes) {
  State &s = state();
  auto after = s.memory.upper_bound(address);
  if (after == s.memory.begin()) return false;
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second;
}

CuResult queue(std::function<CuResult()> work) {
  if (state().capture) {
    state().capture->work.push_back(std::move(work));
    return cuSuccess;
  }
  return work();
}

template <class T> CuResult makeHandle(T *handle) {
  void *memory = std::malloc(16);
  state().live.insert(memory);
  *handle = static_cast<T>(memory);
  return cuSuccess;
}
CuResult dropHandle(void *handle) {
  if (!state().live.erase(handle)) return cuErrorInvalidValue;
  std::free(handle);
  return cuSuccess;
}

CuResult allocate(CuDevicePtr *address, size_t bytes) {
  State &s = state();
  if (bytes > s.totalBytes - s.usedBytes) return cuErrorOutOfMemory;
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  *address = reinterpret_cast<CuDevicePtr>(memory);
  s.memory[*address] = bytes;
  s.usedBytes += bytes;
  return cuSuccess;
}
CuResult release(CuDevicePtr address) {
  State &s = state();
  auto found = s.memory.find(address);
  if (found == s.memory.end()) return cuErrorInvalidValue;
  s.usedBytes -= found->second;
  s.memory.erase(found);
  std::free(reinterpret_cast<void *>(address));
  return cuSuccess;
}

template <class T>
CuResult set(CuDevicePtr to, size_t pitch, T value, size_t width, size_t height) {
  if (!inside(to, pitch * (height - 1) + width * sizeof(T)) || to % sizeof(T))
    return cuErrorInvalidValue;
  return queue([=] {
    for (size_t row = 0; row < height; ++row)
      for (size_t i = 0; i < width; ++i)
        std::memcpy(reinterpret_cast<char *>(to) + row * pitch + i * sizeof(T), &value, sizeof(T));
    return cuSuccess;
  });
}

} // namespace

extern "C" {

void fakeFailNext(const char *name, int code, int skip) { state().failures[name] = {code, skip}; }
void fakeReset() {
  State &s = state();
  while (!s.memory.empty()) release(s.memory.begin()->first);
  while (!s.live.empty()) dropHandle(*s.live.begin());
  s = State();
}
int fakeCalls(const char *name) { return state().calls[name]; }
int fakeLive() { return static_cast<int>(state().memory.size() + state().live.size()); }
void fakeSetDevice(int count, int capability, int memoryPools, unsigned long long memoryBytes) {
  State &s = state();
  s.count = count, s.capability = capability, s.memoryPools = memoryPools,
  s.totalBytes = memoryBytes;
}

CuResult cuInit(unsigned) {
  ENTER(cuInit);
  return cuSuccess;
}
CuResult cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion);
  *version = 13000;
  return cuSuccess;
}
CuResult cuGetErrorName(CuResult error, const char **name) {
  static const std::map<int, const char *> names = {
      {1, "CUDA_ERROR_INVALID_VALUE"},       {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {100, "CUDA_ERROR_NO_DEVICE"},         {201, "CUDA_ERROR_INVALID_CONTEXT"},
      {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {719, "CUDA_ERROR_LAUNCH_FAILED"},     {999, "CUDA_ERROR_UNKNOWN"}};
  auto found = names.find(error);
  *name = found == names.end() ? nullptr : found->second;
  return *name ? cuSuccess : cuErrorInvalidValue;
}
CuResult cuGetErrorString(CuResult, const char **text) {
  *text = "as the test wanted";
  return cuSuccess;
}
CuResult cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount);
  *count = state().count;
  return cuSuccess;
}
CuResult cuDeviceGet(CuDevice *device, int ordinal) {
  ENTER(cuDeviceGet);
  *device = ordinal;
  return ordinal < state().count ? cuSuccess : cuErrorInvalidDevice;
}
CuResult cuDeviceGetName(char *name, int bytes, CuDevice) {
  ENTER(cuDeviceGetName);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(bytes));
  return cuSuccess;
}
CuResult cuDeviceGetAttribute(int *value, int attribute, CuDevice) {
  ENTER(cuDeviceGetAttribute);
  switch (attribute) {
  case cuAttributeComputeCapabilityMajor:
    *value = state().capability / 10;
    return cuSuccess;
  case cuAttributeComputeCapabilityMinor:
    *value = state().capability % 10;
    return cuSuccess;
  case cuAttributeMaxSharedPerBlockOptin:
    *value = 227 * 1024;
    return cuSuccess;
  case cuAttributeMemoryPoolsSupported:
    *value = state().memoryPools;
    return cuSuccess;
  default:
    return cuErrorInvalidValue;
  }
}
CuResult cuDeviceTotalMem_v2(size_t *bytes, CuDevice) {
  ENTER(cuDeviceTotalMem_v2);
  *bytes = state().totalBytes;
  return cuSuccess;
}
CuResult cuDevicePrimaryCtxRetain(CuContext *context, CuDevice) {
  ENTER(cuDevicePrimaryCtxRetain);
  *context = reinterpret_cast<CuContext>(uintptr_t(16));
  return cuSuccess;
}
CuResult cuDevicePrimaryCtxRelease_v2(CuDevice) {
  ENTER(cuDevicePrimaryCtxRelease_v2);
  return cuSuccess;
}
CuResult cuCtxSetCurrent(CuContext context) {
  ENTER(cuCtxSetCurrent);
  state().current = context != nullptr;
  return cuSuccess;
}
CuResult cuDeviceGetDefaultMemPool(CuMemPool *pool, CuDevice) {
  ENTER(cuDeviceGetDefaultMemPool);
  *pool = reinterpret_cast<CuMemPool>(uintptr_t(32));
  return cuSuccess;
}
CuResult cuMemPoolSetAttribute(CuMemPool, int attribute, void *) {
  ENTER(cuMemPoolSetAttribute);
  return attribute == cuMemPoolReleaseThreshold ? cuSuccess : cuErrorInvalidValue;
}
CuResult cuMemGetInfo_v2(size_t *free, size_t *total) {
  ENTER(cuMemGetInfo_v2);
  *total = state().totalBytes, *free = *total - state().usedBytes;
  return cuSuccess;
}
CuResult cuMemAlloc_v2(CuDevicePtr *address, size_t bytes) {
  ENTER(cuMemAlloc_v2);
  NEED_CONTEXT();
  return allocate(address, bytes);
}
CuResult cuMemFree_v2(CuDevicePtr address) {
  ENTER(cuMemFree_v2);
  return release(address);
}
CuResult cuMemAllocAsync(CuDevicePtr *address, size_t bytes, CuStream) {
  ENTER(cuMemAllocAsync);
  NEED_CONTEXT();
  return allocate(address, bytes);
}
CuResult cuMemFreeAsync(CuDevicePtr address, CuStream) {
  ENTER(cuMemFreeAsync);
  return release(address);
}
CuResult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  ENTER(cuMemHostAlloc);
  *memory = std::malloc(bytes);
  state().live.insert(*memory);
  return cuSuccess;
}
CuResult cuMemFreeHost(void *memory) {
  ENTER(cuMemFreeHost);
  return dropHandle(memory);
}
CuResult cuMemcpyHtoDAsync_v2(CuDevicePtr to, const void *from, size_t bytes, CuStream) {
  ENTER(cuMemcpyHtoDAsync_v2);
  if (!inside(to, bytes)) return cuErrorInvalidValue;
  return queue([=] { return std::memcpy(reinterpret_cast<void *>(to), from, bytes), cuSuccess; });
}
CuResult cuMemcpyDtoHAsync_v2(void *to, CuDevicePtr from, size_t bytes, CuStream) {
  ENTER(cuMemcpyDtoHAsync_v2);
  if (!inside(from, bytes)) return cuErrorInvalidValue;
  return queue([=] { return std::memcpy(to, reinterpret_cast<void *>(from), bytes), cuSuccess; });
}
CuResult cuMemcpyDtoDAsync_v2(CuDevicePtr to, CuDevicePtr from, size_t bytes, CuStream) {
  ENTER(cuMemcpyDtoDAsync_v2);
  if (!inside(from, bytes) || !inside(to, bytes)) return cuErrorInvalidValue;
  return queue([=] {
    return std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes),
           cuSuccess;
  });
}
CuResult cuMemsetD8Async(CuDevicePtr to, unsigned char value, size_t n, CuStream) {
  ENTER(cuMemsetD8Async);
  return set(to, 0, value, n, 1);
}
CuResult cuMemsetD16Async(CuDevicePtr to, unsigned short value, size_t n, CuStream) {
  ENTER(cuMemsetD16Async);
  return set(to, 0, value, n, 1);
}
CuResult cuMemsetD32Async(CuDevicePtr to, unsigned value, size_t n, CuStream) {
  ENTER(cuMemsetD32Async);
  return set(to, 0, value, n, 1);
}
CuResult cuMemsetD2D8Async(CuDevicePtr to, size_t pitch, unsigned char value, size_t width,
                           size_t height, CuStream) {
  ENTER(cuMemsetD2D8Async);
  return set(to, pitch, value, width, height);
}
CuResult cuMemsetD2D32Async(CuDevicePtr to, size_t pitch, unsigned value, size_t width,
                            size_t height, CuStream) {
  ENTER(cuMemsetD2D32Async);
  return set(to, pitch, value, width, height);
}
CuResult cuStreamCreate(CuStream *stream, unsigned) {
  ENTER(cuStreamCreate);
  return makeHandle(reinterpret_cast<void **>(stream));
}
CuResult cuStreamDestroy_v2(CuStream stream) {
  ENTER(cuStreamDestroy_v2);
  return dropHandle(stream);
}
CuResult cuStreamSynchronize(CuStream) {
  ENTER(cuStreamSynchronize);
  return state().capture ? cuErrorUnknown : cuSuccess;
}
CuResult cuStreamBeginCapture_v2(CuStream, int) {
  ENTER(cuStreamBeginCapture_v2);
  state().capture = new Graph;
  return cuSuccess;
}
CuResult cuStreamEndCapture(CuStream, CuGraph *graph) {
  Graph *captured = std::exchange(state().capture, nullptr); // a failure ends the capture too
  if (CuResult failed = enter("cuStreamEndCapture"); failed != cuSuccess) {
    delete captured;
    return failed;
  }
  *graph = reinterpret_cast<CuGraph>(captured);
  return cuSuccess;
}
CuResult cuGraphInstantiateWithFlags(CuGraphExec *exec, CuGraph graph, unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags);
  *exec = reinterpret_cast<CuGraphExec>(new Graph(*reinterpret_cast<Graph *>(graph)));
  return cuSuccess;
}
CuResult cuGraphLaunch(CuGraphExec exec, CuStream) {
  ENTER(cuGraphLaunch);
  for (auto &work : reinterpret_cast<Graph *>(exec)->work)
    if (CuResult failed = work(); failed != cuSuccess) return failed;
  return cuSuccess;
}
CuResult cuGraphDestroy(CuGraph graph) {
  ENTER(cuGraphDestroy);
  delete reinterpret_cast<Graph *>(graph);
  return cuSuccess;
}
CuResult cuGraphExecDestroy(CuGraphExec exec) {
  ENTER(cuGraphExecDestroy);
  delete reinterpret_cast<Graph *>(exec);
  return cuSuccess;
}
CuResult cuEventCreate(CuEvent *event, unsigned) {
  ENTER(cuEventCreate);
  return makeHandle(reinterpret_cast<void **>(event));
}
CuResult cuEventDestroy_v2(CuEvent event) {
  ENTER(cuEventDestroy_v2);
  return dropHandle(event);
}
CuResult cuEventRecord(CuEvent, CuStream) {
  ENTER(cuEventRecord);
  return cuSuccess;
}
CuResult cuEventSynchronize(CuEvent) {
  ENTER(cuEventSynchronize);
  return cuSuccess;
}
CuResult cuModuleLoadDataEx(CuModule *module, const void *, unsigned, int *, void **) {
  ENTER(cuModuleLoadDataEx);
  NEED_CONTEXT();
  return makeHandle(reinterpret_cast<void **>(module));
}
CuResult cuModuleUnload(CuModule module) {
  ENTER(cuModuleUnload);
  return dropHandle(module);
}
CuResult cuModuleGetFunction(CuFunction *function, CuModule, const char *name) {
  ENTER(cuModuleGetFunction);
  static std::map<std::string, int> names; // node addresses serve as handles
  *function = reinterpret_cast<CuFunction>(&*names.emplace(name, 0).first);
  return cuSuccess;
}
CuResult cuFuncSetAttribute(CuFunction, int, int) {
  ENTER(cuFuncSetAttribute);
  return cuSuccess;
}
CuResult cuLaunchKernel(CuFunction function, unsigned gridX, unsigned, unsigned, unsigned blockX,
                        unsigned, unsigned, unsigned, CuStream, void **params, void **) {
  ENTER(cuLaunchKernel);
  NEED_CONTEXT();
  if (reinterpret_cast<std::pair<const std::string, int> *>(function)->first != "addScalar")
    return cuSuccess;
  float *data = *static_cast<float **>(params[0]);
  const int64_t n = *static_cast<int64_t *>(params[1]);
  const float x = *static_cast<float *>(params[2]);
  const int64_t threads = static_cast<int64_t>(gridX) * blockX;
  return queue([=] {
    for (int64_t i = 0; i < n && i < threads; ++i) data[i] += x;
    return cuSuccess;
  });
}

} // extern "C"
