#include "sinter/frontend/Init.h"

#include "sinter/frontend/Errors.h"

#include <cmath>

namespace sinter::init {

Init Init::resolve(const Shape &shape, Where where) const {
  if (fan == Fan::none) return *this;
  if (shape.size() < 2)
    throw UserError("init: fan_in and fan_out need a shape of two or more dimensions, got " +
                        text(shape),
                    where);
  double field = 1;
  for (size_t i = 2; i < shape.size(); ++i) field *= static_cast<double>(shape[i]);
  double in = static_cast<double>(shape[1]) * field, out = static_cast<double>(shape[0]) * field;
  double scale = 1 / std::sqrt(fan == Fan::in ? in : fan == Fan::out ? out : in + out);
  return {kind, a * scale, b * scale, Fan::none, zero_row};
}

double gain(const std::string &nonlinearity, double param, Where where) {
  if (nonlinearity == "linear" || nonlinearity == "conv2d" || nonlinearity == "sigmoid") return 1;
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "relu") return std::sqrt(2.0);
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + param * param));
  throw UserError("init::gain: '" + nonlinearity +
                      "' is none of linear, conv2d, sigmoid, tanh, relu, leaky_relu",
                  where);
}

Init xavier_uniform(double gain) {
  double bound = gain * std::sqrt(6.0);
  return {Init::Kind::uniform, -bound, bound, Init::Fan::sum, -1};
}
Init xavier_normal(double gain) {
  return {Init::Kind::normal, 0, gain * std::sqrt(2.0), Init::Fan::sum, -1};
}
Init kaiming_uniform(KaimingOptions options) {
  double bound = options.gain * std::sqrt(3.0);
  return {Init::Kind::uniform, -bound, bound, options.mode, -1};
}
Init kaiming_normal(KaimingOptions options) {
  return {Init::Kind::normal, 0, options.gain, options.mode, -1};
}

} // namespace sinter::init
