#pragma once

#include "sinter/runtime/Status.h"
#include "sinter/runtime/emulated/AsyncUnit.h"
#include "sinter/runtime/emulated/Fiber.h"
#include "sinter/runtime/emulated/shim/EmuAbi.h"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace sinter::runtime::emulated {

/// How one run of a grid picks what CUDA leaves open.
struct Schedule {
  uint64_t seed = 0;
  uint8_t sharedFill = 0xff; // every byte of shared memory at a block's start; 0xff.. reads as NaN
  bool copiesLate = true;    // asynchronous copies land when waited for, else when issued
};

/// What is launched.
struct Grid {
  sinter_emu::Dim3 blocks, threads;
  uint32_t dynamicSharedBytes = 0;
};

/// Runs the blocks of a grid one after the other, each with a fiber per thread that blocks.
///
/// A warp runs until all its lanes wait at a block barrier or have ended, warps in a seeded random
/// order and lanes in a seeded one: a kernel that lacks a barrier sees orders in which that shows
/// (fibers that advance in step hide it). A thread that never waits costs no switch: the fiber that
/// ran it takes the next.
class BlockRunner final : private AsyncUnit::Threads {
public:
  BlockRunner();
  BlockRunner(const BlockRunner &) = delete;
  BlockRunner &operator=(const BlockRunner &) = delete;

  /// The table of callbacks that a module's `sinterEmuHost` is to point at.
  sinter_emu::Host *host() { return &host_; }
  /// Runs the grid. On an error, the message says what happened and in which thread; whoever calls
  /// adds the kernel's name. Buffers are as the kernel left them.
  Status run(const sinter_emu::KernelInfo &kernel, std::span<const sinter_emu::Argument> arguments,
             const Grid &grid, const Schedule &schedule, std::span<const std::string> paramNames);

private:
  struct Thread;
  struct Worker {
    Fiber fiber;
    BlockRunner *runner = nullptr;
    Thread *assigned = nullptr;
    size_t index = 0;
    bool started = false;
  };
  struct PendingCopy {
    void *to;
    const void *from;
    unsigned bytes, some; // in all, and of them from `from`
    int group;
    void land() const;
  };
  struct Thread : sinter_emu::ThreadView {
    Worker *worker = nullptr; // holds the stack of a thread that waits
    unsigned warp = 0, lane = 0;
    sinter_emu::WarpRequest request;
    uint64_t result = 0;
    const char *file = nullptr; // of the block barrier it waits at
    int line = 0;
    std::vector<PendingCopy> copies;
    int copyGroup = 0;
    AsyncUnit::Request waits; // for what works beside the threads
  };
  // One bit per lane. Every existing lane is in exactly one of the last six.
  struct Warp {
    uint32_t existing = 0;
    uint32_t fresh = 0, ready = 0, atWarp = 0, atBarrier = 0, atEvent = 0, done = 0;
    uint32_t runnable() const { return fresh | ready; }
  };
  struct SharedArray {
    const void *site;
    sinter_emu::Region region;
  };

  void prepareThreads(const Grid &grid);
  void startBlock();
  void runBlock();
  /// The next thread to run, or null when the block is finished or failed.
  Thread *pick();
  Thread *takeLane(unsigned warp);
  bool releaseBarrier();
  void describeStandstill();
  void block(Thread &thread);              // leaves `thread` waiting and runs others
  void resume(Worker &from, Thread *next); // goes on with `next`, or back to the scheduler
  Worker *freeWorker();
  void completeWarp(unsigned warpIndex, uint32_t lanes, const sinter_emu::WarpRequest &request);
  /// Ends the launch from inside a thread, `failure_` being set. The stack is left as it is: whoever
  /// calls owns nothing that needs destroying.
  [[noreturn]] void abandon();
  std::string describeBadAccess(const sinter_emu::Region *region, long long offset, unsigned bytes,
                                unsigned align);
  std::string where(const Thread &thread) const;
  uint32_t random(uint32_t bound);

  unsigned currentRank() const override { return static_cast<const Thread *>(host_.current)->rank; }
  void wait(const AsyncUnit::Request &request) override;
  const AsyncUnit::Request *waitsFor(unsigned rank) const override;
  void release(unsigned rank) override;
  unsigned pickBelow(unsigned bound) override { return random(bound); }
  [[noreturn]] void fail(std::string message) override;
  Thread &current() { return *static_cast<Thread *>(host_.current); }

  static void workerMain(void *worker);
  static void onSyncBlock(sinter_emu::Host *, const char *file, int line);
  static unsigned long long onWarp(sinter_emu::Host *, const sinter_emu::WarpRequest *);
  static unsigned onActiveMask(sinter_emu::Host *);
  static const sinter_emu::Region *onShared(sinter_emu::Host *, const void *site,
                                            unsigned long long bytes, const char *name);
  static void onCopyAsync(sinter_emu::Host *, void *to, const void *from, unsigned bytes,
                          unsigned some);
  static void onCopyAsyncCommit(sinter_emu::Host *);
  static void onCopyAsyncWait(sinter_emu::Host *, int pending);
  static void onAsync(sinter_emu::Host *, const sinter_emu::AsyncRequest *);
  static void onWarpgroup(sinter_emu::Host *, const sinter_emu::WarpgroupRequest *);
  static unsigned onSharedAddress(sinter_emu::Host *, const void *at);
  static void onBadAccess(sinter_emu::Host *, const sinter_emu::Region *, long long offset,
                          unsigned bytes, unsigned align);
  static void onBadIndex(sinter_emu::Host *, const char *name, long long index, long long size);

  sinter_emu::Host host_;
  AsyncUnit async_{*this};
  const sinter_emu::KernelInfo *kernel_ = nullptr;
  std::span<const sinter_emu::Argument> arguments_;
  std::span<const std::string> paramNames_;
  Grid grid_;
  Schedule schedule_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  unsigned numWarps_ = 0, numThreads_ = 0, numDone_ = 0, numAtBarrier_ = 0;
  unsigned warp_ = 0; // the one that is running
  uint64_t randomState_ = 1;
  unsigned laneShift_ = 0;
  bool lanesDescend_ = false;

  Fiber scheduler_;
  StackPool stacks_;
  std::deque<Worker> workers_;
  std::vector<Worker *> free_;
  std::string failure_;

  // Shared memory as the device has it: at most 48 KiB of arrays, 227 KiB with the dynamic part.
  std::vector<char> staticMemory_, dynamicMemory_;
  std::deque<SharedArray> sharedArrays_;
  size_t sharedUsed_ = 0;
};

} // namespace sinter::runtime::emulated
