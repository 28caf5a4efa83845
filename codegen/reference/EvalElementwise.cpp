#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;
using sinter::runtime::DType;

namespace sinter::codegen::reference {
namespace {

using ir::ComparePredicate;

template <class F> LogicalResult mapFloat(OpEvaluation &e, F f) {
  Writer out(e.result(), e.options.trackErrors);
  Reader x(e.operand(0));
  int64_t count = e.result().numElements();
  if (e.numOperands() == 1) {
    for (int64_t i = 0; i < count; ++i) out.set(i, f(out.arithmetic, x[i], Ball()));
  } else {
    Reader y(e.operand(1));
    for (int64_t i = 0; i < count; ++i) out.set(i, f(out.arithmetic, x[i], y[i]));
  }
  return success();
}

/// Integers are exact in 64 bits; errors, which only undecided answers bring, are carried by `errors`.
template <class F> LogicalResult mapInteger(OpEvaluation &e, F f, Ball (*errors)(Ball, Ball)) {
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &x = e.operand(0), &y = e.operand(e.numOperands() - 1);
  bool exact = x.error.empty() && y.error.empty();
  Reader a(x), b(y);
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    double error = exact ? 0 : errors(a[i], b[i]).error;
    out.setInteger(i, f(x.integers[i], y.integers[i]), error);
  }
  return success();
}

Ball sumOfErrors(Ball a, Ball b) { return {0, a.error + b.error}; }
Ball firstError(Ball a, Ball) { return a; }
Ball productError(Ball a, Ball b) {
  if (a.decided() && b.decided()) return {};
  return {0, std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error};
}
Ball unboundedError(Ball a, Ball b) { return {0, a.decided() && b.decided() ? 0 : HUGE_VAL}; }
Ball larger(Ball a, Ball b) { return {0, std::max(a.error, b.error)}; }

// Wrapping arithmetic: unsigned, where overflow has a meaning.
int64_t addWrapped(int64_t a, int64_t b) { return int64_t(uint64_t(a) + uint64_t(b)); }
int64_t subWrapped(int64_t a, int64_t b) { return int64_t(uint64_t(a) - uint64_t(b)); }
int64_t mulWrapped(int64_t a, int64_t b) { return int64_t(uint64_t(a) * uint64_t(b)); }

LogicalResult add(OpEvaluation &e) {
  if (!e.result().isFloat()) return mapInteger(e, addWrapped, sumOfErrors);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.add(a, b); });
}
LogicalResult sub(OpEvaluation &e) {
  if (!e.result().isFloat()) return mapInteger(e, subWrapped, sumOfErrors);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.sub(a, b); });
}
LogicalResult mul(OpEvaluation &e) {
  if (!e.result().isFloat()) return mapInteger(e, mulWrapped, productError);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.mul(a, b); });
}
LogicalResult div(OpEvaluation &e) {
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.div(a, b); });
}
LogicalResult neg(OpEvaluation &e) {
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t) { return subWrapped(0, a); }, firstError);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball) { return m.neg(a); });
}
LogicalResult abs(OpEvaluation &e) {
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t) { return a < 0 ? subWrapped(0, a) : a; }, firstError);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball) { return m.abs(a); });
}
LogicalResult maximum(OpEvaluation &e) {
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t b) { return std::max(a, b); }, larger);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.maximum(a, b); });
}
LogicalResult minimum(OpEvaluation &e) {
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t b) { return std::min(a, b); }, larger);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.minimum(a, b); });
}
LogicalResult relu(OpEvaluation &e) {
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t) { return std::max<int64_t>(a, 0); }, firstError);
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball) { return m.maximum(a, {}); });
}
LogicalResult sign(OpEvaluation &e) {
  auto signOf = [](double x) { return std::isnan(x) ? x : double((x > 0) - (x < 0)); };
  if (!e.result().isFloat())
    return mapInteger(
        e, [](int64_t a, int64_t) { return int64_t((a > 0) - (a < 0)); }, unboundedError);
  return mapFloat(e, [=](const Arithmetic &m, Ball a, Ball) { return m.exactMonotone(a, signOf); });
}
LogicalResult clamp(OpEvaluation &e) {
  auto op = cast<ir::ClampOp>(e.op);
  double low = op.getMin() ? op.getMin()->convertToDouble() : -HUGE_VAL;
  double high = op.getMax() ? op.getMax()->convertToDouble() : HUGE_VAL;
  if (!e.result().isFloat())
    return mapInteger(
        e,
        [=](int64_t a, int64_t) {
          // Bounds are whole; comparing in double would lose i64's low bits only beyond 2^53.
          if (double(a) < low) a = saturateTo(DType::i64, low);
          if (double(a) > high) a = saturateTo(DType::i64, high);
          return a;
        },
        firstError);
  return mapFloat(e, [=](const Arithmetic &m, Ball a, Ball) {
    if (low != -HUGE_VAL) a = m.maximum(a, m.constant(low));
    if (high != HUGE_VAL) a = m.minimum(a, m.constant(high));
    return a;
  });
}

/// floor(a / b) in the integers.
int64_t floorDivide(int64_t a, int64_t b) {
  if (b == -1) return subWrapped(0, a);
  int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a % b < 0) != (b < 0));
}
/// floor(a / b), exactly; undecided where rounding a / b before the floor would change it.
Ball floorDivide(const Arithmetic &m, Ball a, Ball b) {
  Ball quotient = m.div(a, b);
  if (!std::isfinite(quotient.value) || std::isinf(quotient.error))
    return {std::floor(quotient.value), quotient.error};
  double rest = std::fmod(a.value, b.value);
  double y = std::nearbyint((a.value - rest) / b.value);
  if (rest != 0 && (rest < 0) != (b.value < 0)) y -= 1;
  // An exact quotient is exact on every device.
  if (a.decided() && b.decided() && rest == 0) return m.rounded(y, 0, 0);
  double error = quotient.error + m.format.halfUlp(quotient.value);
  double low = std::floor(quotient.value - error), high = std::floor(quotient.value + error);
  return m.rounded(y, 0, std::max(std::fabs(high - y), std::fabs(y - low)));
}

/// Integer division of any kind; a zero divisor is an error here and nowhere else.
template <class F> LogicalResult divideIntegers(OpEvaluation &e, F f) {
  const std::vector<int64_t> &divisors = e.operand(1).integers;
  for (size_t i = 0; i < divisors.size(); ++i)
    if (divisors[i] == 0) return e.emitError() << "divides by zero at element " << i;
  return mapInteger(e, f, unboundedError);
}
LogicalResult floorDivideOp(OpEvaluation &e) {
  if (!e.result().isFloat())
    return divideIntegers(e, [](int64_t a, int64_t b) { return floorDivide(a, b); });
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return floorDivide(m, a, b); });
}
LogicalResult remainder(OpEvaluation &e) {
  if (!e.result().isFloat())
    return divideIntegers(
        e, [](int64_t a, int64_t b) { return subWrapped(a, mulWrapped(floorDivide(a, b), b)); });
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) -> Ball {
    double y = std::fmod(a.value, b.value);
    if (y != 0 && (y < 0) != (b.value < 0)) y += b.value;
    if (!std::isfinite(y)) return {y, a.decided() && b.decided() ? 0 : HUGE_VAL};
    Ball quotient = floorDivide(m, a, b);
    if (std::isinf(quotient.error)) return {y, HUGE_VAL};
    // a - q b: every q in doubt moves it by b, and the product is rounded.
    double error = a.error + std::fabs(quotient.value) * b.error +
                   quotient.error * (std::fabs(b.value) + b.error);
    return m.loosened(m.rounded(y, 0, error), 2,
                      std::fabs(a.value) + std::fabs(quotient.value * b.value));
  });
}
LogicalResult pow(OpEvaluation &e) {
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball b) { return m.pow(a, b); });
}
LogicalResult floorOp(OpEvaluation &e) {
  return mapFloat(e,
                  [](const Arithmetic &m, Ball a, Ball) { return m.exactMonotone(a, std::floor); });
}
LogicalResult ceilOp(OpEvaluation &e) {
  return mapFloat(e,
                  [](const Arithmetic &m, Ball a, Ball) { return m.exactMonotone(a, std::ceil); });
}
template <Ball (Arithmetic::*f)(Ball) const> LogicalResult function(OpEvaluation &e) {
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball) { return (m.*f)(a); });
}
LogicalResult gelu(OpEvaluation &e) {
  bool tanhForm = cast<ir::GeluOp>(e.op).getApproximate() == "tanh";
  return mapFloat(e, [=](const Arithmetic &m, Ball a, Ball) { return m.gelu(a, tanhForm); });
}

LogicalResult silu(OpEvaluation &e) {
  return mapFloat(e, [](const Arithmetic &m, Ball a, Ball) { return m.silu(a); });
}
LogicalResult elu(OpEvaluation &e) {
  double alpha = cast<ir::EluOp>(e.op).getAlpha().convertToDouble();
  return mapFloat(e, [=](const Arithmetic &m, Ball a, Ball) { return m.elu(a, alpha); });
}
LogicalResult softplus(OpEvaluation &e) {
  auto op = cast<ir::SoftplusOp>(e.op);
  double beta = op.getBeta().convertToDouble(), threshold = op.getThreshold().convertToDouble();
  return mapFloat(
      e, [=](const Arithmetic &m, Ball a, Ball) { return m.softplus(a, beta, threshold); });
}

template <class T> bool holds(ComparePredicate predicate, T a, T b) {
  switch (predicate) {
  case ComparePredicate::eq:
    return a == b;
  case ComparePredicate::ne:
    return a != b;
  case ComparePredicate::lt:
    return a < b;
  case ComparePredicate::le:
    return a <= b;
  case ComparePredicate::gt:
    return a > b;
  case ComparePredicate::ge:
    return a >= b;
  }
  llvm_unreachable("a comparison without a meaning");
}
LogicalResult compare(OpEvaluation &e) {
  ComparePredicate predicate = cast<ir::CompareOp>(e.op).getPredicate();
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &x = e.operand(0), &y = e.operand(1);
  Reader a(x), b(y);
  for (int64_t i = 0; i < x.numElements(); ++i) {
    bool answer = x.isFloat() ? holds(predicate, x.values[i], y.values[i])
                              : holds(predicate, x.integers[i], y.integers[i]);
    out.setInteger(i, answer, undecided(a[i], b[i]));
  }
  return success();
}

/// `dominant` decides the answer alone.
LogicalResult logical(OpEvaluation &e, bool dominant) {
  Writer out(e.result(), e.options.trackErrors);
  Reader a(e.operand(0)), b(e.operand(1));
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    Ball x = a[i], y = b[i];
    bool decided = (x.decided() && (x.value != 0) == dominant) ||
                   (y.decided() && (y.value != 0) == dominant) || (x.decided() && y.decided());
    bool answer = dominant ? x.value != 0 || y.value != 0 : x.value != 0 && y.value != 0;
    out.setInteger(i, answer, !decided);
  }
  return success();
}
LogicalResult logicalAnd(OpEvaluation &e) { return logical(e, false); }
LogicalResult logicalOr(OpEvaluation &e) { return logical(e, true); }
LogicalResult logicalNot(OpEvaluation &e) {
  return mapInteger(
      e, [](int64_t a, int64_t) { return int64_t(a == 0); }, firstError);
}
LogicalResult isFinite(OpEvaluation &e) {
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &x = e.operand(0);
  for (int64_t i = 0; i < x.numElements(); ++i)
    out.setInteger(i, std::isfinite(x.values[i]), std::isinf(x.errorAt(i)));
  return success();
}
LogicalResult select(OpEvaluation &e) {
  Writer out(e.result(), e.options.trackErrors);
  const HostTensor &condition = e.operand(0);
  for (int64_t i = 0; i < condition.numElements(); ++i) {
    bool taken = condition.integers[i] != 0;
    const HostTensor &from = e.operand(taken ? 1 : 2), &other = e.operand(taken ? 2 : 1);
    double error = from.errorAt(i);
    if (condition.errorAt(i) != 0 && !(std::isnan(from.at(i)) && std::isnan(other.at(i)))) {
      double apart = from.at(i) == other.at(i) ? 0 : std::fabs(from.at(i) - other.at(i));
      error = std::isnan(apart) ? HUGE_VAL : std::max(error, apart + other.errorAt(i));
    }
    if (from.isFloat())
      out.set(i, {from.values[i], error});
    else
      out.setInteger(i, from.integers[i], error);
  }
  return success();
}

} // namespace

void addElementwise(Handlers &handlers) {
  handlers["sinter.add"] = add;
  handlers["sinter.sub"] = sub;
  handlers["sinter.mul"] = mul;
  handlers["sinter.div"] = div;
  handlers["sinter.floor_divide"] = floorDivideOp;
  handlers["sinter.remainder"] = remainder;
  handlers["sinter.pow"] = pow;
  handlers["sinter.maximum"] = maximum;
  handlers["sinter.minimum"] = minimum;
  handlers["sinter.neg"] = neg;
  handlers["sinter.abs"] = abs;
  handlers["sinter.sign"] = sign;
  handlers["sinter.floor"] = floorOp;
  handlers["sinter.ceil"] = ceilOp;
  handlers["sinter.exp"] = function<&Arithmetic::exp>;
  handlers["sinter.log"] = function<&Arithmetic::log>;
  handlers["sinter.log1p"] = function<&Arithmetic::log1p>;
  handlers["sinter.sqrt"] = function<&Arithmetic::sqrt>;
  handlers["sinter.rsqrt"] = function<&Arithmetic::rsqrt>;
  handlers["sinter.sin"] = function<&Arithmetic::sin>;
  handlers["sinter.cos"] = function<&Arithmetic::cos>;
  handlers["sinter.tanh"] = function<&Arithmetic::tanh>;
  handlers["sinter.sigmoid"] = function<&Arithmetic::sigmoid>;
  handlers["sinter.erf"] = function<&Arithmetic::erf>;
  handlers["sinter.relu"] = relu;
  handlers["sinter.gelu"] = gelu;
  handlers["sinter.silu"] = silu;
  handlers["sinter.elu"] = elu;
  handlers["sinter.softplus"] = softplus;
  handlers["sinter.clamp"] = clamp;
  handlers["sinter.compare"] = compare;
  handlers["sinter.logical_and"] = logicalAnd;
  handlers["sinter.logical_or"] = logicalOr;
  handlers["sinter.logical_not"] = logicalNot;
  handlers["sinter.is_finite"] = isFinite;
  handlers["sinter.select"] = select;
}

} // namespace sinter::codegen::reference
