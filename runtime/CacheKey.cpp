#include "sinter/runtime/CacheKey.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>

namespace sinter::runtime {

/// Longer values, or such of several lines, are not shown.
static constexpr std::size_t shownBytes = 80;

static bool isShown(const std::string &value) {
  return value.size() <= shownBytes && value.find('\n') == std::string::npos;
}

namespace {
/// Foreign libraries by their contents, in an order that is not that of loading.
struct ForeignCode {
  std::mutex mutex;
  std::set<std::string> libraries;
};
ForeignCode &foreignCode() {
  static ForeignCode all;
  return all;
}

/// 128 bits of FNV-1a, in hexadecimal digits.
std::string contentsOf(std::span<const uint8_t> bytes) {
  std::string digits;
  for (uint64_t seed : {uint64_t(0), uint64_t(0x9E3779B97F4A7C15ull)}) {
    uint64_t value = 14695981039346656037ull ^ seed;
    for (uint8_t byte : bytes) value = (value ^ byte) * 1099511628211ull;
    digits += fmt::format("{:016x}", value);
  }
  return digits;
}
} // namespace

void CacheKey::addForeignCode(const std::string &path) {
  auto file = MappedFile::open(path);
  std::string identity = file.ok() ? contentsOf(file->bytes()) : path;
  ForeignCode &code = foreignCode();
  std::lock_guard lock(code.mutex);
  code.libraries.insert(identity);
}

CacheKey::CacheKey(std::string kind) {
  add("kind", std::move(kind));
  ForeignCode &code = foreignCode();
  std::lock_guard lock(code.mutex);
  // Always there, so that keys with and without plug-ins are compared part by part.
  add("plug-ins", fmt::format("{}", fmt::join(code.libraries, " ")));
}

CacheKey &CacheKey::add(std::string name, std::string value) {
  parts.emplace_back(std::move(name), std::move(value));
  return *this;
}

std::string CacheKey::bytes() const {
  std::string all;
  for (const auto &[name, value] : parts)
    all += fmt::format("{}:{}:{}\n", name, value.size(), value);
  return all;
}

std::optional<CacheKey> CacheKey::parse(std::string_view bytes) {
  CacheKey key;
  while (!bytes.empty()) {
    std::size_t colon = bytes.find(':');
    std::size_t second = colon == bytes.npos ? colon : bytes.find(':', colon + 1);
    if (second == bytes.npos) return std::nullopt;
    std::size_t size = 0;
    auto [end, error] = std::from_chars(bytes.data() + colon + 1, bytes.data() + second, size);
    std::size_t left = bytes.size() - second - 1;
    if (error != std::errc() || end != bytes.data() + second || size >= left) return std::nullopt;
    if (bytes[second + 1 + size] != '\n') return std::nullopt;
    key.add(std::string(bytes.substr(0, colon)), std::string(bytes.substr(second + 1, size)));
    bytes.remove_prefix(second + size + 2);
  }
  if (key.parts.empty()) return std::nullopt;
  return key;
}

std::size_t CacheKey::distance(const CacheKey &other) const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < std::max(parts.size(), other.parts.size()); ++i) {
    bool here = i < parts.size(), there = i < other.parts.size();
    if (here && there && parts[i] == other.parts[i]) continue;
    total += std::max(here ? parts[i].second.size() : 0, there ? other.parts[i].second.size() : 0);
  }
  return total;
}

std::string CacheKey::differences(const CacheKey &other) const {
  std::string text;
  auto note = [&](std::string difference) { text += (text.empty() ? "" : "; ") + difference; };
  for (std::size_t i = 0; i < std::max(parts.size(), other.parts.size()); ++i) {
    if (i >= other.parts.size()) {
      note(parts[i].first + " is new");
    } else if (i >= parts.size()) {
      note(other.parts[i].first + " is gone");
    } else if (parts[i].first != other.parts[i].first) {
      note(fmt::format("{} stands where {} was", parts[i].first, other.parts[i].first));
    } else if (parts[i].second != other.parts[i].second) {
      bool shown = isShown(parts[i].second) && isShown(other.parts[i].second);
      note(shown ? fmt::format("{} was '{}', is '{}'", parts[i].first, other.parts[i].second,
                               parts[i].second)
                 : parts[i].first + " is another");
    }
  }
  return text;
}

} // namespace sinter::runtime
