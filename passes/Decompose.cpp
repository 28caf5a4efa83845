#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_DECOMPOSE
#include "sinter/passes/Passes.h.inc"

namespace {

/// Whether one row kernel can compute the ops of `block`: every reduction folds the same neighbouring
/// dimensions of one shape, and there is more than one row.
bool isOneRowKernel(Block &block) {
  std::optional<std::pair<ArrayRef<int64_t>, SmallVector<int64_t>>> rows;
  for (auto reduction : block.getOps<ReductionOpInterface>()) {
    std::pair<ArrayRef<int64_t>, SmallVector<int64_t>> own(shapeOf(reduction->getOperand(0)),
                                                           reduction.getReducedDims());
    if (rows && *rows != own) return false;
    rows = own;
  }
  if (!rows || rows->second.empty()) return false;
  const auto &[shape, dims] = *rows;
  return dims.back() - dims.front() + 1 == int64_t(dims.size()) && dims.size() < shape.size();
}

bool isNarrowFloat(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
}

/// Has additions at data-dependent places made in f32, and rounded once: memory is their accumulator.
void widenScatter(Operation *op) {
  OpBuilder builder(op);
  auto wide = [&](Type type) { return cast<RankedTensorType>(type).clone(builder.getF32Type()); };
  for (OpOperand &operand : op->getOpOperands())
    if (Type type = operand.get().getType(); isNarrowFloat(type))
      operand.set(CastOp::create(builder, op->getLoc(), wide(type), operand.get()));
  builder.setInsertionPointAfter(op);
  for (OpResult result : op->getResults()) {
    Type type = result.getType();
    result.setType(wide(type));
    auto rounded = CastOp::create(builder, op->getLoc(), type, result);
    result.replaceAllUsesExcept(rounded, rounded);
  }
}

struct Decompose : impl::DecomposeBase<Decompose> {
  using DecomposeBase::DecomposeBase;

  void runOnOperation() override {
    SmallVector<DecomposableOpInterface> composites;
    SmallVector<Operation *> scatters;
    auto note = [&](Operation *op) {
      if (auto fusible = dyn_cast<FusibleOpInterface>(op);
          fusible && fusible.getFusionKind() == FusionKind::Scatter &&
          isNarrowFloat(op->getResult(0).getType()))
        scatters.push_back(op);
    };
    getOperation().walk([&](Operation *op) {
      if (auto composite = dyn_cast<DecomposableOpInterface>(op))
        composites.push_back(composite);
      else
        note(op);
    });
    for (DecomposableOpInterface composite : composites) {
      if (composite.hasKernel(targetOf(getOperation()))) continue;
      // Into a block of its own first: what it is made of decides whether it stays.
      Block parts;
      OpBuilder builder(composite->getContext());
      builder.setInsertionPointToEnd(&parts);
      SmallVector<Value> replacements = composite.decompose(builder);
      if (!all && isOneRowKernel(parts)) {
        while (!parts.empty()) parts.back().erase();
        note(composite);
        continue;
      }
      for (Operation &part : parts) note(&part);
      composite->getBlock()->getOperations().splice(composite->getIterator(),
                                                    parts.getOperations());
      composite->replaceAllUsesWith(replacements);
      composite->erase();
    }
    llvm::for_each(scatters, widenScatter);
  }
};

} // namespace
} // namespace sinter::passes
