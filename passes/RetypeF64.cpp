#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_RETYPEF64
#include "sinter/passes/Passes.h.inc"

namespace {

Type widened(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !isa<FloatType>(tensor.getElementType())) return type;
  return tensor.clone(Float64Type::get(type.getContext()));
}

/// The same numbers as f64, exactly.
ElementsAttr widened(ElementsAttr value) {
  auto dense = dyn_cast<DenseFPElementsAttr>(value);
  if (!dense) return value;
  return dense.mapValues(Float64Type::get(value.getContext()), [](const APFloat &number) {
    APFloat wide = number;
    bool lost = false;
    wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    return wide.bitcastToAPInt();
  });
}

struct RetypeF64 : impl::RetypeF64Base<RetypeF64> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    WalkResult walked = function.walk([&](Operation *op) {
      if (op == function) return WalkResult::advance();
      if (isa<FusedOp, LaunchOp>(op)) {
        op->emitError() << "'" << op->getName() << "': retype to f64 before fusion";
        return WalkResult::interrupt();
      }
      if (auto constant = dyn_cast<ConstantOp>(op))
        constant.setValueAttr(widened(constant.getValue()));
      for (Value result : op->getResults()) result.setType(widened(result.getType()));
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          argument.setType(widened(argument.getType()));
      return WalkResult::advance();
    });
    if (walked.wasInterrupted()) return signalPassFailure();
    for (BlockArgument argument : function.getArguments())
      argument.setType(widened(argument.getType()));
    auto widenAll = [](ArrayRef<Type> types) {
      return llvm::map_to_vector(types, [](Type type) { return widened(type); });
    };
    function.setFunctionType(FunctionType::get(&getContext(), widenAll(function.getArgumentTypes()),
                                               widenAll(function.getResultTypes())));
  }
};

} // namespace
} // namespace sinter::passes
