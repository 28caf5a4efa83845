#include "sinter/runtime/emulated/BlockRunner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/core.h>
#include <numeric>

namespace sinter::runtime::emulated {

using sinter_emu::Dim3;
using sinter_emu::Host;
using sinter_emu::Region;
using sinter_emu::WarpKind;
using sinter_emu::WarpRequest;

namespace {
constexpr size_t staticSharedLimit = 48 * 1024;
constexpr size_t sharedLimit = 227 * 1024;
constexpr size_t sharedAlign = 1024;

BlockRunner *runnerOf(Host *host) { return static_cast<BlockRunner *>(host->runner); }

char *alignedStart(std::vector<char> &memory) {
  return reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(memory.data()) + sharedAlign - 1) &
                                  ~(sharedAlign - 1));
}
} // namespace

BlockRunner::BlockRunner() {
  host_.runner = this;
  host_.syncBlock = onSyncBlock;
  host_.warp = onWarp;
  host_.activeMask = onActiveMask;
  host_.shared = onShared;
  host_.copyAsync = onCopyAsync;
  host_.copyAsyncCommit = onCopyAsyncCommit;
  host_.copyAsyncWait = onCopyAsyncWait;
  host_.async = onAsync;
  host_.warpgroup = onWarpgroup;
  host_.sharedAddress = onSharedAddress;
  host_.placeIn = onPlaceIn;
  host_.badAccess = onBadAccess;
  host_.badIndex = onBadIndex;
}

BlockRunner::Block::Block(BlockRunner &runner, unsigned number)
    : runner(runner), number(number), staticMemory(staticSharedLimit + sharedAlign),
      arrays(alignedStart(staticMemory)) {}

uint32_t BlockRunner::random(uint32_t bound) { // xorshift64*
  randomState_ ^= randomState_ >> 12;
  randomState_ ^= randomState_ << 25;
  randomState_ ^= randomState_ >> 27;
  return static_cast<uint32_t>((((randomState_ * 0x2545F4914F6CDD1Dull) >> 32) * bound) >> 32);
}

void BlockRunner::prepareBlocks(const Grid &grid) {
  numThreads_ = grid.threads.x * grid.threads.y * grid.threads.z;
  numWarps_ = (numThreads_ + 31) / 32;
  if (threads_.size() < size_t(numWarps_) * 32 * grid.cluster)
    threads_.resize(size_t(numWarps_) * 32 * grid.cluster);
  warps_.assign(size_t(numWarps_) * grid.cluster, {});
  while (blocks_.size() < grid.cluster)
    blocks_.emplace_back(*this, static_cast<unsigned>(blocks_.size()));
  while (blocks_.size() > grid.cluster) blocks_.pop_back();
  for (Block &block : blocks_) {
    block.dynamicMemory.resize(grid.dynamicSharedBytes + sharedAlign);
    block.dynamicShared = {alignedStart(block.dynamicMemory), grid.dynamicSharedBytes,
                           "dynamic shared memory", -1};
    for (unsigned rank = 0; rank < numThreads_; ++rank) {
      Thread &t = threadOf(block, rank);
      t.rank = rank;
      t.index = {rank % grid.threads.x, rank / grid.threads.x % grid.threads.y,
                 rank / grid.threads.x / grid.threads.y};
      t.block = &block;
      t.warp = block.number * numWarps_ + rank / 32;
      t.lane = rank % 32;
      warps_[t.warp].existing |= 1u << t.lane;
    }
  }
}

Status BlockRunner::run(const sinter_emu::KernelInfo &kernel,
                        std::span<const sinter_emu::Argument> arguments, const Grid &grid,
                        const Schedule &schedule, std::span<const std::string> paramNames) {
  kernel_ = &kernel;
  arguments_ = arguments;
  paramNames_ = paramNames;
  grid_ = grid;
  schedule_ = schedule;
  failure_.clear();
  randomState_ = schedule.seed * 0x9E3779B97F4A7C15ull + 0xD1B54A32D192ED03ull;
  if (!randomState_) randomState_ = 1;
  host_.blockSize = grid.threads;
  host_.gridSize = grid.blocks;
  prepareBlocks(grid);
  const size_t together = size_t(numThreads_) * grid.cluster;
  if (!stacks_.reserve(together))
    return {ErrorCode::outOfMemory,
            fmt::format("no memory for the stacks of {} emulated threads", together)};
  scheduler_.adoptThreadStack();
  // `free_` is rebuilt, so that the stacks of a launch that failed are used again.
  while (workers_.size() < together) {
    Worker &worker = workers_.emplace_back();
    worker.runner = this;
    worker.index = workers_.size() - 1;
  }
  free_.clear();
  for (size_t i = workers_.size(); i-- > 0;) free_.push_back(&workers_[i]);

  // Clusters in an order of the schedule's: a kernel may not lean on any.
  const uint64_t total = uint64_t(grid.blocks.x) * grid.blocks.y * grid.blocks.z / grid.cluster;
  uint64_t stride = 1, first = 0;
  if (schedule.seed != 0 && total > 1) {
    const auto bound = static_cast<uint32_t>(std::min<uint64_t>(total, 0xffffffffu));
    stride = 1 + random(bound);
    while (std::gcd(stride, total) != 1) ++stride;
    first = random(bound);
  }
  for (uint64_t i = 0; i < total; ++i) {
    runCluster((first + i * stride) % total * grid.cluster);
    if (!failure_.empty()) {
      for (Worker &worker : workers_) worker.started = false;
      for (Thread &thread : threads_) thread.copies.clear();
      sharedArrays_.clear();
      return {ErrorCode::deviceFailure, failure_};
    }
  }
  return {};
}

void BlockRunner::startCluster(uint64_t firstBlock) {
  numDone_ = numAtCluster_ = 0;
  for (Warp &warp : warps_) {
    warp.fresh = warp.existing;
    warp.ready = warp.atWarp = warp.atBarrier = warp.atEvent = warp.done = 0;
  }
  sharedArrays_.clear();
  sharedUsed_ = 0;
  for (Block &block : blocks_) {
    const uint64_t b = firstBlock + block.number;
    block.index = {static_cast<unsigned>(b % grid_.blocks.x),
                   static_cast<unsigned>(b / grid_.blocks.x % grid_.blocks.y),
                   static_cast<unsigned>(b / grid_.blocks.x / grid_.blocks.y)};
    block.numDone = block.numAtBarrier = 0;
    if (grid_.dynamicSharedBytes)
      std::memset(block.dynamicShared.base, schedule_.sharedFill, grid_.dynamicSharedBytes);
    block.async.startBlock(block.dynamicShared, numThreads_, schedule_.sharedFill,
                           schedule_.copiesLate);
  }
  const auto together = static_cast<unsigned>(blocks_.size());
  ahead_ = together > 1 ? random(together + 1) : together;
  laneShift_ = schedule_.seed ? random(32) : 0;
  lanesDescend_ = schedule_.seed && random(2);
  warp_ = random(static_cast<unsigned>(warps_.size()));
}

void BlockRunner::runCluster(uint64_t firstBlock) {
  startCluster(firstBlock);
  Thread *first = pick();
  Worker *worker = freeWorker();
  worker->assigned = first;
  Fiber::switchTo(scheduler_, worker->fiber);
}

BlockRunner::Worker *BlockRunner::freeWorker() {
  Worker *worker = free_.back();
  free_.pop_back();
  if (!worker->started) {
    const size_t i = worker->index;
    worker->fiber.start(stacks_.low(i), stacks_.usableBytes(i), workerMain, worker);
    worker->started = true;
  }
  return worker;
}

void BlockRunner::workerMain(void *argument) {
  auto *self = static_cast<Worker *>(argument);
  BlockRunner &runner = *self->runner;
  for (;;) {
    Thread *thread = self->assigned;
    thread->worker = self;
    runner.enter(*thread);
    thread->copyGroup = 0;
    runner.kernel_->invoke(runner.arguments_.data());
    runner.finish(*thread);
    Thread *next = runner.pick();
    if (next && !next->worker) {
      self->assigned = next; // a thread that did not wait: no switch at all
      continue;
    }
    runner.free_.push_back(self);
    runner.resume(*self, next);
  }
}

void BlockRunner::resume(Worker &from, Thread *next) {
  if (!next) return Fiber::switchTo(from.fiber, scheduler_);
  if (next->worker) {
    enter(*next);
    return Fiber::switchTo(from.fiber, next->worker->fiber);
  }
  Worker *worker = freeWorker();
  worker->assigned = next;
  Fiber::switchTo(from.fiber, worker->fiber);
}

void BlockRunner::block(Thread &thread) {
  Thread *next = pick();
  if (next == &thread) return;
  resume(*thread.worker, next);
  enter(thread);
}

void BlockRunner::enter(Thread &thread) {
  host_.current = &thread;
  host_.block = thread.block->index;
  host_.dynamicShared = thread.block->dynamicShared;
}

void BlockRunner::finish(Thread &thread) {
  thread.copies.clear(); // nobody can see what was never waited for
  Block &block = *thread.block;
  if (std::string left = block.async.leftBehind(thread.rank); !left.empty()) fail(std::move(left));
  warps_[thread.warp].done |= 1u << thread.lane;
  ++numDone_;
  if (++block.numDone < numThreads_) return;
  failure_ = block.async.leftBehind();
  if (!failure_.empty()) failure_ += ", in block " + text(block.index);
}

BlockRunner::Thread *BlockRunner::takeLane(unsigned index) {
  Warp &warp = warps_[index];
  const uint32_t set = std::rotr(warp.runnable(), static_cast<int>(laneShift_));
  const int at = lanesDescend_ ? 31 - std::countl_zero(set) : std::countr_zero(set);
  const unsigned lane = (static_cast<unsigned>(at) + laneShift_) & 31u;
  Thread &thread = threads_[index * 32 + lane];
  const uint32_t bit = 1u << lane;
  if (warp.fresh & bit) thread.worker = nullptr; // it has no stack yet
  warp.fresh &= ~bit;
  warp.ready &= ~bit;
  return &thread;
}

BlockRunner::Thread *BlockRunner::pick() {
  if (!failure_.empty()) return nullptr;
  if (warps_[warp_].runnable()) return takeLane(warp_);
  if (numDone_ == numThreads_ * blocks_.size()) return nullptr;
  // Copies for which threads wait land when nothing else can happen; in the block that is ahead, when nothing else can
  // happen there.
  bool moves = true;
  while (moves && failure_.empty()) {
    if (ahead_ < blocks_.size()) {
      Block &block = blocks_[ahead_];
      if (Thread *next = takeWarp(ahead_ * numWarps_, numWarps_)) return next;
      if (releaseBarrier(block) || (failure_.empty() && block.async.landOne())) continue;
      if (!failure_.empty()) break;
    }
    if (Thread *next = takeWarp(0, static_cast<unsigned>(warps_.size()))) return next;
    moves = releaseBarrier() || (failure_.empty() && (releaseCluster() || landOne()));
  }
  if (failure_.empty()) describeStandstill();
  return nullptr;
}

BlockRunner::Thread *BlockRunner::takeWarp(unsigned first, unsigned count) {
  const unsigned start = random(count);
  for (unsigned i = 0; i < count; ++i) {
    const unsigned index = first + (start + i) % count;
    if (!warps_[index].runnable()) continue;
    warp_ = index;
    return takeLane(index);
  }
  return nullptr;
}

bool BlockRunner::releaseBarrier() {
  for (Block &block : blocks_)
    if (releaseBarrier(block)) return true;
  return false;
}

bool BlockRunner::releaseBarrier(Block &block) {
  if (block.numAtBarrier != numThreads_) return false;
  const Thread &first = threadOf(block, 0);
  for (unsigned i = 1; i < numThreads_; ++i) {
    const Thread &t = threadOf(block, i);
    if (t.line != first.line || std::strcmp(t.file, first.file) != 0) {
      failure_ = fmt::format(
          "divergent barrier: thread {} waits at {}:{}, thread {} at {}:{}, in block {}",
          text(first.index), first.file, first.line, text(t.index), t.file, t.line,
          text(block.index));
      return false;
    }
  }
  for (unsigned i = 0; i < numWarps_; ++i) {
    Warp &warp = warps_[block.number * numWarps_ + i];
    warp.ready = warp.atBarrier;
    warp.atBarrier = 0;
  }
  block.numAtBarrier = 0;
  return true;
}

/// At a barrier of the cluster, threads that have returned are not waited for.
bool BlockRunner::releaseCluster() {
  if (!numAtCluster_ || numAtCluster_ + numDone_ != numThreads_ * blocks_.size()) return false;
  numAtCluster_ = 0;
  for (Warp &warp : warps_) {
    warp.ready |= warp.atEvent;
    warp.atEvent = 0;
  }
  return true;
}

bool BlockRunner::landOne() {
  const unsigned start = blocks_.size() > 1 ? random(static_cast<unsigned>(blocks_.size())) : 0;
  for (size_t i = 0; i < blocks_.size(); ++i)
    if (blocks_[(start + i) % blocks_.size()].async.landOne()) return true;
  return false;
}

void BlockRunner::abandon() {
  Worker &self = *current().worker;
  Fiber::switchTo(self.fiber, scheduler_); // nothing on this stack is ever destroyed
  std::abort();
}

void BlockRunner::wait(const AsyncUnit::Request &request) {
  Thread &t = current();
  t.waits = request;
  warps_[t.warp].atEvent |= 1u << t.lane;
  block(t);
}

const AsyncUnit::Request *BlockRunner::Block::waitsFor(unsigned rank) const {
  const Thread &t = runner.threadOf(*this, rank);
  return runner.warps_[t.warp].atEvent >> t.lane & 1 ? &t.waits : nullptr;
}

void BlockRunner::Block::release(unsigned rank) {
  const Thread &t = runner.threadOf(*this, rank);
  runner.warps_[t.warp].atEvent &= ~(1u << t.lane);
  runner.warps_[t.warp].ready |= 1u << t.lane;
}

AsyncUnit &BlockRunner::Block::unitOf(unsigned block) {
  if (block >= runner.blocks_.size())
    runner.fail(fmt::format("block {} of a cluster of {}", block, runner.blocks_.size()));
  if (runner.blocks_[block].numDone == runner.numThreads_)
    runner.fail(fmt::format("shared memory of block {} of the cluster, which has ended", block));
  return runner.blocks_[block].async;
}

void *BlockRunner::Block::placeIn(unsigned block, void *own) {
  (void)unitOf(block); // it is there
  Block &other = runner.blocks_[block];
  auto *at = static_cast<char *>(own);
  if (at >= dynamicShared.base && at < dynamicShared.base + dynamicShared.bytes)
    return other.dynamicShared.base + (at - dynamicShared.base);
  if (at >= arrays && at < arrays + staticSharedLimit) return other.arrays + (at - arrays);
  runner.fail("a place of another block's that is not in shared memory");
}

void BlockRunner::fail(std::string message) {
  failure_ = std::move(message) + "; " + where(current());
  abandon();
}

void BlockRunner::onAsync(Host *host, const sinter_emu::AsyncRequest *request) {
  BlockRunner &runner = *runnerOf(host);
  if (request->kind == sinter_emu::AsyncKind::syncCluster) {
    ++runner.numAtCluster_;
    return runner.wait(*request);
  }
  runner.current().block->async.request(*request);
}
void BlockRunner::onWarpgroup(Host *host, const sinter_emu::WarpgroupRequest *request) {
  runnerOf(host)->current().block->async.product(*request);
}
unsigned BlockRunner::onSharedAddress(Host *host, const void *at) {
  return runnerOf(host)->current().block->async.sharedAddress(at);
}
void *BlockRunner::onPlaceIn(Host *host, unsigned block, void *own) {
  return runnerOf(host)->current().block->placeIn(block, own);
}

void BlockRunner::onSyncBlock(Host *host, const char *file, int line) {
  BlockRunner &runner = *runnerOf(host);
  Thread &t = runner.current();
  t.file = file;
  t.line = line;
  runner.warps_[t.warp].atBarrier |= 1u << t.lane;
  ++t.block->numAtBarrier;
  runner.block(t);
}

const Region *BlockRunner::onShared(Host *host, const void *site, unsigned long long bytes,
                                    const char *name) {
  BlockRunner &runner = *runnerOf(host);
  const unsigned own = runner.current().block->number;
  for (SharedArray &array : runner.sharedArrays_)
    if (array.site == site) return &array.regions[own];
  const size_t offset = (runner.sharedUsed_ + 15) & ~size_t(15);
  if (offset + bytes > staticSharedLimit) {
    runner.failure_ = fmt::format("shared arrays need more than {} bytes (at '{}' of {} bytes)",
                                  staticSharedLimit, name, bytes);
    runner.abandon();
  }
  if (offset + bytes + runner.grid_.dynamicSharedBytes > sharedLimit) {
    runner.failure_ = fmt::format("shared memory of {} bytes exceeds {}",
                                  offset + bytes + runner.grid_.dynamicSharedBytes, sharedLimit);
    runner.abandon();
  }
  runner.sharedUsed_ = offset + bytes;
  SharedArray &array = runner.sharedArrays_.emplace_back(SharedArray{site, {}});
  for (Block &block : runner.blocks_) {
    std::memset(block.arrays + offset, runner.schedule_.sharedFill, bytes);
    array.regions.push_back({block.arrays + offset, bytes, name, -1});
  }
  return &array.regions[own];
}

void BlockRunner::PendingCopy::land() const {
  if (some) std::memcpy(to, from, some);
  std::memset(static_cast<char *>(to) + some, 0, bytes - some);
}

void BlockRunner::onCopyAsync(Host *host, void *to, const void *from, unsigned bytes,
                              unsigned some) {
  BlockRunner &runner = *runnerOf(host);
  Thread &t = runner.current();
  const PendingCopy copy{to, from, bytes, some, t.copyGroup};
  if (runner.schedule_.copiesLate)
    t.copies.push_back(copy);
  else
    copy.land();
}

void BlockRunner::onCopyAsyncCommit(Host *host) { ++runnerOf(host)->current().copyGroup; }

void BlockRunner::onCopyAsyncWait(Host *host, int pending) {
  Thread &t = runnerOf(host)->current();
  const int landed = t.copyGroup - pending; // groups below this number are waited for
  size_t kept = 0;
  for (const PendingCopy &copy : t.copies) {
    if (copy.group >= landed)
      t.copies[kept++] = copy;
    else
      copy.land();
  }
  t.copies.resize(kept);
}

} // namespace sinter::runtime::emulated
