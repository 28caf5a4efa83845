// A pass from outside Sinter's tree: -(-x) becomes x.
#include <sinter/ir/Sinter.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

namespace {

struct DoubleNeg : mlir::PassWrapper<DoubleNeg, mlir::OperationPass<mlir::func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DoubleNeg)
  llvm::StringRef getArgument() const override { return "user-double-neg"; }
  llvm::StringRef getDescription() const override { return "-(-x) becomes x"; }
  void runOnOperation() override {
    getOperation().walk([](sinter::ir::NegOp outer) {
      if (auto inner = outer.getOperand().getDefiningOp<sinter::ir::NegOp>()) {
        outer.getResult().replaceAllUsesWith(inner.getOperand());
        outer.erase();
        if (inner->use_empty()) inner.erase();
      }
    });
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "double-neg", "1", [] { mlir::PassRegistration<DoubleNeg>(); }};
}
