#include "sinter/codegen/reference/OpEvaluation.h"

using namespace mlir;
using sinter::runtime::DType;

namespace sinter::codegen::reference {

OpEvaluation::OpEvaluation(Operation *op, const EvaluatorOptions &options,
                           ArrayRef<const HostTensor *> operands)
    : op(op), options(options), operands(operands) {
  for (Type type : op->getResultTypes()) results.emplace_back(cast<RankedTensorType>(type));
}

static bool isFloatDType(DType type) { return runtime::isFloat(type); }

Writer::Writer(HostTensor &tensor, bool trackErrors)
    : arithmetic(computeFormatOf(dtypeOf(tensor.type.getElementType()))), tensor(tensor),
      dtype(dtypeOf(tensor.type.getElementType())),
      declared(formatOf(isFloatDType(dtype) ? dtype : DType::f32)), trackErrors(trackErrors) {}

void Writer::setError(int64_t i, double error) {
  if (!trackErrors || (error == 0 && tensor.error.empty())) return;
  if (tensor.error.empty()) tensor.error.resize(tensor.numElements());
  tensor.error[i] = error;
}

void Writer::set(int64_t i, Ball number) {
  if (!tensor.isFloat()) {
    setInteger(i, static_cast<int64_t>(number.value), number.error);
    return;
  }
  Ball kept = stored(number, arithmetic.format, declared);
  tensor.values[i] = kept.value;
  setError(i, kept.error);
}

void Writer::setInteger(int64_t i, int64_t number, double error) {
  tensor.integers[i] = wrapTo(dtype, number);
  // A result in doubt that wrapped could be anything.
  setError(i, error != 0 && tensor.integers[i] != number ? HUGE_VAL : error);
}

SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;) strides[dim - 1] = strides[dim] * shape[dim];
  return strides;
}

FoldedShape::FoldedShape(ArrayRef<int64_t> shape, ArrayRef<int64_t> foldedDims) {
  SmallVector<int64_t> strides = stridesOf(shape), keptShape, keptStrides, foldedShape,
                       foldedStrides;
  for (int64_t dim = 0; dim < int64_t(shape.size()); ++dim) {
    bool folds = llvm::is_contained(foldedDims, dim);
    (folds ? foldedShape : keptShape).push_back(shape[dim]);
    (folds ? foldedStrides : keptStrides).push_back(strides[dim]);
  }
  auto offsets = [](ArrayRef<int64_t> sizes, ArrayRef<int64_t> steps) {
    std::vector<int64_t> all;
    forEachIndex(sizes, [&](int64_t, ArrayRef<int64_t> indices) {
      int64_t offset = 0;
      for (auto [index, step] : llvm::zip(indices, steps)) offset += index * step;
      all.push_back(offset);
    });
    return all;
  };
  kept = offsets(keptShape, keptStrides);
  folded = offsets(foldedShape, foldedStrides);
}

} // namespace sinter::codegen::reference
