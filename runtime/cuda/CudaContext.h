#pragma once

#include "sinter/runtime/cuda/CudaApi.h"

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace sinter::runtime::cuda {

/// A GPU's primary context with a stream for kernels and one for copies beside them, shared by a
/// device and all that it handed out. What destructors could not report is kept for the next
/// `synchronize`; what the last of them meets goes to standard error.
class CudaContext {
public:
  static Result<std::shared_ptr<CudaContext>> open(std::shared_ptr<const CudaApi> api, int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;
  CudaContext &operator=(const CudaContext &) = delete;

  /// Makes the context the calling thread's.
  Status enter() const;
  CuResult enterResult() const;
  Result<CuDevicePtr> allocate(int64_t bytes);
  void free(CuDevicePtr address); // after the work queued so far
  /// Kernels that are queued from now on run after the copies queued so far.
  Status joinCopies();
  /// Notes that copies were queued that nothing waits for yet.
  void copiesQueued() { copying_ = true; }
  /// Notes a failure that nobody is there to receive.
  void defer(CuResult result, const char *call);
  void defer(Status failure);
  Status takeDeferred();
  /// A fault was reported: what calls say from now on is its echo.
  void reported() { gone_ = true; }

  const std::shared_ptr<const CudaApi> api;
  CuStream stream = nullptr, copyStream = nullptr;
  std::string name;
  int capability = 0; // 90 for 9.0
  int driverVersion = 0;
  int maxSharedBytes = 0;
  size_t totalBytes = 0;

private:
  explicit CudaContext(std::shared_ptr<const CudaApi> api) : api(std::move(api)) {}
  Status create(int ordinal);

  CuDevice device_ = 0;
  CuContext context_ = nullptr;
  CuEvent copied_ = nullptr;
  bool pools_ = false, copying_ = false, gone_ = false;
  std::mutex mutex_;
  Status deferred_;
};

/// Page-locked memory through which host bytes travel to the device: the driver reads it without a
/// copy of its own and does not wait. Two halves, each reused once its last transfer is done.
class PinnedUploads {
public:
  static constexpr size_t halfBytes = 4 << 20;
  PinnedUploads(CudaContext &context, CuStream stream) : context_(context), stream_(stream) {}
  ~PinnedUploads();
  /// Queues a copy of host bytes; they may be reused on return.
  Status upload(CuDevicePtr to, const void *from, size_t bytes);

private:
  struct Half {
    void *memory = nullptr;
    CuEvent event = nullptr;
    bool busy = false;
  };
  Status makeHalf(Half &half);

  CudaContext &context_;
  CuStream stream_;
  Half halves_[2];
  int next_ = 0;
};

/// Page-locked memory through which what kernels computed comes back.
class PinnedDownloads {
public:
  explicit PinnedDownloads(CudaContext &context) : context_(context) {}
  ~PinnedDownloads();
  /// Queues a copy to the host. Small ones land in pinned memory and are handed over by `finish`.
  Status download(void *to, CuDevicePtr from, size_t bytes);
  /// How many downloads were queued so far.
  uint64_t queued() const { return first_ + pending_.size(); }
  /// Hands over what the downloads before number `upTo` brought; once they are done.
  void finish(uint64_t upTo);
  void finish() { finish(queued()); }
  void abandon() { first_ = queued(), pending_.clear(); }

private:
  static constexpr size_t ringBytes = 256 << 10;
  struct Pending {
    void *to;
    size_t offset, bytes;
  };
  /// Room for `bytes` in the ring, which is used in order; nullopt where there is none now.
  std::optional<size_t> room(size_t bytes) const;

  CudaContext &context_;
  void *ring_ = nullptr;
  uint64_t first_ = 0; // the number of the first of `pending_`
  std::deque<Pending> pending_;
};

} // namespace sinter::runtime::cuda
