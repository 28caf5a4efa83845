#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace sinter::ir;

Value FloorOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::FloorOp::create(b, loc, operands[0]);
}
Value CeilOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::CeilOp::create(b, loc, operands[0]);
}
Value PowOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::PowFOp::create(b, loc, operands[0], operands[1]);
}
Value ExpOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::ExpOp::create(b, loc, operands[0]);
}
Value LogOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::LogOp::create(b, loc, operands[0]);
}
Value Log1pOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::Log1pOp::create(b, loc, operands[0]);
}
Value SqrtOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::SqrtOp::create(b, loc, operands[0]);
}
Value RsqrtOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value one = constantOf(b, loc, operands[0].getType(), 1);
  return arith::DivFOp::create(b, loc, one, math::SqrtOp::create(b, loc, operands[0]));
}
Value SinOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::SinOp::create(b, loc, operands[0]);
}
Value CosOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::CosOp::create(b, loc, operands[0]);
}
Value TanhOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::TanhOp::create(b, loc, operands[0]);
}
Value ErfOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  return math::ErfOp::create(b, loc, operands[0]);
}

// By exp(-|x|), which never overflows: 1 / (1 + e) for x >= 0, e / (1 + e) below.
Value SigmoidOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Type type = x.getType();
  Value zero = constantOf(b, loc, type, 0), one = constantOf(b, loc, type, 1);
  Value e =
      math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, math::AbsFOp::create(b, loc, x)));
  Value negative = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, zero);
  Value numerator = arith::SelectOp::create(b, loc, negative, e, one);
  return arith::DivFOp::create(b, loc, numerator, arith::AddFOp::create(b, loc, one, e));
}

Value GeluOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Type type = x.getType();
  auto number = [&](double value) { return constantOf(b, loc, type, value); };
  auto mul = [&](Value lhs, Value rhs) -> Value { return arith::MulFOp::create(b, loc, lhs, rhs); };
  auto add = [&](Value lhs, Value rhs) -> Value { return arith::AddFOp::create(b, loc, lhs, rhs); };
  Value inner;
  if (getApproximate() == "tanh") {
    Value cubic = mul(number(0.044715), mul(x, mul(x, x)));
    double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi; // sqrt(2 / pi)
    inner = math::TanhOp::create(b, loc, mul(number(scale), add(x, cubic)));
  } else {
    inner = math::ErfOp::create(b, loc, mul(x, number(1 / std::numbers::sqrt2)));
  }
  return mul(mul(number(0.5), x), add(number(1), inner));
}

Value SiluOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  Value one = constantOf(b, loc, x.getType(), 1);
  return arith::DivFOp::create(b, loc, x, arith::AddFOp::create(b, loc, one, e));
}

// exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps the digits near 0 that the difference loses.
Value EluOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  auto number = [&](double value) { return constantOf(b, loc, x.getType(), value); };
  auto mul = [&](Value lhs, Value rhs) -> Value { return arith::MulFOp::create(b, loc, lhs, rhs); };
  Value positive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, number(0));
  // Not of x > 0, whose exponential may be infinite.
  Value low = arith::SelectOp::create(b, loc, positive, number(0), x);
  Value sum = arith::AddFOp::create(b, loc, math::ExpOp::create(b, loc, low), number(1));
  Value below = mul(math::TanhOp::create(b, loc, mul(low, number(0.5))), sum);
  double alpha = getAlpha().convertToDouble();
  if (alpha != 1) below = mul(below, number(alpha));
  return arith::SelectOp::create(b, loc, positive, x, below);
}

// max(z, 0) + log(1 + exp(-|z|)) with z = beta x, which never overflows.
Value SoftplusOp::buildScalar(OpBuilder &b, Location loc, ValueRange operands) {
  Value x = operands[0];
  auto number = [&](double value) { return constantOf(b, loc, x.getType(), value); };
  double beta = getBeta().convertToDouble();
  Value z = beta == 1 ? x : arith::MulFOp::create(b, loc, x, number(beta));
  Value e =
      math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, math::AbsFOp::create(b, loc, z)));
  Value sum = arith::AddFOp::create(b, loc, arith::MaximumFOp::create(b, loc, z, number(0)),
                                    math::Log1pOp::create(b, loc, e));
  if (beta != 1) sum = arith::DivFOp::create(b, loc, sum, number(beta));
  Value beyond = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, z,
                                       number(getThreshold().convertToDouble()));
  return arith::SelectOp::create(b, loc, beyond, x, sum);
}
