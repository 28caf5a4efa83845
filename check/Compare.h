#pragma once

#include "sinter/check/Inputs.h"

#include <optional>
#include <string>

namespace sinter::check {

/// The first element in which two lists of results differ by more than their bounds.
struct Difference {
  size_t result = 0;
  int64_t element = 0;
  double value = 0, expected = 0, bound = 0;
  /// Both are within the bounds, but those of the second are much wider and it left the first's: it was
  /// rounded on the way where the first was not.
  bool lessPrecise = false;
};

/// `expected` and `actual` are evaluations of two functions that should compute the same, or `actual` is a
/// device's result, without errors of its own. Nothing where their types agree and no element differs.
std::optional<Difference> firstDifference(const Values &expected, const Values &actual);

/// "[3, 0, 1]" of element `linear`.
std::string indexText(mlir::RankedTensorType type, int64_t linear);
/// "element [3, 0, 1]: 0.25 instead of 0.5 +- 1e-07".
std::string describe(const Difference &difference, mlir::RankedTensorType type);

} // namespace sinter::check
