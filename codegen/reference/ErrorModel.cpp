#include "sinter/codegen/reference/ErrorModel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

using sinter::runtime::DType;

namespace sinter::codegen::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr Format formats[] = {
    {DType::f32, 24, -126, 0x1.fffffep127},
    {DType::f64, 53, -1022, 0x1.fffffffffffffp1023},
    {DType::bf16, 8, -126, 0x1.fep127},
    {DType::f16, 11, -14, 65504.0},
};

bool isNan(Ball a) { return std::isnan(a.value); }
/// What any operation makes of a NaN operand, or of one without a bound.
Ball nan(Ball a, Ball b = {}) {
  bool unbounded = a.error == infinity || b.error == infinity;
  return {std::numeric_limits<double>::quiet_NaN(), unbounded ? infinity : 0};
}
/// How far `at` may be from y; NaN on one side only: without bound.
double distance(double y, double at) {
  if (y == at) return 0;
  double d = std::fabs(y - at);
  return std::isnan(d) ? infinity : d;
}

} // namespace

double Format::round(double x) const {
  if (dtype == DType::f64) return x;
  if (dtype == DType::f32) return static_cast<float>(x);
  if (x == 0 || !std::isfinite(x)) return x;
  double unit = std::ldexp(1.0, std::max(std::ilogb(x), minExponent) - precision + 1);
  double r = std::nearbyint(x / unit) * unit;
  return std::fabs(r) > largest ? std::copysign(infinity, x) : r;
}

double Format::halfUlp(double x) const {
  if (!std::isfinite(x)) return infinity;
  int exponent = x == 0 ? minExponent : std::max(std::ilogb(x), minExponent);
  return std::ldexp(1.0, exponent - precision);
}
double Format::unit() const { return std::ldexp(1.0, -precision); }
double Format::smallest() const { return std::ldexp(1.0, minExponent); }

const Format &formatOf(DType type) {
  for (const Format &format : formats)
    if (format.dtype == type) return format;
  return formats[0];
}
const Format &computeFormatOf(DType type) { return formats[type == DType::f64 ? 1 : 0]; }

int64_t wrapTo(DType type, int64_t x) {
  switch (type) {
  case DType::i1:
    return x != 0;
  case DType::u8:
    return static_cast<uint8_t>(x);
  case DType::i32:
    return static_cast<int32_t>(x);
  default:
    return x;
  }
}

int64_t saturateTo(DType type, double x) {
  if (type == DType::i1) return x != 0;
  if (std::isnan(x)) return 0;
  double low = type == DType::u8 ? 0 : type == DType::i32 ? -0x1p31 : -0x1p63;
  double high = type == DType::u8 ? 255 : type == DType::i32 ? 0x1p31 - 1 : 0x1p63;
  if (x <= low) return static_cast<int64_t>(low);
  if (x >= high)
    return type == DType::i64 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(high);
  return static_cast<int64_t>(x);
}

Ball Arithmetic::rounded(double y, double residual, double spread) const {
  if (!std::isfinite(y)) return {y, spread == 0 ? 0 : infinity};
  // Exact here says nothing of a device's operands, which may be others.
  if (spread == 0 && residual == 0 && format.round(y) == y) return {y, 0};
  // In f64 our own result is rounded as well; in narrower types it is not yet.
  double sides = format.dtype == DType::f64 ? 2 : 1;
  return {y, spread + sides * format.halfUlp(std::fabs(y) + spread)};
}

Ball Arithmetic::loosened(Ball a, double ulps, double magnitude) const {
  if (!std::isfinite(a.value)) return a;
  return {a.value, a.error + ulps * format.unit() * magnitude};
}

Ball Arithmetic::add(Ball a, Ball b) const {
  if (isNan(a) || isNan(b)) return nan(a, b);
  double y = a.value + b.value;
  // An infinite operand is exact, and hides how far the other one may be off.
  if (std::isinf(a.value) || std::isinf(b.value))
    return {y, a.error == infinity || b.error == infinity ? infinity : 0};
  if (a.decided() && a.value == 0) return {y, b.error}; // nothing is rounded
  if (b.decided() && b.value == 0) return {y, a.error};
  double part = y - a.value; // Knuth's two-sum: what the addition lost
  double residual = (a.value - (y - part)) + (b.value - part);
  return rounded(y, residual, a.error + b.error);
}

static bool isPowerOfTwo(double x) {
  int exponent;
  return std::fabs(std::frexp(x, &exponent)) == 0.5;
}

Ball Arithmetic::mul(Ball a, Ball b) const {
  if (isNan(a) || isNan(b)) return nan(a, b);
  double y = a.value * b.value;
  if (a.decided() && b.decided())
    return rounded(y, std::isfinite(y) ? std::fma(a.value, b.value, -y) : 0, 0);
  if (a.error == infinity || b.error == infinity || !std::isfinite(y)) return {y, infinity};
  double spread = std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error;
  // Only the exponent changes, as long as the number stays a normal one.
  bool scales = (a.decided() && isPowerOfTwo(a.value)) || (b.decided() && isPowerOfTwo(b.value));
  if (scales && std::fabs(y) - spread >= format.smallest() &&
      std::fabs(y) + spread <= format.largest)
    return {y, spread};
  return rounded(y, std::fma(a.value, b.value, -y), spread);
}

Ball Arithmetic::div(Ball a, Ball b) const {
  if (isNan(a) || isNan(b)) return nan(a, b);
  double y = a.value / b.value;
  if (a.decided() && b.decided())
    return rounded(y, std::isfinite(y) ? std::fma(y, b.value, -a.value) : 0, 0);
  double away = std::fabs(b.value) - b.error;
  if (!(away > 0) || a.error == infinity || !std::isfinite(y)) return {y, infinity};
  return rounded(y, 1, (a.error + std::fabs(y) * b.error) / away);
}

Ball Arithmetic::maximum(Ball a, Ball b) const {
  if (isNan(a) || isNan(b)) return nan(a, b);
  if (a.error == infinity || b.error == infinity) return {std::max(a.value, b.value), infinity};
  double y = std::max(a.value, b.value);
  if (a.decided() && b.decided()) return {y, 0};
  double high = std::max(a.high(), b.high()), low = std::max(a.low(), b.low());
  return {y, std::max(distance(high, y), distance(y, low))};
}

Ball Arithmetic::abs(Ball a) const { return {std::fabs(a.value), a.error}; }

Ball Arithmetic::exactMonotone(Ball a, double (*f)(double)) const {
  double y = f(a.value);
  if (a.decided() || a.error == infinity || isNan(a)) return {y, a.error};
  return {y, std::max(distance(y, f(a.low())), distance(y, f(a.high())))};
}

Ball Arithmetic::function(Ball a, double (*f)(double), double ulps) const {
  Ball y = exactMonotone(a, f);
  if (!std::isfinite(y.value) || y.error == infinity) return y;
  y.error += 2 * ulps * format.unit() * (std::fabs(y.value) + y.error) + format.smallest();
  return y;
}

Ball Arithmetic::sqrt(Ball a) const {
  Ball y = exactMonotone(a, std::sqrt);
  if (!std::isfinite(y.value)) return y;
  return rounded(y.value, a.decided() ? std::fma(y.value, y.value, -a.value) : 1, y.error);
}

Ball Arithmetic::rsqrt(Ball a) const {
  // Below zero there is no value, so a ball that reaches there has no bound.
  if (!a.decided() && a.low() <= 0) return {1 / std::sqrt(a.value), infinity};
  return function(a, [](double x) { return 1 / std::sqrt(x); });
}
Ball Arithmetic::exp(Ball a) const { return function(a, std::exp); }
Ball Arithmetic::log(Ball a) const { return function(a, std::log); }
Ball Arithmetic::log1p(Ball a) const { return function(a, std::log1p); }
Ball Arithmetic::tanh(Ball a) const { return function(a, std::tanh); }
Ball Arithmetic::erf(Ball a) const { return function(a, std::erf); }
Ball Arithmetic::sigmoid(Ball a) const {
  // By way of exp, an addition and a division.
  return function(
      a, [](double x) { return 1 / (1 + std::exp(-x)); }, functionUlps + 2);
}

// Both have slope at most 1; reducing large arguments costs in proportion to them.
static Ball periodic(const Arithmetic &arithmetic, Ball a, double (*f)(double)) {
  double y = f(a.value);
  if (!std::isfinite(y)) return {y, a.error};
  const Format &format = arithmetic.format;
  double reduction = (std::fabs(a.value) + 2 * functionUlps) * format.unit();
  return {y, std::min(a.error, 2.0) + reduction + format.smallest()};
}
Ball Arithmetic::sin(Ball a) const {
  if (a.error == infinity) return a;
  Ball y = periodic(*this, a, std::sin);
  // Near 0 the bound is relative.
  if (std::fabs(a.value) < 1) y = function(a, std::sin);
  return y;
}
Ball Arithmetic::cos(Ball a) const {
  return a.error == infinity ? a : periodic(*this, a, std::cos);
}

Ball Arithmetic::pow(Ball a, Ball b) const {
  double y = std::pow(a.value, b.value);
  if (a.error == infinity || b.error == infinity) return {y, infinity};
  double spread = 0;
  if (!a.decided() || !b.decided()) {
    bool whole = b.decided() && b.value == std::floor(b.value);
    if (!(a.low() > 0) && !whole) return {y, infinity};
    for (double base : {a.low(), a.high()})
      for (double exponent : {b.low(), b.high()})
        spread = std::max(spread, distance(y, std::pow(base, exponent)));
    if (a.low() <= 0 && a.high() >= 0) // a turning point of even powers, a pole of negative ones
      spread = std::max(spread, distance(y, std::pow(0.0, b.value)));
  }
  if (!std::isfinite(y)) return {y, spread == 0 ? 0 : infinity};
  // exp(b log a) loses in proportion to its exponent.
  double exponent = y == 0 ? 0 : std::fabs(std::log(std::fabs(y)));
  double relative = 2 * (functionUlps + functionUlps * exponent) * format.unit();
  return {y, spread + relative * (std::fabs(y) + spread) + format.smallest()};
}

Ball Arithmetic::gelu(Ball a, bool tanhForm) const {
  double (*exactly)(double) = [](double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); };
  double (*byTanh)(double) = [](double x) {
    // 1 + tanh(t) = 2 / (1 + exp(-2t)), without cancellation
    double t = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * t));
  };
  double y = (tanhForm ? byTanh : exactly)(a.value);
  if (a.value == -infinity) y = 0;
  if (!std::isfinite(y) || a.error == infinity) return {y, a.error};
  // Slope at most 1.13. Devices add 1 to erf or tanh: their error is relative to x, not to y. Where
  // erf's argument has an error of its own, its slope 2/sqrt(pi) exp(-t^2) times t is below 1/2.
  double local = 2 * (functionUlps + 2) * format.unit() * std::fabs(a.value);
  return {y, 1.13 * a.error + local + format.smallest()};
}

// Of the next three a device's result has the relative error of a few functions and operations.
static constexpr double severalUlps = 4 * functionUlps + 8;

Ball Arithmetic::silu(Ball a) const {
  double y = a.value / (1 + std::exp(-a.value));
  if (!std::isfinite(y) || a.error == infinity) return {y, a.error};
  // Slope at most 1.1. Where exp(-x) overflows, a device has -0 for what is below 100 smallest numbers.
  double local = severalUlps * format.unit() * std::fabs(y) + 100 * format.smallest();
  return {y, 1.1 * a.error + local};
}

Ball Arithmetic::elu(Ball a, double alpha) const {
  if (a.low() > 0) return a;
  double y = a.value > 0 ? a.value : alpha * std::expm1(a.value);
  if (!std::isfinite(y) || a.error == infinity) return {y, a.error};
  double slope = std::max(1.0, std::fabs(alpha));
  // Some devices take 1 from exp(x), as PyTorch does.
  double local = severalUlps * format.unit() * std::fabs(y) + 2 * slope * format.unit();
  return {y, slope * a.error + local};
}

Ball Arithmetic::softplus(Ball a, double beta, double threshold) const {
  double z = beta * a.value;
  double y =
      z > threshold ? a.value : (std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z)))) / beta;
  if (!std::isfinite(y) || a.error == infinity) return {y, a.error};
  // Slope at most 1; z is rounded, which counts where the slope does.
  double slope = 1 / (1 + std::exp(-z));
  double local = severalUlps * format.unit() * std::fabs(y) +
                 4 * format.unit() * std::fabs(a.value) * slope + format.smallest() / beta;
  // A device may be on the other side of the threshold, where the function jumps.
  if (undecided(mul(a, constant(beta)), constant(threshold)))
    local += std::log1p(std::exp(-std::fabs(threshold))) / beta;
  return {y, a.error + local};
}

Ball Sum::finish(const Arithmetic &a, int factors) const {
  double y = static_cast<double>(total);
  if (!std::isfinite(y)) return {y, std::isnan(error) || error == infinity ? infinity : 0};
  if (std::isnan(error) || error == infinity) return {y, infinity};
  if (whole && error == 0 && magnitude <= 1 / a.format.unit()) return {y, 0};
  double steps = static_cast<double>(std::max<int64_t>(rounding - 1, 0) + factors);
  if (a.format.dtype == DType::f64) steps += 1; // our own rounding
  double relative = steps * a.format.unit();
  return {y, error + relative * (1 + relative) * (magnitude + error)};
}

Ball stored(Ball b, const Format &compute, const Format &declared) {
  double value = declared.round(compute.round(b.value));
  if (std::isnan(value) || b.error == infinity) return {value, b.error};
  double magnitude = std::fabs(b.value) + b.error;
  if (std::isinf(b.value)) return {value, b.error == 0 ? 0 : infinity};
  if (declared.round(magnitude) > declared.largest) {
    // Beyond the largest number: decided only where all of the ball is.
    bool everywhere = declared.round(std::fabs(b.value) - b.error) > declared.largest;
    return {value, everywhere ? 0 : infinity};
  }
  double moved = std::fabs(value - b.value);
  bool narrower = declared.precision < compute.precision;
  return {value, b.error + moved + (b.error > 0 && narrower ? declared.halfUlp(magnitude) : 0)};
}

bool undecided(Ball a, Ball b) {
  if (a.decided() && b.decided()) return false;
  if (a.error == infinity || b.error == infinity) return true;
  return std::fabs(a.value - b.value) <= a.error + b.error;
}

} // namespace sinter::codegen::reference
