#include "sinter/ir/Factors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

// Matmul, convolution and its two gradients as sums over k of lhs(batch, m, k) * rhs(batch, k, n).
//
//   matmul               batch B...    m = M          n = N              k = K
//   conv2d               batch = [g]   m = [O/g]      n = [N, OH, OW]    k = [C/g, R, S]   lhs = weight
//   conv2d_weight_grad   batch = [g]   m = [O/g]      n = [C/g, R, S]    k = [N, OH, OW]   lhs = grad
//   conv2d_input_grad    batch = [g]   m = [C/g]      n = [N, H, W]      k = [O/g, R, S]   lhs = weight

using namespace mlir;
using namespace sinter::ir;

static AffineExpr dim(ElementBuilder &b, unsigned position) {
  return getAffineDimExpr(position, b.builder.getContext());
}
static SmallVector<Value> concat(ValueRange first, ValueRange second) {
  SmallVector<Value> result(first);
  llvm::append_range(result, second);
  return result;
}

Type sinter::ir::declaredFactor(Value operand) {
  Type declared = elementOf(operand);
  while (Operation *def = operand.getDefiningOp()) {
    bool moves = isa<ReshapeOp, TransposeOp>(def); // to another place, as they are
    auto cast = dyn_cast<CastOp>(def);
    bool widens = cast && elementOf(operand).isF32() &&
                  (elementOf(cast.getX()).isBF16() || elementOf(cast.getX()).isF16());
    if (widens) return elementOf(cast.getX());
    if (!moves) break;
    operand = def->getOperand(0);
  }
  return declared;
}

Type sinter::ir::commonFactor(Value lhs, Value rhs) {
  if (Type declared = declaredFactor(lhs); declared == declaredFactor(rhs)) return declared;
  return elementOf(lhs) == elementOf(rhs) ? elementOf(lhs) : Type();
}

ContractionDims MatmulOp::getContractionDims() {
  ArrayRef<int64_t> lhs = shapeOf(getLhs()), rhs = shapeOf(getRhs());
  size_t rank = lhs.size();
  ContractionDims dims;
  dims.batch.assign(lhs.begin(), lhs.end() - 2);
  dims.m = {lhs[rank - (getTransposeA() ? 1 : 2)]};
  dims.k = {lhs[rank - (getTransposeA() ? 2 : 1)]};
  dims.n = {rhs[rank - (getTransposeB() ? 2 : 1)]};
  return dims;
}
unsigned MatmulOp::getSideOperand(unsigned side) { return side; }
ElementAddress MatmulOp::getSideAddress(ElementBuilder &, unsigned side, ValueRange batch,
                                        ValueRange mn, ValueRange k) {
  bool kFirst = side == 0 ? getTransposeA() : !getTransposeB();
  return {concat(batch, kFirst ? concat(k, mn) : concat(mn, k)), nullptr};
}
SmallVector<Value> MatmulOp::getResultIndices(ElementBuilder &, ValueRange batch, ValueRange m,
                                              ValueRange n) {
  return concat(batch, concat(m, n));
}

namespace {
/// The sizes of a convolution, from its input's, weight's and output's shapes.
struct Conv {
  int64_t n, c, h, w, o, r, s, oh, ow, groups;
  ArrayRef<int64_t> stride, padding, dilation;

  template <class OpT> Conv(OpT op, Value input, Value weight, Value output)
      : n(shapeOf(input)[0]), c(shapeOf(input)[1]), h(shapeOf(input)[2]), w(shapeOf(input)[3]),
        o(shapeOf(weight)[0]), r(shapeOf(weight)[2]), s(shapeOf(weight)[3]), oh(shapeOf(output)[2]),
        ow(shapeOf(output)[3]), groups(op.getGroups()), stride(op.getStride()),
        padding(op.getPadding()), dilation(op.getDilation()) {}

  /// Channel `inner` of group `g` among `count` channels.
  Value channel(ElementBuilder &b, Value g, Value inner, int64_t count) const {
    return b.apply(dim(b, 0) * (count / groups) + dim(b, 1), {g, inner});
  }
  SmallVector<Value> weightAt(ElementBuilder &b, Value g, Value outChannel, Value inChannel,
                              Value r, Value s) const {
    return {channel(b, g, outChannel, o), inChannel, r, s};
  }
  SmallVector<Value> outputAt(ElementBuilder &b, Value g, Value outChannel,
                              ValueRange place) const {
    return {place[0], channel(b, g, outChannel, o), place[1], place[2]};
  }

  static void require(ElementBuilder &b, Value &inBounds, arith::CmpIPredicate predicate,
                      Value index, int64_t bound) {
    Value data = b.asData(index, b.builder.getI32Type()); // extents of images fit
    Value holds = arith::CmpIOp::create(b.builder, b.loc, predicate, data,
                                        constantIntOf(b.builder, b.loc, data.getType(), bound));
    inBounds = inBounds ? arith::AndIOp::create(b.builder, b.loc, inBounds, holds) : holds;
  }

  /// The input element under weight place (r, s) of output place (n, oh, ow).
  ElementAddress inputAt(ElementBuilder &b, Value g, Value inChannel, ValueRange place,
                         ValueRange rs) const {
    ElementAddress address{{place[0], channel(b, g, inChannel, c)}, nullptr};
    const int64_t in[] = {h, w}, kernel[] = {r, s}, out[] = {oh, ow};
    for (unsigned i = 0; i < 2; ++i) {
      Value index = b.apply(dim(b, 0) * stride[i] + dim(b, 1) * dilation[i] - padding[i],
                            {place[1 + i], rs[i]});
      if (padding[i] > 0) require(b, address.inBounds, arith::CmpIPredicate::sge, index, 0);
      if ((out[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] - padding[i] >= in[i])
        require(b, address.inBounds, arith::CmpIPredicate::slt, index, in[i]);
      address.indices.push_back(index);
    }
    return address;
  }

  /// The output element that reads input place (n, h, w) by weight place (r, s), where there is one.
  ElementAddress outputUnder(ElementBuilder &b, Value g, Value outChannel, ValueRange place,
                             ValueRange rs) const {
    ElementAddress address{{place[0], channel(b, g, outChannel, o)}, nullptr};
    const int64_t in[] = {h, w}, kernel[] = {r, s}, out[] = {oh, ow};
    for (unsigned i = 0; i < 2; ++i) {
      AffineExpr scaled = dim(b, 0) + padding[i] - dim(b, 1) * dilation[i];
      SmallVector<Value> operands{place[1 + i], rs[i]};
      Value index = b.apply(scaled.floorDiv(stride[i]), operands);
      if (padding[i] < (kernel[i] - 1) * dilation[i])
        require(b, address.inBounds, arith::CmpIPredicate::sge, index, 0);
      if (in[i] - 1 + padding[i] >= out[i] * stride[i])
        require(b, address.inBounds, arith::CmpIPredicate::slt, index, out[i]);
      if (stride[i] > 1)
        require(b, address.inBounds, arith::CmpIPredicate::eq,
                b.apply(scaled % stride[i], operands), 0);
      address.indices.push_back(index);
    }
    return address;
  }
};

Conv convOf(Conv2dOp op) { return {op, op.getInput(), op.getWeight(), op.getResult()}; }
Conv convOf(Conv2dInputGradOp op) { return {op, op.getResult(), op.getWeight(), op.getGrad()}; }
Conv convOf(Conv2dWeightGradOp op) { return {op, op.getInput(), op.getResult(), op.getGrad()}; }
} // namespace

ContractionDims Conv2dOp::getContractionDims() {
  Conv conv = convOf(*this);
  return {{conv.groups},
          {conv.o / conv.groups},
          {conv.n, conv.oh, conv.ow},
          {conv.c / conv.groups, conv.r, conv.s}};
}
unsigned Conv2dOp::getSideOperand(unsigned side) { return side == 0 ? 1 : 0; }
ElementAddress Conv2dOp::getSideAddress(ElementBuilder &b, unsigned side, ValueRange batch,
                                        ValueRange mn, ValueRange k) {
  Conv conv = convOf(*this);
  if (side == 0) return {conv.weightAt(b, batch[0], mn[0], k[0], k[1], k[2]), nullptr};
  return conv.inputAt(b, batch[0], k[0], mn, k.drop_front());
}
SmallVector<Value> Conv2dOp::getResultIndices(ElementBuilder &b, ValueRange batch, ValueRange m,
                                              ValueRange n) {
  return convOf(*this).outputAt(b, batch[0], m[0], n);
}

ContractionDims Conv2dWeightGradOp::getContractionDims() {
  Conv conv = convOf(*this);
  return {{conv.groups},
          {conv.o / conv.groups},
          {conv.c / conv.groups, conv.r, conv.s},
          {conv.n, conv.oh, conv.ow}};
}
unsigned Conv2dWeightGradOp::getSideOperand(unsigned side) { return side == 0 ? 1 : 0; }
ElementAddress Conv2dWeightGradOp::getSideAddress(ElementBuilder &b, unsigned side,
                                                  ValueRange batch, ValueRange mn, ValueRange k) {
  Conv conv = convOf(*this);
  if (side == 0) return {conv.outputAt(b, batch[0], mn[0], k), nullptr};
  return conv.inputAt(b, batch[0], mn[0], k, mn.drop_front());
}
SmallVector<Value> Conv2dWeightGradOp::getResultIndices(ElementBuilder &b, ValueRange batch,
                                                        ValueRange m, ValueRange n) {
  return convOf(*this).weightAt(b, batch[0], m[0], n[0], n[1], n[2]);
}

ContractionDims Conv2dInputGradOp::getContractionDims() {
  Conv conv = convOf(*this);
  return {{conv.groups},
          {conv.c / conv.groups},
          {conv.n, conv.h, conv.w},
          {conv.o / conv.groups, conv.r, conv.s}};
}
unsigned Conv2dInputGradOp::getSideOperand(unsigned side) { return side == 0 ? 1 : 0; }
ElementAddress Conv2dInputGradOp::getSideAddress(ElementBuilder &b, unsigned side, ValueRange batch,
                                                 ValueRange mn, ValueRange k) {
  Conv conv = convOf(*this);
  if (side == 0) return {conv.weightAt(b, batch[0], k[0], mn[0], k[1], k[2]), nullptr};
  return conv.outputUnder(b, batch[0], k[0], mn, k.drop_front());
}
SmallVector<Value> Conv2dInputGradOp::getResultIndices(ElementBuilder &b, ValueRange batch,
                                                       ValueRange m, ValueRange n) {
  return {n[0], convOf(*this).channel(b, batch[0], m[0], convOf(*this).c), n[1], n[2]};
}
