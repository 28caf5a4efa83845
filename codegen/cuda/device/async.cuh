#pragma once

#include "sinter/memory.cuh"

// Copies from global to shared memory that do not pass through registers (cp.async, sm_80; PTX ISA,
// "Data Movement and Conversion Instructions: Non-bulk copy").
// Between `copyAsync` and the `copyAsyncWait` that covers it, neither side may be touched; after the
// wait a `__syncthreads` makes the bytes visible to the other threads.

namespace sinter {

#ifdef SINTER_EMULATION

template <int Bytes, class T, class S>
SINTER_DEVICE void copyAsync(sinter_emu::Ptr<T> to, sinter_emu::Ptr<S> from) {
  sinter_emu::copyAsync(to.checked(Bytes, Bytes), from.checked(Bytes, Bytes), Bytes);
}
template <int Bytes, class T, class S>
SINTER_DEVICE void copyAsyncOrZero(sinter_emu::Ptr<T> to, sinter_emu::Ptr<S> from, bool inBounds) {
  sinter_emu::copyAsync(to.checked(Bytes, Bytes), inBounds ? from.checked(Bytes, Bytes) : nullptr,
                        Bytes);
}
template <int Bytes, class T, class S>
SINTER_DEVICE void copyAsyncFirst(sinter_emu::Ptr<T> to, sinter_emu::Ptr<S> from, i64 count) {
  const unsigned bytes = static_cast<unsigned>(count * sizeof(S));
  sinter_emu::copyAsync(to.checked(Bytes, Bytes), bytes ? from.checked(bytes, Bytes) : nullptr,
                        Bytes, bytes);
}
SINTER_DEVICE void copyAsyncCommit() { sinter_emu::copyAsyncCommit(); }
template <int Pending> SINTER_DEVICE void copyAsyncWait() { sinter_emu::copyAsyncWait(Pending); }

#else

/// Copies Bytes (4, 8 or 16, aligned to that) per thread.
template <int Bytes, class T, class S> SINTER_DEVICE void copyAsync(T *to, S *from) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  u32 address = static_cast<u32>(__cvta_generic_to_shared(to));
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(from), "n"(Bytes)
                 : "memory");
#else
  using Word = typename WordOf<Bytes>::type;
  *reinterpret_cast<Word *>(to) = *reinterpret_cast<const Word *>(from);
#endif
}
/// The same, or zeros where not `inBounds` (`from` is not read then).
template <int Bytes, class T, class S>
SINTER_DEVICE void copyAsyncOrZero(T *to, S *from, bool inBounds) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  u32 address = static_cast<u32>(__cvta_generic_to_shared(to));
  u32 size = inBounds ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
                 "r"(size)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from),
                 "n"(Bytes), "r"(size)
                 : "memory");
#else
  using Word = typename WordOf<Bytes>::type;
  *reinterpret_cast<Word *>(to) = inBounds ? *reinterpret_cast<const Word *>(from) : Word{};
#endif
}
/// The same with the first `count` elements of `from`, and zeros for those behind them.
template <int Bytes, class T, class S>
SINTER_DEVICE void copyAsyncFirst(T *to, S *from, i64 count) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  u32 address = static_cast<u32>(__cvta_generic_to_shared(to));
  u32 size = static_cast<u32>(count) * sizeof(S);
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
                 "r"(size)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from),
                 "n"(Bytes), "r"(size)
                 : "memory");
#else
  for (int i = 0; i < static_cast<int>(Bytes / sizeof(T)); ++i) {
    if (i < count)
      to[i] = from[i];
    else
      memset(to + i, 0, sizeof(T));
  }
#endif
}
/// Closes the group of copies issued since the last commit.
SINTER_DEVICE void copyAsyncCommit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Waits until at most Pending groups of this thread are still under way.
template <int Pending> SINTER_DEVICE void copyAsyncWait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

#endif

} // namespace sinter
