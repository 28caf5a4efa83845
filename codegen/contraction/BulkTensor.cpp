#include "sinter/codegen/contraction/BulkTensor.h"
#include "sinter/codegen/IndexMath.h"
#include "sinter/codegen/LowerKernel.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter::codegen {

std::optional<BulkTensor> BulkTensor::of(AffineExpr position, ArrayRef<int64_t> sizes,
                                         unsigned inner, unsigned outer, unsigned argument) {
  SmallVector<std::optional<IndexRange>> ranges;
  for (int64_t size : sizes) ranges.push_back(IndexRange{0, size - 1});
  position = simplifyIndex(position, ranges);
  // One product of each loop and a number; nothing else.
  bool linear = true;
  position.walk([&](AffineExpr part) {
    linear &= part.getKind() == AffineExprKind::Add || part.getKind() == AffineExprKind::Mul ||
              part.getKind() == AffineExprKind::Constant || part.getKind() == AffineExprKind::DimId;
  });
  if (!linear) return std::nullopt;
  MLIRContext *context = position.getContext();
  auto at = [&](std::optional<unsigned> loop) {
    SmallVector<AffineExpr> point(sizes.size(), getAffineConstantExpr(0, context));
    if (loop) point[*loop] = getAffineConstantExpr(1, context);
    return cast<AffineConstantExpr>(position.replaceDims(point)).getValue();
  };
  BulkTensor tensor;
  tensor.argument = argument;
  tensor.inner = sizes[inner], tensor.rows = sizes[outer];
  tensor.pitch = tensor.rows == 1 ? int64_t(llvm::alignTo(tensor.inner, pitchElements)) : at(outer);
  if (at(std::nullopt) != 0 || at(inner) != 1 || tensor.pitch <= 0 || tensor.pitch % pitchElements)
    return std::nullopt;
  tensor.batchPitch = at(0);
  if (tensor.batchPitch != 0 && sizes[0] > 1)
    tensor.batches = sizes[0];
  else
    tensor.batchPitch = tensor.pitch * tensor.rows;
  if (tensor.batchPitch <= 0 || tensor.batchPitch % pitchElements) return std::nullopt;
  return tensor;
}

Value BulkTensor::addMap(func::FuncOp function, int64_t boxRows, int64_t boxColumns,
                         int64_t swizzle) const {
  Builder b(function.getContext());
  unsigned place = function.getNumArguments();
  auto dictionary = b.getDictionaryAttr(
      {b.getNamedAttr("param", b.getI64IntegerAttr(argument)),
       b.getNamedAttr("shape", b.getDenseI64ArrayAttr({batches, rows, inner})),
       b.getNamedAttr("strides", b.getDenseI64ArrayAttr({batchPitch * 2, pitch * 2, 2})),
       b.getNamedAttr("box", b.getDenseI64ArrayAttr({1, boxRows, boxColumns})),
       b.getNamedAttr("swizzle", b.getI64IntegerAttr(swizzle))});
  auto attributes = b.getDictionaryAttr({b.getNamedAttr(tensorMapAttr, dictionary)});
  (void)function.insertArgument(place, MemRefType::get({128}, b.getI8Type()), attributes,
                                function.getLoc());
  return function.getArgument(place);
}

} // namespace sinter::codegen
