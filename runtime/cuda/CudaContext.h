#pragma once

#include "sinter/runtime/cuda/CudaApi.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace sinter::runtime::cuda {

/// A GPU's primary context with one stream, shared by a device and all that it handed out. What
/// destructors could not report is kept for the next `synchronize`.
class CudaContext {
public:
  static Result<std::shared_ptr<CudaContext>> open(std::shared_ptr<const CudaApi> api, int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;
  CudaContext &operator=(const CudaContext &) = delete;

  /// Makes the context the calling thread's.
  Status enter() const;
  Result<CuDevicePtr> allocate(int64_t bytes);
  void free(CuDevicePtr address); // after the work queued so far
  /// Notes a failure that nobody is there to receive.
  void defer(CuResult result, const char *call);
  Status takeDeferred();

  const std::shared_ptr<const CudaApi> api;
  CuStream stream = nullptr;
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
  bool pools_ = false;
  std::mutex mutex_;
  Status deferred_;
};

/// Page-locked memory through which host bytes travel: the driver reads it without a copy of its own
/// and does not wait. Two halves, each reused once its last transfer is done.
class PinnedStaging {
public:
  static constexpr size_t halfBytes = 4 << 20;
  explicit PinnedStaging(CudaContext &context) : context_(context) {}
  ~PinnedStaging();
  /// Queues a copy of host bytes; they may be reused on return.
  Status upload(CuDevicePtr to, const void *from, size_t bytes);
  /// Queues a copy to the host. Small ones land in pinned memory and are handed over by `finish`.
  Status download(void *to, CuDevicePtr from, size_t bytes);
  /// Hands over what downloads brought; after a synchronisation.
  void finish();
  void abandon() { pending_.clear(), readUsed_ = 0; }

private:
  static constexpr size_t readBytes = 256 << 10;
  struct Half {
    void *memory = nullptr;
    CuEvent event = nullptr;
    bool busy = false;
  };
  struct Pending {
    void *to;
    size_t offset, bytes;
  };
  Status makeHalf(Half &half);

  CudaContext &context_;
  Half halves_[2];
  int next_ = 0;
  void *read_ = nullptr;
  size_t readUsed_ = 0;
  std::vector<Pending> pending_;
};

} // namespace sinter::runtime::cuda
