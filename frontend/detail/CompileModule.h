#pragma once

#include "sinter/ir/Sinter.h"
#include "sinter/passes/Pipeline.h"
#include "sinter/runtime/Program.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <string>

namespace sinter::detail {

struct ModuleOptions {
  std::string device = "cpu";       // "cpu", "cuda", "cuda-emulated" or "reference"
  std::string precision = "f32";    // "f32", "bf16" or "f16"
  std::string numerics = "default"; // or "strict"
  std::string architecture; // CPU instruction set or GPU architecture; empty: the device's own
  int64_t memoryBudget = 0; // bytes of working memory that a function may need; 0: any
  bool savable = false;     // the Program can be written to a file
  /// CUDA: how many kernels besides the model's choice travel with a contraction by a matrix unit.
  unsigned alternatives = 0;
  bool tf32 = false;  // CUDA: matrix units multiply f32, rounded to tf32; not with strict numerics
  bool early = false; // CUDA: kernels wait by themselves for those before them (sm_90)
  std::vector<passes::Insertion> insertions; // passes from outside
  /// Called with the module as it comes in ("traced"), then after each stage of the pipeline with the
  /// textual pipeline that replays it.
  std::function<void(llvm::StringRef stage, llvm::StringRef pipeline, mlir::ModuleOp module)>
      afterStage;
  /// Called with the name and text of each kernel made.
  std::function<void(const std::string &name, const std::string &text)> text;
  bool assembly = false; // among these texts, each CPU kernel's assembly
};

/// Runs every pass on `module` and makes a Program for the device: what all ways into the compiler
/// share. On failure diagnostics have been emitted, and `failedStage` (if given) names the stage.
mlir::FailureOr<runtime::Program> compileModule(mlir::ModuleOp module, const ModuleOptions &options,
                                                std::string *failedStage = nullptr);

/// The same without code generation: the module is left planned for its target.
mlir::LogicalResult planModule(mlir::ModuleOp module, const ModuleOptions &options,
                               std::string *failedStage = nullptr);

} // namespace sinter::detail
