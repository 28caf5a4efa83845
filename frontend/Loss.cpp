#include "sinter/frontend/Loss.h"

namespace sinter::metrics::detail {

Tensor isCorrect(const Tensor &output, const Tensor &target) {
  if (output.rank() < 2 || runtime::isFloat(target.dtype()))
    throw UserError("metrics::accuracy: needs outputs [N, classes, ...] and class indices, got " +
                        output.spec().text() + " and " + target.spec().text(),
                    Where::current());
  return argmax(output, 1) == target;
}

Tensor absoluteError(const Tensor &output, const Tensor &target) { return abs(output - target); }

} // namespace sinter::metrics::detail
