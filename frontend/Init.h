#pragma once

#include "sinter/frontend/Types.h"

/// How a parameter starts. Values depend on the seed and the parameter's path alone.
/// fan_in = shape[1] * receptive field, fan_out = shape[0] * receptive field.
namespace sinter::init {

/// A distribution over the elements of a parameter.
struct Init {
  enum class Kind { constant, uniform, normal } kind = Kind::constant;
  double a = 0, b = 0; // the value; low and high; mean and standard deviation
  /// When set, a and b are multiplied by what depends on the shape: 1 / sqrt(fan).
  enum class Fan { none, in, out, sum } fan = Fan::none;
  int64_t zero_row = -1; // a row of zeros (an embedding's padding), if any

  /// The same distribution for one shape, with fan == none. Throws UserError on a shape with fewer
  /// than two dimensions where a fan is asked for.
  Init resolve(const Shape &shape, Where where) const;
};

inline constexpr Init zeros{};
inline constexpr Init ones{.a = 1};
constexpr Init constant(double value) { return {.a = value}; }
constexpr Init uniform(double low, double high) {
  return {.kind = Init::Kind::uniform, .a = low, .b = high};
}
constexpr Init normal(double mean = 0, double std = 1) {
  return {.kind = Init::Kind::normal, .a = mean, .b = std};
}

/// The factor for a nonlinearity: "linear", "conv2d", "sigmoid" 1; "tanh" 5/3; "relu" sqrt(2);
/// "leaky_relu" sqrt(2 / (1 + param^2)).
double gain(const std::string &nonlinearity, double param = 0.01, Where where = Where::current());

/// U(+-gain * sqrt(6 / (fan_in + fan_out))). Glorot and Bengio, 2010.
Init xavier_uniform(double gain = 1);
/// N(0, gain^2 * 2 / (fan_in + fan_out)).
Init xavier_normal(double gain = 1);
struct KaimingOptions {
  Init::Fan mode = Init::Fan::in;
  double gain = 1.4142135623730951; // relu
};
/// U(+-gain * sqrt(3 / fan)). He et al., 2015.
Init kaiming_uniform(KaimingOptions options = {});
/// N(0, gain^2 / fan).
Init kaiming_normal(KaimingOptions options = {});

} // namespace sinter::init
