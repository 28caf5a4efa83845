#pragma once

#include "sinter/runtime/Types.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace sinter::codegen {

/// A tensor on the host: what the evaluator reads and makes. Row-major and logical: a layout in the
/// type says nothing here.
struct HostTensor {
  mlir::RankedTensorType type;
  /// The elements of a floating-point tensor, each representable in its type; otherwise empty.
  std::vector<double> values;
  /// The elements of an integer tensor, i1 as 0 and 1; otherwise empty.
  std::vector<int64_t> integers;
  /// How far a correct device may be from each element (see Evaluator.h). Empty: exact.
  std::vector<double> error;

  HostTensor() = default;
  /// Zeros.
  explicit HostTensor(mlir::RankedTensorType type);

  int64_t numElements() const { return type.getNumElements(); }
  bool isFloat() const { return llvm::isa<mlir::FloatType>(type.getElementType()); }
  /// Element `i` as a number; i64 beyond 2^53 is rounded.
  double at(int64_t i) const { return isFloat() ? values[i] : static_cast<double>(integers[i]); }
  double errorAt(int64_t i) const { return error.empty() ? 0.0 : error[i]; }
};

/// The Program's name for an element type of the dialect.
runtime::DType dtypeOf(mlir::Type element);
mlir::Type elementTypeOf(mlir::MLIRContext *context, runtime::DType dtype);
runtime::TensorType tensorTypeOf(mlir::RankedTensorType type);

/// `x` in the nearest value of a floating-point type, ties to even, beyond the largest to infinity.
double roundTo(runtime::DType type, double x);

/// A tensor whose elements are `numbers`, rounded (floating point) or truncated and wrapped.
HostTensor fromNumbers(mlir::RankedTensorType type, llvm::ArrayRef<double> numbers);
/// The elements of a dense attribute.
HostTensor fromAttribute(mlir::ElementsAttr attribute);
/// Reads the dense bytes of a Program's tensor; `bytes` must hold numBytes of the type.
HostTensor fromBytes(mlir::RankedTensorType type, const void *bytes);
/// Writes the elements (without errors) as a Program's tensor does.
void toBytes(const HostTensor &tensor, void *bytes);
std::vector<uint8_t> toBytes(const HostTensor &tensor);

} // namespace sinter::codegen
