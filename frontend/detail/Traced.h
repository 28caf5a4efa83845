#pragma once

#include "sinter/frontend/Compile.h"
#include "sinter/frontend/detail/Trace.h"

namespace sinter::detail {

/// A finished function, alone in its module.
struct TracedImpl {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<VariablePtr> variables; // of the arguments after the inputs, in order
  size_t numResults = 0;              // without those that are printed or donated
  std::vector<std::string> watched;   // labels of the results that are printed

  mlir::func::FuncOp function() const;
  size_t numInputs() const;
};

/// Runs `body` on inputs of these types inside a new function `name`; what it returns are the
/// results.
std::shared_ptr<TracedImpl> traceInto(
    const std::string &name, const std::vector<TensorSpec> &inputs,
    const std::vector<std::string> &inputNames, Where where,
    const std::function<std::vector<mlir::Value>(Trace &trace, const std::vector<Tensor> &inputs)>
        &body);

/// An op's text without or with locations.
std::string print(mlir::Operation *op, bool locations);

} // namespace sinter::detail
