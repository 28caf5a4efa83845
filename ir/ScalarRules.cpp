#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>
#include <limits>

// The scalar bodies of elementwise arithmetic, comparisons and casts. Functions are in
// ScalarRulesMath.cpp.

using namespace mlir;
using namespace sinter::ir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

template <class FloatOp, class IntOp>
static Value floatOrInt(OpBuilder &b, Location loc, ValueRange operands) {
  if (isFloat(operands[0])) return FloatOp::create(b, loc, operands[0], operands[1]);
  return IntOp::create(b, loc, operands[0], operands[1]);
}

static Value compare(OpBuilder &b, Location loc, CmpFPredicate floats, CmpIPredicate integers,
                     Value lhs, Value rhs) {
  if (isFloat(lhs)) return arith::CmpFOp::create(b, loc, floats, lhs, rhs);
  return arith::CmpIOp::create(b, loc, integers, lhs, rhs);
}
static Value select(OpBuilder &b, Location loc, Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, loc, condition, yes, no);
}

Value AddOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return floatOrInt<arith::AddFOp, arith::AddIOp>(b, loc, operands);
}
Value SubOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return floatOrInt<arith::SubFOp, arith::SubIOp>(b, loc, operands);
}
Value MulOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return floatOrInt<arith::MulFOp, arith::MulIOp>(b, loc, operands);
}
Value DivOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return arith::DivFOp::create(b, loc, operands[0], operands[1]);
}
Value MaximumOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return floatOrInt<arith::MaximumFOp, arith::MaxSIOp>(b, loc, operands);
}
Value MinimumOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return floatOrInt<arith::MinimumFOp, arith::MinSIOp>(b, loc, operands);
}

namespace {
/// Quotient and remainder with the sign rule of Python, and never a trap: x86 traps on a zero divisor
/// and on the smallest integer divided by -1.
struct IntegerDivision {
  Value quotient, remainder;
  IntegerDivision(OpBuilder &b, Location loc, Value lhs, Value rhs) {
    Type type = lhs.getType();
    Value zero = constantIntOf(b, loc, type, 0), one = constantIntOf(b, loc, type, 1);
    Value minusOne = constantIntOf(b, loc, type, -1);
    auto cmp = [&](CmpIPredicate predicate, Value x, Value y) -> Value {
      return arith::CmpIOp::create(b, loc, predicate, x, y);
    };
    Value byMinusOne = cmp(CmpIPredicate::eq, rhs, minusOne);
    Value unsafe = arith::OrIOp::create(b, loc, byMinusOne, cmp(CmpIPredicate::eq, rhs, zero));
    Value divisor = select(b, loc, unsafe, one, rhs);
    Value truncated = arith::DivSIOp::create(b, loc, lhs, divisor);
    Value rest =
        arith::SubIOp::create(b, loc, lhs, arith::MulIOp::create(b, loc, truncated, divisor));
    Value signs = arith::XOrIOp::create(b, loc, rest, divisor);
    Value adjust = arith::AndIOp::create(b, loc, cmp(CmpIPredicate::ne, rest, zero),
                                         cmp(CmpIPredicate::slt, signs, zero));
    Value floored =
        select(b, loc, adjust, arith::SubIOp::create(b, loc, truncated, one), truncated);
    quotient = select(b, loc, byMinusOne, arith::SubIOp::create(b, loc, zero, lhs), floored);
    remainder = select(b, loc, adjust, arith::AddIOp::create(b, loc, rest, divisor), rest);
  }
};

/// The same for floating point, as PyTorch computes them (c10/util/generic_math.h): by fmod, which is
/// exact, so that a quotient just below an integer is not rounded up to it.
struct FloatDivision {
  Value quotient, remainder;
  FloatDivision(OpBuilder &b, Location loc, Value lhs, Value rhs) {
    Type type = lhs.getType();
    Value zero = constantOf(b, loc, type, 0), one = constantOf(b, loc, type, 1);
    auto cmp = [&](CmpFPredicate predicate, Value x, Value y) -> Value {
      return arith::CmpFOp::create(b, loc, predicate, x, y);
    };
    Value rest = arith::RemFOp::create(b, loc, lhs, rhs);
    Value otherSign = arith::XOrIOp::create(b, loc, cmp(CmpFPredicate::OLT, rhs, zero),
                                            cmp(CmpFPredicate::OLT, rest, zero));
    Value adjust = arith::AndIOp::create(b, loc, cmp(CmpFPredicate::ONE, rest, zero), otherSign);
    remainder = select(b, loc, adjust, arith::AddFOp::create(b, loc, rest, rhs), rest);
    Value exact = arith::DivFOp::create(b, loc, arith::SubFOp::create(b, loc, lhs, rest), rhs);
    exact = select(b, loc, adjust, arith::SubFOp::create(b, loc, exact, one), exact);
    Value floored = math::FloorOp::create(b, loc, exact);
    Value above = cmp(CmpFPredicate::OGT, arith::SubFOp::create(b, loc, exact, floored),
                      constantOf(b, loc, type, 0.5));
    floored = select(b, loc, above, arith::AddFOp::create(b, loc, floored, one), floored);
    quotient = select(b, loc, cmp(CmpFPredicate::OEQ, rhs, zero),
                      arith::DivFOp::create(b, loc, lhs, rhs), floored);
  }
};
} // namespace

Value FloorDivideOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  if (isFloat(operands[0])) return FloatDivision(b, loc, operands[0], operands[1]).quotient;
  return IntegerDivision(b, loc, operands[0], operands[1]).quotient;
}
Value RemainderOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  if (isFloat(operands[0])) return FloatDivision(b, loc, operands[0], operands[1]).remainder;
  return IntegerDivision(b, loc, operands[0], operands[1]).remainder;
}

Value NegOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  if (isFloat(x)) return arith::NegFOp::create(b, loc, x);
  return arith::SubIOp::create(b, loc, constantIntOf(b, loc, x.getType(), 0), x);
}
Value AbsOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  if (isFloat(x)) return math::AbsFOp::create(b, loc, x);
  Value zero = constantIntOf(b, loc, x.getType(), 0);
  Value negative = arith::CmpIOp::create(b, loc, CmpIPredicate::slt, x, zero);
  return select(b, loc, negative, arith::SubIOp::create(b, loc, zero, x), x);
}
Value SignOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Value zero = constantIntOf(b, loc, x.getType(), 0);
  Value positive = compare(b, loc, CmpFPredicate::OGT, CmpIPredicate::sgt, x, zero);
  Value negative = compare(b, loc, CmpFPredicate::OLT, CmpIPredicate::slt, x, zero);
  Value rest = select(b, loc, negative, constantIntOf(b, loc, x.getType(), -1), x);
  return select(b, loc, positive, constantIntOf(b, loc, x.getType(), 1), rest);
}

// Written as a comparison that is false for NaN, so that NaN stays: one instruction on x86.
Value ReluOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Value zero = constantIntOf(b, loc, x.getType(), 0);
  return select(b, loc, compare(b, loc, CmpFPredicate::OGT, CmpIPredicate::sgt, zero, x), zero, x);
}
Value ClampOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  if (auto min = getMin()) {
    Value bound = constantOf(b, loc, x.getType(), min->convertToDouble());
    x = select(b, loc, compare(b, loc, CmpFPredicate::OGT, CmpIPredicate::sgt, bound, x), bound, x);
  }
  if (auto max = getMax()) {
    Value bound = constantOf(b, loc, x.getType(), max->convertToDouble());
    x = select(b, loc, compare(b, loc, CmpFPredicate::OLT, CmpIPredicate::slt, bound, x), bound, x);
  }
  return x;
}

Value CompareOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  static constexpr std::pair<CmpFPredicate, CmpIPredicate> predicates[] = {
      {CmpFPredicate::OEQ, CmpIPredicate::eq},  {CmpFPredicate::UNE, CmpIPredicate::ne},
      {CmpFPredicate::OLT, CmpIPredicate::slt}, {CmpFPredicate::OLE, CmpIPredicate::sle},
      {CmpFPredicate::OGT, CmpIPredicate::sgt}, {CmpFPredicate::OGE, CmpIPredicate::sge}};
  static constexpr CmpIPredicate booleans[] = {CmpIPredicate::eq,  CmpIPredicate::ne,
                                               CmpIPredicate::ult, CmpIPredicate::ule,
                                               CmpIPredicate::ugt, CmpIPredicate::uge};
  auto which = static_cast<unsigned>(getPredicate());
  bool boolean = getElementTypeOrSelf(operands[0].getType()).isInteger(1);
  return compare(b, loc, predicates[which].first,
                 boolean ? booleans[which] : predicates[which].second, operands[0], operands[1]);
}
Value LogicalAndOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return arith::AndIOp::create(b, loc, operands[0], operands[1]);
}
Value LogicalOrOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return arith::OrIOp::create(b, loc, operands[0], operands[1]);
}
Value LogicalNotOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return arith::XOrIOp::create(b, loc, operands[0],
                               constantIntOf(b, loc, operands[0].getType(), 1));
}
Value IsFiniteOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value infinity =
      constantOf(b, loc, operands[0].getType(), std::numeric_limits<double>::infinity());
  return arith::CmpFOp::create(b, loc, CmpFPredicate::OLT,
                               math::AbsFOp::create(b, loc, operands[0]), infinity);
}
Value SelectOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return select(b, loc, operands[0], operands[1], operands[2]);
}

/// Truncates, saturates, NaN to 0. `bits` and `isUnsigned` are the declared type's: ui8 computes in i32.
static Value floatToInt(OpBuilder &b, Location loc, Value x, Type to, unsigned bits,
                        bool isUnsigned) {
  // Bounds that every float type holds exactly: the integers are those strictly between them.
  double above = std::ldexp(1.0, int(isUnsigned ? bits : bits - 1));
  double below = isUnsigned ? -1.0 : -above;
  Type type = x.getType();
  Value high =
      arith::CmpFOp::create(b, loc, CmpFPredicate::OGE, x, constantOf(b, loc, type, above));
  Value low = arith::CmpFOp::create(b, loc, isUnsigned ? CmpFPredicate::OLE : CmpFPredicate::OLT, x,
                                    constantOf(b, loc, type, below));
  Value nan = arith::CmpFOp::create(b, loc, CmpFPredicate::UNO, x, x);
  Value outside = arith::OrIOp::create(b, loc, arith::OrIOp::create(b, loc, high, low), nan);
  Value safe = select(b, loc, outside, constantOf(b, loc, type, 0), x);
  Value inside = arith::FPToSIOp::create(b, loc, to, safe);
  int64_t most = isUnsigned ? (int64_t(1) << bits) - 1 : int64_t((uint64_t(1) << (bits - 1)) - 1);
  int64_t least = isUnsigned ? 0 : -most - 1;
  Value result = select(b, loc, high, constantIntOf(b, loc, to, most), inside);
  return select(b, loc, low, constantIntOf(b, loc, to, least), result);
}

Value CastOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Type declared = elementOf(getResult());
  Type from = getElementTypeOrSelf(x.getType()), to = computeType(declared);
  Type type = withElement(x.getType(), to);
  if (declared.isInteger(1)) {
    if (from.isInteger(1)) return x;
    return compare(b, loc, CmpFPredicate::UNE, CmpIPredicate::ne, x,
                   constantIntOf(b, loc, x.getType(), 0));
  }
  if (isa<FloatType>(from)) {
    if (!isa<FloatType>(to))
      return floatToInt(b, loc, x, type, declared.getIntOrFloatBitWidth(),
                        declared.isUnsignedInteger());
    if (from.getIntOrFloatBitWidth() == to.getIntOrFloatBitWidth()) return x;
    if (from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, loc, type, x);
    return arith::TruncFOp::create(b, loc, type, x);
  }
  if (isa<FloatType>(to)) {
    if (from.isInteger(1)) return arith::UIToFPOp::create(b, loc, type, x);
    return arith::SIToFPOp::create(b, loc, type, x);
  }
  unsigned fromBits = from.getIntOrFloatBitWidth(), toBits = to.getIntOrFloatBitWidth();
  if (fromBits == toBits) return x;
  if (fromBits > toBits) return arith::TruncIOp::create(b, loc, type, x);
  if (from.isInteger(1)) return arith::ExtUIOp::create(b, loc, type, x);
  return arith::ExtSIOp::create(b, loc, type, x);
}
