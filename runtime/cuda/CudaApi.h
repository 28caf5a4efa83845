#pragma once

#include "sinter/runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

// The tags of cuda.h's handles, so that ours are the very same types where both are included.
struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUgraphNode_st;
struct CUgraphEdgeData_st;
struct CUgraphExecUpdateResultInfo_st;
struct CUlaunchConfig_st;
struct CUmemPoolHandle_st;
struct CUtensorMap_st;

/// The part of the CUDA driver's interface that the runtime uses, declared here so that no toolkit
/// is needed to build. Enumerations are `int` and unsigned flags, as the ABI passes them; a test
/// compares every line with cuda.h where that is installed.
namespace sinter::runtime::cuda {

using CuResult = int;
using CuDevice = int;
using CuDevicePtr = unsigned long long;
using CuContext = CUctx_st *;
using CuModule = CUmod_st *;
using CuFunction = CUfunc_st *;
using CuStream = CUstream_st *;
using CuEvent = CUevent_st *;
using CuGraph = CUgraph_st *;
using CuGraphExec = CUgraphExec_st *;
using CuGraphNode = CUgraphNode_st *;
using CuMemPool = CUmemPoolHandle_st *;

enum : CuResult {
  cuSuccess = 0,
  cuErrorInvalidValue = 1,
  cuErrorOutOfMemory = 2,
  cuErrorNotInitialized = 3,
  cuErrorDeinitialized = 4,
  cuErrorStubLibrary = 34,
  cuErrorDeviceUnavailable = 46,
  cuErrorNoDevice = 100,
  cuErrorInvalidDevice = 101,
  cuErrorInvalidImage = 200,
  cuErrorInvalidContext = 201,
  cuErrorNoBinaryForGpu = 209,
  cuErrorEccUncorrectable = 214,
  cuErrorInvalidPtx = 218,
  cuErrorJitCompilerNotFound = 221,
  cuErrorUnsupportedPtxVersion = 222,
  cuErrorNotFound = 500,
  cuErrorNotReady = 600,
  cuErrorIllegalAddress = 700,
  cuErrorLaunchOutOfResources = 701,
  cuErrorLaunchTimeout = 702,
  cuErrorIllegalInstruction = 715,
  cuErrorMisalignedAddress = 716,
  cuErrorLaunchFailed = 719,
  cuErrorSystemNotReady = 802,
  cuErrorSystemDriverMismatch = 803,
  cuErrorCompatNotSupported = 804,
  cuErrorCaptureUnsupported = 900,
  cuErrorCaptureInvalidated = 901,
  cuErrorCaptureUnjoined = 904,
  cuErrorGraphUpdateFailure = 910,
  cuErrorUnknown = 999
};
enum : int {
  cuAttributeMultiprocessorCount = 16,
  cuAttributeComputeCapabilityMajor = 75,
  cuAttributeComputeCapabilityMinor = 76,
  cuAttributeMaxSharedPerBlockOptin = 97,
  cuAttributeMemoryPoolsSupported = 115
};
enum : int { cuFuncMaxDynamicSharedBytes = 8 };
enum : int { cuMemPoolReleaseThreshold = 4 };
enum : int { cuJitErrorLogBuffer = 5, cuJitErrorLogBufferBytes = 6 };
enum : int { cuCaptureThreadLocal = 1 };
enum : unsigned {
  cuStreamNonBlocking = 1,
  cuEventDisableTiming = 2,
  cuStreamSetCaptureDependencies = 1
};
enum : int { cuLaunchProgrammaticSerialization = 6 };
enum : int {
  cuTensorMapFloat16 = 6,
  cuTensorMapBfloat16 = 9,
  cuTensorMapInterleaveNone = 0,
  cuTensorMapL2Promotion128 = 2,
  cuTensorMapFillZeros = 0
};

/// CUlaunchAttribute and CUlaunchConfig, by layout.
struct LaunchAttribute {
  int id = 0;
  char pad[4] = {};
  int value[16] = {}; // the union's 64 bytes
};
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  CuStream stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};

/// CUtensorMap, by layout.
struct alignas(128) TensorMap {
  uint64_t words[16] = {};
};

// X(name as exported, parameters). The suffixes are the ones cuda.h maps the plain names to; the
// plain symbols are older interfaces of the same name.
#define SINTER_CUDA_SYMBOLS(X)                                                                     \
  X(cuInit, (unsigned flags))                                                                      \
  X(cuDriverGetVersion, (int *version))                                                            \
  X(cuGetErrorName, (CuResult error, const char **name))                                           \
  X(cuGetErrorString, (CuResult error, const char **text))                                         \
  X(cuDeviceGetCount, (int *count))                                                                \
  X(cuDeviceGet, (CuDevice * device, int ordinal))                                                 \
  X(cuDeviceGetName, (char *name, int bytes, CuDevice device))                                     \
  X(cuDeviceGetAttribute, (int *value, int attribute, CuDevice device))                            \
  X(cuDeviceTotalMem_v2, (size_t * bytes, CuDevice device))                                        \
  X(cuDevicePrimaryCtxRetain, (CuContext * context, CuDevice device))                              \
  X(cuDevicePrimaryCtxRelease_v2, (CuDevice device))                                               \
  X(cuCtxSetCurrent, (CuContext context))                                                          \
  X(cuDeviceGetDefaultMemPool, (CuMemPool * pool, CuDevice device))                                \
  X(cuMemPoolSetAttribute, (CuMemPool pool, int attribute, void *value))                           \
  X(cuMemGetInfo_v2, (size_t * free, size_t * total))                                              \
  X(cuMemAlloc_v2, (CuDevicePtr * address, size_t bytes))                                          \
  X(cuMemFree_v2, (CuDevicePtr address))                                                           \
  X(cuMemAllocAsync, (CuDevicePtr * address, size_t bytes, CuStream stream))                       \
  X(cuMemFreeAsync, (CuDevicePtr address, CuStream stream))                                        \
  X(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))                                 \
  X(cuMemFreeHost, (void *memory))                                                                 \
  X(cuMemcpyHtoDAsync_v2, (CuDevicePtr to, const void *from, size_t bytes, CuStream stream))       \
  X(cuMemcpyDtoHAsync_v2, (void *to, CuDevicePtr from, size_t bytes, CuStream stream))             \
  X(cuMemcpyDtoDAsync_v2, (CuDevicePtr to, CuDevicePtr from, size_t bytes, CuStream stream))       \
  X(cuMemsetD8Async, (CuDevicePtr to, unsigned char value, size_t n, CuStream stream))             \
  X(cuMemsetD16Async, (CuDevicePtr to, unsigned short value, size_t n, CuStream stream))           \
  X(cuMemsetD32Async, (CuDevicePtr to, unsigned value, size_t n, CuStream stream))                 \
  X(cuMemsetD2D8Async, (CuDevicePtr to, size_t pitch, unsigned char value, size_t width,           \
                        size_t height, CuStream stream))                                           \
  X(cuMemsetD2D32Async,                                                                            \
    (CuDevicePtr to, size_t pitch, unsigned value, size_t width, size_t height, CuStream stream))  \
  X(cuStreamCreate, (CuStream * stream, unsigned flags))                                           \
  X(cuStreamDestroy_v2, (CuStream stream))                                                         \
  X(cuStreamSynchronize, (CuStream stream))                                                        \
  X(cuStreamBeginCapture_v2, (CuStream stream, int mode))                                          \
  X(cuStreamEndCapture, (CuStream stream, CuGraph * graph))                                        \
  X(cuStreamGetCaptureInfo_v3,                                                                     \
    (CuStream stream, int *status, uint64_t *id, CuGraph *graph, const CuGraphNode **nodes,        \
     const CUgraphEdgeData_st **edges, size_t *numNodes))                                          \
  X(cuStreamUpdateCaptureDependencies_v2,                                                          \
    (CuStream stream, CuGraphNode * nodes, const CUgraphEdgeData_st *edges, size_t numNodes,       \
     unsigned flags))                                                                              \
  X(cuStreamWaitEvent, (CuStream stream, CuEvent event, unsigned flags))                           \
  X(cuEventCreate, (CuEvent * event, unsigned flags))                                              \
  X(cuEventDestroy_v2, (CuEvent event))                                                            \
  X(cuEventRecord, (CuEvent event, CuStream stream))                                               \
  X(cuEventSynchronize, (CuEvent event))                                                           \
  X(cuModuleLoadDataEx,                                                                            \
    (CuModule * module, const void *image, unsigned numOptions, int *options, void **values))      \
  X(cuModuleUnload, (CuModule module))                                                             \
  X(cuModuleGetFunction, (CuFunction * function, CuModule module, const char *name))               \
  X(cuFuncSetAttribute, (CuFunction function, int attribute, int value))                           \
  X(cuLaunchKernel, (CuFunction function, unsigned gridX, unsigned gridY, unsigned gridZ,          \
                     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,      \
                     CuStream stream, void **params, void **extra))                                \
  X(cuLaunchKernelEx,                                                                              \
    (const CUlaunchConfig_st *config, CuFunction function, void **params, void **extra))           \
  X(cuTensorMapEncodeTiled,                                                                        \
    (CUtensorMap_st * map, int type, unsigned rank, void *address, const uint64_t *sizes,          \
     const uint64_t *strides, const unsigned *box, const unsigned *elementStrides, int interleave, \
     int swizzle, int l2Promotion, int fill))                                                      \
  X(cuGraphInstantiateWithFlags, (CuGraphExec * exec, CuGraph graph, unsigned long long flags))    \
  X(cuGraphExecUpdate_v2,                                                                          \
    (CuGraphExec exec, CuGraph graph, CUgraphExecUpdateResultInfo_st * result))                    \
  X(cuGraphLaunch, (CuGraphExec exec, CuStream stream))                                            \
  X(cuGraphDestroy, (CuGraph graph))                                                               \
  X(cuGraphExecDestroy, (CuGraphExec exec))

/// The driver's functions, opened at run time.
struct CudaApi {
#define SINTER_CUDA_MEMBER(name, params) CuResult(*name) params = nullptr;
  SINTER_CUDA_SYMBOLS(SINTER_CUDA_MEMBER)
#undef SINTER_CUDA_MEMBER

  /// Opens `path`, or $SINTER_CUDA_LIB, or libcuda.so.1. Fails without a driver library, and with
  /// one that lacks a function, naming it. Calls nothing.
  static Result<std::shared_ptr<const CudaApi>> open(std::string path = {});

  /// "cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY (out of memory): use a smaller batch, ...", the last
  /// part being `advice`; success is an ok Status.
  Status check(CuResult result, const char *call) const;
  std::string errorName(CuResult result) const;
  /// What a person can do about an error.
  static const char *advice(CuResult result);

  CudaApi() = default;
  CudaApi(const CudaApi &) = delete;
  CudaApi &operator=(const CudaApi &) = delete;
  ~CudaApi();

private:
  void *library_ = nullptr;
};

} // namespace sinter::runtime::cuda
