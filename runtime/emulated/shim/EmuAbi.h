#pragma once

// What the emulated device and the kernels compiled for it share. Read by both sides: includes
// nothing, and is embedded as text for the host compiler.

namespace sinter_emu {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

/// A range of memory that one pointer may reach: a pointer parameter or a shared array.
struct Region {
  char *base = nullptr;
  unsigned long long bytes = 0;
  const char *name = nullptr; // of a shared array
  int param = -1;             // of a pointer parameter
};

/// The part of a thread's state that kernels read.
struct ThreadView {
  Dim3 index;
  unsigned rank = 0; // in its block, x fastest
};

enum class WarpKind : unsigned {
  sync,
  together,
  shuffle,
  shuffleUp,
  shuffleDown,
  shuffleXor,
  ballot,
  any,
  all
};

/// What a lane brings to a warp-wide operation.
struct WarpRequest {
  WarpKind kind = WarpKind::sync;
  unsigned mask = 0;
  unsigned long long value = 0;
  int argument = 0, width = 32;
  const char *file = nullptr;
  int line = 0;
  // together: run once for the warp, over the addresses that its 32 lanes bring as values.
  void (*work)(void *const *lanes) = nullptr;
};

/// A tensor in global memory as bulk copies see it: what cuTensorMapEncodeTiled is told. Dimension 0 is that of
/// neighbours.
struct TensorMap {
  char *base = nullptr;
  unsigned long long size[3] = {1, 1, 1};   // in elements
  unsigned long long stride[3] = {0, 0, 0}; // in bytes
  unsigned box[3] = {1, 1, 1};
  unsigned elementBytes = 1;
  unsigned swizzle = 0; // CUtensorMapSwizzle: 0 none, 3 by 128 bytes
  unsigned boxBytes() const { return box[0] * box[1] * box[2] * elementBytes; }
};

enum class AsyncKind : unsigned {
  barrierInit,
  barrierExpect,
  barrierArrive,
  barrierWait,
  fenceBarriers,
  fenceCopies,
  syncWarps,
  bulkLoad,
  bulkStore,
  bulkCommit,
  bulkWaitRead,
  bulkWait,
  wgmmaFence,
  wgmmaCommit,
  wgmmaWait,
  syncCluster
};

/// What a thread asks of what works beside it.
struct AsyncRequest {
  AsyncKind kind = AsyncKind::barrierInit;
  void *shared = nullptr;
  void *barrier = nullptr;
  const TensorMap *map = nullptr;
  int at[3] = {0, 0, 0};
  unsigned count = 0; // threads, bytes, a phase's parity, or groups that may be under way
  // Bits of the cluster's blocks in whose shared memory the places are meant; none: only one's own.
  unsigned blocks = 0;
  const char *file = nullptr;
  int line = 0;
};

/// Shared memory as products see it.
struct SharedView {
  const char *base;
  unsigned start; // the address of its first byte
  unsigned long long bytes;
  bool *outside; // set by a read outside of it
  unsigned short word(unsigned address) const {
    unsigned long long offset = address - static_cast<unsigned long long>(start);
    if (address < start || offset + 2 > bytes) {
      *outside = true;
      return 0;
    }
    return static_cast<unsigned short>(static_cast<unsigned char>(base[offset]) |
                                       static_cast<unsigned char>(base[offset + 1]) << 8);
  }
};

/// What a thread brings to a product of its warpgroup.
struct WarpgroupRequest {
  float *sums = nullptr;           // its own
  unsigned long long a = 0, b = 0; // descriptors
  bool add = false;
  void (*work)(const WarpgroupRequest *const *threads, const SharedView &shared) = nullptr;
  const char *file = nullptr;
  int line = 0;
};

/// The scheduler, as kernels see it. One per loaded module; a launch runs on one thread of the
/// operating system, so nothing here is shared.
struct Host {
  ThreadView *current = nullptr;
  Dim3 block, blockSize, gridSize;
  Region dynamicShared;
  void *runner = nullptr;
  void (*syncBlock)(Host *, const char *file, int line) = nullptr;
  unsigned long long (*warp)(Host *, const WarpRequest *) = nullptr;
  unsigned (*activeMask)(Host *) = nullptr;
  const Region *(*shared)(Host *, const void *site, unsigned long long bytes,
                          const char *name) = nullptr;
  // The first `some` of `bytes` bytes come from `from`, zeros follow.
  void (*copyAsync)(Host *, void *to, const void *from, unsigned bytes, unsigned some) = nullptr;
  void (*copyAsyncCommit)(Host *) = nullptr;
  void (*copyAsyncWait)(Host *, int pending) = nullptr;
  void (*async)(Host *, const AsyncRequest *) = nullptr;
  void (*warpgroup)(Host *, const WarpgroupRequest *) = nullptr;
  unsigned (*sharedAddress)(Host *, const void *) = nullptr;
  // The place in the shared memory of another block of the cluster that `own` is in one's own.
  void *(*placeIn)(Host *, unsigned block, void *own) = nullptr;
  // Neither returns: the launch ends with an error.
  void (*badAccess)(Host *, const Region *, long long offset, unsigned bytes,
                    unsigned align) = nullptr;
  void (*badIndex)(Host *, const char *name, long long index, long long size) = nullptr;
};

/// One argument of a launch: a region for pointers, bits for scalars.
struct Argument {
  const Region *region = nullptr;
  unsigned long long bits = 0;
  const TensorMap *map = nullptr;
};

enum class ParamKind : unsigned char { scalar, pointer, rawPointer, tensorMap };
struct ParamInfo {
  ParamKind kind;
  bool writable;         // a pointer to non-const
  unsigned elementBytes; // of the pointee, or of the scalar
};

struct KernelInfo {
  const char *name;
  void (*invoke)(const Argument *);
  const ParamInfo *params;
  int numParams;
};

} // namespace sinter_emu
