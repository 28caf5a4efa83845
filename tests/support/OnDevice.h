#pragma once

#include "Ir.h"

#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/passes/Pipeline.h"
#include "sinter/runtime/Executor.h"

#include <optional>
#include <string>
#include <vector>

/// From a module of `sinter` functions to results on a device, without the DSL.
namespace sinter::test {

using codegen::HostTensor;

/// The devices on which ops are compared with the evaluator: "cpu", "cuda-emulated".
std::vector<std::string> devices();

/// The module after the whole pipeline and code generation for one of `devices()`; `module` changes.
/// Nothing, with the reason in `problem`, if that fails.
std::optional<runtime::Program> programFor(Ir &ir, mlir::ModuleOp module, const std::string &device,
                                           std::string &problem,
                                           const passes::PipelineOptions &pipeline = {});

/// A module that went through the whole pipeline and code generation: every public function is an
/// entry.
class OnDevice {
public:
  /// Changes `module`.
  OnDevice(Ir &ir, mlir::ModuleOp module, const std::string &device,
           const passes::PipelineOptions &pipeline = {});

  /// What went wrong, here or in the last run; empty: nothing.
  std::string problem;

  /// Runs entry `name`; `types` are those of its results. Returns nothing when there was a problem.
  std::vector<HostTensor> run(const std::string &name, const std::vector<HostTensor> &inputs,
                              const std::vector<mlir::RankedTensorType> &types);

private:
  std::shared_ptr<runtime::Executor> executor;
};

/// The types of a function's results.
std::vector<mlir::RankedTensorType> resultTypes(mlir::ModuleOp module, const std::string &function);

/// Runs a textual pass pipeline; the reason of a failure is in `ir.errors`.
bool runPasses(Ir &ir, mlir::ModuleOp module, const std::string &pipeline);

/// The first element whose bits differ, in one line; empty when there is none. A NaN is like any other.
std::string bitDifference(const std::vector<HostTensor> &expected,
                          const std::vector<HostTensor> &actual);

/// What is wrong with `actual` (whose own errors are allowed for), in one line; empty when every element
/// is within the evaluator's bound.
std::string disagreement(const std::vector<HostTensor> &expected,
                         const std::vector<HostTensor> &actual);

} // namespace sinter::test
