#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinter::runtime {

/// Element types. `i1` is one byte in memory (0 or 1); bf16 and f16 are 2 bytes.
enum class DType : uint8_t { f32, f64, bf16, f16, i32, i64, i1, u8 };

int64_t byteWidth(DType type);
/// "f32", "bf16", "i1", ...
std::string_view name(DType type);
std::optional<DType> parseDType(std::string_view text);
bool isFloat(DType type);

/// A dense row-major tensor's type. Rank 0 is a scalar with one element.
struct TensorType {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;

  int64_t numElements() const;
  int64_t numBytes() const;
  /// "f32[128, 1, 28, 28]"
  std::string text() const;
  friend bool operator==(const TensorType &, const TensorType &) = default;
};

} // namespace sinter::runtime
