// Our declarations of the driver and of NVRTC against the toolkit's own, where it is installed.
#include "sinter/runtime/cuda/CudaApi.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <gtest/gtest.h>

#if defined(SINTER_HAVE_CUDA_H) && defined(SINTER_HAVE_NVRTC_H)
#include <cuda.h>
#include <nvrtc.h>

#include <cstddef>
#include <type_traits>

namespace {

using namespace sinter::runtime::cuda;

/// A type as the calling convention sees it: enumerations are their integers, pointers to them too.
template <class T> struct Abi { using type = T; };
template <class T>
requires std::is_enum_v<T>
struct Abi<T> {
  using type = int;
};
template <class T> struct Abi<T *> { using type = typename Abi<T>::type *; };
template <class T>
requires std::is_enum_v<T>
struct Abi<const T> {
  using type = const int;
};
template <class R, class... A> struct Abi<R(A...)> {
  using type = typename Abi<R>::type(typename Abi<A>::type...);
};
template <class T> using AbiOf = typename Abi<std::remove_pointer_t<T>>::type;

// cuda.h's macros turn the plain names into these; spelled with a suffix they are declared as such.
#define SINTER_CHECK(name, params)                                                                 \
  static_assert(std::is_same_v<AbiOf<decltype(CudaApi::name)>, AbiOf<decltype(&::name)>>, #name);
SINTER_CUDA_SYMBOLS(SINTER_CHECK)
#undef SINTER_CHECK

struct NvrtcSignatures {
#define SINTER_MEMBER(name, params) NvrtcResult(*name) params;
  SINTER_NVRTC_SYMBOLS(SINTER_MEMBER)
#undef SINTER_MEMBER
};
#define SINTER_CHECK(name, params)                                                                 \
  static_assert(std::is_same_v<AbiOf<decltype(NvrtcSignatures::name)>, AbiOf<decltype(&::name)>>,  \
                #name);
SINTER_NVRTC_SYMBOLS(SINTER_CHECK)
#undef SINTER_CHECK

static_assert(std::is_same_v<CuDevicePtr, CUdeviceptr> && std::is_same_v<CuDevice, CUdevice>);
static_assert(std::is_same_v<CuContext, CUcontext> && std::is_same_v<CuStream, CUstream>);
static_assert(std::is_same_v<CuModule, CUmodule> && std::is_same_v<CuFunction, CUfunction>);
static_assert(std::is_same_v<CuGraph, CUgraph> && std::is_same_v<CuGraphExec, CUgraphExec>);
static_assert(std::is_same_v<CuGraphNode, CUgraphNode>);
static_assert(std::is_same_v<CuEvent, CUevent> && std::is_same_v<CuMemPool, CUmemoryPool>);
static_assert(std::is_same_v<NvrtcProgram, nvrtcProgram> && sizeof(CUresult) == sizeof(CuResult));

static_assert(int(cuSuccess) == CUDA_SUCCESS &&
              int(cuErrorInvalidValue) == CUDA_ERROR_INVALID_VALUE);
static_assert(int(cuErrorOutOfMemory) == CUDA_ERROR_OUT_OF_MEMORY &&
              int(cuErrorNoDevice) == CUDA_ERROR_NO_DEVICE);
static_assert(int(cuErrorInvalidDevice) == CUDA_ERROR_INVALID_DEVICE &&
              int(cuErrorInvalidImage) == CUDA_ERROR_INVALID_IMAGE);
static_assert(int(cuErrorNoBinaryForGpu) == CUDA_ERROR_NO_BINARY_FOR_GPU &&
              int(cuErrorUnknown) == CUDA_ERROR_UNKNOWN);
static_assert(int(cuErrorIllegalAddress) == CUDA_ERROR_ILLEGAL_ADDRESS &&
              int(cuErrorLaunchFailed) == CUDA_ERROR_LAUNCH_FAILED);
static_assert(int(cuErrorNotInitialized) == CUDA_ERROR_NOT_INITIALIZED &&
              int(cuErrorDeinitialized) == CUDA_ERROR_DEINITIALIZED);
static_assert(int(cuErrorStubLibrary) == CUDA_ERROR_STUB_LIBRARY &&
              int(cuErrorDeviceUnavailable) == CUDA_ERROR_DEVICE_UNAVAILABLE);
static_assert(int(cuErrorInvalidContext) == CUDA_ERROR_INVALID_CONTEXT &&
              int(cuErrorEccUncorrectable) == CUDA_ERROR_ECC_UNCORRECTABLE);
static_assert(int(cuErrorInvalidPtx) == CUDA_ERROR_INVALID_PTX &&
              int(cuErrorJitCompilerNotFound) == CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
static_assert(int(cuErrorUnsupportedPtxVersion) == CUDA_ERROR_UNSUPPORTED_PTX_VERSION &&
              int(cuErrorNotFound) == CUDA_ERROR_NOT_FOUND);
static_assert(int(cuErrorNotReady) == CUDA_ERROR_NOT_READY &&
              int(cuErrorLaunchOutOfResources) == CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
static_assert(int(cuErrorLaunchTimeout) == CUDA_ERROR_LAUNCH_TIMEOUT &&
              int(cuErrorIllegalInstruction) == CUDA_ERROR_ILLEGAL_INSTRUCTION);
static_assert(int(cuErrorMisalignedAddress) == CUDA_ERROR_MISALIGNED_ADDRESS &&
              int(cuErrorSystemNotReady) == CUDA_ERROR_SYSTEM_NOT_READY);
static_assert(int(cuErrorSystemDriverMismatch) == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH &&
              int(cuErrorCompatNotSupported) == CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
static_assert(int(cuErrorCaptureUnsupported) == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED &&
              int(cuErrorCaptureInvalidated) == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
static_assert(int(cuErrorCaptureUnjoined) == CUDA_ERROR_STREAM_CAPTURE_UNJOINED &&
              int(cuErrorGraphUpdateFailure) == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
static_assert(unsigned(cuStreamSetCaptureDependencies) == CU_STREAM_SET_CAPTURE_DEPENDENCIES);
static_assert(int(cuLaunchProgrammaticSerialization) ==
              CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
static_assert(sizeof(LaunchAttribute) == sizeof(CUlaunchAttribute) &&
              offsetof(LaunchAttribute, value) == offsetof(CUlaunchAttribute, value));
static_assert(sizeof(LaunchConfig) == sizeof(CUlaunchConfig) &&
              offsetof(LaunchConfig, block) == offsetof(CUlaunchConfig, blockDimX) &&
              offsetof(LaunchConfig, sharedBytes) == offsetof(CUlaunchConfig, sharedMemBytes) &&
              offsetof(LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream) &&
              offsetof(LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs) &&
              offsetof(LaunchConfig, numAttributes) == offsetof(CUlaunchConfig, numAttrs));
static_assert(sizeof(CUgraphExecUpdateResultInfo) <= 64);
static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) &&
              alignof(TensorMap) >= alignof(CUtensorMap));
static_assert(int(cuTensorMapFloat16) == CU_TENSOR_MAP_DATA_TYPE_FLOAT16 &&
              int(cuTensorMapBfloat16) == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
static_assert(int(cuTensorMapInterleaveNone) == CU_TENSOR_MAP_INTERLEAVE_NONE &&
              int(cuTensorMapL2Promotion128) == CU_TENSOR_MAP_L2_PROMOTION_L2_128B &&
              int(cuTensorMapFillZeros) == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE &&
              CU_TENSOR_MAP_SWIZZLE_128B == 3);

static_assert(int(cuAttributeMultiprocessorCount) == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(int(cuAttributeComputeCapabilityMajor) ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(int(cuAttributeComputeCapabilityMinor) ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(int(cuAttributeMaxSharedPerBlockOptin) ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(int(cuAttributeMemoryPoolsSupported) == CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
static_assert(int(cuFuncMaxDynamicSharedBytes) == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(int(cuMemPoolReleaseThreshold) == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD);
static_assert(int(cuJitErrorLogBuffer) == CU_JIT_ERROR_LOG_BUFFER);
static_assert(int(cuJitErrorLogBufferBytes) == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
static_assert(int(cuCaptureThreadLocal) == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(int(cuStreamNonBlocking) == CU_STREAM_NON_BLOCKING &&
              int(cuEventDisableTiming) == CU_EVENT_DISABLE_TIMING);

TEST(ToolkitContract, ourDeclarationsAreTheToolkits) { SUCCEED(); }

} // namespace

#else

TEST(ToolkitContract, ourDeclarationsAreTheToolkits) {
  GTEST_SKIP() << "cuda.h or nvrtc.h was not found when this was built (SINTER_CUDA_INCLUDE, "
                  "SINTER_NVRTC_INCLUDE)";
}

#endif
