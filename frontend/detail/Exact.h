#pragma once

#include "sinter/runtime/Status.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>

namespace sinter::detail {

/// A number as text that gives back its bits, infinities and NaN too (JSON has none).
inline std::string exact(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}
inline double exactFrom(const nlohmann::json &text) {
  return std::strtod(text.get_ref<const std::string &>().c_str(), nullptr);
}

} // namespace sinter::detail
