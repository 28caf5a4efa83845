#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace sinter::runtime {

/// How [0, range) is cut: a function of range and grain alone, so that results never depend on the
/// number of threads. Every chunk but the last has `size` elements, a multiple of the grain.
struct Chunks {
  int64_t size = 1;
  int64_t count = 0;
};
Chunks chunksOf(int64_t range, int64_t grain);

/// A fixed team of threads for parallel loops. The caller takes part; workers spin briefly for the
/// next loop, then sleep. One loop runs at a time: a loop started while another one runs (from
/// another thread, or from inside a body) is done by its caller alone, over the same chunks.
class ThreadPool {
public:
  /// `numThreads` counts the caller: 1 starts no worker.
  explicit ThreadPool(int numThreads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int numThreads() const { return static_cast<int>(workers.size()) + 1; }
  /// Waits for a running loop, then continues with another number of threads (at least 1).
  void setNumThreads(int numThreads);

  /// Calls `body(begin, end)` for every chunk of [0, range); returns when all are done. `body`
  /// throws nothing.
  template <class Body> void parallelFor(int64_t range, int64_t grain, Body &&body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        range, grain,
        [](void *context, int64_t begin, int64_t end) {
          (*static_cast<Plain *>(context))(begin, end);
        },
        const_cast<void *>(static_cast<const void *>(&body)));
  }

private:
  using Function = void (*)(void *context, int64_t begin, int64_t end);
  struct Job {
    Function function = nullptr;
    void *context = nullptr;
    int64_t range = 0;
    Chunks chunks;
  };

  void run(int64_t range, int64_t grain, Function function, void *context);
  bool takeChunk();
  void work(uint32_t seen);
  void start(int numThreads);
  void stop();

  std::atomic<bool> busy{false}; // a loop runs
  std::vector<std::thread> workers;

  // A thread owns a chunk once it has lowered `remaining`, and only then reads `job`: the job cannot
  // change before that chunk is counted in `done`.
  Job job;
  alignas(64) std::atomic<int64_t> remaining{0};
  alignas(64) std::atomic<int64_t> done{0};
  alignas(64) std::atomic<uint32_t> epoch{0}; // what workers wait on
  std::atomic<bool> stopping{false};
};

/// Threads that the default CPU devices share: SINTER_NUM_THREADS of them, else the machine's.
ThreadPool &sharedThreadPool();

} // namespace sinter::runtime
