#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/LedgerAttribute.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringMap.h"

namespace sinter::passes {
#define GEN_PASS_DEF_OUTLINE
#include "sinter/passes/Passes.h.inc"
} // namespace sinter::passes

using namespace mlir;
using namespace sinter::ir;
using namespace sinter::passes;

namespace {

// Regions are equal when their ops are, whatever lines they come from.
bool sameKernel(FusedOp fused, KernelOp kernel) {
  return fused.getSchedule() == kernel.getSchedule() &&
         TypeRange(kernel.getFunctionType().getInputs()) == fused.getInputs().getTypes() &&
         TypeRange(kernel.getFunctionType().getResults()) == fused.getOutputs().getTypes() &&
         OperationEquivalence::isRegionEquivalentTo(&fused.getBody(), &kernel.getBody(),
                                                    OperationEquivalence::IgnoreLocations);
}

// Equal for equal regions: the ops' names, attributes and types in order.
llvm::hash_code hashOf(FusedOp fused) {
  llvm::hash_code hash = llvm::hash_combine(fused.getSchedule());
  for (Operation &op : fused.getBody().front())
    hash = llvm::hash_combine(
        hash, OperationEquivalence::computeHash(&op, OperationEquivalence::ignoreHashValue,
                                                OperationEquivalence::ignoreHashValue,
                                                OperationEquivalence::IgnoreLocations));
  return hash;
}

class OutlinePass : public sinter::passes::impl::OutlineBase<OutlinePass> {
public:
  using OutlineBase::OutlineBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::DenseMap<size_t, SmallVector<KernelOp>> kernels; // looked up only
    OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
    for (auto func : llvm::to_vector(module.getOps<func::FuncOp>())) {
      llvm::StringMap<std::string> renamed;
      bool hasLedger = func->hasAttr(ledgerAttr);
      // Those of the function; stages stay inside their kernel.
      for (Operation &op : llvm::make_early_inc_range(func.getBody().front())) {
        auto fused = dyn_cast<FusedOp>(op);
        if (!fused) continue;
        SmallVector<KernelOp> &candidates = kernels[size_t(hashOf(fused))];
        auto *known =
            llvm::find_if(candidates, [&](KernelOp kernel) { return sameKernel(fused, kernel); });
        KernelOp kernel = known == candidates.end() ? nullptr : *known;
        auto name = fused->getAttrOfType<StringAttr>(nameAttr);
        if (!kernel) {
          kernel = KernelOp::create(atEnd, fused.getLoc(), name ? name.getValue() : "kernel",
                                    FunctionType::get(&getContext(), fused.getInputs().getTypes(),
                                                      fused.getOutputs().getTypes()),
                                    fused.getSchedule());
          kernel.getBody().takeBody(fused.getBody());
          symbols.insert(kernel);
          candidates.push_back(kernel);
        }
        if (name && hasLedger) renamed[name.getValue()] = kernel.getSymName().str();
        OpBuilder builder(fused);
        auto launch =
            LaunchOp::create(builder, fused.getLoc(), TypeRange(fused.getOutputs()),
                             FlatSymbolRefAttr::get(kernel), ValueRange(fused.getInputs()));
        fused.replaceAllUsesWith(launch.getOutputs());
        fused.erase();
      }
      if (hasLedger) renameInLedger(func, renamed);
    }
  }

private:
  void renameInLedger(func::FuncOp func, const llvm::StringMap<std::string> &renamed) {
    auto rename = [&](std::vector<std::string> &kernels) {
      std::vector<std::string> names; // two regions may have become one kernel
      for (const std::string &kernel : kernels) {
        auto it = renamed.find(kernel);
        std::string name = it == renamed.end() ? kernel : it->second;
        if (!llvm::is_contained(names, name)) names.push_back(name);
      }
      kernels = std::move(names);
    };
    Ledger ledger = ledgerOf(func);
    for (LedgerOp &op : ledger.ops) rename(op.kernels);
    for (LedgerEdge &edge : ledger.edges) rename(edge.kernels);
    func->setAttr(ledgerAttr, toAttribute(ledger, &getContext()));
  }
};

} // namespace
