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

std::string text(const Dim3 &d) { return fmt::format("({}, {}, {})", d.x, d.y, d.z); }

const char *nameOf(WarpKind kind) {
  switch (kind) {
  case WarpKind::sync:
    return "__syncwarp";
  case WarpKind::together:
    return "a warp's matrix operation";
  case WarpKind::shuffle:
    return "__shfl_sync";
  case WarpKind::shuffleUp:
    return "__shfl_up_sync";
  case WarpKind::shuffleDown:
    return "__shfl_down_sync";
  case WarpKind::shuffleXor:
    return "__shfl_xor_sync";
  case WarpKind::ballot:
    return "__ballot_sync";
  case WarpKind::any:
    return "__any_sync";
  case WarpKind::all:
    return "__all_sync";
  }
  return "?";
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
  host_.badAccess = onBadAccess;
  host_.badIndex = onBadIndex;
  staticMemory_.resize(staticSharedLimit + sharedAlign);
}

uint32_t BlockRunner::random(uint32_t bound) { // xorshift64*
  randomState_ ^= randomState_ >> 12;
  randomState_ ^= randomState_ << 25;
  randomState_ ^= randomState_ >> 27;
  return static_cast<uint32_t>((((randomState_ * 0x2545F4914F6CDD1Dull) >> 32) * bound) >> 32);
}

void BlockRunner::prepareThreads(const Grid &grid) {
  numThreads_ = grid.threads.x * grid.threads.y * grid.threads.z;
  numWarps_ = (numThreads_ + 31) / 32;
  if (threads_.size() < numThreads_) threads_.resize(numThreads_);
  warps_.assign(numWarps_, {});
  for (unsigned rank = 0; rank < numThreads_; ++rank) {
    Thread &t = threads_[rank];
    t.rank = rank;
    t.index = {rank % grid.threads.x, rank / grid.threads.x % grid.threads.y,
               rank / grid.threads.x / grid.threads.y};
    t.warp = rank / 32;
    t.lane = rank % 32;
    warps_[t.warp].existing |= 1u << t.lane;
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
  prepareThreads(grid);
  if (!stacks_.reserve(numThreads_))
    return {ErrorCode::outOfMemory,
            fmt::format("no memory for the stacks of {} emulated threads", numThreads_)};
  scheduler_.adoptThreadStack();
  // `free_` is rebuilt, so that the stacks of a launch that failed are used again.
  while (workers_.size() < numThreads_) {
    Worker &worker = workers_.emplace_back();
    worker.runner = this;
    worker.index = workers_.size() - 1;
  }
  free_.clear();
  for (size_t i = workers_.size(); i-- > 0;) free_.push_back(&workers_[i]);

  dynamicMemory_.resize(grid.dynamicSharedBytes + sharedAlign);
  auto base =
      (reinterpret_cast<uintptr_t>(dynamicMemory_.data()) + sharedAlign - 1) & ~(sharedAlign - 1);
  host_.dynamicShared = {reinterpret_cast<char *>(base), grid.dynamicSharedBytes,
                         "dynamic shared memory", -1};

  // Blocks in an order of the schedule's: a kernel may not lean on any.
  const uint64_t total = uint64_t(grid.blocks.x) * grid.blocks.y * grid.blocks.z;
  uint64_t stride = 1, first = 0;
  if (schedule.seed != 0 && total > 1) {
    const auto bound = static_cast<uint32_t>(std::min<uint64_t>(total, 0xffffffffu));
    stride = 1 + random(bound);
    while (std::gcd(stride, total) != 1) ++stride;
    first = random(bound);
  }
  for (uint64_t i = 0; i < total; ++i) {
    const uint64_t b = (first + i * stride) % total;
    host_.block = {static_cast<unsigned>(b % grid.blocks.x),
                   static_cast<unsigned>(b / grid.blocks.x % grid.blocks.y),
                   static_cast<unsigned>(b / grid.blocks.x / grid.blocks.y)};
    runBlock();
    if (!failure_.empty()) {
      for (Worker &worker : workers_) worker.started = false;
      for (Thread &thread : threads_) thread.copies.clear();
      sharedArrays_.clear();
      return {ErrorCode::deviceFailure, failure_};
    }
  }
  return {};
}

void BlockRunner::startBlock() {
  numDone_ = numAtBarrier_ = 0;
  for (Warp &warp : warps_) {
    warp.fresh = warp.existing;
    warp.ready = warp.atWarp = warp.atBarrier = warp.atEvent = warp.done = 0;
  }
  sharedArrays_.clear();
  sharedUsed_ = 0;
  if (grid_.dynamicSharedBytes)
    std::memset(host_.dynamicShared.base, schedule_.sharedFill, grid_.dynamicSharedBytes);
  async_.startBlock(host_.dynamicShared, numThreads_, schedule_.sharedFill, schedule_.copiesLate);
  laneShift_ = schedule_.seed ? random(32) : 0;
  lanesDescend_ = schedule_.seed && random(2);
  warp_ = random(numWarps_);
}

void BlockRunner::runBlock() {
  startBlock();
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
    runner.host_.current = thread;
    thread->worker = self;
    thread->copyGroup = 0;
    runner.kernel_->invoke(runner.arguments_.data());
    if (!thread->copies.empty()) // nobody can see what was never waited for
      thread->copies.clear();
    if (std::string left = runner.async_.leftBehind(thread->rank); !left.empty())
      runner.fail(std::move(left));
    runner.warps_[thread->warp].done |= 1u << thread->lane;
    ++runner.numDone_;
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
    host_.current = next;
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
  host_.current = &thread;
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
  if (warps_[warp_].runnable()) return takeLane(warp_);
  if (numDone_ == numThreads_) {
    failure_ = async_.leftBehind();
    if (!failure_.empty()) failure_ += ", in block " + text(host_.block);
    return nullptr;
  }
  // Copies for which threads wait land when nothing else can happen.
  do {
    const unsigned start = random(numWarps_);
    for (unsigned i = 0; i < numWarps_; ++i) {
      const unsigned index = (start + i) % numWarps_;
      if (warps_[index].runnable()) {
        warp_ = index;
        return takeLane(index);
      }
    }
  } while (failure_.empty() && (releaseBarrier() || async_.landOne()));
  if (failure_.empty()) describeStandstill();
  return nullptr;
}

bool BlockRunner::releaseBarrier() {
  if (numAtBarrier_ != numThreads_) return false;
  const Thread &first = threads_[0];
  for (unsigned i = 1; i < numThreads_; ++i) {
    const Thread &t = threads_[i];
    if (t.line != first.line || std::strcmp(t.file, first.file) != 0) {
      failure_ = fmt::format(
          "divergent barrier: thread {} waits at {}:{}, thread {} at {}:{}, in block {}",
          text(first.index), first.file, first.line, text(t.index), t.file, t.line,
          text(host_.block));
      return false;
    }
  }
  for (Warp &warp : warps_) {
    warp.ready = warp.atBarrier;
    warp.atBarrier = 0;
  }
  numAtBarrier_ = 0;
  return true;
}

void BlockRunner::describeStandstill() {
  for (unsigned i = 0; i < numThreads_; ++i)
    if (const AsyncUnit::Request *waits = waitsFor(i)) {
      failure_ = fmt::format("standstill: thread {} waits for {}, in block {}",
                             text(threads_[i].index), async_.describe(*waits), text(host_.block));
      return;
    }
  // Somebody waits for threads that will not come: name one of each kind.
  std::string waiting, missing;
  for (unsigned i = 0; i < numThreads_; ++i) {
    const Thread &t = threads_[i];
    const Warp &warp = warps_[t.warp];
    const uint32_t bit = 1u << t.lane;
    if (warp.atBarrier & bit) {
      if (waiting.empty())
        waiting =
            fmt::format("thread {} waits at __syncthreads ({}:{})", text(t.index), t.file, t.line);
    } else if (missing.empty()) {
      if (warp.done & bit)
        missing = fmt::format("thread {} has returned", text(t.index));
      else if (warp.atWarp & bit)
        missing =
            fmt::format("thread {} waits at {} ({}:{}) with mask {:#010x}", text(t.index),
                        nameOf(t.request.kind), t.request.file, t.request.line, t.request.mask);
    }
  }
  if (waiting.empty()) { // only warp-wide operations: find the lanes that disagree
    for (unsigned i = 0; i < numThreads_; ++i) {
      const Thread &t = threads_[i];
      if (warps_[t.warp].atWarp & (1u << t.lane)) {
        const uint32_t absent = t.request.mask & warps_[t.warp].existing & ~warps_[t.warp].atWarp;
        waiting =
            fmt::format("thread {} waits at {} ({}:{}) with mask {:#010x}", text(t.index),
                        nameOf(t.request.kind), t.request.file, t.request.line, t.request.mask);
        missing = absent ? fmt::format("lane {} of its warp has returned", std::countr_zero(absent))
                         : "other lanes of the mask wait at another operation or with another mask";
        break;
      }
    }
  }
  failure_ = fmt::format("divergent barrier: {}, but {}, in block {}", waiting, missing,
                         text(host_.block));
}

std::string BlockRunner::where(const Thread &thread) const {
  return fmt::format("thread {} of block {}", text(thread.index), text(host_.block));
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

const AsyncUnit::Request *BlockRunner::waitsFor(unsigned rank) const {
  return warps_[rank / 32].atEvent >> rank % 32 & 1 ? &threads_[rank].waits : nullptr;
}

void BlockRunner::release(unsigned rank) {
  warps_[rank / 32].atEvent &= ~(1u << rank % 32);
  warps_[rank / 32].ready |= 1u << rank % 32;
}

void BlockRunner::fail(std::string message) {
  failure_ = std::move(message) + "; " + where(current());
  abandon();
}

void BlockRunner::onAsync(Host *host, const sinter_emu::AsyncRequest *request) {
  runnerOf(host)->async_.request(*request);
}
void BlockRunner::onWarpgroup(Host *host, const sinter_emu::WarpgroupRequest *request) {
  runnerOf(host)->async_.product(*request);
}
unsigned BlockRunner::onSharedAddress(Host *host, const void *at) {
  return runnerOf(host)->async_.sharedAddress(at);
}

void BlockRunner::onSyncBlock(Host *host, const char *file, int line) {
  BlockRunner &runner = *runnerOf(host);
  Thread &t = runner.current();
  t.file = file;
  t.line = line;
  runner.warps_[t.warp].atBarrier |= 1u << t.lane;
  ++runner.numAtBarrier_;
  runner.block(t);
}

unsigned BlockRunner::onActiveMask(Host *host) {
  BlockRunner &runner = *runnerOf(host);
  const Warp &warp = runner.warps_[runner.current().warp];
  return warp.existing & ~warp.done;
}

unsigned long long BlockRunner::onWarp(Host *host, const WarpRequest *request) {
  BlockRunner &runner = *runnerOf(host);
  Thread &t = runner.current();
  Warp &warp = runner.warps_[t.warp];
  const uint32_t bit = 1u << t.lane;
  if (!(request->mask & bit)) {
    runner.failure_ = fmt::format(
        "{} ({}:{}) with mask {:#010x} is called by lane {}, which the mask leaves out; {}",
        nameOf(request->kind), request->file, request->line, request->mask, t.lane,
        runner.where(t));
    runner.abandon();
  }
  t.request = *request;
  warp.atWarp |= bit;
  // The last lane to arrive does the work for all of them and goes on without a switch.
  const uint32_t lanes = request->mask & warp.existing;
  if ((warp.atWarp & lanes) == lanes) {
    bool agree = true;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      const WarpRequest &other = runner.threads_[t.warp * 32 + std::countr_zero(rest)].request;
      agree = agree && other.kind == request->kind && other.mask == request->mask &&
              other.work == request->work;
    }
    if (agree) {
      runner.completeWarp(t.warp, lanes, *request);
      warp.atWarp &= ~lanes;
      warp.ready |= lanes & ~bit;
      return t.result;
    }
  }
  runner.block(t);
  return t.result;
}

void BlockRunner::completeWarp(unsigned warpIndex, uint32_t lanes, const WarpRequest &request) {
  Thread *warpThreads = &threads_[warpIndex * 32];
  if (request.kind == WarpKind::sync) return;
  if (request.kind == WarpKind::together) {
    if (lanes != 0xffffffffu) {
      failure_ = fmt::format("{} ({}:{}) needs 32 lanes, the warp has {}; {}", nameOf(request.kind),
                             request.file, request.line, std::popcount(lanes), where(current()));
      abandon();
    }
    void *brought[32];
    for (unsigned lane = 0; lane < 32; ++lane)
      brought[lane] = reinterpret_cast<void *>(warpThreads[lane].request.value);
    return request.work(brought);
  }
  if (request.kind >= WarpKind::ballot) {
    uint32_t set = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      const int lane = std::countr_zero(rest);
      set |= static_cast<uint32_t>(warpThreads[lane].request.value & 1) << lane;
    }
    const uint64_t result = request.kind == WarpKind::ballot ? set
                            : request.kind == WarpKind::any  ? set != 0
                                                             : set == lanes;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      warpThreads[std::countr_zero(rest)].result = result;
    return;
  }
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    Thread &t = warpThreads[lane];
    const int width = t.request.width, argument = t.request.argument, start = lane & ~(width - 1);
    int source = lane;
    switch (request.kind) {
    case WarpKind::shuffle:
      source = start + (argument & (width - 1));
      break;
    case WarpKind::shuffleUp:
      source = lane - argument < start ? lane : lane - argument;
      break;
    case WarpKind::shuffleDown:
      source = lane + argument >= start + width ? lane : lane + argument;
      break;
    default:
      source = (lane ^ argument) >= start + width ? lane : lane ^ argument;
      break;
    }
    if (!(lanes >> source & 1)) {
      failure_ =
          fmt::format("{} ({}:{}) reads lane {}, which takes no part; {}", nameOf(request.kind),
                      t.request.file, t.request.line, source, where(t));
      abandon();
    }
    t.result = warpThreads[source].request.value;
  }
}

const Region *BlockRunner::onShared(Host *host, const void *site, unsigned long long bytes,
                                    const char *name) {
  BlockRunner &runner = *runnerOf(host);
  for (SharedArray &array : runner.sharedArrays_)
    if (array.site == site) return &array.region;
  auto base = (reinterpret_cast<uintptr_t>(runner.staticMemory_.data()) + sharedAlign - 1) &
              ~(sharedAlign - 1);
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
  char *memory = reinterpret_cast<char *>(base) + offset;
  std::memset(memory, runner.schedule_.sharedFill, bytes);
  return &runner.sharedArrays_.emplace_back(SharedArray{site, {memory, bytes, name, -1}}).region;
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

std::string BlockRunner::describeBadAccess(const Region *region, long long offset, unsigned bytes,
                                           unsigned align) {
  const std::string who = where(current());
  if (!region) return "access through a null pointer by " + who;
  std::string what = region->name ? fmt::format("shared array '{}'", region->name)
                                  : fmt::format("parameter {}", region->param);
  if (region->param >= 0 && static_cast<size_t>(region->param) < paramNames_.size())
    what += fmt::format(" '{}'", paramNames_[region->param]);
  if (offset >= 0 && static_cast<unsigned long long>(offset) + bytes <= region->bytes)
    return fmt::format("misaligned access: {} bytes at byte {} of {} need alignment {}, by {}",
                       bytes, offset, what, align, who);
  return fmt::format(
      "out of bounds: {} bytes at byte {} of {}, which has {} bytes (index {} of {}), by {}", bytes,
      offset, what, region->bytes, offset / static_cast<long long>(bytes), region->bytes / bytes,
      who);
}

void BlockRunner::onBadAccess(Host *host, const Region *region, long long offset, unsigned bytes,
                              unsigned align) {
  BlockRunner &runner = *runnerOf(host);
  runner.failure_ = runner.describeBadAccess(region, offset, bytes, align);
  runner.abandon();
}

void BlockRunner::onBadIndex(Host *host, const char *name, long long index, long long size) {
  BlockRunner &runner = *runnerOf(host);
  {
    runner.failure_ =
        fmt::format("out of bounds: index {} of shared array '{}', whose extent is {}, by {}",
                    index, name, size, runner.where(runner.current()));
    runner.abandon();
  }
}

} // namespace sinter::runtime::emulated
