#pragma once

#include "sinter/types.cuh"

// How a kernel stands to those before and after it.

namespace sinter {

/// The first thing that a kernel does which may be started before those that it depends on have ended
/// (programmatic dependent launch, sm_90): lets the kernels after this one be set up, and waits until those before
/// it are done and what they wrote is there.
SINTER_DEVICE void awaitEarlierKernels() {
#if !defined(SINTER_EMULATION) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

} // namespace sinter
