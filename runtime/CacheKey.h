#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinter::runtime {

/// What a compiled kernel depends on, part by part. As bytes it is the kernel's key in the cache; kept in
/// parts, it tells why there was no entry for it.
class CacheKey {
public:
  /// Begins with the kind and with what addForeignCode has been told of.
  explicit CacheKey(std::string kind);
  /// Makes the contents of a library part of every key from now on: a plug-in may change what code is made without a
  /// trace in what the code is made from. A file that cannot be read counts with its name.
  static void addForeignCode(const std::string &path);

  /// Names may come twice. They have no colon or line end; values may be any bytes.
  CacheKey &add(std::string name, std::string value);

  /// The parts with their lengths, so that no two keys run together.
  std::string bytes() const;
  /// Nothing where `bytes` is no key.
  static std::optional<CacheKey> parse(std::string_view bytes);

  /// How many bytes of parts `other` has otherwise.
  std::size_t distance(const CacheKey &other) const;
  /// "isa was 'avx2', is 'avx512'; text is another": what `other` has otherwise.
  std::string differences(const CacheKey &other) const;

private:
  CacheKey() = default;
  std::vector<std::pair<std::string, std::string>> parts;
};

} // namespace sinter::runtime
