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
  unsigned cluster = 1; // blocks that run together: neighbours along x
};

/// "(1, 0, 0)".
std::string text(const sinter_emu::Dim3 &d);
/// The CUDA function that an operation of a warp is.
const char *nameOf(sinter_emu::WarpKind kind);

/// Runs the clusters of a grid one after the other, which are single blocks in most, with a fiber per thread that waits.
///
/// A warp runs until all its lanes wait at a block barrier or have ended, warps in a seeded random
/// order and lanes in a seeded one: a kernel that lacks a barrier sees orders in which that shows
/// (fibers that advance in step hide it). A thread that never waits costs no switch: the fiber that
/// ran it takes the next.
class BlockRunner {
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
  struct Block;
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
    Block *block = nullptr;
    unsigned warp = 0, lane = 0; // a warp of the cluster's
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
  /// A shared array: in the same place in every block of a cluster.
  struct SharedArray {
    const void *site;
    std::vector<sinter_emu::Region> regions; // of each block
  };
  /// One of the blocks that run together: its memory, and what works beside its threads.
  struct Block final : AsyncUnit::Threads {
    explicit Block(BlockRunner &runner, unsigned number);
    unsigned currentRank() const override { return runner.current().rank; }
    void wait(const AsyncUnit::Request &request) override { runner.wait(request); }
    const AsyncUnit::Request *waitsFor(unsigned rank) const override;
    void release(unsigned rank) override;
    unsigned pickBelow(unsigned bound) override { return runner.random(bound); }
    AsyncUnit &unitOf(unsigned block) override;
    void *placeIn(unsigned block, void *own) override;
    [[noreturn]] void fail(std::string message) override { runner.fail(std::move(message)); }

    BlockRunner &runner;
    unsigned number; // in its cluster
    AsyncUnit async{*this};
    sinter_emu::Dim3 index;
    sinter_emu::Region dynamicShared;
    unsigned numDone = 0, numAtBarrier = 0;
    // Shared memory as the device has it: at most 48 KiB of arrays, 227 KiB with the dynamic part.
    std::vector<char> staticMemory, dynamicMemory;
    char *arrays = nullptr; // the first byte of arrays, aligned
  };

  void prepareBlocks(const Grid &grid);
  void startCluster(uint64_t firstBlock);
  void runCluster(uint64_t firstBlock);
  /// The next thread to run, or null when the cluster is finished or failed.
  Thread *pick();
  Thread *takeLane(unsigned warp);
  /// A thread of one of `count` warps, or null when all of them wait.
  Thread *takeWarp(unsigned first, unsigned count);
  bool releaseBarrier();
  bool releaseBarrier(Block &block);
  bool releaseCluster();
  bool landOne();
  void describeStandstill();
  void describeStandstill(const Block &block);
  void block(Thread &thread);              // leaves `thread` waiting and runs others
  void enter(Thread &thread);              // from now on `thread` runs
  void finish(Thread &thread);             // which has returned
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

  void wait(const AsyncUnit::Request &request);
  [[noreturn]] void fail(std::string message); // in the current thread
  Thread &current() const { return *static_cast<Thread *>(host_.current); }
  /// The thread in lane `rank % 32` of a warp, by its number in a block.
  Thread &threadOf(const Block &block, unsigned rank) {
    return threads_[block.number * numWarps_ * 32 + rank];
  }

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
  static void *onPlaceIn(sinter_emu::Host *, unsigned block, void *own);
  static void onBadAccess(sinter_emu::Host *, const sinter_emu::Region *, long long offset,
                          unsigned bytes, unsigned align);
  static void onBadIndex(sinter_emu::Host *, const char *name, long long index, long long size);

  sinter_emu::Host host_;
  const sinter_emu::KernelInfo *kernel_ = nullptr;
  std::span<const sinter_emu::Argument> arguments_;
  std::span<const std::string> paramNames_;
  Grid grid_;
  Schedule schedule_;
  std::deque<Block> blocks_;    // of a cluster
  std::vector<Thread> threads_; // 32 for each warp
  std::vector<Warp> warps_;
  unsigned numWarps_ = 0, numThreads_ = 0;  // of a block
  unsigned numDone_ = 0, numAtCluster_ = 0; // of the cluster
  unsigned warp_ = 0;                       // the one that is running
  /// The block of the cluster that is as far ahead of the others as it may be; their number: none.
  unsigned ahead_ = 0;
  uint64_t randomState_ = 1;
  unsigned laneShift_ = 0;
  bool lanesDescend_ = false;

  Fiber scheduler_;
  StackPool stacks_;
  std::deque<Worker> workers_;
  std::vector<Worker *> free_;
  std::string failure_;

  std::deque<SharedArray> sharedArrays_; // of the cluster
  size_t sharedUsed_ = 0;
};

} // namespace sinter::runtime::emulated
