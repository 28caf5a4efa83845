#pragma once

#include "OpTable.h"

#include "../support/OnDevice.h"

/// Running cases of the op table, and judging what comes out.
namespace sinter::test {

/// The same numbers at every call: they depend on the case, the type and the argument alone.
std::vector<HostTensor> inputsOf(Ir &ir, const OpCase &c, const std::string &dtype, bool gradient);

/// @function of `module` on `inputs` by the evaluator; empty with a test failure when that fails.
std::vector<HostTensor> evaluated(Ir &ir, mlir::ModuleOp module, const std::string &function,
                                  const std::vector<HostTensor> &inputs);

/// What is wrong with `gradients` of the case's function @f in `module` (all f64), seen from central
/// differences along single elements (few) or random directions (many); empty when nothing is.
std::string gradientError(Ir &ir, const OpCase &c, mlir::ModuleOp module,
                          const std::vector<HostTensor> &inputs,
                          const std::vector<HostTensor> &gradients);

/// How much of a result the bound leaves open: the median over the elements of error / (|value| + mean
/// |value|, at least 0.01). A bound that says nothing tests nothing.
double looseness(const HostTensor &tensor);

} // namespace sinter::test
