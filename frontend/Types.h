#pragma once

#include "sinter/runtime/Types.h"

#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <vector>

namespace sinter {

using DType = runtime::DType;
inline constexpr DType f32 = DType::f32, f64 = DType::f64, bf16 = DType::bf16, f16 = DType::f16,
                       i32 = DType::i32, i64 = DType::i64, i1 = DType::i1, u8 = DType::u8;

/// The size of each dimension, outermost first; empty for a scalar.
using Shape = std::vector<int64_t>;
/// "[2, 3]"
std::string text(const Shape &shape);

/// The place in the user's program that an op or an error belongs to.
using Where = std::source_location;

/// What a traced function is given: `{{100, 2}, sinter::f32}`.
struct TensorSpec {
  Shape shape;
  DType dtype = DType::f32;
  /// "f32[100, 2]"
  std::string text() const;
  int64_t numElements() const;
  friend bool operator==(const TensorSpec &, const TensorSpec &) = default;
};

/// Dimensions to work on: one or several; negative ones count from the end. None means all.
class Dims {
public:
  Dims() = default;
  Dims(int dim) : values{dim} {}
  Dims(int64_t dim) : values{dim} {}
  Dims(std::initializer_list<int64_t> dims) : values(dims) {}
  Dims(std::vector<int64_t> dims) : values(std::move(dims)) {}

  std::vector<int64_t> values;
};

/// A height and a width; one number serves for both.
struct Size2 {
  int64_t height = 0, width = 0;
  Size2(int both) : height(both), width(both) {}
  Size2(int64_t both) : height(both), width(both) {}
  Size2(int64_t height, int64_t width) : height(height), width(width) {}
};

} // namespace sinter
