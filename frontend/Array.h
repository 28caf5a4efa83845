#pragma once

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/Types.h"

#include <fmt/core.h>

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace sinter {

/// The element type of a C++ type: float f32, double f64, int32_t i32, int64_t i64, bool i1,
/// uint8_t u8.
template <class T> constexpr DType dtypeOf() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<U, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<U, bool>)
    return DType::i1;
  else if constexpr (std::is_same_v<U, uint8_t>)
    return DType::u8;
  else {
    static_assert(std::is_integral_v<U> && std::is_signed_v<U> &&
                      (sizeof(U) == 4 || sizeof(U) == 8),
                  "an Array holds float, double, int32_t, int64_t, bool or uint8_t");
    return sizeof(U) == 4 ? DType::i32 : DType::i64;
  }
}

/// A dense row-major tensor in the host's memory. Copies share their elements.
class Array {
public:
  Array(); // f32[0]

  /// One dimension unless `shape` says otherwise, whose number of elements must be that of `values`.
  template <class T>
  Array(const std::vector<T> &values, Shape shape = {}, Where where = Where::current());
  template <class T>
  Array(std::initializer_list<T> values, Shape shape = {}, Where where = Where::current())
      : Array(values.begin(), values.size(), std::move(shape), where) {}
  /// A matrix, row by row.
  template <class T>
  Array(std::initializer_list<std::initializer_list<T>> rows, Where where = Where::current());

  /// Copies `shape`'s elements from `data`.
  template <class T> static Array from(const T *data, Shape shape) {
    return copy(data, std::move(shape), dtypeOf<T>());
  }
  static Array copy(const void *data, Shape shape, DType dtype);
  static Array zeros(Shape shape, DType dtype = f32);
  /// Elements with no particular value.
  static Array empty(Shape shape, DType dtype = f32);
  static Array full(Shape shape, double value, DType dtype = f32);
  static Array scalar(double value, DType dtype = f32) { return full({}, value, dtype); }

  const Shape &shape() const { return spec_.shape; }
  DType dtype() const { return spec_.dtype; }
  const TensorSpec &spec() const { return spec_; }
  int64_t rank() const { return static_cast<int64_t>(spec_.shape.size()); }
  int64_t size() const { return spec_.numElements(); }
  int64_t numBytes() const { return size() * runtime::byteWidth(spec_.dtype); }

  /// The elements. T must be the element type's C++ type (see dtypeOf).
  template <class T> std::span<const T> data(Where where = Where::current()) const {
    return {static_cast<const T *>(typed(dtypeOf<T>(), where)), static_cast<size_t>(size())};
  }
  template <class T> std::span<T> data(Where where = Where::current()) {
    return {static_cast<T *>(typed(dtypeOf<T>(), where)), static_cast<size_t>(size())};
  }
  const void *raw() const { return bytes_.get(); }
  void *raw() { return bytes_.get(); }
  std::span<const uint8_t> bytes() const {
    return {static_cast<const uint8_t *>(raw()), static_cast<size_t>(numBytes())};
  }
  /// Element `index` (row-major) as a number, whatever the element type.
  double at(int64_t index, Where where = Where::current()) const;
  /// The value of an array with one element.
  double item(Where where = Where::current()) const;

  /// The same elements under another shape; one size may be -1.
  Array reshape(Shape shape, Where where = Where::current()) const;
  /// Elements [begin, end) of the first dimension, copied.
  Array rows(int64_t begin, int64_t end, Where where = Where::current()) const;
  /// Converted as the IR's `cast` does: to nearest even; towards zero, saturating, for integers.
  Array to(DType dtype) const;
  /// An array with elements of its own.
  Array clone() const;

  /// Whether another Array has the same elements.
  bool shared() const { return bytes_.use_count() > 1; }

  /// As NumPy prints it; long dimensions are abridged.
  std::string text() const;

private:
  struct Uninitialised {};
  Array(Uninitialised, TensorSpec spec);
  template <class T> Array(const T *values, size_t count, Shape shape, Where where);
  static Shape checkedShape(Shape shape, size_t count, Where where);
  void *typed(DType wanted, Where where) const;

  TensorSpec spec_;
  std::shared_ptr<std::byte> bytes_; // aligned to 64, so that devices use it in place
};

template <class T> Array::Array(const T *values, size_t count, Shape shape, Where where)
    : Array(copy(values, checkedShape(std::move(shape), count, where), dtypeOf<T>())) {}

template <class T> Array::Array(const std::vector<T> &values, Shape shape, Where where) {
  if constexpr (std::is_same_v<T, bool>) { // whose elements are bits
    std::vector<uint8_t> bytes(values.begin(), values.end());
    *this = copy(bytes.data(), checkedShape(std::move(shape), bytes.size(), where), i1);
  } else {
    *this = Array(values.data(), values.size(), std::move(shape), where);
  }
}

template <class T> Array::Array(std::initializer_list<std::initializer_list<T>> rows, Where where) {
  std::vector<T> values;
  for (const auto &row : rows) {
    if (row.size() != rows.begin()->size())
      throw UserError("Array: rows of different lengths", where);
    values.insert(values.end(), row.begin(), row.end());
  }
  int64_t height = static_cast<int64_t>(rows.size());
  int64_t width = height ? static_cast<int64_t>(rows.begin()->size()) : 0;
  *this = Array(values, {height, width}, where);
}

} // namespace sinter

// fmt/core.h defines no formatter of text to build upon, and fmt/format.h is slow to read.
template <> struct fmt::formatter<sinter::Array> {
  constexpr auto parse(format_parse_context &context) { return context.begin(); }
  template <class Context> auto format(const sinter::Array &array, Context &context) const {
    auto out = context.out();
    for (char c : array.text()) *out++ = c;
    return out;
  }
};
