#include "sinter/runtime/cpu/ThreadPool.h"
#include "sinter/runtime/Environment.h"
#include "sinter/runtime/cpu/Cores.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sinter::runtime {
namespace {

// Enough chunks to balance uneven ones over many cores, few enough that taking one costs nothing.
constexpr int64_t maxChunks = 256;
// About 20 microseconds: the gap between two launches of a step, not between two steps.
constexpr int spins = 500;

void pauseBriefly() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

int64_t divideUp(int64_t value, int64_t by) { return value / by + (value % by != 0); }

} // namespace

Chunks chunksOf(int64_t range, int64_t grain) {
  if (range <= 0) return {};
  grain = std::clamp<int64_t>(grain, 1, range);
  int64_t grains = divideUp(range, grain);
  int64_t size = grain * divideUp(grains, maxChunks);
  return {size, divideUp(range, size)};
}

ThreadPool::ThreadPool(int numThreads) { start(numThreads); }
ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::setNumThreads(int numThreads) {
  while (busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  if (std::max(numThreads, 1) != this->numThreads()) {
    stop();
    start(numThreads);
  }
  busy.store(false, std::memory_order_release);
}

void ThreadPool::start(int numThreads) {
  stopping.store(false);
  uint32_t seen = epoch.load();
  for (int i = 1; i < numThreads; ++i) workers.emplace_back([this, seen] { work(seen); });
}

void ThreadPool::stop() {
  stopping.store(true);
  epoch.fetch_add(1);
  epoch.notify_all();
  for (std::thread &worker : workers) worker.join();
  workers.clear();
}

void ThreadPool::run(int64_t range, int64_t grain, Function function, void *context) {
  Chunks chunks = chunksOf(range, grain);
  if (chunks.count == 0) return;
  if (chunks.count == 1 || busy.exchange(true, std::memory_order_acquire)) {
    for (int64_t begin = 0; begin < range; begin += chunks.size)
      function(context, begin, std::min(begin + chunks.size, range));
    return;
  }
  job = {function, context, range, chunks};
  done.store(0, std::memory_order_relaxed);
  remaining.store(chunks.count, std::memory_order_release);
  epoch.fetch_add(1, std::memory_order_release);
  epoch.notify_all();
  while (takeChunk()) {}
  // Others still hold their last chunk. They are running, unless there are more threads than cores.
  for (int spin = 0; done.load(std::memory_order_acquire) != chunks.count; ++spin) {
    if (spin < spins)
      pauseBriefly();
    else
      std::this_thread::yield();
  }
  busy.store(false, std::memory_order_release);
}

bool ThreadPool::takeChunk() {
  int64_t left = remaining.load(std::memory_order_relaxed);
  do {
    if (left == 0) return false;
  } while (!remaining.compare_exchange_weak(left, left - 1, std::memory_order_acquire,
                                            std::memory_order_relaxed));
  int64_t begin = (job.chunks.count - left) * job.chunks.size;
  job.function(job.context, begin, std::min(begin + job.chunks.size, job.range));
  done.fetch_add(1, std::memory_order_release);
  return true;
}

void ThreadPool::work(uint32_t seen) {
  while (true) {
    for (int spin = 0; spin < spins && epoch.load(std::memory_order_relaxed) == seen; ++spin)
      pauseBriefly();
    epoch.wait(seen, std::memory_order_acquire);
    seen = epoch.load(std::memory_order_acquire);
    if (stopping.load()) return;
    while (takeChunk()) {}
  }
}

ThreadPool &sharedThreadPool() {
  // Never destroyed: at exit its threads may still be asked for by other static objects.
  static ThreadPool *pool = [] {
    auto wanted = environment::numThreads();
    return new ThreadPool(wanted.ok() && *wanted > 0 ? *wanted : usableCores());
  }();
  return *pool;
}

} // namespace sinter::runtime
