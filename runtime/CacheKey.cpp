#include "sinter/runtime/CacheKey.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sinter::runtime {

/// Longer values, or such of several lines, are not shown.
static constexpr std::size_t shownBytes = 80;

static bool isShown(const std::string &value) {
  return value.size() <= shownBytes && value.find('\n') == std::string::npos;
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
