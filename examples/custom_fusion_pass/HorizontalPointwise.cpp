// A fusion pass from outside Sinter: merges independent pointwise kernels of one shape.
//
// Sinter's own fusion joins producers with consumers. Two kernels that have nothing to do with each
// other but their shape stay two launches; where launches are short, one that does both is cheaper.
// The pass runs after fusion, on sinter.fused regions:
//
//   sinter-opt --load-plugin=HorizontalPointwise.so --horizontal-pointwise fused.mlir

#include <sinter/ir/KernelKinds.h>
#include <sinter/ir/Sinter.h>

#include <mlir/Dialect/Func/IR/FuncOps.h>
#include <mlir/IR/IRMapping.h>
#include <mlir/Pass/Pass.h>
#include <mlir/Tools/Plugins/PassPlugin.h>

#include <map>

using namespace mlir;
using sinter::ir::FusedOp;
using sinter::ir::KernelBody;
using sinter::ir::YieldOp;

namespace {

/// Regions that become one, in the order of the block, with all that their kernel will compute.
struct Group {
  SmallVector<FusedOp> members;
  KernelBody body;
};

KernelBody joined(const KernelBody &a, const KernelBody &b) {
  KernelBody both = a;
  llvm::append_range(both.ops, b.ops);
  llvm::append_range(both.outputs, b.outputs);
  return both;
}

/// True when everything `later` reads exists before `first`, so that both can be done there. It then needs
/// nothing that `first` makes.
bool operandsExistBefore(FusedOp later, FusedOp first) {
  return llvm::all_of(later.getInputs(), [&](Value input) {
    Operation *producer = input.getDefiningOp();
    return !producer || producer->isBeforeInBlock(first);
  });
}

/// One region with the ops and results of all members, in place of the first.
void merge(const Group &group) {
  OpBuilder builder(group.members.front());
  SmallVector<Value> inputs, results;
  SmallVector<Type> types;
  SmallVector<Location> locations;
  for (FusedOp member : group.members) {
    llvm::append_range(inputs, member.getInputs());
    llvm::append_range(types, member.getResultTypes());
    locations.push_back(member.getLoc());
  }
  auto merged = FusedOp::create(builder, builder.getFusedLoc(locations), types, inputs,
                                FusedOp(group.members.front()).getSchedule());
  Block &body = merged.getBody().emplaceBlock();
  builder.setInsertionPointToEnd(&body);
  unsigned next = 0;
  for (FusedOp member : group.members) {
    IRMapping mapping;
    for (BlockArgument argument : member.getBody().front().getArguments())
      mapping.map(argument, body.addArgument(argument.getType(), argument.getLoc()));
    for (Operation &op : member.getBody().front().without_terminator()) builder.clone(op, mapping);
    for (Value result : member.getBody().front().getTerminator()->getOperands())
      results.push_back(mapping.lookup(result));
    member.replaceAllUsesWith(merged.getResults().slice(next, member.getNumResults()));
    next += member.getNumResults();
  }
  YieldOp::create(builder, merged.getLoc(), results);
  for (FusedOp member : group.members) member.erase();
}

struct HorizontalPointwise : PassWrapper<HorizontalPointwise, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HorizontalPointwise)
  StringRef getArgument() const override { return "horizontal-pointwise"; }
  StringRef getDescription() const override {
    return "Merges independent pointwise kernels of one shape";
  }

  /// One sweep: each region joins the last group of its shape, where that is possible, or begins a new one.
  void runOnOperation() override {
    sinter::ir::TargetAttr target = sinter::ir::targetOf(getOperation());
    std::vector<Group> groups;
    std::map<std::vector<int64_t>, size_t> lastOfShape;
    for (auto fused : getOperation().getBody().getOps<FusedOp>()) {
      if (!isa<sinter::ir::PointwiseScheduleAttr>(fused.getSchedule()) ||
          fused.getNumResults() == 0)
        continue;
      KernelBody body = KernelBody::of(fused.getBody().front());
      auto [place, isNew] =
          lastOfShape.try_emplace(sinter::ir::shapeOf(fused.getResult(0)).vec(), groups.size());
      if (!isNew) {
        Group &group = groups[place->second];
        KernelBody both = joined(group.body, body);
        // One kernel has room for so many operands and ops: the dialect knows.
        if (operandsExistBefore(fused, group.members.front()) &&
            !sinter::ir::whyNot(both, sinter::ir::KernelKind::Pointwise, target)) {
          group.members.push_back(fused);
          group.body = std::move(both);
          continue;
        }
        place->second = groups.size();
      }
      groups.push_back({{fused}, std::move(body)});
    }
    for (const Group &group : groups)
      if (group.members.size() > 1) merge(group);
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "HorizontalPointwise", "0.1",
          [] { PassRegistration<HorizontalPointwise>(); }};
}
