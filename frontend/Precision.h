#pragma once

#include "sinter/frontend/Types.h"

#include <string>
#include <utility>

namespace sinter {

/// What matrix products and convolutions compute in. Parameters stay f32.
enum class Precision { f32, bf16, f16 };

/// "f32", "bf16" or "f16", and back; another name is a UserError.
std::string text(Precision precision);
Precision precisionNamed(const std::string &name, Where where = Where::current());

namespace detail {
/// Ops made while it lives run in `type`; or only those that would be lowered whatever their operands are.
class PrecisionScope {
public:
  PrecisionScope(Precision type, Where where, bool onlyLow = false);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope &) = delete;

  const Precision type;
  const bool onlyLow;
  const std::string place; // "model.cpp:14"
  /// The innermost one on this thread, or null.
  static const PrecisionScope *current();

private:
  const PrecisionScope *const before;
};
} // namespace detail

/// Calls `body` and returns what it returns. The ops that it makes, and their gradients, run as if `type`
/// had been asked for, whatever `precision` the graph is compiled with: all in f32, or by the
/// mixed-precision policy in bf16 or f16. Values are cast on their way in and out. The innermost scope
/// counts; what the user casts by hand stays.
///
///   Tensor weights = precision(Precision::f32, [&] { return softmax(q.matmul(k.t()), -1); });
template <class F>
decltype(auto) precision(Precision type, F &&body, Where where = Where::current()) {
  detail::PrecisionScope scope(type, where);
  return std::forward<F>(body)();
}

} // namespace sinter
