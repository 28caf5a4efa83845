#pragma once

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

/// Small passes that are wrong on purpose, for the tests of the tools that find wrong passes.
namespace planted {

/// One wrong pass. `plant` breaks the module in one place and says whether it found one.
struct Bug {
  const char *name;
  const char *description;
  bool (*plant)(mlir::ModuleOp module);
};

llvm::ArrayRef<Bug> valueBugs(); // what ops compute; on graphs, before fusion
llvm::ArrayRef<Bug> shapeBugs(); // which element goes where; on graphs, before fusion
llvm::ArrayRef<Bug>
borderBugs(); // signatures, locations, fused regions, memory plans, the pass itself

/// Registers each as a pass of its own, on modules.
void registerAll(llvm::ArrayRef<Bug> bugs);

/// The first op of a kind, in a function or in a kernel, that `accepts`.
template <class OpT, class Accepts> OpT firstOp(mlir::ModuleOp module, Accepts accepts) {
  OpT found;
  module.walk([&](OpT op) {
    if (!accepts(op)) return mlir::WalkResult::advance();
    found = op;
    return mlir::WalkResult::interrupt();
  });
  return found;
}
template <class OpT> OpT firstOp(mlir::ModuleOp module) {
  return firstOp<OpT>(module, [](OpT) { return true; });
}

inline bool isFloat(mlir::Value value) {
  return llvm::isa<mlir::FloatType>(sinter::ir::elementOf(value));
}
inline mlir::Value reshaped(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x,
                            llvm::ArrayRef<int64_t> shape) {
  auto type = mlir::RankedTensorType::get(shape, sinter::ir::elementOf(x));
  return sinter::ir::ReshapeOp::create(b, loc, type, x);
}

} // namespace planted
