#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

// How elements of elementwise ops and of views are found. Random numbers, indexed access and windows
// have files of their own.

using namespace mlir;
using namespace sinter::ir;

/// The elements of the operands at the same place, and the scalar body on them.
template <class OpT> static Value elementwise(OpT op, ElementBuilder &b, ValueRange indices) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) operands.push_back(b.element(operand, indices));
  return op.buildScalar(b.builder, b.loc, operands);
}

Value AbsOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value AddOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value CastOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value CeilOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value ClampOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value CompareOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value CosOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value DivOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value EluOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value ErfOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value ExpOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value FloorDivideOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value FloorOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value GeluOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value IsFiniteOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value Log1pOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value LogOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value LogicalAndOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value LogicalNotOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value LogicalOrOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value MaximumOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value MinimumOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value MulOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value NegOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value PowOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value ReluOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value RemainderOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value RsqrtOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SelectOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SigmoidOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SignOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SiluOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SinOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SoftplusOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SqrtOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value SubOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}
Value TanhOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return elementwise(*this, b, indices);
}

/// Element of operand 0 by an affine view's own indexing map.
template <class OpT> static Value viewed(OpT op, ElementBuilder &b, ValueRange indices) {
  SmallVector<Value> operandIndices;
  for (AffineExpr expr : op.getIndexingMaps().front().getResults())
    operandIndices.push_back(b.apply(expr, indices));
  return b.element(op.getX(), operandIndices);
}
Value BroadcastOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return viewed(*this, b, indices);
}
Value RelayoutOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return viewed(*this, b, indices);
}
Value SliceOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return viewed(*this, b, indices);
}
Value StopGradientOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return viewed(*this, b, indices);
}
Value TransposeOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  return viewed(*this, b, indices);
}

Value ConstantOp::buildElement(ElementBuilder &b, unsigned, ValueRange) {
  auto elements = cast<DenseElementsAttr>(getValue());
  if (!elements.isSplat())
    llvm_unreachable("a constant that is no splat lives in memory: the builder reads it by itself");
  Type type = b.valueType(computeType(elements.getElementType()));
  if (isa<FloatType>(elements.getElementType()))
    return constantOf(b.builder, b.loc, type, elements.getSplatValue<APFloat>().convertToDouble());
  APInt value = elements.getSplatValue<APInt>();
  bool isSigned = elements.getElementType().isSignlessInteger() && value.getBitWidth() > 1;
  return constantIntOf(b.builder, b.loc, type,
                       isSigned ? value.getSExtValue() : int64_t(value.getZExtValue()));
}

Value IotaOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Type type = computeType(elementOf(getResult()));
  if (!isa<FloatType>(type)) return b.asData(indices[getDim()], type);
  Value position = b.asData(indices[getDim()], b.builder.getI64Type());
  return arith::SIToFPOp::create(b.builder, b.loc, b.valueType(type), position);
}

// Dimensions are matched in groups of equal size from the left, so that the ones a reshape leaves alone
// keep their own index and only the others are taken apart.
Value ReshapeOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  ArrayRef<int64_t> from = shapeOf(getX()), to = shapeOf(getResult());
  SmallVector<Value> operandIndices;
  size_t i = 0, o = 0;
  while (i < from.size() || o < to.size()) {
    size_t firstIn = i, firstOut = o;
    int64_t in = i < from.size() ? from[i++] : 1, out = o < to.size() ? to[o++] : 1;
    while (in != out || (in == 0 && (i < from.size() || o < to.size()))) {
      if ((in < out && i < from.size()) || o == to.size())
        in *= from[i++];
      else
        out *= to[o++];
    }
    AffineExpr linear = getAffineConstantExpr(0, getContext());
    for (size_t dim = firstOut; dim < o; ++dim)
      linear = linear * to[dim] + getAffineDimExpr(dim, getContext());
    int64_t stride = in;
    for (size_t dim = firstIn; dim < i; ++dim) {
      if (from[dim] == 1) {
        operandIndices.push_back(b.index(0));
        continue;
      }
      bool first = stride == in;
      stride /= std::max<int64_t>(from[dim], 1);
      AffineExpr expr = linear.floorDiv(std::max<int64_t>(stride, 1));
      operandIndices.push_back(b.apply(first ? expr : expr % from[dim], indices));
    }
  }
  return b.element(getX(), operandIndices);
}
bool ReshapeOp::isVectorizable() { return true; }

/// `lower <= index < upper` on data; null for a bound means that it always holds.
static Value within(ElementBuilder &b, Value index, std::optional<int64_t> lower,
                    std::optional<int64_t> upper) {
  Value result;
  bool narrow = std::max(lower.value_or(0), upper.value_or(0)) < (int64_t(1) << 30);
  Value data = b.asData(index, narrow ? b.builder.getI32Type() : b.builder.getI64Type());
  auto check = [&](arith::CmpIPredicate predicate, int64_t bound) {
    Value holds = arith::CmpIOp::create(b.builder, b.loc, predicate, data,
                                        constantIntOf(b.builder, b.loc, data.getType(), bound));
    result = result ? arith::AndIOp::create(b.builder, b.loc, result, holds) : holds;
  };
  if (lower) check(arith::CmpIPredicate::sge, *lower);
  if (upper) check(arith::CmpIPredicate::slt, *upper);
  return result;
}
static Value both(ElementBuilder &b, Value lhs, Value rhs) {
  if (!lhs || !rhs) return lhs ? lhs : rhs;
  return arith::AndIOp::create(b.builder, b.loc, lhs, rhs);
}

Value PadOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  SmallVector<Value> operandIndices;
  Value inside;
  for (auto [dim, size] : llvm::enumerate(shapeOf(getX()))) {
    int64_t low = getLow()[dim], period = getInterior()[dim] + 1;
    AffineExpr shifted = getAffineDimExpr(dim, getContext()) - low;
    int64_t last = shapeOf(getResult())[dim] - 1 - low;
    std::optional<int64_t> lower, upper;
    if (low > 0) lower = 0;
    if (last > (size - 1) * period) upper = (size - 1) * period + 1;
    if (lower || upper)
      inside = both(b, inside, within(b, b.apply(shifted, indices), lower, upper));
    if (period > 1)
      inside = both(b, inside, within(b, b.apply(shifted % period, indices), std::nullopt, 1));
    operandIndices.push_back(b.apply(period > 1 ? shifted.floorDiv(period) : shifted, indices));
  }
  auto element = [&] { return b.element(getX(), operandIndices); };
  if (!inside) return element();
  Type type = b.valueType(computeType(elementOf(getResult())));
  Value around = constantOf(b.builder, b.loc, type, getValue().convertToDouble());
  return b.guarded(inside, around, element);
}
bool PadOp::isVectorizable() { return false; }

Value ConcatOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Type type = b.valueType(computeType(elementOf(getResult())));
  Value result;
  int64_t start = 0, dim = getDim();
  for (Value input : getInputs()) {
    int64_t end = start + shapeOf(input)[dim];
    if (start == end) continue;
    auto element = [&] {
      SmallVector<Value> inputIndices(indices);
      inputIndices[dim] = b.apply(getAffineDimExpr(0, getContext()) - start, indices[dim]);
      return b.element(input, inputIndices);
    };
    Value inside = within(b, indices[dim], start ? std::optional(start) : std::nullopt,
                          end < shapeOf(getResult())[dim] ? std::optional(end) : std::nullopt);
    if (!result) result = constantIntOf(b.builder, b.loc, type, 0);
    result = inside ? b.guarded(inside, result, element) : element();
    start = end;
  }
  return result;
}
bool ConcatOp::isVectorizable() { return false; }
