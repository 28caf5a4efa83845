#pragma once

#include "sinter/codegen/reference/HostTensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <functional>

/// The reference evaluator: runs a function of `sinter` ops one by one in plain loops. It shares no
/// code with any backend (no scalar bodies, no decompositions), so that it cannot share their bugs.
///
/// Values. Every op is computed in double, rounded to the type that kernels compute in (f32 for bf16,
/// f16 and f32; f64 for f64) and then to the declared type, to nearest even. Integers wrap in their
/// width; docs/semantics has the corners.
///
/// Errors. Beside each value stands a bound on the distance to it of any correct device: one that
/// follows the graph op by op in the compute type, in any order of summation, with or without fused
/// multiply-add, with or without the roundings to bf16 or f16 between fused ops, and with functions
/// of the accuracies below. It is the tolerance of every comparison with a device. With u = 2^-24
/// (f32) or 2^-53 (f64), and e_x the error of operand x:
///   - copies, views, negation, maximum, relu, ...: e_x; nothing is added
///   - + - * / sqrt: the operands' errors propagated exactly, + u|y| when y is not representable
///   - exp, log, tanh, ...: the spread of f over [x - e_x, x + e_x], + a few ulps of y
///     (ErrorModel.h has the number for each function) and the smallest normal number
///   - sums of n terms: sum of e_i, + n u sum |x_i|; contractions likewise with |a_i b_i|
///   - composite ops: the same, carried through the steps of their usual formula in compute type
///   - rounding y to the declared type: the distance rounded here, and half an ulp more on the
///     device's side when y was not exact
///   - comparisons, argmax, max_pool2d's place, floor, conversion to integers: an answer that another
///     value within the errors would change is undecided: its error covers the other answers, and
///     `select` then covers both operands
///   - an error that cannot be bounded (a pole, an overflow, an index in doubt) is infinite
/// Function arguments are exact unless their `error` says otherwise.
namespace sinter::codegen {

struct EvaluatorOptions {
  /// Bound errors. Without it every `error` is empty and evaluation is about twice as fast.
  bool trackErrors = true;
  /// Sees each result as soon as it exists, those inside fused regions and kernels too.
  std::function<void(mlir::Operation *op, unsigned result, const HostTensor &value)> onResult;
};

/// Runs `function` on `inputs`, one per argument and of its shape and element type; returns its
/// results. Accepts every op of the dialect, before or after any pass: fused regions, launches of
/// outlined kernels (found by symbol), calls. Fails with an error on the op that cannot be evaluated:
/// an index out of range, an integer division by zero, `sinter.gradient` (run the autodiff pass
/// before), an op of another dialect.
mlir::FailureOr<llvm::SmallVector<HostTensor>> evaluate(mlir::func::FuncOp function,
                                                        llvm::ArrayRef<HostTensor> inputs,
                                                        const EvaluatorOptions &options = {});

/// Whether the evaluator knows the op `name` ("sinter.add").
bool isEvaluable(llvm::StringRef name);

/// Whether `actual` agrees with element `i` of `expected` within its error: NaN with NaN, an infinity
/// with itself, anything with an infinite error.
bool agrees(const HostTensor &expected, int64_t i, double actual);
/// The first element in which `actual` (errors of its own are allowed for) is too far from
/// `expected`, or -1. Their shapes and types must be equal.
int64_t firstDisagreement(const HostTensor &expected, const HostTensor &actual);

} // namespace sinter::codegen
