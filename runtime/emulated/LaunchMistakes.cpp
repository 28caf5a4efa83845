#include "sinter/runtime/emulated/BlockRunner.h"

#include <bit>
#include <fmt/core.h>

// What the emulated device says of a launch that goes wrong.

namespace sinter::runtime::emulated {

using sinter_emu::Dim3;
using sinter_emu::Host;
using sinter_emu::Region;
using sinter_emu::WarpKind;

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
void BlockRunner::describeStandstill() {
  for (const Block &block : blocks_)
    for (unsigned i = 0; i < numThreads_; ++i)
      if (const AsyncUnit::Request *waits = block.waitsFor(i)) {
        failure_ = fmt::format("standstill: thread {} waits for {}, in block {}",
                               text(threadOf(block, i).index), block.async.describe(*waits),
                               text(block.index));
        return;
      }
  for (const Block &block : blocks_)
    if (block.numDone < numThreads_) return describeStandstill(block);
}

/// Somebody waits for threads that will not come: names one of each kind.
void BlockRunner::describeStandstill(const Block &block) {
  std::string waiting, missing;
  for (unsigned i = 0; i < numThreads_; ++i) {
    const Thread &t = threadOf(block, i);
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
      const Thread &t = threadOf(block, i);
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
                         text(block.index));
}

std::string BlockRunner::where(const Thread &thread) const {
  return fmt::format("thread {} of block {}", text(thread.index), text(thread.block->index));
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
  BlockRunner &runner = *static_cast<BlockRunner *>(host->runner);
  runner.failure_ = runner.describeBadAccess(region, offset, bytes, align);
  runner.abandon();
}

void BlockRunner::onBadIndex(Host *host, const char *name, long long index, long long size) {
  BlockRunner &runner = *static_cast<BlockRunner *>(host->runner);
  {
    runner.failure_ =
        fmt::format("out of bounds: index {} of shared array '{}', whose extent is {}, by {}",
                    index, name, size, runner.where(runner.current()));
    runner.abandon();
  }
}

} // namespace sinter::runtime::emulated
