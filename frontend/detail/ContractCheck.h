#pragma once

#include "sinter/frontend/Compile.h"
#include "sinter/runtime/Program.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::detail {

/// Looks at a compilation on its way for what breaks `CompileOptions::require`. Each member throws
/// CompileError with the first violation; what it names is the contract.
class ContractCheck {
public:
  explicit ContractCheck(const CompileOptions &options) : options(options) {}

  /// Whether any contract concerns the IR.
  bool watchesStages() const {
    return options.require.donation || options.require.graph_capture ||
           options.require.no_f32_fallback;
  }
  /// To be called after each stage; violations are kept, since no exception may pass through a pass.
  void afterStage(llvm::StringRef stage, mlir::ModuleOp module);
  /// To be called with what came out.
  void check(const runtime::Program &program) const;

private:
  struct Violation {
    std::string contract, text, place;
  };
  void violated(const char *contract, mlir::Location where, const std::string &text);
  void checkDonation(mlir::ModuleOp module);
  void checkPrecision(mlir::ModuleOp module);
  void checkCapture(mlir::ModuleOp module);

  const CompileOptions &options;
  std::vector<Violation> violations;
};

} // namespace sinter::detail
