#include "sinter/runtime/emulated/BlockRunner.h"

#include <bit>
#include <fmt/core.h>

// What the lanes of a warp do together.

namespace sinter::runtime::emulated {

using sinter_emu::Host;
using sinter_emu::WarpKind;
using sinter_emu::WarpRequest;

unsigned BlockRunner::onActiveMask(Host *host) {
  BlockRunner &runner = *static_cast<BlockRunner *>(host->runner);
  const Warp &warp = runner.warps_[runner.current().warp];
  return warp.existing & ~warp.done;
}

unsigned long long BlockRunner::onWarp(Host *host, const WarpRequest *request) {
  BlockRunner &runner = *static_cast<BlockRunner *>(host->runner);
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

} // namespace sinter::runtime::emulated
