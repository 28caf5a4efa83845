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
  // Neither returns: the launch ends with an error.
  void (*badAccess)(Host *, const Region *, long long offset, unsigned bytes,
                    unsigned align) = nullptr;
  void (*badIndex)(Host *, const char *name, long long index, long long size) = nullptr;
};

/// One argument of a launch: a region for pointers, bits for scalars.
struct Argument {
  const Region *region = nullptr;
  unsigned long long bits = 0;
};

enum class ParamKind : unsigned char { scalar, pointer, rawPointer };
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
