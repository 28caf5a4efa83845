#include "sinter/ir/Sinter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

// Folds that keep every bit: identities of views and of arithmetic that hold for NaN, infinities and
// signed zeros too. Folding of whole constants is the simplify pass's, which bounds it in bytes.

/// True when `attribute` is a splat of exactly `value`.
static bool isSplatOf(Attribute attribute, double value) {
  auto elements = dyn_cast_or_null<SplatElementsAttr>(attribute);
  if (!elements) return false;
  if (isa<FloatType>(elements.getElementType())) {
    APFloat number = elements.getSplatValue<APFloat>();
    bool lost = false;
    APFloat expected(value);
    expected.convert(number.getSemantics(), APFloat::rmNearestTiesToEven, &lost);
    return number.bitwiseIsEqual(expected);
  }
  return elements.getSplatValue<APInt>().getSExtValue() == int64_t(value);
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  // x + (-0.0) is x for every x; x + 0.0 is not for x = -0.0.
  bool isFloat = isa<FloatType>(elementOf(getResult()));
  if (isSplatOf(adaptor.getRhs(), isFloat ? -0.0 : 0)) return getLhs();
  if (isSplatOf(adaptor.getLhs(), isFloat ? -0.0 : 0)) return getRhs();
  return {};
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 0.0)) return getLhs();
  return {};
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 1.0)) return getLhs();
  if (isSplatOf(adaptor.getLhs(), 1.0)) return getRhs();
  return {};
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 1.0)) return getLhs();
  return {};
}

OpFoldResult PowOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 1.0)) return getLhs();
  return {};
}

OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  if (getOnTrue() == getOnFalse()) return getOnTrue();
  if (auto condition = dyn_cast_or_null<SplatElementsAttr>(adaptor.getCondition()))
    return condition.getSplatValue<bool>() ? getOnTrue() : getOnFalse();
  return {};
}

/// Every value of `from` is a value of `to`.
static bool widens(Type from, Type to) {
  if (from == to) return true;
  if (to.isF64())
    return from.isF32() || from.isBF16() || from.isF16() || from.isInteger(32) ||
           from.isUnsignedInteger(8) || from.isInteger(1);
  if (to.isF32())
    return from.isBF16() || from.isF16() || from.isUnsignedInteger(8) || from.isInteger(1);
  return false;
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getX().getType() == getType()) return getX();
  // There and back through a wider type.
  if (auto inner = getX().getDefiningOp<CastOp>())
    if (inner.getX().getType() == getType() &&
        widens(elementOf(inner.getX()), elementOf(inner.getResult())))
      return inner.getX();
  return {};
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX()))
    return elements.reshape(cast<ShapedType>(getType()));
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return {};
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto elements = dyn_cast_or_null<SplatElementsAttr>(adaptor.getX()))
    return elements.resizeSplat(cast<ShapedType>(getType()));
  if (auto inner = getX().getDefiningOp<BroadcastOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return {};
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  bool identity = true;
  for (auto [place, dim] : llvm::enumerate(getPermutation())) identity &= int64_t(place) == dim;
  if (identity && getX().getType() == getType()) return getX();
  if (auto elements = dyn_cast_or_null<SplatElementsAttr>(adaptor.getX()))
    return elements.resizeSplat(cast<ShapedType>(getType()));
  if (auto inner = getX().getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> composed;
    for (int64_t dim : getPermutation()) composed.push_back(inner.getPermutation()[dim]);
    setPermutation(composed);
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return {};
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto elements = dyn_cast_or_null<SplatElementsAttr>(adaptor.getX()))
    return elements.resizeSplat(cast<ShapedType>(getType()));
  return {};
}

OpFoldResult RelayoutOp::fold(FoldAdaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto inner = getX().getDefiningOp<RelayoutOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return {};
}
