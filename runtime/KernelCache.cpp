#include "sinter/runtime/KernelCache.h"
#include "sinter/runtime/Environment.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

namespace sinter::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".kernel";
constexpr std::string_view magic = "sntrkc01";
// magic, key length, payload length, checksum of all that and of key and payload
constexpr size_t headBytes = 8 + 8 + 8 + 4;

void append(std::string &to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}
uint64_t read(const uint8_t *from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint64_t(from[i]) << (8 * i);
  return value;
}

uint32_t checksum(std::string_view head, std::string_view key, std::span<const uint8_t> payload) {
  std::span<const uint8_t> headSpan = bytesOf(head), keySpan = bytesOf(key);
  uLong sum = crc32_z(0, headSpan.data(), headSpan.size());
  sum = crc32_z(sum, keySpan.data(), keySpan.size());
  // With a null pointer crc32 starts anew.
  if (!payload.empty()) sum = crc32_z(sum, payload.data(), payload.size());
  return static_cast<uint32_t>(sum);
}

/// FNV-1a over 64 bits. Only a file name: the entry's key is what decides.
uint64_t hash(std::string_view key, uint64_t seed) {
  uint64_t value = 14695981039346656037ull ^ seed;
  for (char c : key) value = (value ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return value;
}

struct Found {
  enum { hit, otherKey, corrupt } kind = corrupt;
  std::vector<uint8_t> payload;
};

/// The key of an entry whose sizes fit together; else nothing.
std::optional<std::string_view> keyOf(std::span<const uint8_t> file) {
  if (file.size() < headBytes || std::memcmp(file.data(), magic.data(), magic.size()) != 0)
    return std::nullopt;
  uint64_t keyBytes = read(file.data() + 8, 8), payloadBytes = read(file.data() + 16, 8);
  uint64_t body = file.size() - headBytes;
  if (keyBytes > body || payloadBytes != body - keyBytes) return std::nullopt;
  return std::string_view(reinterpret_cast<const char *>(file.data()) + headBytes, keyBytes);
}

Found parseEntry(std::span<const uint8_t> file, std::string_view key) {
  auto stored = keyOf(file);
  if (!stored) return {};
  std::string_view all(reinterpret_cast<const char *>(file.data()), file.size());
  std::string_view storedKey = *stored;
  std::span<const uint8_t> payload = file.subspan(headBytes + storedKey.size());
  if (checksum(all.substr(0, 24), storedKey, payload) != read(file.data() + 24, 4)) return {};
  if (storedKey != key) return {Found::otherKey, {}};
  return {Found::hit, {payload.begin(), payload.end()}};
}

} // namespace

KernelCache::KernelCache(Options given) : options(std::move(given)) {
  if (!options.warn)
    options.warn = [](const std::string &message) {
      std::fprintf(stderr, "sinter: warning: %s\n", message.c_str());
    };
}

Result<KernelCache *> KernelCache::shared() {
  static std::mutex making;
  static std::unique_ptr<KernelCache> cache;
  std::lock_guard lock(making);
  if (!cache) {
    SINTER_ASSIGN_OR_RETURN(bool enabled, environment::cacheEnabled());
    SINTER_ASSIGN_OR_RETURN(int64_t size, environment::cacheSize());
    SINTER_ASSIGN_OR_RETURN(bool explain, environment::logs("cache"));
    Options options{enabled ? environment::cacheDir() : std::string(), size};
    if (explain)
      options.explain = [](const std::string &message) {
        std::fprintf(stderr, "sinter: cache: %s\n", message.c_str());
      };
    cache = std::make_unique<KernelCache>(std::move(options));
  }
  return cache.get();
}

std::string KernelCache::pathOf(std::string_view key) const {
  return fmt::format("{}/{:016x}{:016x}{}", options.dir, hash(key, 0),
                     hash(key, 0x9E3779B97F4A7C15ull), suffix);
}

void KernelCache::warnOnce(bool &told, const std::string &message) {
  if (!told) options.warn(message);
  told = true;
}

std::optional<std::vector<uint8_t>> KernelCache::find(std::string_view key) {
  if (!enabled()) return std::nullopt;
  std::string path = pathOf(key);
  auto file = MappedFile::open(path);
  if (!file.ok()) return std::nullopt;
  Found found = parseEntry(file->bytes(), key);
  if (found.kind == Found::hit) {
    (void)utimensat(AT_FDCWD, path.c_str(), nullptr, 0); // used just now, for the eviction's order
    return std::move(found.payload);
  }
  if (found.kind == Found::corrupt) {
    std::lock_guard lock(mutex);
    warnOnce(toldCorrupt,
             fmt::format("the kernel cache's entry '{}' is damaged; it is compiled anew", path));
  }
  return std::nullopt;
}

std::optional<std::vector<uint8_t>> KernelCache::find(const CacheKey &key, std::string_view name) {
  auto payload = find(key.bytes());
  if (!payload && options.explain) {
    std::string why = enabled() ? whyMissed(key) : "the cache is off";
    std::lock_guard lock(mutex);
    options.explain(fmt::format("{} is compiled: {}", name, why));
  }
  return payload;
}

std::string KernelCache::whyMissed(const CacheKey &key) const {
  std::optional<CacheKey> nearest;
  std::error_code failure;
  for (fs::directory_iterator file(options.dir, failure), end; !failure && file != end;
       file.increment(failure)) {
    if (file->path().extension() != suffix) continue;
    auto mapped = MappedFile::open(file->path().string());
    if (!mapped.ok()) continue;
    auto bytes = keyOf(mapped->bytes());
    auto stored = bytes ? CacheKey::parse(*bytes) : std::nullopt;
    if (stored && (!nearest || key.distance(*stored) < key.distance(*nearest))) nearest = stored;
  }
  if (!nearest) return fmt::format("'{}' has no kernels yet", options.dir);
  std::string differences = key.differences(*nearest);
  return differences.empty() ? "its entry is damaged" : differences;
}

void KernelCache::store(std::string_view key, std::span<const uint8_t> payload) {
  if (!enabled()) return;
  std::lock_guard lock(mutex);
  std::error_code failure;
  fs::create_directories(options.dir, failure);
  std::string head(magic);
  append(head, key.size(), 8);
  append(head, payload.size(), 8);
  append(head, checksum(head, key, payload), 4);
  std::array<std::span<const uint8_t>, 3> parts{bytesOf(head), bytesOf(key), payload};
  Status written = writeFile(pathOf(key), parts);
  if (!written.ok()) {
    warnOnce(toldUnwritable,
             fmt::format("kernels are not kept on disk: {}", written.error().message));
    return;
  }
  if (knownBytes >= 0)
    knownBytes += static_cast<int64_t>(head.size() + key.size() + payload.size());
  if (knownBytes < 0 || knownBytes > options.maxBytes) evict();
}

void KernelCache::evict() {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    int64_t bytes;
  };
  std::vector<Entry> entries;
  std::error_code failure;
  knownBytes = 0;
  auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator file(options.dir, failure), end; !failure && file != end;
       file.increment(failure)) {
    std::error_code gone; // another process evicts too
    Entry entry{file->path(), file->last_write_time(gone), 0};
    if (!gone) entry.bytes = static_cast<int64_t>(file->file_size(gone));
    if (gone) continue;
    std::string name = entry.path.filename().string();
    if (entry.path.extension() == suffix) {
      knownBytes += entry.bytes;
      entries.push_back(std::move(entry));
    } else if (name.find(std::string(suffix) + ".tmp-") != std::string::npos &&
               now - entry.used > std::chrono::hours(1)) {
      fs::remove(entry.path, gone); // a writer died
    }
  }
  if (knownBytes <= options.maxBytes) return;
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return a.used < b.used; });
  // A little below the limit, so that the next entry does not walk the folder again.
  int64_t target = options.maxBytes - options.maxBytes / 8;
  for (const Entry &entry : entries) {
    if (knownBytes <= target) break;
    std::error_code gone;
    fs::remove(entry.path, gone);
    knownBytes -= entry.bytes;
  }
}

} // namespace sinter::runtime
