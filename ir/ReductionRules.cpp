#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace sinter::ir;

static bool isFloat(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }

/// The smallest (or largest) value of a type: what max (or min) starts from.
static Value extreme(OpBuilder &b, Location loc, Type like, bool smallest) {
  if (isFloat(like)) {
    double infinity = std::numeric_limits<double>::infinity();
    return constantOf(b, loc, like, smallest ? -infinity : infinity);
  }
  unsigned bits = getElementTypeOrSelf(like).getIntOrFloatBitWidth();
  APInt value = smallest ? APInt::getSignedMinValue(bits) : APInt::getSignedMaxValue(bits);
  return constantIntOf(b, loc, like, value.getSExtValue());
}

template <class FloatOp, class IntOp>
static SmallVector<Value> combine(OpBuilder &b, Location loc, Value lhs, Value rhs) {
  if (isFloat(lhs.getType())) return {FloatOp::create(b, loc, lhs, rhs)};
  return {IntOp::create(b, loc, lhs, rhs)};
}

SmallVector<int64_t> SumOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool SumOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> SumOp::buildInit(OpBuilder &b, Location loc, Type like) {
  return {constantIntOf(b, loc, like, 0)};
}
SmallVector<Value> SumOp::buildLift(OpBuilder &, Location, Value element, Value) {
  return {element};
}
SmallVector<Value> SumOp::buildCombine(OpBuilder &b, Location loc, ValueRange lhs, ValueRange rhs) {
  return combine<arith::AddFOp, arith::AddIOp>(b, loc, lhs[0], rhs[0]);
}
Value SumOp::buildFinish(OpBuilder &, Location, ValueRange accumulator, int64_t) {
  return accumulator[0];
}

SmallVector<int64_t> MeanOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MeanOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MeanOp::buildInit(OpBuilder &b, Location loc, Type like) {
  return {constantIntOf(b, loc, like, 0)};
}
SmallVector<Value> MeanOp::buildLift(OpBuilder &, Location, Value element, Value) {
  return {element};
}
SmallVector<Value> MeanOp::buildCombine(OpBuilder &b, Location loc, ValueRange lhs,
                                        ValueRange rhs) {
  return {arith::AddFOp::create(b, loc, lhs[0], rhs[0])};
}
Value MeanOp::buildFinish(OpBuilder &b, Location loc, ValueRange accumulator, int64_t count) {
  Value divisor = constantOf(b, loc, accumulator[0].getType(), double(count));
  return arith::DivFOp::create(b, loc, accumulator[0], divisor);
}

SmallVector<int64_t> MaxOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MaxOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MaxOp::buildInit(OpBuilder &b, Location loc, Type like) {
  return {extreme(b, loc, like, true)};
}
SmallVector<Value> MaxOp::buildLift(OpBuilder &, Location, Value element, Value) {
  return {element};
}
SmallVector<Value> MaxOp::buildCombine(OpBuilder &b, Location loc, ValueRange lhs, ValueRange rhs) {
  return combine<arith::MaximumFOp, arith::MaxSIOp>(b, loc, lhs[0], rhs[0]);
}
Value MaxOp::buildFinish(OpBuilder &, Location, ValueRange accumulator, int64_t) {
  return accumulator[0];
}

SmallVector<int64_t> MinOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MinOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MinOp::buildInit(OpBuilder &b, Location loc, Type like) {
  return {extreme(b, loc, like, false)};
}
SmallVector<Value> MinOp::buildLift(OpBuilder &, Location, Value element, Value) {
  return {element};
}
SmallVector<Value> MinOp::buildCombine(OpBuilder &b, Location loc, ValueRange lhs, ValueRange rhs) {
  return combine<arith::MinimumFOp, arith::MinSIOp>(b, loc, lhs[0], rhs[0]);
}
Value MinOp::buildFinish(OpBuilder &, Location, ValueRange accumulator, int64_t) {
  return accumulator[0];
}

// Components: the value and its position. A position beyond every element means "nothing yet", so that
// a row of -inf still finds its first element, in any order of combination.
SmallVector<int64_t> ArgmaxOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool ArgmaxOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> ArgmaxOp::buildInit(OpBuilder &b, Location loc, Type like) {
  Type positions = withElement(like, b.getI64Type());
  Value value = getElementTypeOrSelf(like).isInteger(1) ? constantIntOf(b, loc, like, 0)
                                                        : extreme(b, loc, like, true);
  return {value, constantIntOf(b, loc, positions, std::numeric_limits<int64_t>::max())};
}
SmallVector<Value> ArgmaxOp::buildLift(OpBuilder &, Location, Value element, Value position) {
  return {element, position};
}
SmallVector<Value> ArgmaxOp::buildCombine(OpBuilder &b, Location loc, ValueRange lhs,
                                          ValueRange rhs) {
  using arith::CmpFPredicate, arith::CmpIPredicate;
  auto floats = [&](CmpFPredicate predicate, Value x, Value y) -> Value {
    return arith::CmpFOp::create(b, loc, predicate, x, y);
  };
  auto integers = [&](CmpIPredicate predicate, Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, loc, predicate, x, y);
  };
  auto conjunction = [&](Value x, Value y) -> Value { return arith::AndIOp::create(b, loc, x, y); };
  auto either = [&](Value x, Value y) -> Value { return arith::OrIOp::create(b, loc, x, y); };
  // rhs wins when it is larger, or equal (two NaNs are) and earlier.
  Value larger, equal;
  if (isFloat(lhs[0].getType())) {
    Value lhsNumber = floats(CmpFPredicate::ORD, lhs[0], lhs[0]);
    larger = conjunction(lhsNumber, floats(CmpFPredicate::UGT, rhs[0], lhs[0]));
    Value bothNan = conjunction(floats(CmpFPredicate::UNO, lhs[0], lhs[0]),
                                floats(CmpFPredicate::UNO, rhs[0], rhs[0]));
    equal = either(floats(CmpFPredicate::OEQ, lhs[0], rhs[0]), bothNan);
  } else {
    bool boolean = getElementTypeOrSelf(lhs[0].getType()).isInteger(1);
    larger = integers(boolean ? CmpIPredicate::ugt : CmpIPredicate::sgt, rhs[0], lhs[0]);
    equal = integers(CmpIPredicate::eq, lhs[0], rhs[0]);
  }
  Value wins = either(larger, conjunction(equal, integers(CmpIPredicate::slt, rhs[1], lhs[1])));
  return {arith::SelectOp::create(b, loc, wins, rhs[0], lhs[0]),
          arith::SelectOp::create(b, loc, wins, rhs[1], lhs[1])};
}
Value ArgmaxOp::buildFinish(OpBuilder &, Location, ValueRange accumulator, int64_t) {
  return accumulator[1];
}

// Comparisons of the sorting network that codegen/LowerArgsort.cpp makes of it.
int64_t ArgsortOp::getFlops() {
  int64_t steps = llvm::Log2_64_Ceil(uint64_t(std::max<int64_t>(shapeOf(getX())[getDim()], 1)));
  return tensorType(getX()).getNumElements() * steps * (steps + 1) / 4;
}
