#include "sinter/ir/Terms.h"

#include <numbers>

using namespace mlir;
using namespace sinter::ir;

// Gradients of elementwise ops. A formula of several ops is computed in f32 for bf16 and f16 and
// rounded once, as PyTorch's backward kernels do; one op rounds once by itself.

namespace {

/// The values a rule of an elementwise op may use; casts to compute type are made on demand.
struct Elements {
  Vjp &vjp;
  bool widen;
  Term term(Value value) const {
    Term own(vjp.builder, vjp.loc, value);
    return widen ? own.wide() : own;
  }
  Term g() const { return term(vjp.cotangent()); }
  Term x(unsigned i = 0) const { return term(vjp.op->getOperand(i)); }
  Term y() const { return term(vjp.op->getResult(0)); }
};

/// States operand `i`'s gradient where one flows and is asked for.
void rule(Vjp &vjp, unsigned i, llvm::function_ref<Term(Elements)> formula, bool widen = true) {
  if (vjp.cotangent() && vjp.needs(i))
    vjp.set(i, formula({vjp, widen}).cast(elementOf(vjp.op->getOperand(i))));
}
/// The same for formulas that round at most once.
void oneOp(Vjp &vjp, unsigned i, llvm::function_ref<Term(Elements)> formula) {
  rule(vjp, i, formula, /*widen=*/false);
}

} // namespace

void AddOp::buildVjp(Vjp &vjp) {
  vjp.set(0, vjp.cotangent());
  vjp.set(1, vjp.cotangent());
}

void SubOp::buildVjp(Vjp &vjp) {
  vjp.set(0, vjp.cotangent());
  oneOp(vjp, 1, [](Elements e) { return -e.g(); });
}

void MulOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return e.g() * e.x(1); });
  oneOp(vjp, 1, [](Elements e) { return e.g() * e.x(0); });
}

void DivOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return e.g() / e.x(1); });
  rule(vjp, 1, [](Elements e) { return -e.g() * ((e.x(0) / e.x(1)) / e.x(1)); });
}

void RemainderOp::buildVjp(Vjp &vjp) {
  vjp.set(0, vjp.cotangent());
  rule(vjp, 1, [](Elements e) { return -e.g() * floor(e.x(0) / e.x(1)); });
}

void PowOp::buildVjp(Vjp &vjp) {
  // PyTorch's corners: x^0 has slope 0 everywhere, 0^y has slope 0 in y for y >= 0.
  rule(vjp, 0, [](Elements e) {
    Term x = e.x(0), y = e.x(1);
    Term slope = e.g() * (y * pow(x, y - 1.0));
    return y.compare(ComparePredicate::eq, 0.0).select(y.filled(0.0), slope);
  });
  rule(vjp, 1, [](Elements e) {
    Term x = e.x(0), y = e.x(1);
    Term flat = x.compare(ComparePredicate::eq, 0.0)
                    .binary<LogicalAndOp>(y.compare(ComparePredicate::ge, 0.0));
    return flat.select(y.filled(0.0), e.g() * (e.y() * log(x)));
  });
}

/// The winner takes the gradient, equals halve it; with a NaN both take it, as PyTorch.
static void extremumVjp(Vjp &vjp, ComparePredicate loses) {
  for (unsigned i : {0u, 1u})
    rule(vjp, i, [&](Elements e) {
      Term mine = e.x(i), other = e.x(1 - i), g = e.g();
      Term shared = mine.compare(ComparePredicate::eq, other).select(g * 0.5, g);
      return mine.compare(loses, other).select(g.filled(0.0), shared);
    });
}
void MaximumOp::buildVjp(Vjp &vjp) { extremumVjp(vjp, ComparePredicate::lt); }
void MinimumOp::buildVjp(Vjp &vjp) { extremumVjp(vjp, ComparePredicate::gt); }

void NegOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return -e.g(); });
}
void AbsOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return e.g() * sign(e.x()); });
}
void ExpOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return e.g() * e.y(); });
}
void LogOp::buildVjp(Vjp &vjp) {
  oneOp(vjp, 0, [](Elements e) { return e.g() / e.x(); });
}
void Log1pOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) { return e.g() / (e.x() + 1.0); });
}
void SqrtOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) { return e.g() / (e.y() * 2.0); });
}
void RsqrtOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) {
    Term y = e.y();
    return e.g() * -0.5 * (y * y * y);
  });
}
void SinOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) { return e.g() * e.x().unary<CosOp>(); });
}
void CosOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) { return -(e.g() * e.x().unary<SinOp>()); });
}
void TanhOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) {
    Term y = e.y();
    return e.g() * (1.0 - y * y);
  });
}
void SigmoidOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) {
    Term y = e.y();
    return e.g() * (y * (1.0 - y));
  });
}
void ErfOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) {
    Term x = e.x();
    return e.g() * (exp(-(x * x)) * (2.0 * std::numbers::inv_sqrtpi));
  });
}

void ReluOp::buildVjp(Vjp &vjp) {
  // By the result, which is kept anyway; a NaN lets the gradient through, as PyTorch.
  oneOp(vjp, 0, [](Elements e) {
    Term g = e.g();
    return e.y().compare(ComparePredicate::le, 0.0).select(g.filled(0.0), g);
  });
}

void GeluOp::buildVjp(Vjp &vjp) {
  if (getApproximate() == "none")
    return rule(vjp, 0, [](Elements e) {
      Term x = e.x();
      Term phi = ((x * (1.0 / std::numbers::sqrt2)).unary<ErfOp>() + 1.0) * 0.5;
      Term density = exp(x * x * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
      return e.g() * (phi + x * density);
    });
  rule(vjp, 0, [](Elements e) {
    // gelu = x/2 (1 + tanh u), u = k (x + 0.044715 x^3), k = sqrt(2 / pi).
    constexpr double k = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, c = 0.044715;
    Term x = e.x(), square = x * x;
    Term t = tanh(x * k * (square * c + 1.0));
    Term slope = (square * (3.0 * c) + 1.0) * k;
    return e.g() * ((t + 1.0) * 0.5 + x * 0.5 * (1.0 - t * t) * slope);
  });
}

void SiluOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [](Elements e) {
    Term x = e.x(), s = sigmoid(x);
    return e.g() * (s * (x * (1.0 - s) + 1.0));
  });
}

void EluOp::buildVjp(Vjp &vjp) {
  double alpha = getAlpha().convertToDouble();
  rule(vjp, 0, [=](Elements e) {
    Term x = e.x(), g = e.g();
    // Where x > 0 its exponential may be infinite, and is not looked at.
    return x.compare(ComparePredicate::le, 0.0).select(g * (exp(x) * alpha), g);
  });
}

void SoftplusOp::buildVjp(Vjp &vjp) {
  double beta = getBeta().convertToDouble(), threshold = getThreshold().convertToDouble();
  rule(vjp, 0, [=](Elements e) {
    Term z = e.x() * beta, g = e.g();
    return z.compare(ComparePredicate::gt, threshold).select(g, g * sigmoid(z));
  });
}

void ClampOp::buildVjp(Vjp &vjp) {
  rule(vjp, 0, [&](Elements e) {
    Term x = e.x(), g = e.g();
    std::optional<Term> inside;
    if (getMin()) inside = x.compare(ComparePredicate::ge, getMin()->convertToDouble());
    if (getMax()) {
      Term below = x.compare(ComparePredicate::le, getMax()->convertToDouble());
      inside = inside ? inside->binary<LogicalAndOp>(below) : below;
    }
    return inside->select(g, g.filled(0.0));
  });
}

void SelectOp::buildVjp(Vjp &vjp) {
  auto masked = [&](bool onTrue) {
    Term g(vjp.builder, vjp.loc, vjp.cotangent()), condition = g.with(getCondition());
    return onTrue ? condition.select(g, g.filled(0.0)) : condition.select(g.filled(0.0), g);
  };
  for (unsigned i : {1u, 2u})
    if (vjp.cotangent() && vjp.needs(i)) vjp.set(i, masked(i == 1));
}

void CastOp::buildVjp(Vjp &vjp) {
  if (vjp.cotangent() && vjp.needs(0))
    vjp.set(0, Term(vjp.builder, vjp.loc, vjp.cotangent()).cast(elementOf(getX())));
}

void DropoutOp::buildVjp(Vjp &vjp) {
  if (vjp.cotangent() && vjp.needs(0))
    vjp.set(0, vjp.create<DropoutOp>(vjp.cotangent(), getSeed(), getStep(), getStream(), getP()));
}
