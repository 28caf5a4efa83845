#pragma once

#include "sinter/runtime/CacheKey.h"
#include "sinter/runtime/Status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinter::runtime {

/// Compiled kernels on disk, shared by processes. An entry holds its full key, which is compared on
/// a hit, and a checksum of all it says. Nothing here ever fails the work it serves: what cannot be
/// read is a miss, what cannot be written is not kept, and each kind of trouble is told once.
class KernelCache {
public:
  struct Options {
    std::string dir; // empty: nothing is kept
    int64_t maxBytes = int64_t(1) << 30;
    /// Gets a sentence per kind of trouble; standard error when empty.
    std::function<void(const std::string &)> warn = {};
    /// Gets a sentence for each kernel that was looked for by its parts and not here.
    std::function<void(const std::string &)> explain = {};
  };

  explicit KernelCache(Options options);
  /// The process' cache, as SINTER_CACHE, SINTER_CACHE_DIR, SINTER_CACHE_SIZE and SINTER_LOG say at the first
  /// call that succeeds.
  static Result<KernelCache *> shared();

  bool enabled() const { return !options.dir.empty(); }
  const std::string &dir() const { return options.dir; }

  /// The payload stored under `key`, which is any string of bytes.
  std::optional<std::vector<uint8_t>> find(std::string_view key);
  /// The same for the kernel called `name`. A miss goes to the options' `explain`.
  std::optional<std::vector<uint8_t>> find(const CacheKey &key, std::string_view name);
  /// Which parts of `key` no entry has together: those in which the entry nearest to it differs.
  std::string whyMissed(const CacheKey &key) const;
  /// Keeps a payload, then drops the least recently used entries beyond the size limit.
  void store(std::string_view key, std::span<const uint8_t> payload);
  /// The file an entry lives in.
  std::string pathOf(std::string_view key) const;

private:
  void warnOnce(bool &told, const std::string &message);
  void evict();

  Options options;
  std::mutex mutex;
  int64_t knownBytes = -1; // -1: the folder has not been looked at yet
  bool toldCorrupt = false, toldUnwritable = false;
};

} // namespace sinter::runtime
