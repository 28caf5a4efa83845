#include "sinter/runtime/cpu/ThreadPool.h"
#include "RuntimeTest.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

namespace sinter::runtime {
namespace {

using Ranges = std::vector<std::pair<int64_t, int64_t>>;

Ranges rangesOf(ThreadPool &pool, int64_t range, int64_t grain) {
  std::mutex mutex;
  Ranges ranges;
  pool.parallelFor(range, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(ThreadPool, ChunksCoverTheRangeOnce) {
  ThreadPool pool(4);
  for (int64_t range : {0, 1, 15, 16, 17, 1000, 100000})
    for (int64_t grain : {1, 7, 16, 5000}) {
      int64_t at = 0;
      for (auto [begin, end] : rangesOf(pool, range, grain)) {
        EXPECT_EQ(begin, at);
        EXPECT_EQ(begin % grain, 0);
        EXPECT_GT(end, begin);
        at = end;
      }
      EXPECT_EQ(at, range);
    }
}

TEST(ThreadPool, ChunksDoNotDependOnTheNumberOfThreads) {
  ThreadPool pool(1);
  Ranges one = rangesOf(pool, 100003, 17);
  for (int threads : {2, 3, 8}) {
    pool.setNumThreads(threads);
    EXPECT_EQ(pool.numThreads(), threads);
    EXPECT_EQ(rangesOf(pool, 100003, 17), one);
  }
}

TEST(ThreadPool, WorkBelowTheGrainRunsOnTheCaller) {
  ThreadPool pool(4);
  std::thread::id runner;
  pool.parallelFor(100, 100, [&](int64_t, int64_t) { runner = std::this_thread::get_id(); });
  EXPECT_EQ(runner, std::this_thread::get_id());
}

TEST(ThreadPool, OthersTakePart) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::set<std::thread::id> runners;
  // Chunks that wait, so that a second thread has the time to come even on one core.
  for (int attempt = 0; attempt < 100 && runners.size() < 2; ++attempt)
    pool.parallelFor(8, 1, [&](int64_t, int64_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::lock_guard lock(mutex);
      runners.insert(std::this_thread::get_id());
    });
  EXPECT_EQ(runners.size(), 2u);
}

TEST(ThreadPool, ALoopInsideALoopRuns) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  pool.parallelFor(10, 1, [&](int64_t outer, int64_t) {
    pool.parallelFor(10, 1, [&](int64_t inner, int64_t) { sum += outer * 10 + inner; });
  });
  EXPECT_EQ(sum.load(), 99 * 100 / 2);
}

TEST(ThreadPool, SeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int turn = 0; turn < 500; ++turn)
        pool.parallelFor(64, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  for (std::thread &caller : callers) caller.join();
  EXPECT_EQ(sum.load(), 4 * 500 * 64);
}

} // namespace
} // namespace sinter::runtime
