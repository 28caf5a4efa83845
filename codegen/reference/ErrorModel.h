#pragma once

#include "sinter/runtime/Types.h"

#include <cmath>
#include <cstdint>

/// Numbers with error bounds. Evaluator.h says what the bounds mean.
namespace sinter::codegen::reference {

/// A floating-point format: p bits of significand, its range.
struct Format {
  runtime::DType dtype;
  int precision;
  int minExponent; // of the smallest normal number
  double largest;

  /// To nearest even; beyond `largest` to infinity.
  double round(double x) const;
  /// The largest error of rounding a number of magnitude `x`.
  double halfUlp(double x) const;
  double unit() const;     // halfUlp(1): 2^-precision
  double smallest() const; // the smallest normal number
};
/// The format of a floating-point element type, and the one that kernels compute in for it.
const Format &formatOf(runtime::DType type);
const Format &computeFormatOf(runtime::DType type);

/// `x` in the width of an integer type, two's complement (i1: x != 0).
int64_t wrapTo(runtime::DType type, int64_t x);
/// Truncated, saturated, NaN to 0 (i1: x != 0, which NaN is).
int64_t saturateTo(runtime::DType type, double x);

/// A number that a device may compute: it is within `error` of `value`. A NaN value with a finite error
/// is NaN everywhere.
struct Ball {
  double value = 0, error = 0;

  double low() const { return value - error; }
  double high() const { return value + error; }
  bool decided() const { return error == 0; }
};

/// Functions are allowed this many ulps where the device library and the vectorised polynomials of
/// the CPU state at most 3.8.
inline constexpr double functionUlps = 5;

/// Operations in one compute format.
class Arithmetic {
public:
  explicit Arithmetic(const Format &format) : format(format) {}
  const Format &format;

  /// A number written into a kernel as a constant of compute type.
  Ball constant(double x) const { return rounded(x, 0, 0); }

  Ball add(Ball a, Ball b) const;
  Ball sub(Ball a, Ball b) const { return add(a, neg(b)); }
  Ball mul(Ball a, Ball b) const;
  Ball div(Ball a, Ball b) const;
  Ball neg(Ball a) const { return {-a.value, a.error}; }
  Ball maximum(Ball a, Ball b) const;
  Ball minimum(Ball a, Ball b) const { return neg(maximum(neg(a), neg(b))); }
  Ball abs(Ball a) const;
  Ball sqrt(Ball a) const;
  Ball rsqrt(Ball a) const;
  Ball exp(Ball a) const;
  Ball log(Ball a) const;
  Ball log1p(Ball a) const;
  Ball sin(Ball a) const;
  Ball cos(Ball a) const;
  Ball tanh(Ball a) const;
  Ball sigmoid(Ball a) const;
  Ball erf(Ball a) const;
  Ball pow(Ball a, Ball b) const;
  Ball gelu(Ball a, bool tanhForm) const;
  Ball silu(Ball a) const;
  Ball elu(Ball a, double alpha) const;
  Ball softplus(Ball a, double beta, double threshold) const;

  /// `f`, never decreasing or never increasing and known to the last bit, over a ball.
  Ball exactMonotone(Ball a, double (*f)(double)) const;
  /// `a` with room for steps of another order: `ulps` half ulps of `magnitude`.
  Ball loosened(Ball a, double ulps, double magnitude) const;

  /// y + residual is the exact result of operands whose errors move it by up to `spread`.
  Ball rounded(double y, double residual, double spread) const;

private:
  Ball function(Ball a, double (*f)(double), double ulps = functionUlps) const;
};

/// A sum in any order.
class Sum {
public:
  void add(Ball term) {
    total += term.value;
    magnitude += term.value < 0 ? -term.value : term.value;
    error += term.error;
    whole = whole && term.value == std::floor(term.value);
    ++terms;
    rounding += term.value != 0 || term.error != 0; // adding zero is exact
  }
  /// `factors` counts the roundings of each term before it is added (1: products).
  Ball finish(const Arithmetic &a, int factors = 0) const;
  int64_t count() const { return terms; }

private:
  long double total = 0;
  double magnitude = 0, error = 0;
  int64_t terms = 0, rounding = 0;
  bool whole = true; // sums of whole numbers below 2^p are exact
};

/// A number of an op's result: `value` rounded to compute type and to the declared type, and how far
/// a device's may be from it.
Ball stored(Ball b, const Format &compute, const Format &declared);

/// Whether comparing a and b could come out otherwise on a device.
bool undecided(Ball a, Ball b);

} // namespace sinter::codegen::reference
