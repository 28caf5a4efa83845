#include "sinter/codegen/reference/HostTensor.h"
#include "sinter/codegen/reference/ErrorModel.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sinter::codegen;
using sinter::codegen::reference::wrapTo;
using sinter::runtime::DType;

HostTensor::HostTensor(RankedTensorType type) : type(type) {
  if (isFloat())
    values.resize(type.getNumElements());
  else
    integers.resize(type.getNumElements());
}

DType sinter::codegen::dtypeOf(Type element) {
  if (element.isF32()) return DType::f32;
  if (element.isF64()) return DType::f64;
  if (element.isBF16()) return DType::bf16;
  if (element.isF16()) return DType::f16;
  auto integer = cast<IntegerType>(element);
  switch (integer.getWidth()) {
  case 1:
    return DType::i1;
  case 8:
    return DType::u8;
  case 32:
    return DType::i32;
  default:
    return DType::i64;
  }
}

Type sinter::codegen::elementTypeOf(MLIRContext *context, DType dtype) {
  switch (dtype) {
  case DType::f32:
    return Float32Type::get(context);
  case DType::f64:
    return Float64Type::get(context);
  case DType::bf16:
    return BFloat16Type::get(context);
  case DType::f16:
    return Float16Type::get(context);
  case DType::i32:
    return IntegerType::get(context, 32);
  case DType::i64:
    return IntegerType::get(context, 64);
  case DType::i1:
    return IntegerType::get(context, 1);
  case DType::u8:
    return IntegerType::get(context, 8, IntegerType::Unsigned);
  }
  llvm_unreachable("an element type without a name");
}

sinter::runtime::TensorType sinter::codegen::tensorTypeOf(RankedTensorType type) {
  return {dtypeOf(type.getElementType()), type.getShape().vec()};
}

double sinter::codegen::roundTo(DType type, double x) { return reference::formatOf(type).round(x); }

HostTensor sinter::codegen::fromNumbers(RankedTensorType type, ArrayRef<double> numbers) {
  HostTensor tensor(type);
  DType dtype = dtypeOf(type.getElementType());
  for (auto [i, number] : llvm::enumerate(numbers))
    if (tensor.isFloat())
      tensor.values[i] = roundTo(dtype, number);
    else
      tensor.integers[i] = wrapTo(dtype, static_cast<int64_t>(number));
  return tensor;
}

HostTensor sinter::codegen::fromAttribute(ElementsAttr attribute) {
  auto type = cast<RankedTensorType>(attribute.getShapedType());
  DType dtype = dtypeOf(type.getElementType());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      return fromBytes(type, blob->getData().data());
    return HostTensor(type);
  }
  HostTensor tensor(type);
  auto dense = cast<DenseElementsAttr>(attribute);
  if (tensor.isFloat()) {
    for (auto [i, value] : llvm::enumerate(dense.getValues<APFloat>())) {
      APFloat wide = value;
      bool inexact;
      wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
      tensor.values[i] = wide.convertToDouble();
    }
  } else {
    bool isSigned = dtype == DType::i32 || dtype == DType::i64;
    for (auto [i, value] : llvm::enumerate(dense.getValues<APInt>()))
      tensor.integers[i] =
          isSigned ? value.getSExtValue() : static_cast<int64_t>(value.getZExtValue());
  }
  return tensor;
}

namespace {

float widenBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
uint16_t bf16Bits(double x) {
  // `x` is a bf16 value already; a NaN keeps its quiet bit.
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(x)) >> 16);
}
double widenF16(uint16_t bits) {
  APFloat value(APFloat::IEEEhalf(), APInt(16, bits));
  bool inexact;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return value.convertToDouble();
}
uint16_t f16Bits(double x) {
  APFloat value(x);
  bool inexact;
  value.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &inexact);
  return static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
}

template <class Stored, class Element, class Widen>
void read(std::vector<Element> &elements, const void *bytes, Widen widen) {
  const char *place = static_cast<const char *>(bytes);
  for (Element &element : elements) {
    Stored stored;
    std::memcpy(&stored, place, sizeof stored);
    place += sizeof stored;
    element = widen(stored);
  }
}
template <class Stored, class Element, class Narrow>
void write(const std::vector<Element> &elements, void *bytes, Narrow narrow) {
  char *place = static_cast<char *>(bytes);
  for (const Element &element : elements) {
    Stored stored = narrow(element);
    std::memcpy(place, &stored, sizeof stored);
    place += sizeof stored;
  }
}

template <class To> constexpr auto convert = [](auto x) { return static_cast<To>(x); };

} // namespace

HostTensor sinter::codegen::fromBytes(RankedTensorType type, const void *bytes) {
  HostTensor tensor(type);
  switch (dtypeOf(type.getElementType())) {
  case DType::f32:
    read<float>(tensor.values, bytes, convert<double>);
    break;
  case DType::f64:
    read<double>(tensor.values, bytes, convert<double>);
    break;
  case DType::bf16:
    read<uint16_t>(tensor.values, bytes, widenBf16);
    break;
  case DType::f16:
    read<uint16_t>(tensor.values, bytes, widenF16);
    break;
  case DType::i32:
    read<int32_t>(tensor.integers, bytes, convert<int64_t>);
    break;
  case DType::i64:
    read<int64_t>(tensor.integers, bytes, convert<int64_t>);
    break;
  case DType::i1:
    read<uint8_t>(tensor.integers, bytes, [](uint8_t x) { return x != 0; });
    break;
  case DType::u8:
    read<uint8_t>(tensor.integers, bytes, convert<int64_t>);
    break;
  }
  return tensor;
}

void sinter::codegen::toBytes(const HostTensor &tensor, void *bytes) {
  switch (dtypeOf(tensor.type.getElementType())) {
  case DType::f32:
    write<float>(tensor.values, bytes, convert<float>);
    break;
  case DType::f64:
    write<double>(tensor.values, bytes, convert<double>);
    break;
  case DType::bf16:
    write<uint16_t>(tensor.values, bytes, bf16Bits);
    break;
  case DType::f16:
    write<uint16_t>(tensor.values, bytes, f16Bits);
    break;
  case DType::i32:
    write<int32_t>(tensor.integers, bytes, convert<int32_t>);
    break;
  case DType::i64:
    write<int64_t>(tensor.integers, bytes, convert<int64_t>);
    break;
  case DType::i1:
    write<uint8_t>(tensor.integers, bytes, convert<uint8_t>);
    break;
  case DType::u8:
    write<uint8_t>(tensor.integers, bytes, convert<uint8_t>);
    break;
  }
}

std::vector<uint8_t> sinter::codegen::toBytes(const HostTensor &tensor) {
  std::vector<uint8_t> bytes(tensorTypeOf(tensor.type).numBytes());
  toBytes(tensor, bytes.data());
  return bytes;
}
