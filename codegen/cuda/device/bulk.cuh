#pragma once

#include "sinter/barrier.cuh"

// Boxes of tensors between global and shared memory, copied by a unit of their own (TMA, sm_90; PTX ISA, "Data Movement
// and Conversion Instructions: Tensor copy", "Swizzling Modes"). What a box covers
// beyond its tensor arrives as zeros and is not stored. With a swizzle of 128 bytes, box rows have 128 bytes, and the
// word of 16 bytes at address a lies at a xor (a / 128 % 8) * 16.

namespace sinter {

#ifdef SINTER_EMULATION

using TensorMap = sinter_emu::TensorMap;

template <class P, class B>
SINTER_DEVICE void bulkLoad(P to, i64 at, const TensorMap &map, B barriers, i64 i, i64 c0, i64 c1,
                            i64 c2) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::bulkLoad};
  request.shared = (to + at).checked(map.boxBytes(), 128);
  request.barrier = (barriers + i).checked(8, 8);
  sinter_emu::bulk(request, map, c0, c1, c2);
}
template <class P>
SINTER_DEVICE void bulkStore(const TensorMap &map, P from, i64 at, i64 c0, i64 c1, i64 c2) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::bulkStore};
  request.shared = (from + at).checked(map.boxBytes(), 128);
  sinter_emu::bulk(request, map, c0, c1, c2);
}
SINTER_DEVICE void bulkCommit() { sinter_emu::async({sinter_emu::AsyncKind::bulkCommit}); }
template <int Pending> SINTER_DEVICE void bulkWaitRead() {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::bulkWaitRead};
  request.count = Pending;
  sinter_emu::async(request);
}
template <int Pending> SINTER_DEVICE void bulkWait() {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::bulkWait};
  request.count = Pending;
  sinter_emu::async(request);
}
SINTER_DEVICE void prefetchMap(const TensorMap &) {}

#else

/// What the driver encodes (CUtensorMap): a parameter of the kernel, `const __grid_constant__`.
struct alignas(128) TensorMap {
  u64 words[16];
};

/// Sends for the box at element (c2, c1, c0), c0 along neighbours, which comes to element `at` of shared memory; barrier
/// `i` counts its bytes.
template <class T, class B>
SINTER_DEVICE void bulkLoad(T *to, i64 at, const TensorMap &map, B *barriers, int i, int c0, int c1,
                            int c2) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(sharedAddress(to + at)),
               "l"(&map), "r"(sharedAddress(barriers + i)), "r"(c0), "r"(c1), "r"(c2)
               : "memory");
}
/// Sends the box at element `at` of shared memory to the tensor.
template <class T>
SINTER_DEVICE void bulkStore(const TensorMap &map, T *from, i64 at, int c0, int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group "
               "[%0, {%2, %3, %4}], [%1];" ::"l"(&map),
               "r"(sharedAddress(from + at)), "r"(c0), "r"(c1), "r"(c2)
               : "memory");
}
/// Closes the group of this thread's stores since the last commit.
SINTER_DEVICE void bulkCommit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// Waits until at most Pending groups of this thread have yet to read shared memory, or to be done at all.
template <int Pending> SINTER_DEVICE void bulkWaitRead() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}
template <int Pending> SINTER_DEVICE void bulkWait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
}
SINTER_DEVICE void prefetchMap(const TensorMap &map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

#endif

} // namespace sinter
