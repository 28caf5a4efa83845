// The driver's functions over a machine that is a model of a GPU's queues: the device, its context and memory, and what
// tests say. Any call can be made to fail; a call that gives something back gives it back even then.
#include "FakeCalls.h"

#include <cstring>

using namespace sinter::fake;

std::unique_ptr<Driver> &sinter::fake::driver() {
  static auto made = std::make_unique<Driver>();
  return made;
}

/// Counts the call and says whether it is to fail.
CuResult sinter::fake::enter(const char *name) {
  ++driver()->calls[name];
  auto found = driver()->failures.find(name);
  if (found == driver()->failures.end()) return cuSuccess;
  if (found->second.skip-- > 0) return cuSuccess;
  const int code = found->second.code;
  driver()->failures.erase(found);
  return code;
}

extern "C" {

void fakeFailNext(const char *name, int code, int skip) { driver()->failures[name] = {code, skip}; }
void fakeReset() { driver() = std::make_unique<Driver>(); }
int fakeCalls(const char *name) { return driver()->calls[name]; }
int fakeLive() {
  return static_cast<int>(machine().memory.size() + machine().live.size()) + machine().contexts;
}
void fakeSetDevice(int count, int capability, int memoryPools, unsigned long long memoryBytes) {
  Machine &m = machine();
  m.count = count, m.capability = capability, m.memoryPools = memoryPools,
  m.totalBytes = memoryBytes;
}
void fakeSetLazy(int lazy) { machine().lazy = lazy != 0; }
void fakeSetKernels(const Kernels *kernels) { machine().kernels = kernels; }
const char *fakeRace() { return machine().race.c_str(); }
void fakeGraphShape(int *nodes, int *edges, int *programmatic, int *depth) {
  const auto &shape = machine().lastGraph;
  *nodes = shape[0], *edges = shape[1], *programmatic = shape[2], *depth = shape[3];
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
  *name = nullptr;
  ENTER(cuGetErrorName);
  static const std::map<int, const char *> names = {{1, "CUDA_ERROR_INVALID_VALUE"},
                                                    {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                    {34, "CUDA_ERROR_STUB_LIBRARY"},
                                                    {100, "CUDA_ERROR_NO_DEVICE"},
                                                    {201, "CUDA_ERROR_INVALID_CONTEXT"},
                                                    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
                                                    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
                                                    {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
                                                    {719, "CUDA_ERROR_LAUNCH_FAILED"},
                                                    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
                                                    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
                                                    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
                                                    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"},
                                                    {910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE"},
                                                    {999, "CUDA_ERROR_UNKNOWN"}};
  auto found = names.find(error);
  *name = found == names.end() ? nullptr : found->second;
  return *name ? cuSuccess : cuErrorInvalidValue;
}
CuResult cuGetErrorString(CuResult, const char **text) {
  *text = nullptr;
  ENTER(cuGetErrorString);
  *text = "as the test wanted";
  return cuSuccess;
}
CuResult cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount);
  *count = machine().count;
  return cuSuccess;
}
CuResult cuDeviceGet(CuDevice *device, int ordinal) {
  ENTER(cuDeviceGet);
  *device = ordinal;
  return ordinal < machine().count ? cuSuccess : cuErrorInvalidDevice;
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
    *value = machine().capability / 10;
    return cuSuccess;
  case cuAttributeComputeCapabilityMinor:
    *value = machine().capability % 10;
    return cuSuccess;
  case cuAttributeMaxSharedPerBlockOptin:
    *value = 227 * 1024;
    return cuSuccess;
  case cuAttributeMemoryPoolsSupported:
    *value = machine().memoryPools;
    return cuSuccess;
  default:
    return cuErrorInvalidValue;
  }
}
CuResult cuDeviceTotalMem_v2(size_t *bytes, CuDevice) {
  ENTER(cuDeviceTotalMem_v2);
  *bytes = machine().totalBytes;
  return cuSuccess;
}
CuResult cuDevicePrimaryCtxRetain(CuContext *context, CuDevice) {
  ENTER(cuDevicePrimaryCtxRetain);
  ++machine().contexts;
  *context = reinterpret_cast<CuContext>(uintptr_t(16));
  return cuSuccess;
}
CuResult cuDevicePrimaryCtxRelease_v2(CuDevice) {
  CuResult failed = enter("cuDevicePrimaryCtxRelease_v2");
  --machine().contexts;
  return failed;
}
CuResult cuCtxSetCurrent(CuContext context) {
  ENTER(cuCtxSetCurrent);
  machine().current = context != nullptr;
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
  *total = machine().totalBytes, *free = *total - machine().usedBytes;
  return cuSuccess;
}
CuResult cuMemAlloc_v2(CuDevicePtr *address, size_t bytes) {
  ENTER(cuMemAlloc_v2);
  NEED_CONTEXT();
  NOT_IN_CAPTURE();
  return machine().allocate(address, bytes);
}
CuResult cuMemFree_v2(CuDevicePtr address) { // waits for the device
  CuResult failed = enter("cuMemFree_v2");
  failed = either(failed, machine().drain());
  return either(failed, machine().release(address));
}
CuResult cuMemAllocAsync(CuDevicePtr *address, size_t bytes, CuStream stream) {
  ENTER(cuMemAllocAsync);
  NEED_CONTEXT();
  NOT_IN_CAPTURE();
  if (CuResult failed = machine().allocate(address, bytes); failed != cuSuccess) return failed;
  return machine().queue(of(stream), {"an allocation", {writes(*address, bytes)}, nullptr});
}
CuResult cuMemFreeAsync(CuDevicePtr address, CuStream stream) {
  CuResult failed = enter("cuMemFreeAsync");
  auto found = machine().memory.find(address);
  if (found == machine().memory.end()) return cuErrorInvalidValue;
  auto run = [address] { return machine().release(address); };
  return either(failed,
                machine().queue(of(stream), {"a release", {writes(address, found->second)}, run}));
}
CuResult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  ENTER(cuMemHostAlloc);
  *memory = std::malloc(bytes);
  machine().live.insert(*memory);
  machine().pinned[*memory] = bytes;
  return cuSuccess;
}
CuResult cuMemFreeHost(void *memory) {
  CuResult failed = enter("cuMemFreeHost");
  machine().pinned.erase(memory);
  return either(failed, dropHandle(memory));
}

} // extern "C"
