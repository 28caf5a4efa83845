#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace sinter::ir {

static int64_t product(ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents) result *= extent;
  return result;
}

int64_t contractionFlops(const ContractionDims &dims) {
  return 2 * product(dims.batch) * product(dims.m) * product(dims.n) * product(dims.k);
}

int64_t defaultFlops(Operation *op) {
  int64_t elements = 0;
  for (Type type : op->getResultTypes())
    elements = std::max(elements, cast<ShapedType>(type).getNumElements());
  for (Value operand : op->getOperands())
    if (isa<ReductionOpInterface>(op))
      elements = std::max(elements, cast<ShapedType>(operand.getType()).getNumElements());
  return elements;
}

SmallVector<AffineMap> identityMaps(Operation *op) {
  auto rank = cast<ShapedType>(op->getResult(0).getType()).getRank();
  return SmallVector<AffineMap>(op->getNumOperands() + op->getNumResults(),
                                AffineMap::getMultiDimIdentityMap(rank, op->getContext()));
}

SmallVector<AffineMap> reductionMaps(Operation *op) {
  auto reduction = cast<ReductionOpInterface>(op);
  auto rank = cast<ShapedType>(op->getOperand(0).getType()).getRank();
  MLIRContext *context = op->getContext();
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> reduced = reduction.getReducedDims();
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (!is_contained(reduced, dim))
      kept.push_back(getAffineDimExpr(dim, context));
    else if (reduction.getKeepsDims())
      kept.push_back(getAffineConstantExpr(0, context));
  }
  return {AffineMap::getMultiDimIdentityMap(rank, context), AffineMap::get(rank, 0, kept, context)};
}

Type computeType(Type element) {
  if (element.isBF16() || element.isF16()) return Float32Type::get(element.getContext());
  if (element.isUnsignedInteger(8)) return IntegerType::get(element.getContext(), 32);
  return element;
}

Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type)) return vector.cloneWith(std::nullopt, element);
  return element;
}

static Value constantAttribute(OpBuilder &b, Location loc, Type type, TypedAttr scalar) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, Attribute(scalar)));
  return arith::ConstantOp::create(b, loc, scalar);
}

Value constantOf(OpBuilder &b, Location loc, Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  if (auto floating = dyn_cast<FloatType>(element))
    return constantAttribute(b, loc, type, b.getFloatAttr(floating, value));
  return constantAttribute(b, loc, type, b.getIntegerAttr(element, int64_t(value)));
}

Value constantIntOf(OpBuilder &b, Location loc, Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  if (isa<FloatType>(element)) return constantOf(b, loc, type, double(value));
  return constantAttribute(b, loc, type, b.getIntegerAttr(element, value));
}

Value ElementBuilder::apply(AffineExpr expr, ValueRange operands) {
  SmallVector<OpFoldResult> values(operands.begin(), operands.end());
  OpFoldResult folded = affine::makeComposedFoldedAffineApply(builder, loc, expr, values);
  return getValueOrCreateConstantIndexOp(builder, loc, folded);
}

Value ElementBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value splat(OpBuilder &b, Location loc, RankedTensorType type, double value) {
  Type element = type.getElementType();
  auto plain = RankedTensorType::get(type.getShape(), element);
  if (auto floating = dyn_cast<FloatType>(element)) {
    APFloat number(value);
    bool lost = false;
    number.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
    return ConstantOp::create(b, loc, DenseElementsAttr::get(plain, number));
  }
  return ConstantOp::create(b, loc,
                            DenseElementsAttr::get(plain, APInt(element.getIntOrFloatBitWidth(),
                                                                uint64_t(int64_t(value)))));
}

} // namespace sinter::ir
