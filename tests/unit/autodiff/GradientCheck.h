#pragma once

#include "sinter/codegen/reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>
#include <string>
#include <vector>

namespace sinter::test {

/// A function under test and where its arguments are drawn from.
struct GradientCase {
  const char *name;
  /// One `func.func @f` on f64 tensors (and integers where the op wants them).
  std::string text;
  double low = -2.0, high = 2.0;
  /// Integer arguments are drawn from [0, integers).
  int64_t integers = 3;
};
const std::vector<GradientCase> &gradientCases();

mlir::MLIRContext &context();
/// The text's module; a failure of the test when it does not parse.
mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text);
/// Runs a textual pass pipeline on the module.
bool runPasses(mlir::ModuleOp module, const std::string &pipeline);

/// Arguments for `function`; floats stay 0.1 away from zero, where many ops have kinks.
std::vector<codegen::HostTensor>
randomArguments(mlir::func::FuncOp function, const GradientCase &bounds, std::mt19937_64 &random);

/// A function beside `function` that takes its arguments and a cotangent for each floating-point
/// result and returns the gradient of each floating-point argument. Null when autodiff fails.
mlir::func::FuncOp gradientOf(mlir::func::FuncOp function);

/// The largest distance, relative to 1 + |slope|, between a gradient function's results and central
/// differences of `function` at `arguments` (the function's own, then the cotangents).
double gradientError(mlir::func::FuncOp function, mlir::func::FuncOp gradient,
                     const std::vector<codegen::HostTensor> &arguments);

std::vector<codegen::HostTensor> evaluated(mlir::func::FuncOp function,
                                           llvm::ArrayRef<codegen::HostTensor> arguments,
                                           bool trackErrors = false);

} // namespace sinter::test
