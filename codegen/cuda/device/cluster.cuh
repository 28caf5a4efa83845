#pragma once

#include "sinter/bulk.cuh"

// Clusters (sm_90): blocks that run together on neighbouring multiprocessors and reach each other's shared memory. In a
// kernel with `__cluster_dims__(N, 1, 1)` block b of the grid is number b % N of its cluster. Shared memory of another
// block is named by what lies in the same place of one's own (PTX ISA, "mapa", "barrier.cluster"); it is there between two
// `clusterSync`, the first and the last thing that blocks do with each other.

namespace sinter {

#ifdef SINTER_EMULATION

SINTER_DEVICE void clusterSync(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::syncCluster};
  request.file = file, request.line = line;
  sinter_emu::async(request);
}
template <class P> SINTER_DEVICE void barrierArriveAt(P barriers, i64 i, i64 block) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::barrierArrive};
  request.blocks = 1u << block;
  sinter_emu::barrier(request, (barriers + i).checked(8, 8), 0);
}
template <class P>
SINTER_DEVICE void barrierWaitCluster(P barriers, i64 i, u32 parity,
                                      const char *file = __builtin_FILE(),
                                      int line = __builtin_LINE()) {
  barrierWait(barriers, i, parity, file, line);
}
template <int Blocks, class P, class B>
SINTER_DEVICE void bulkLoadTo(P to, i64 at, const TensorMap &map, B barriers, i64 i, i64 c0, i64 c1,
                              i64 c2) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::bulkLoad};
  request.shared = (to + at).checked(map.boxBytes(), 128);
  request.barrier = (barriers + i).checked(8, 8);
  request.blocks = Blocks;
  sinter_emu::bulk(request, map, c0, c1, c2);
}
template <int Blocks, class T, class P> SINTER_DEVICE void clusterGather(T (&all)[Blocks], P own) {
  void *place = own.checked(sizeof(T), alignof(T));
  for (unsigned block = 0; block < Blocks; ++block)
    all[block] = *static_cast<const T *>(sinterEmuHost->placeIn(sinterEmuHost, block, place));
}
template <int Blocks, int N, class P>
SINTER_DEVICE void clusterSums(f32 (&sums)[N], P own, i64 at) {
  void *place = (own + at).checked(N * 4, N % 4 ? 4 : 16);
  for (unsigned block = 0; block < Blocks; ++block) {
    auto *part = static_cast<const f32 *>(sinterEmuHost->placeIn(sinterEmuHost, block, place));
    for (int i = 0; i < N; ++i) sums[i] = block ? sums[i] + part[i] : part[i];
  }
}

#else

/// A barrier of all threads of the cluster that have not returned; what they wrote before it is seen by all after it.
SINTER_DEVICE void clusterSync() {
  asm volatile("barrier.cluster.arrive.release;\n\t"
               "barrier.cluster.wait.acquire;" ::: "memory");
}
/// Arrives at barrier `i` of the cluster's block `block`.
template <class B> SINTER_DEVICE void barrierArriveAt(B *barriers, int i, u32 block) {
  asm volatile("{\n\t.reg .b32 %%there;\n\t"
               "mapa.shared::cluster.u32 %%there, %0, %1;\n\t"
               "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%%there];\n\t}" ::"r"(
                   sharedAddress(barriers + i)),
               "r"(block)
               : "memory");
}
/// `barrierWait` at a barrier at which other blocks arrive, too.
template <class B> SINTER_DEVICE void barrierWaitCluster(B *barriers, int i, u32 parity) {
  u32 address = sharedAddress(barriers + i), ended;
  do
    asm volatile("{\n\t.reg .pred %%ended;\n\t"
                 "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %%ended, [%1], %2;\n\t"
                 "selp.u32 %0, 1, 0, %%ended;\n\t}"
                 : "=r"(ended)
                 : "r"(address), "r"(parity)
                 : "memory");
  while (!ended);
}
/// Sends for a box as `bulkLoad` does, to the same place of all blocks of the cluster whose bits are in `Blocks`; barrier
/// `i` of each counts the bytes that come there.
template <int Blocks, class T, class B>
SINTER_DEVICE void bulkLoadTo(T *to, i64 at, const TensorMap &map, B *barriers, int i, int c0,
                              int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
               ".multicast::cluster [%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(
                   sharedAddress(to + at)),
               "l"(&map), "r"(sharedAddress(barriers + i)), "r"(c0), "r"(c1), "r"(c2),
               "h"(static_cast<u16>(Blocks))
               : "memory");
}
/// An element of the shared memory of another block, at an address that `mapa` gave.
template <class T> SINTER_DEVICE T loadOfCluster(u32 address) {
  static_assert(sizeof(T) == 1 || sizeof(T) == 4 || sizeof(T) == 8, "bytes, words and pairs");
  if constexpr (sizeof(T) == 8) {
    u64 bits;
    asm volatile("ld.shared::cluster.b64 %0, [%1];" : "=l"(bits) : "r"(address) : "memory");
    return bitCast<T>(bits);
  } else if constexpr (sizeof(T) == 4) {
    u32 bits;
    asm volatile("ld.shared::cluster.b32 %0, [%1];" : "=r"(bits) : "r"(address) : "memory");
    return bitCast<T>(bits);
  } else {
    u32 bits;
    asm volatile("ld.shared::cluster.u8 %0, [%1];" : "=r"(bits) : "r"(address) : "memory");
    return static_cast<T>(bits);
  }
}
/// Sums of what all blocks of a cluster of `Blocks` have in the place of N neighbours, in the order of the blocks.
template <int Blocks, int N> SINTER_DEVICE void clusterSums(f32 (&sums)[N], f32 *own, i64 at) {
  f32 part[N];
#pragma unroll
  for (u32 block = 0; block < Blocks; ++block) {
    u32 there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
                 : "=r"(there)
                 : "r"(sharedAddress(own + at)), "r"(block));
    if constexpr (N % 4 == 0) {
#pragma unroll
      for (int i = 0; i < N; i += 4)
        asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                     : "=f"(part[i]), "=f"(part[i + 1]), "=f"(part[i + 2]), "=f"(part[i + 3])
                     : "r"(there + 4 * i)
                     : "memory");
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) part[i] = loadOfCluster<f32>(there + 4 * i);
    }
#pragma unroll
    for (int i = 0; i < N; ++i) sums[i] = block ? sums[i] + part[i] : part[i];
  }
}
/// What all blocks of a cluster of `Blocks` have in the place of `own`, in their order.
template <int Blocks, class T> SINTER_DEVICE void clusterGather(T (&all)[Blocks], const T *own) {
#pragma unroll
  for (u32 block = 0; block < Blocks; ++block) {
    u32 there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
                 : "=r"(there)
                 : "r"(sharedAddress(own)), "r"(block));
    all[block] = loadOfCluster<T>(there);
  }
}

#endif

} // namespace sinter
