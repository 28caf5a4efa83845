#pragma once

#include "sinter/runtime/Status.h"

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The one file format, of checkpoints and of programs: that of safetensors. A little-endian u64
/// with the length of a JSON header, the header, then blobs at offsets from the header's end:
///   {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
/// https://huggingface.co/docs/safetensors
namespace sinter::runtime {

struct Blob {
  std::string name;
  std::string dtype; // as in the file: "F32", "U8", ...
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};

struct Container {
  std::map<std::string, std::string> metadata;
  std::vector<Blob> blobs; // in the order of their bytes, which they do not own

  const Blob *find(std::string_view name) const;
};

/// Parses what nobody vouches for. Refuses a file that is truncated or has bytes left over, offsets
/// that overlap or leave holes wider than padding, sizes that contradict shapes, and repeated names.
/// Messages start with `what` (the file's name).
Result<Container> parseContainer(std::span<const uint8_t> bytes, std::string_view what);

/// Collects blobs in order. Their bytes must stay where they are until written.
class ContainerWriter {
public:
  /// Each blob starts at a multiple of `alignment` bytes of the file; 1 packs them, which is what
  /// other readers of safetensors insist on.
  explicit ContainerWriter(int64_t alignment = 1) : alignment(alignment) {}

  void setMetadata(std::map<std::string, std::string> values) { metadata = std::move(values); }
  void add(Blob blob) { blobs.push_back(std::move(blob)); }
  /// Adds bytes as a vector of U8.
  void addBytes(std::string name, std::span<const uint8_t> bytes);
  /// The same, of a temporary.
  void addText(std::string name, std::string text);

  /// The whole file.
  std::vector<uint8_t> bytes() const;
  /// Replaces the file in one step.
  Status write(const std::string &path) const;

private:
  std::string header(std::vector<int64_t> &offsets) const;

  int64_t alignment;
  std::map<std::string, std::string> metadata;
  std::vector<Blob> blobs;
  std::deque<std::string> texts; // whose elements never move
};

} // namespace sinter::runtime
