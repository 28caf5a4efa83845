// A fusion pass from outside Sinter: merges independent pointwise kernels of one shape.
//
// Sinter's own fusion joins producers with consumers. Two kernels that have nothing to do with each
// other but their shape stay two launches; where launches are short, one that does both is cheaper.
// The pass runs after fusion, on sinter.fused regions:
//
//   sinter-opt --load-plugin=HorizontalPointwise.so --horizontal-pointwise fused.mlir

#include <sinter/ir/Sinter.h>

#include <mlir/Dialect/Func/IR/FuncOps.h>
#include <mlir/IR/IRMapping.h>
#include <mlir/Pass/Pass.h>
#include <mlir/Tools/Plugins/PassPlugin.h>

using namespace mlir;
using sinter::ir::FusedOp;
using sinter::ir::YieldOp;

namespace {

/// The shape that every result of a pointwise region has, or none for other regions.
std::optional<ArrayRef<int64_t>> pointwiseShape(FusedOp fused) {
  if (!isa<sinter::ir::PointwiseScheduleAttr>(fused.getSchedule()) || fused.getNumResults() == 0)
    return std::nullopt;
  return sinter::ir::shapeOf(fused.getResult(0));
}

/// True when `second`, later in the block, needs a value that `first` makes, directly or not.
bool dependsOn(FusedOp second, FusedOp first) {
  SmallVector<Operation *> work{second};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!work.empty())
    for (Value operand : work.pop_back_val()->getOperands())
      if (Operation *producer = operand.getDefiningOp(); producer && seen.insert(producer).second) {
        if (producer == first) return true;
        if (first->isBeforeInBlock(producer)) work.push_back(producer);
      }
  return false;
}

/// True when everything `second` reads exists before `first`, so that both can be done there.
bool operandsExistBefore(FusedOp second, FusedOp first) {
  return llvm::all_of(second.getInputs(), [&](Value input) {
    Operation *producer = input.getDefiningOp();
    return !producer || producer->isBeforeInBlock(first);
  });
}

/// One region with the ops and results of both, in place of the first.
void merge(FusedOp first, FusedOp second) {
  OpBuilder builder(first);
  SmallVector<Value> inputs(first.getInputs());
  llvm::append_range(inputs, second.getInputs());
  SmallVector<Type> types(first.getResultTypes());
  llvm::append_range(types, second.getResultTypes());
  auto merged = FusedOp::create(builder, builder.getFusedLoc({first.getLoc(), second.getLoc()}),
                                types, inputs, first.getSchedule());
  Block &body = merged.getBody().emplaceBlock();
  SmallVector<Value> results;
  builder.setInsertionPointToEnd(&body);
  for (FusedOp part : {first, second}) {
    IRMapping mapping;
    for (BlockArgument argument : part.getBody().front().getArguments())
      mapping.map(argument, body.addArgument(argument.getType(), argument.getLoc()));
    for (Operation &op : part.getBody().front().without_terminator()) builder.clone(op, mapping);
    for (Value result : part.getBody().front().getTerminator()->getOperands())
      results.push_back(mapping.lookup(result));
  }
  YieldOp::create(builder, merged.getLoc(), results);
  first.replaceAllUsesWith(merged.getResults().take_front(first.getNumResults()));
  second.replaceAllUsesWith(merged.getResults().drop_front(first.getNumResults()));
  first.erase();
  second.erase();
}

struct HorizontalPointwise : PassWrapper<HorizontalPointwise, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HorizontalPointwise)
  StringRef getArgument() const override { return "horizontal-pointwise"; }
  StringRef getDescription() const override {
    return "Merges independent pointwise kernels of one shape";
  }

  void runOnOperation() override {
    while (mergeOnePair(getOperation().getBody().front())) {}
  }

  bool mergeOnePair(Block &block) {
    SmallVector<FusedOp> regions(block.getOps<FusedOp>());
    for (size_t i = 0; i < regions.size(); ++i)
      for (size_t j = i + 1; j < regions.size(); ++j) {
        auto shape = pointwiseShape(regions[i]);
        if (!shape || pointwiseShape(regions[j]) != shape || dependsOn(regions[j], regions[i]) ||
            !operandsExistBefore(regions[j], regions[i]))
          continue;
        merge(regions[i], regions[j]);
        return true;
      }
    return false;
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "HorizontalPointwise", "0.1",
          [] { PassRegistration<HorizontalPointwise>(); }};
}
