#include "sinter/frontend/Array.h"

#include "sinter/frontend/detail/Half.h"
#include "sinter/runtime/cpu/HostMemory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace sinter {

namespace {

constexpr std::align_val_t arrayAlignment{64};

std::shared_ptr<std::byte> allocateBytes(int64_t bytes) {
  if (bytes >= int64_t(2) << 20) // on huge pages: large matrices are read across many pages at once
    if (auto buffer = runtime::allocateHost(bytes))
      return {*buffer, static_cast<std::byte *>((*buffer)->address())};
  auto *data = static_cast<std::byte *>(
      ::operator new(static_cast<size_t>(std::max<int64_t>(bytes, 64)), arrayAlignment));
  return {data, [](std::byte *p) { ::operator delete(p, arrayAlignment); }};
}

template <class T> T saturate(double value) {
  if (std::isnan(value)) return 0;
  // The upper bound of int64_t is not a double: the next one above it is.
  if (value >= std::ldexp(1.0, std::numeric_limits<T>::digits))
    return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

double load(const void *data, DType dtype, int64_t i) {
  switch (dtype) {
  case DType::f32:
    return static_cast<const float *>(data)[i];
  case DType::f64:
    return static_cast<const double *>(data)[i];
  case DType::bf16:
    return detail::floatFromBf16(static_cast<const uint16_t *>(data)[i]);
  case DType::f16:
    return detail::floatFromF16(static_cast<const uint16_t *>(data)[i]);
  case DType::i32:
    return static_cast<const int32_t *>(data)[i];
  case DType::i64:
    return static_cast<double>(static_cast<const int64_t *>(data)[i]);
  case DType::i1:
  case DType::u8:
    return static_cast<const uint8_t *>(data)[i];
  }
  return 0;
}

void store(void *data, DType dtype, int64_t i, double value) {
  switch (dtype) {
  case DType::f32:
    static_cast<float *>(data)[i] = static_cast<float>(value);
    break;
  case DType::f64:
    static_cast<double *>(data)[i] = value;
    break;
  case DType::bf16:
    static_cast<uint16_t *>(data)[i] = detail::bf16FromFloat(static_cast<float>(value));
    break;
  case DType::f16:
    static_cast<uint16_t *>(data)[i] = detail::f16FromFloat(static_cast<float>(value));
    break;
  case DType::i32:
    static_cast<int32_t *>(data)[i] = saturate<int32_t>(value);
    break;
  case DType::i64:
    static_cast<int64_t *>(data)[i] = saturate<int64_t>(value);
    break;
  case DType::i1:
    static_cast<uint8_t *>(data)[i] = value != 0;
    break;
  case DType::u8:
    static_cast<uint8_t *>(data)[i] = saturate<uint8_t>(value);
    break;
  }
}

} // namespace

Array::Array() : Array(zeros({0})) {}

Array Array::zeros(Shape shape, DType dtype) { return full(std::move(shape), 0, dtype); }

Array Array::empty(Shape shape, DType dtype) {
  return {Uninitialised{}, {std::move(shape), dtype}};
}

Array Array::copy(const void *data, Shape shape, DType dtype) {
  Array result = empty(std::move(shape), dtype);
  if (result.numBytes()) std::memcpy(result.raw(), data, static_cast<size_t>(result.numBytes()));
  return result;
}

Array Array::full(Shape shape, double value, DType dtype) {
  Array result = empty(std::move(shape), dtype);
  if (value == 0)
    std::memset(result.raw(), 0, static_cast<size_t>(result.numBytes()));
  else
    for (int64_t i = 0; i < result.size(); ++i) store(result.raw(), dtype, i, value);
  return result;
}

Array::Array(Uninitialised, TensorSpec spec) : spec_(std::move(spec)) {
  for (int64_t size : spec_.shape)
    if (size < 0) throw Error("Array: a negative size in " + sinter::text(spec_.shape));
  bytes_ = allocateBytes(numBytes());
}

Shape Array::checkedShape(Shape shape, size_t count, Where where) {
  if (shape.empty()) shape = {static_cast<int64_t>(count)};
  TensorSpec spec{shape, f32};
  if (spec.numElements() != static_cast<int64_t>(count))
    throw UserError(fmt::format("Array: {} values for shape {}", count, sinter::text(shape)),
                    where);
  return shape;
}

void *Array::typed(DType wanted, Where where) const {
  if (wanted != spec_.dtype)
    throw UserError(fmt::format("Array::data: the elements are {}, not {}",
                                runtime::name(spec_.dtype), runtime::name(wanted)),
                    where);
  return bytes_.get();
}

double Array::at(int64_t index, Where where) const {
  if (index < 0 || index >= size())
    throw UserError(fmt::format("Array::at: element {} of {}", index, size()), where);
  return load(raw(), dtype(), index);
}

double Array::item(Where where) const {
  if (size() != 1)
    throw UserError(fmt::format("Array::item: {} has {} elements, not one", spec_.text(), size()),
                    where);
  return at(0, where);
}

Array Array::reshape(Shape shape, Where where) const {
  int64_t known = 1;
  int64_t *open = nullptr;
  for (int64_t &size : shape)
    if (size == -1 && !open)
      open = &size;
    else
      known *= size;
  if (open && known > 0) *open = size() / known;
  if (TensorSpec{shape, dtype()}.numElements() != size())
    throw UserError(
        fmt::format("Array::reshape: {} cannot become {}", spec_.text(), sinter::text(shape)),
        where);
  Array result = *this;
  result.spec_.shape = std::move(shape);
  return result;
}

Array Array::rows(int64_t begin, int64_t end, Where where) const {
  if (rank() == 0 || begin < 0 || end < begin || end > spec_.shape[0])
    throw UserError(fmt::format("Array::rows: [{}, {}) of {}", begin, end, spec_.text()), where);
  Shape shape = spec_.shape;
  int64_t rowBytes = shape[0] ? numBytes() / shape[0] : 0;
  shape[0] = end - begin;
  return copy(bytes_.get() + begin * rowBytes, std::move(shape), dtype());
}

Array Array::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Array result = empty(spec_.shape, dtype);
  for (int64_t i = 0, n = size(); i < n; ++i)
    store(result.raw(), dtype, i, load(raw(), this->dtype(), i));
  return result;
}

Array Array::clone() const { return copy(raw(), spec_.shape, dtype()); }

static void appendText(std::string &out, const Array &array, size_t dim, int64_t offset,
                       int64_t stride) {
  if (dim == array.shape().size()) {
    if (array.dtype() == i64) // which a double does not hold
      out += fmt::format("{}", static_cast<const int64_t *>(array.raw())[offset]);
    else if (array.dtype() == i1)
      out += array.at(offset) != 0 ? "true" : "false";
    else if (runtime::isFloat(array.dtype()))
      out += fmt::format("{:.6g}", array.at(offset));
    else
      out += fmt::format("{}", static_cast<int64_t>(array.at(offset)));
    return;
  }
  constexpr int64_t most = 8, shown = 3;
  int64_t size = array.shape()[dim];
  int64_t inner = size ? stride / size : 0;
  bool last = dim + 1 == array.shape().size();
  out += '[';
  for (int64_t i = 0; i < size; ++i) {
    if (i) out += last ? ", " : ",\n" + std::string(dim + 1, ' ');
    if (size > most && i == shown) {
      out += "...";
      i = size - shown - 1;
      continue;
    }
    appendText(out, array, dim + 1, offset + i * inner, inner);
  }
  out += ']';
}

std::string Array::text() const {
  std::string out;
  appendText(out, *this, 0, 0, size());
  return out;
}

} // namespace sinter
