#include "sinter/frontend/detail/Emitter.h"

using namespace mlir;

namespace sinter {

using detail::Emitter;

namespace {

template <class OpT> Tensor binary(const char *name, const Arg &a, const Arg &b) {
  Emitter e(name, {&a, &b});
  DType dtype = Emitter::promote({&a, &b});
  if (dtype == i1) e.fail("both operands are booleans");
  auto values = e.align({&a, &b}, dtype);
  return e.tensor(e.make<OpT>(values));
}

/// Of real numbers: integers become f32.
template <class OpT> Tensor realBinary(const char *name, const Arg &a, const Arg &b) {
  Emitter e(name, {&a, &b});
  DType dtype = Emitter::promote({&a, &b});
  auto values = e.align({&a, &b}, runtime::isFloat(dtype) ? dtype : f32);
  return e.tensor(e.make<OpT>(values));
}

Tensor compare(const char *name, ir::ComparePredicate predicate, const Arg &a, const Arg &b) {
  Emitter e(name, {&a, &b});
  auto values = e.align({&a, &b}, Emitter::promote({&a, &b}));
  auto attribute = ir::ComparePredicateAttr::get(&detail::context(), predicate);
  return e.tensor(e.make<ir::CompareOp>(values, e.attribute("predicate", attribute)));
}

template <class OpT> Tensor logical(const char *name, const Arg &a, const Arg &b) {
  Emitter e(name, {&a, &b});
  auto values = e.align({&a, &b}, i1);
  return e.tensor(e.make<OpT>(values));
}

template <class OpT> Tensor unary(const char *name, const Tensor &x, Where where) {
  Emitter e(name, where, &x);
  return e.tensor(e.make<OpT>(e[x]));
}

template <class OpT> Tensor realUnary(const char *name, const Tensor &x, Where where) {
  Emitter e(name, where, &x);
  return e.tensor(e.make<OpT>(e.floating(e[x])));
}

/// floor and ceil leave integers alone.
template <class OpT> Tensor rounding(const char *name, const Tensor &x, Where where) {
  Emitter e(name, where, &x);
  Value value = e[x];
  return e.tensor(isa<FloatType>(ir::elementOf(value)) ? e.make<OpT>(value) : value);
}

} // namespace

Tensor add(const Arg &a, const Arg &b) { return binary<ir::AddOp>("add", a, b); }
Tensor sub(const Arg &a, const Arg &b) { return binary<ir::SubOp>("sub", a, b); }
Tensor mul(const Arg &a, const Arg &b) { return binary<ir::MulOp>("mul", a, b); }
Tensor div(const Arg &a, const Arg &b) { return realBinary<ir::DivOp>("div", a, b); }
Tensor floor_divide(const Arg &a, const Arg &b) {
  return binary<ir::FloorDivideOp>("floor_divide", a, b);
}
Tensor remainder(const Arg &a, const Arg &b) { return binary<ir::RemainderOp>("remainder", a, b); }
Tensor maximum(const Arg &a, const Arg &b) { return binary<ir::MaximumOp>("maximum", a, b); }
Tensor minimum(const Arg &a, const Arg &b) { return binary<ir::MinimumOp>("minimum", a, b); }

Tensor pow(const Arg &base, const Arg &exponent) {
  if (base.tensor && !exponent.tensor) {
    double power = exponent.number.value;
    if (power == 2) return mul(base, base);
    if (power == 1) return mul(base, Arg(1, base.where));
  }
  return realBinary<ir::PowOp>("pow", base, exponent);
}

Tensor eq(const Arg &a, const Arg &b) { return compare("eq", ir::ComparePredicate::eq, a, b); }
Tensor ne(const Arg &a, const Arg &b) { return compare("ne", ir::ComparePredicate::ne, a, b); }
Tensor lt(const Arg &a, const Arg &b) { return compare("lt", ir::ComparePredicate::lt, a, b); }
Tensor le(const Arg &a, const Arg &b) { return compare("le", ir::ComparePredicate::le, a, b); }
Tensor gt(const Arg &a, const Arg &b) { return compare("gt", ir::ComparePredicate::gt, a, b); }
Tensor ge(const Arg &a, const Arg &b) { return compare("ge", ir::ComparePredicate::ge, a, b); }
Tensor logical_and(const Arg &a, const Arg &b) {
  return logical<ir::LogicalAndOp>("logical_and", a, b);
}
Tensor logical_or(const Arg &a, const Arg &b) {
  return logical<ir::LogicalOrOp>("logical_or", a, b);
}

Tensor where(const Tensor &condition, const Arg &a, const Arg &b) {
  Arg first(condition, a.where);
  Emitter e("where", {&first, &a, &b});
  Value flag = e[condition];
  if (condition.dtype() != i1)
    e.fail("the condition is " + condition.spec().text() + ", not booleans");
  DType dtype = Emitter::promote({&a, &b});
  SmallVector<Shape> shapes{condition.shape()};
  for (const Arg *argument : {&a, &b})
    if (argument->tensor) shapes.push_back(argument->tensor.shape());
  Shape common = e.commonShape(shapes);
  auto side = [&](const Arg &argument) {
    return argument.tensor ? e.broadcast(e.cast(e[argument.tensor], dtype), common)
                           : e.splat({common, dtype}, argument.number.value);
  };
  return e.tensor(e.make<ir::SelectOp>({e.broadcast(flag, common), side(a), side(b)}));
}

Tensor neg(const Tensor &x, Where where) { return unary<ir::NegOp>("neg", x, where); }
Tensor abs(const Tensor &x, Where where) { return unary<ir::AbsOp>("abs", x, where); }
Tensor sign(const Tensor &x, Where where) { return unary<ir::SignOp>("sign", x, where); }
Tensor relu(const Tensor &x, Where where) { return unary<ir::ReluOp>("relu", x, where); }
Tensor floor(const Tensor &x, Where where) { return rounding<ir::FloorOp>("floor", x, where); }
Tensor ceil(const Tensor &x, Where where) { return rounding<ir::CeilOp>("ceil", x, where); }
Tensor exp(const Tensor &x, Where where) { return realUnary<ir::ExpOp>("exp", x, where); }
Tensor log(const Tensor &x, Where where) { return realUnary<ir::LogOp>("log", x, where); }
Tensor log1p(const Tensor &x, Where where) { return realUnary<ir::Log1pOp>("log1p", x, where); }
Tensor sqrt(const Tensor &x, Where where) { return realUnary<ir::SqrtOp>("sqrt", x, where); }
Tensor rsqrt(const Tensor &x, Where where) { return realUnary<ir::RsqrtOp>("rsqrt", x, where); }
Tensor sin(const Tensor &x, Where where) { return realUnary<ir::SinOp>("sin", x, where); }
Tensor cos(const Tensor &x, Where where) { return realUnary<ir::CosOp>("cos", x, where); }
Tensor tanh(const Tensor &x, Where where) { return realUnary<ir::TanhOp>("tanh", x, where); }
Tensor sigmoid(const Tensor &x, Where where) {
  return realUnary<ir::SigmoidOp>("sigmoid", x, where);
}
Tensor erf(const Tensor &x, Where where) { return realUnary<ir::ErfOp>("erf", x, where); }
Tensor reciprocal(const Tensor &x, Where where) { return div(Arg(1, where), Arg(x, where)); }
Tensor square(const Tensor &x, Where where) { return mul(Arg(x, where), Arg(x, where)); }
Tensor silu(const Tensor &x, Where where) { return realUnary<ir::SiluOp>("silu", x, where); }
Tensor swiglu(const Tensor &gate, const Tensor &x, Where where) {
  return mul(Arg(silu(gate, where), where), Arg(x, where));
}

Tensor elu(const Tensor &x, EluOptions options, Where where) {
  Emitter e("elu", where, &x);
  return e.tensor(e.make<ir::EluOp>(e.floating(e[x]), e.number("alpha", options.alpha)));
}

Tensor softplus(const Tensor &x, SoftplusOptions options, Where where) {
  Emitter e("softplus", where, &x);
  return e.tensor(
      e.make<ir::SoftplusOp>(e.floating(e[x]), {e.number("beta", options.beta),
                                                e.number("threshold", options.threshold)}));
}

Tensor gelu(const Tensor &x, GeluOptions options, Where where) {
  Emitter e("gelu", where, &x);
  return e.tensor(e.make<ir::GeluOp>(e.floating(e[x]), e.word("approximate", options.approximate)));
}

Tensor leaky_relu(const Tensor &x, LeakyReluOptions options, Where where) {
  Arg value(x, where);
  return sinter::where(gt(value, Arg(0, where)), value,
                       Arg(mul(value, Arg(options.negative_slope, where)), where));
}

Tensor clamp(const Tensor &x, std::optional<double> min, std::optional<double> max, Where where) {
  Emitter e("clamp", where, &x);
  SmallVector<NamedAttribute> attributes;
  if (max) attributes.push_back(e.number("max", *max));
  if (min) attributes.push_back(e.number("min", *min));
  return e.tensor(e.make<ir::ClampOp>(e[x], attributes));
}

Tensor logical_not(const Tensor &x, Where where) {
  Emitter e("logical_not", where, &x);
  return e.tensor(e.make<ir::LogicalNotOp>(e.cast(e[x], i1)));
}

Tensor isfinite(const Tensor &x, Where where) {
  Emitter e("isfinite", where, &x);
  Value value = e[x];
  if (!isa<FloatType>(ir::elementOf(value))) return e.tensor(e.splat({x.shape(), i1}, 1));
  return e.tensor(e.make<ir::IsFiniteOp>(value));
}

Tensor to(const Tensor &x, DType dtype, Where where) {
  Emitter e("to", where, &x);
  return e.tensor(e.cast(e[x], dtype));
}

Tensor detach(const Tensor &x, Where where) {
  return unary<ir::StopGradientOp>("detach", x, where);
}

} // namespace sinter
