#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

// Pooling and its gradients, both as loops that gather: a gradient asks which windows cover an element.
// And sums up to an element, whose window grows.

using namespace mlir;
using namespace sinter::ir;

namespace {
/// Windows with more places than this become loops instead of straight code.
constexpr int64_t unrollLimit = 32;

/// The two spatial dimensions of a pooling op.
struct Axis {
  int64_t kernel, stride, padding, in, out;
  /// Whether some window reaches outside [0, in).
  bool reachesLow() const { return padding > 0; }
  bool reachesHigh() const { return (out - 1) * stride - padding + kernel > in; }
  /// Whether an element can lie in more than one window.
  bool overlaps() const { return stride < kernel; }
};

template <class OpT> std::array<Axis, 2> axesOf(OpT op, Value in, Value out) {
  std::array<Axis, 2> axes;
  for (unsigned i = 0; i < 2; ++i)
    axes[i] = {op.getKernelSize()[i], op.getStride()[i], op.getPadding()[i], shapeOf(in)[2 + i],
               shapeOf(out)[2 + i]};
  return axes;
}

AffineExpr dim(ElementBuilder &b, unsigned position) {
  return getAffineDimExpr(position, b.builder.getContext());
}

Value both(ElementBuilder &b, Value lhs, Value rhs) {
  if (!lhs || !rhs) return lhs ? lhs : rhs;
  return b.builder.createOrFold<arith::AndIOp>(b.loc, lhs, rhs);
}
Value compare(ElementBuilder &b, arith::CmpIPredicate predicate, Value lhs, int64_t rhs) {
  return b.builder.createOrFold<arith::CmpIOp>(b.loc, predicate, lhs,
                                               constantIntOf(b.builder, b.loc, lhs.getType(), rhs));
}
Value data(ElementBuilder &b, Value index) { return b.asData(index, b.builder.getI32Type()); }

/// A loop over [0, extent). Its body is emitted when it stands in its place, so that builders see where.
SmallVector<Value> forIndex(ElementBuilder &b, int64_t extent, SmallVector<Value> carried,
                            llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop =
      scf::ForOp::create(b.builder, b.loc, b.index(0), b.index(extent), b.index(1), carried);
  OpBuilder::InsertionGuard guard(b.builder);
  b.builder.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(b.builder, b.loc, body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

/// Calls `body(r, s, carried)` for each place of a window, in row-major order.
using PlaceBody = llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)>;
SmallVector<Value> forPlaces(ElementBuilder &b, int64_t rows, int64_t columns,
                             SmallVector<Value> carried, PlaceBody body) {
  if (rows * columns <= unrollLimit) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t s = 0; s < columns; ++s) carried = body(b.index(r), b.index(s), carried);
    return carried;
  }
  return forIndex(b, rows, carried, [&](Value r, ValueRange outer) {
    return forIndex(b, columns, SmallVector<Value>(outer),
                    [&](Value s, ValueRange inner) { return body(r, s, inner); });
  });
}

/// Place (r, s) of the window of output (.., oh, ow): the input's indices, and whether they exist.
struct Place {
  SmallVector<Value> indices;
  Value exists;
  Place(ElementBuilder &b, const std::array<Axis, 2> &axes, ValueRange output, Value r, Value s)
      : indices(output.take_front(2)) {
    for (unsigned i = 0; i < 2; ++i) {
      const Axis &axis = axes[i];
      indices.push_back(
          b.apply(dim(b, 0) * axis.stride + dim(b, 1) - axis.padding, {output[2 + i], i ? s : r}));
      if (axis.reachesLow())
        exists = both(b, exists, compare(b, arith::CmpIPredicate::sge, data(b, indices.back()), 0));
      if (axis.reachesHigh())
        exists = both(b, exists,
                      compare(b, arith::CmpIPredicate::slt, data(b, indices.back()), axis.in));
    }
  }
};

/// The window that covers input (.., h, w) with place (r, s): its output's indices, and whether it
/// exists and covers. Where windows do not overlap there is one, found by division.
struct Cover {
  SmallVector<Value> indices;
  Value exists;
  Cover(ElementBuilder &b, const std::array<Axis, 2> &axes, ValueRange input, Value r, Value s)
      : indices(input.take_front(2)) {
    for (unsigned i = 0; i < 2; ++i) {
      const Axis &axis = axes[i];
      AffineExpr first = dim(b, 0) + axis.padding - dim(b, 1); // of the window, in padded input
      SmallVector<Value> operands{input[2 + i], i ? s : r};
      indices.push_back(b.apply(first.floorDiv(axis.stride), operands));
      Value output = data(b, indices.back());
      exists = both(b, exists, compare(b, arith::CmpIPredicate::sge, output, 0));
      exists = both(b, exists, compare(b, arith::CmpIPredicate::slt, output, axis.out));
      if (axis.stride > 1) {
        Value rest = data(b, b.apply(first % axis.stride, operands));
        exists = both(b, exists, compare(b, arith::CmpIPredicate::eq, rest, 0));
      }
    }
  }
  /// Without overlap: the one window, and the place in it.
  Cover(ElementBuilder &b, const std::array<Axis, 2> &axes, ValueRange input,
        SmallVectorImpl<Value> &place)
      : indices(input.take_front(2)) {
    for (unsigned i = 0; i < 2; ++i) {
      const Axis &axis = axes[i];
      AffineExpr padded = dim(b, 0) + axis.padding;
      indices.push_back(b.apply(padded.floorDiv(axis.stride), input[2 + i]));
      place.push_back(b.apply(padded % axis.stride, input[2 + i]));
      if (axis.in - 1 + axis.padding >= axis.out * axis.stride)
        exists = both(b, exists,
                      compare(b, arith::CmpIPredicate::slt, data(b, indices.back()), axis.out));
      if (axis.stride > axis.kernel)
        exists = both(b, exists,
                      compare(b, arith::CmpIPredicate::slt, data(b, place.back()), axis.kernel));
    }
  }
};

Value guardedElement(ElementBuilder &b, Value exists, Value otherwise,
                     llvm::function_ref<Value()> element) {
  return exists ? b.guarded(exists, otherwise, element) : element();
}

/// How many places of the window of an output count for its mean, in type `type`.
template <class OpT> Value windowCount(OpT op, ElementBuilder &b, const std::array<Axis, 2> &axes,
                                       ValueRange output, Type type) {
  Value count;
  double constant = 1;
  for (unsigned i = 0; i < 2; ++i) {
    const Axis &axis = axes[i];
    // Padding counts when asked for; what a ceil_mode window has beyond the padding never does.
    int64_t low = op.getCountIncludePad() ? -axis.padding : 0;
    int64_t high = op.getCountIncludePad() ? axis.in + axis.padding : axis.in;
    bool cut =
        -axis.padding < low || (axis.out - 1) * axis.stride - axis.padding + axis.kernel > high;
    if (!cut) {
      constant *= double(axis.kernel);
      continue;
    }
    Value first = data(b, b.apply(dim(b, 0) * axis.stride - axis.padding, output[2 + i]));
    auto number = [&](int64_t value) {
      return constantIntOf(b.builder, b.loc, first.getType(), value);
    };
    Value end = arith::AddIOp::create(b.builder, b.loc, first, number(axis.kernel));
    first = arith::MaxSIOp::create(b.builder, b.loc, first, number(low));
    end = arith::MinSIOp::create(b.builder, b.loc, end, number(high));
    Value length = arith::SIToFPOp::create(b.builder, b.loc, type,
                                           arith::SubIOp::create(b.builder, b.loc, end, first));
    count = count ? arith::MulFOp::create(b.builder, b.loc, count, length) : length;
  }
  Value rest = constantOf(b.builder, b.loc, type, constant);
  if (!count) return rest;
  return constant == 1 ? count : arith::MulFOp::create(b.builder, b.loc, count, rest);
}
} // namespace

Value MaxPool2dOp::buildElement(ElementBuilder &b, unsigned result, ValueRange indices) {
  auto axes = axesOf(*this, getX(), getResult());
  bool mayBeOutside = axes[0].reachesLow() || axes[0].reachesHigh() || axes[1].reachesLow() ||
                      axes[1].reachesHigh();
  Type type = b.valueType(computeType(elementOf(getX())));
  Type placeType = b.valueType(b.builder.getI32Type());
  Value none = constantOf(b.builder, b.loc, type, -std::numeric_limits<double>::infinity());
  // Straight code whose first place always exists starts from it: then nothing tests for "none yet".
  bool always = !mayBeOutside && axes[0].kernel * axes[1].kernel <= unrollLimit;
  bool started = false;
  auto body = [&](Value r, Value s, ValueRange carried) -> SmallVector<Value> {
    Place place(b, axes, indices, r, s);
    Value value =
        guardedElement(b, place.exists, none, [&] { return b.element(getX(), place.indices); });
    AffineExpr linear = dim(b, 0) * axes[1].kernel + dim(b, 1);
    Value here = b.asData(b.apply(linear, {r, s}), b.builder.getI32Type());
    if (always && !std::exchange(started, true)) return {value, here};
    // Larger, or NaN where there was none.
    Value larger =
        arith::CmpFOp::create(b.builder, b.loc, arith::CmpFPredicate::UGT, value, carried[0]);
    Value number =
        arith::CmpFOp::create(b.builder, b.loc, arith::CmpFPredicate::ORD, carried[0], carried[0]);
    Value wins = arith::AndIOp::create(b.builder, b.loc, larger, number);
    if (!always) {
      Value first = compare(b, arith::CmpIPredicate::slt, carried[1], 0);
      wins = both(b, place.exists, arith::OrIOp::create(b.builder, b.loc, wins, first));
    }
    return {arith::SelectOp::create(b.builder, b.loc, wins, value, carried[0]),
            arith::SelectOp::create(b.builder, b.loc, wins, here, carried[1])};
  };
  SmallVector<Value> nothing{none, constantIntOf(b.builder, b.loc, placeType, -1)};
  return forPlaces(b, axes[0].kernel, axes[1].kernel, nothing, body)[result];
}
bool MaxPool2dOp::isVectorizable() { return false; }

Value MaxPool2dGradOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  auto axes = axesOf(*this, getResult(), getGrad());
  Type type = b.valueType(computeType(elementOf(getGrad())));
  Value zero = constantOf(b.builder, b.loc, type, 0);
  AffineExpr linear = dim(b, 0) * axes[1].kernel + dim(b, 1);
  auto routed = [&](const Cover &cover, Value r, Value s) {
    return guardedElement(b, cover.exists, zero, [&] {
      Value chosen = b.element(getPlace(), cover.indices);
      Value here = b.asData(b.apply(linear, {r, s}), b.builder.getI32Type());
      Value equal = arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::eq, chosen, here);
      return Value(arith::SelectOp::create(b.builder, b.loc, equal,
                                           b.element(getGrad(), cover.indices), zero));
    });
  };
  if (!axes[0].overlaps() && !axes[1].overlaps()) {
    SmallVector<Value> place;
    Cover cover(b, axes, indices, place);
    return routed(cover, place[0], place[1]);
  }
  return forPlaces(
      b, axes[0].kernel, axes[1].kernel, {zero}, [&](Value r, Value s, ValueRange carried) {
        Cover cover(b, axes, indices, r, s);
        Value sum = arith::AddFOp::create(b.builder, b.loc, carried[0], routed(cover, r, s));
        return SmallVector<Value>{sum};
      })[0];
}
bool MaxPool2dGradOp::isVectorizable() { return false; }

Value AvgPool2dOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  auto axes = axesOf(*this, getX(), getResult());
  Type type = b.valueType(computeType(elementOf(getX())));
  Value zero = constantOf(b.builder, b.loc, type, 0);
  Value sum = forPlaces(
      b, axes[0].kernel, axes[1].kernel, {zero}, [&](Value r, Value s, ValueRange carried) {
        Place place(b, axes, indices, r, s);
        Value value =
            guardedElement(b, place.exists, zero, [&] { return b.element(getX(), place.indices); });
        return SmallVector<Value>{arith::AddFOp::create(b.builder, b.loc, carried[0], value)};
      })[0];
  return arith::DivFOp::create(b.builder, b.loc, sum, windowCount(*this, b, axes, indices, type));
}
bool AvgPool2dOp::isVectorizable() { return false; }

Value AvgPool2dGradOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  auto axes = axesOf(*this, getResult(), getGrad());
  Type type = b.valueType(computeType(elementOf(getGrad())));
  Value zero = constantOf(b.builder, b.loc, type, 0);
  auto spread = [&](const Cover &cover) {
    return guardedElement(b, cover.exists, zero, [&] {
      Value grad = b.element(getGrad(), cover.indices);
      return Value(arith::DivFOp::create(b.builder, b.loc, grad,
                                         windowCount(*this, b, axes, cover.indices, type)));
    });
  };
  if (!axes[0].overlaps() && !axes[1].overlaps()) {
    SmallVector<Value> place;
    return spread(Cover(b, axes, indices, place));
  }
  return forPlaces(b, axes[0].kernel, axes[1].kernel, {zero},
                   [&](Value r, Value s, ValueRange carried) {
                     Value sum = arith::AddFOp::create(b.builder, b.loc, carried[0],
                                                       spread(Cover(b, axes, indices, r, s)));
                     return SmallVector<Value>{sum};
                   })[0];
}
bool AvgPool2dGradOp::isVectorizable() { return false; }

// Each result adds up its own elements: a loop over the dimension of which a part counts.
Value CumsumOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  int64_t along = getDim();
  Type type = b.valueType(computeType(elementOf(getX())));
  Value zero = constantIntOf(b.builder, b.loc, type, 0), here = data(b, indices[along]);
  auto predicate = getReverse() ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle;
  return forPlaces(
      b, 1, shapeOf(getX())[along], {zero}, [&](Value, Value there, ValueRange carried) {
        SmallVector<Value> place(indices);
        place[along] = there;
        Value counts =
            b.builder.createOrFold<arith::CmpIOp>(b.loc, predicate, data(b, there), here);
        Value value = b.guarded(counts, zero, [&] { return b.element(getX(), place); });
        if (isa<FloatType>(computeType(elementOf(getX()))))
          return SmallVector<Value>{arith::AddFOp::create(b.builder, b.loc, carried[0], value)};
        return SmallVector<Value>{arith::AddIOp::create(b.builder, b.loc, carried[0], value)};
      })[0];
}
bool CumsumOp::isVectorizable() { return false; }
int64_t CumsumOp::getFlops() {
  return tensorType(getX()).getNumElements() * (shapeOf(getX())[getDim()] + 1) / 2;
}
