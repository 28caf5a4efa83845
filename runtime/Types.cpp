#include "sinter/runtime/Types.h"

#include <fmt/format.h>

#include <array>

namespace sinter::runtime {
namespace {

struct DTypeRow {
  std::string_view name;
  int64_t bytes;
  bool isFloat;
};
// Indexed by DType.
constexpr std::array<DTypeRow, 8> rows{{
    {"f32", 4, true},
    {"f64", 8, true},
    {"bf16", 2, true},
    {"f16", 2, true},
    {"i32", 4, false},
    {"i64", 8, false},
    {"i1", 1, false},
    {"u8", 1, false},
}};

const DTypeRow &row(DType type) { return rows[static_cast<size_t>(type)]; }

} // namespace

int64_t byteWidth(DType type) { return row(type).bytes; }
std::string_view name(DType type) { return row(type).name; }
bool isFloat(DType type) { return row(type).isFloat; }

std::optional<DType> parseDType(std::string_view text) {
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].name == text) return static_cast<DType>(i);
  return std::nullopt;
}

int64_t TensorType::numElements() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

int64_t TensorType::numBytes() const { return numElements() * byteWidth(dtype); }

std::string TensorType::text() const {
  std::string extents;
  for (int64_t extent : shape) extents += fmt::format("{}{}", extents.empty() ? "" : ", ", extent);
  return fmt::format("{}[{}]", name(dtype), extents);
}

} // namespace sinter::runtime
