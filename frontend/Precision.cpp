#include "sinter/frontend/Precision.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Origin.h"

#include <fmt/format.h>

namespace sinter {

std::string text(Precision precision) {
  switch (precision) {
  case Precision::f32:
    return "f32";
  case Precision::bf16:
    return "bf16";
  case Precision::f16:
    return "f16";
  }
  return "f32";
}

Precision precisionNamed(const std::string &name, Where where) {
  for (Precision precision : {Precision::f32, Precision::bf16, Precision::f16})
    if (text(precision) == name) return precision;
  throw UserError(fmt::format("no precision '{}': there are f32, bf16 and f16", name), where);
}

namespace detail {

static thread_local const PrecisionScope *innermost = nullptr;

PrecisionScope::PrecisionScope(Precision type, Where where, bool onlyLow)
    : type(type), onlyLow(onlyLow),
      place(fmt::format("{}:{}", baseName(where.file_name()), where.line())),
      before(std::exchange(innermost, this)) {}
PrecisionScope::~PrecisionScope() { innermost = before; }
const PrecisionScope *PrecisionScope::current() { return innermost; }

} // namespace detail
} // namespace sinter
