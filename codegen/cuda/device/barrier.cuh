#pragma once

#include "sinter/types.cuh"

// Barriers in shared memory that count threads and bytes (mbarrier), barriers of some warps, and what orders memory
// between threads and asynchronous copies (sm_90). A barrier's phases are numbered 0, 1, ...; one ends when as many
// threads have arrived as it was made for and all bytes that it expects have come, and the next begins (PTX ISA, "Parallel
// Synchronization and Communication Instructions: mbarrier").

namespace sinter {

#ifdef SINTER_EMULATION

template <class P> SINTER_DEVICE void barrierInit(P barriers, i64 i, u32 arrivals) {
  sinter_emu::barrier({sinter_emu::AsyncKind::barrierInit}, (barriers + i).checked(8, 8), arrivals);
}
template <class P> SINTER_DEVICE void barrierExpect(P barriers, i64 i, u32 bytes) {
  sinter_emu::barrier({sinter_emu::AsyncKind::barrierExpect}, (barriers + i).checked(8, 8), bytes);
}
template <class P> SINTER_DEVICE void barrierArrive(P barriers, i64 i) {
  sinter_emu::barrier({sinter_emu::AsyncKind::barrierArrive}, (barriers + i).checked(8, 8), 0);
}
template <class P>
SINTER_DEVICE void barrierWait(P barriers, i64 i, u32 parity, const char *file = __builtin_FILE(),
                               int line = __builtin_LINE()) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::barrierWait};
  request.file = file, request.line = line;
  sinter_emu::barrier(request, (barriers + i).checked(8, 8), parity);
}
SINTER_DEVICE void barrierFence() {
  sinter_emu::async({sinter_emu::AsyncKind::fenceBarriers});
}
SINTER_DEVICE void copyFence() { sinter_emu::async({sinter_emu::AsyncKind::fenceCopies}); }
template <int Threads>
SINTER_DEVICE void syncWarps(i64 id, const char *file = __builtin_FILE(),
                             int line = __builtin_LINE()) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::syncWarps};
  request.count = Threads, request.at[0] = static_cast<int>(id);
  request.file = file, request.line = line;
  sinter_emu::async(request);
}
template <int Registers> SINTER_DEVICE void giveRegisters() {}
template <int Registers> SINTER_DEVICE void takeRegisters() {}

#else

template <class T> SINTER_DEVICE u32 sharedAddress(T *p) {
  return static_cast<u32>(__cvta_generic_to_shared(p));
}

/// Makes barrier `i`, whose phases end when `arrivals` threads have come. One thread does, before anybody else uses it.
template <class B> SINTER_DEVICE void barrierInit(B *barriers, int i, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(barriers + i)),
               "r"(arrivals)
               : "memory");
}
/// Arrives, and makes the phase wait for `bytes` more of asynchronous copies.
template <class B> SINTER_DEVICE void barrierExpect(B *barriers, int i, u32 bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barriers + i)),
      "r"(bytes)
      : "memory");
}
template <class B> SINTER_DEVICE void barrierArrive(B *barriers, int i) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(sharedAddress(barriers + i))
               : "memory");
}
/// Waits until the phase of this parity (its number's lowest bit) has ended: of the phase under way or the one before.
/// Before the first phase has ended, that of parity 1 counts as ended.
template <class B> SINTER_DEVICE void barrierWait(B *barriers, int i, u32 parity) {
  u32 address = sharedAddress(barriers + i), ended;
  do
    asm volatile("{\n\t.reg .pred %%ended;\n\t"
                 "mbarrier.try_wait.parity.shared::cta.b64 %%ended, [%1], %2;\n\t"
                 "selp.u32 %0, 1, 0, %%ended;\n\t}"
                 : "=r"(ended)
                 : "r"(address), "r"(parity)
                 : "memory");
  while (!ended);
}
/// Shows barriers that were made to asynchronous copies. The thread that made them calls it.
SINTER_DEVICE void barrierFence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/// Shows what this thread has written to shared memory to asynchronous copies and products that come after a barrier.
SINTER_DEVICE void copyFence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/// A barrier of `Threads` threads, whole warps; `id` is 1 to 15 (`__syncthreads` is 0).
template <int Threads> SINTER_DEVICE void syncWarps(int id) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(Threads) : "memory");
}
/// Leaves a warp with fewer registers than it was started with, or waits until there are more for it. A whole
/// warpgroup does (128 threads that begin at a multiple of 128).
template <int Registers> SINTER_DEVICE void giveRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
template <int Registers> SINTER_DEVICE void takeRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

#endif

} // namespace sinter
