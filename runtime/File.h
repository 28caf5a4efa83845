#pragma once

#include "sinter/runtime/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinter::runtime {

/// A file's bytes, mapped for reading.
class MappedFile {
public:
  static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data, size}; }

private:
  MappedFile(const uint8_t *data, size_t size) : data(data), size(size) {}
  const uint8_t *data = nullptr;
  size_t size = 0;
};

/// Writes the parts one after the other and replaces `path` in one step: readers see the old file
/// or the new one, also when the machine goes down meanwhile.
Status writeFile(const std::string &path, std::span<const std::span<const uint8_t>> parts);
Status writeFile(const std::string &path, std::string_view text);

inline std::span<const uint8_t> bytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

} // namespace sinter::runtime
