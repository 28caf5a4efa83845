#include "sinter/check/Compare.h"

#include "sinter/codegen/reference/ErrorModel.h"
#include "sinter/codegen/reference/Evaluator.h"

#include <fmt/ranges.h>

#include <cmath>

namespace sinter::check {

using codegen::HostTensor;

/// Bounds may differ by this factor between two correct ways to compute one thing: sums in another order,
/// products folded into each other.
static constexpr double slack = 16;

/// Whether element `i` of `actual` has gone through a rounding that `expected` knows nothing of.
static bool isLessPrecise(const HostTensor &expected, const HostTensor &actual, int64_t i) {
  double known = expected.errorAt(i), found = actual.errorAt(i);
  if (!std::isfinite(known) || !std::isfinite(found)) return false;
  double a = expected.at(i), b = actual.at(i);
  if (!std::isfinite(a) || !std::isfinite(b) || std::fabs(a - b) <= known) return false;
  const auto &format =
      codegen::reference::formatOf(codegen::dtypeOf(expected.type.getElementType()));
  double unavoidable = known + format.halfUlp(std::fabs(a)) + format.smallest();
  return found > slack * unavoidable && std::fabs(a - b) > slack * unavoidable;
}

std::optional<Difference> firstDifference(const Values &expected, const Values &actual) {
  for (size_t r = 0; r < expected.size(); ++r) {
    int64_t i = codegen::firstDisagreement(expected[r], actual[r]);
    bool lessPrecise = false;
    if (i < 0 && expected[r].isFloat())
      for (int64_t each = 0; each < expected[r].numElements() && !lessPrecise; ++each)
        if (isLessPrecise(expected[r], actual[r], each)) i = each, lessPrecise = true;
    if (i < 0) continue;
    double bound = expected[r].errorAt(i) + (lessPrecise ? 0 : actual[r].errorAt(i));
    return Difference{r, i, actual[r].at(i), expected[r].at(i), bound, lessPrecise};
  }
  return std::nullopt;
}

std::string indexText(mlir::RankedTensorType type, int64_t linear) {
  std::vector<int64_t> indices(type.getRank());
  for (size_t dim = indices.size(); dim-- > 0;) {
    indices[dim] = linear % type.getDimSize(unsigned(dim));
    linear /= type.getDimSize(unsigned(dim));
  }
  return fmt::format("[{}]", fmt::join(indices, ", "));
}

std::string describe(const Difference &d, mlir::RankedTensorType type) {
  return fmt::format("element {}: {:.9g} instead of {:.9g} +- {:.2g}{}", indexText(type, d.element),
                     d.value, d.expected, d.bound,
                     d.lessPrecise ? ": it was rounded more coarsely on the way" : "");
}

} // namespace sinter::check
