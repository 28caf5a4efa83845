#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;
using sinter::runtime::DType;

namespace sinter::codegen::reference {
namespace {

/// How far converting anything in a ball may end from `y`.
double conversionError(DType to, int64_t y, Ball x) {
  if (x.decided()) return 0;
  if (std::isinf(x.error)) return HUGE_VAL;
  if (to == DType::i1) return x.low() <= 0 && x.high() >= 0;
  double low = static_cast<double>(saturateTo(to, x.low()));
  double high = static_cast<double>(saturateTo(to, x.high()));
  return std::max(static_cast<double>(y) - low, high - static_cast<double>(y));
}

LogicalResult castOp(OpEvaluation &e) {
  const HostTensor &from = e.operand(0);
  HostTensor &to = e.result();
  DType source = dtypeOf(from.type.getElementType()), target = dtypeOf(to.type.getElementType());
  Writer out(to, e.options.trackErrors);
  Reader x(from);
  for (int64_t i = 0; i < from.numElements(); ++i) {
    if (to.isFloat() && from.isFloat()) {
      // From f64 a device may or may not pass through f32 on its way to a narrower type.
      Ball number = x[i];
      bool narrow = source == DType::f64 && target != DType::f64;
      out.set(i, narrow ? out.arithmetic.rounded(number.value, 0, number.error) : number);
    } else if (to.isFloat()) {
      // Whole numbers beyond 2^53 are rounded once, to compute type.
      int64_t whole = from.integers[i];
      double nearest =
          target == DType::f64 ? static_cast<double>(whole) : static_cast<float>(whole);
      bool exact = static_cast<__int128>(nearest) == whole;
      out.set(i, out.arithmetic.rounded(nearest, exact ? 0 : 1, from.errorAt(i)));
    } else if (from.isFloat()) {
      int64_t y = saturateTo(target, from.values[i]);
      out.setInteger(i, y, conversionError(target, y, x[i]));
    } else {
      int64_t y = wrapTo(target, from.integers[i]);
      double error = target == DType::i1 ? conversionError(target, y, x[i]) : from.errorAt(i);
      out.setInteger(i, target == DType::i1 ? y : from.integers[i], error);
    }
  }
  return success();
}

} // namespace

void addCasts(Handlers &handlers) { handlers["sinter.cast"] = castOp; }

} // namespace sinter::codegen::reference
