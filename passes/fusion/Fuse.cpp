#include "sinter/ir/Numerics.h"
#include "sinter/ir/Segments.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/ContractionSchedule.h"
#include "sinter/passes/fusion/Copies.h"
#include "sinter/passes/fusion/Expectations.h"
#include "sinter/passes/fusion/Peak.h"
#include "sinter/passes/fusion/Plan.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace sinter::passes {
#define GEN_PASS_DEF_FUSION
#include "sinter/passes/Passes.h.inc"
} // namespace sinter::passes

using namespace mlir;
using namespace sinter::ir;
using namespace sinter::passes;
using namespace sinter::passes::fusion;

namespace {

// "conv2d_add_relu": what the kernel computes, in order, without what only moves indices.
std::string nameFor(ArrayRef<Operation *> ops, bool isUpdate) {
  if (isUpdate) return "update";
  SmallVector<StringRef> words;
  for (Operation *op : ops)
    if (cast<FusibleOpInterface>(op).getFusionKind() != FusionKind::View) {
      StringRef word = op->getName().stripDialect();
      if (words.empty() || words.back() != word) words.push_back(word);
    }
  if (words.empty()) words.push_back(ops.back()->getName().stripDialect());
  constexpr size_t most = 5;
  if (words.size() > most) {
    words[most - 1] = words.back();
    words.truncate(most);
  }
  return llvm::join(words, "_");
}

// The composites that nothing claimed whole are opened; a kernel holds primitives only.
void openComposites(func::FuncOp func, LedgerOps &ops) {
  for (bool found = true; found;) {
    found = false;
    for (Operation &op : llvm::make_early_inc_range(func.getBody().front()))
      if (auto composite = dyn_cast<DecomposableOpInterface>(op);
          composite && !composite.hasKernel(targetOf(func))) {
        Operation *before = op.getPrevNode();
        OpBuilder builder(&op);
        SmallVector<Value> opened = composite.decompose(builder);
        for (Operation *part = before ? before->getNextNode() : &op.getBlock()->front();
             part != &op; part = part->getNextNode())
          ops.inherit(part, &op);
        op.replaceAllUsesWith(opened);
        op.erase();
        found = true;
      }
  }
}

// A barrier in front of a constant or an argument has nothing to keep apart; and kernels take constants in.
void dropIdleBarriers(func::FuncOp func) {
  for (auto barrier :
       llvm::make_early_inc_range(func.getBody().front().getOps<FusionBarrierOp>())) {
    Operation *def = LedgerOps::sourceOf(barrier.getX()).getDefiningOp();
    if (def && !isa<ConstantOp>(def)) continue;
    barrier.replaceAllUsesWith(barrier.getX());
    barrier.erase();
  }
}

// Copies that came into one kernel again: each with the op that stands for it.
llvm::SmallDenseMap<Operation *, Operation *> twinsIn(const KernelBody &body) {
  llvm::SmallDenseMap<Operation *, Operation *> twins;
  auto resolved = [&](Value value) {
    Operation *twin = twins.lookup(value.getDefiningOp());
    return twin ? twin->getResult(0) : value;
  };
  auto areEqual = [&](Operation *a, Operation *b) {
    return a->getName() == b->getName() && a->getResultTypes() == b->getResultTypes() &&
           a->getAttrDictionary() == b->getAttrDictionary() &&
           llvm::equal(llvm::map_range(a->getOperands(), resolved),
                       llvm::map_range(b->getOperands(), resolved));
  };
  llvm::SmallDenseMap<Value, SmallVector<Operation *>> known; // by what they read first
  for (Operation *op : body.ops) {
    bool isView = cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::View;
    bool isScalar = op->getNumResults() == 1 && isa<ScalarOpInterface>(op) &&
                    tensorType(op->getResult(0)).getNumElements() == 1;
    if (isa<ConstantOp>(op) || op->getNumOperands() == 0 || (!isView && !isScalar) ||
        is_contained(body.outputs, op->getResult(0)))
      continue;
    SmallVector<Operation *> &others = known[resolved(op->getOperand(0))];
    auto *twin = llvm::find_if(others, [&](Operation *other) { return areEqual(op, other); });
    if (twin == others.end())
      others.push_back(op);
    else
      twins[op] = *twin;
  }
  return twins;
}

// Groups as planned, and by which rules.
struct Planned {
  Planned(func::FuncOp func, const CostModel &costs, TargetAttr target, bool saveMemory = false)
      : groups(func), legality(groups, costs, target, saveMemory) {}

  Groups groups;
  Legality legality;
};

class FusionPass : public sinter::passes::impl::FusionBase<FusionPass> {
public:
  using FusionBase::FusionBase;

  void runOnOperation() override {
    names.clear();
    if (numerics != "default" && numerics != "strict") {
      getOperation().emitError("fusion: numerics is '")
          << numerics << "', expected default or strict";
      return signalPassFailure();
    }
    if (numerics == "strict")
      getOperation()->setAttr(numericsAttr, StringAttr::get(&getContext(), numerics));
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && failed(run(func))) signalPassFailure();
  }

private:
  LogicalResult run(func::FuncOp func) {
    LedgerOps ops(func);
    openComposites(func, ops);
    Expectations expectations(func);
    dropIdleBarriers(func);
    ops.number(func);
    expectations.resolve(ops);
    TargetAttr target = targetOf(func);
    CostModel costs(target);
    Copies copies(func);
    auto made = singletons ? std::make_unique<Planned>(func, costs, target)
                           : planWithCopies(func, copies, costs, target);
    if (!singletons) planStages(made->groups, costs, made->legality);
    if (budget > 0 && !singletons)
      if (int64_t need = peakOf(made->groups); need > budget) {
        auto saving = std::make_unique<Planned>(func, costs, target, /*saveMemory=*/true);
        fusion::plan(saving->groups, costs, saving->legality);
        planStages(saving->groups, costs, saving->legality);
        // Worth more launches where half of what is too much goes.
        if (2 * (need - peakOf(saving->groups)) >= need - budget) made = std::move(saving);
      }
    const Groups &groups = made->groups;
    const Legality &legality = made->legality;
    SmallVector<unsigned> order = groups.inExecutionOrder();
    llvm::DenseMap<unsigned, std::string> kernelNames;
    for (unsigned group : order)
      if (groups.isKernel(group)) {
        std::string base = nameFor(groups[group].ops, groups[group].update);
        kernelNames[group] = base + "_" + std::to_string(names[base]++);
      }
    LogicalResult expected = success();
    if (ledger || !expectations.empty() || getContext().getRemarkEngine()) {
      Ledger recorded = recordLedger(groups, legality, ops, copies.origins(), kernelNames);
      emitRemarks(recorded, ops);
      expected = expectations.check(func, recorded);
      if (ledger) func->setAttr(ledgerAttr, toAttribute(recorded, &getContext()));
    }
    apply(groups, order, kernelNames);
    if (target && target.getKind() == "cuda") scheduleContractions(func, target);
    return expected;
  }

  static void scheduleContractions(func::FuncOp func, TargetAttr target) {
    auto productsOf = [](FusedOp fused) {
      return Products(KernelBody::of(fused.getBody().front()));
    };
    for (auto fused : func.getBody().front().getOps<FusedOp>()) {
      if (isa<ContractionScheduleAttr>(fused.getSchedule()))
        fused.setScheduleAttr(contractionSchedule(productsOf(fused), target));
      if (!isa<StagedScheduleAttr>(fused.getSchedule())) continue;
      std::vector<Products> stages;
      for (auto stage : fused.getBody().front().getOps<FusedOp>())
        stages.push_back(productsOf(stage));
      // Planning asked before it made them one launch.
      std::optional<LaunchPrediction> predicted = predictLaunch(stages, target);
      assert(predicted && "stages that do not go together");
      for (auto stage : fused.getBody().front().getOps<FusedOp>())
        stage.setScheduleAttr(predicted->schedule);
    }
  }

  // The plan is a function of the graph, so each change of the graph asks for a new one.
  static std::unique_ptr<Planned> planWithCopies(func::FuncOp func, Copies &copies,
                                                 const CostModel &costs, TargetAttr target) {
    copies.copyFreeOps();
    for (bool triedProducers = false;;) {
      auto made = std::make_unique<Planned>(func, costs, target);
      fusion::plan(made->groups, costs, made->legality);
      if (copies.dropUnused(made->groups)) continue;
      if (triedProducers || !copies.copyProducers(made->groups, made->legality)) return made;
      triedProducers = true;
    }
  }

  // Cannot fail: the groups' graph has no cycle, and each group's region was accepted.
  void apply(const Groups &groups, ArrayRef<unsigned> order,
             const llvm::DenseMap<unsigned, std::string> &kernelNames) {
    func::FuncOp func = groups.function();
    Block &block = func.getBody().front();
    SmallVector<Operation *> old;
    for (Operation &op : block)
      if (groups.groupOf(&op) >= 0) old.push_back(&op);
    OpBuilder builder(block.getTerminator());
    IRMapping outside;
    for (unsigned group : order) {
      if (groups.isBarrier(group)) {
        auto barrier = cast<FusionBarrierOp>(groups[group].ops.front());
        outside.map(barrier.getResult(), outside.lookupOrDefault(barrier.getX()));
        continue;
      }
      if (groups.isAlias(group)) {
        builder.clone(*groups[group].ops.front(), outside);
        continue;
      }
      KernelBody body = groups.bodyOf(group);
      FusedOp fused = groups[group].kind == KernelKind::Staged
                          ? makeStaged(builder, groups, group, outside)
                          : makeFused(builder, body, groups[group].kind, outside);
      fused->setAttr(nameAttr, builder.getStringAttr(kernelNames.lookup(group)));
      for (auto [output, result] : llvm::zip(body.outputs, fused.getOutputs()))
        outside.map(output, result);
    }
    for (OpOperand &operand : block.getTerminator()->getOpOperands())
      operand.set(outside.lookupOrDefault(operand.get()));
    for (Operation *op : llvm::reverse(old)) {
      op->dropAllUses();
      op->erase();
    }
    for (Operation &op : llvm::make_early_inc_range(block))
      if (isa<ConstantOp>(op) && op.use_empty()) op.erase();
  }

  // A region of fused ops, one for each stage, with the reshapes between them.
  static FusedOp makeStaged(OpBuilder &builder, const Groups &groups, unsigned group,
                            const IRMapping &outside) {
    KernelBody body = groups.bodyOf(group);
    SmallVector<Value> inputs = body.inputs(), operands;
    SmallVector<Location> locations;
    for (Value input : inputs) operands.push_back(outside.lookupOrDefault(input));
    for (Operation *op : groups[group].ops) locations.push_back(op->getLoc());
    MLIRContext *context = builder.getContext();
    auto fused = FusedOp::create(builder, FusedLoc::get(context, locations),
                                 TypeRange(ValueRange(body.outputs)), operands,
                                 defaultSchedule(KernelKind::Staged, context));
    Block *block = &fused.getBody().emplaceBlock();
    IRMapping inside;
    for (Value input : inputs)
      inside.map(input, block->addArgument(input.getType(), input.getLoc()));
    OpBuilder within = OpBuilder::atBlockEnd(block);
    for (const Group::Part &part : groups[group].parts) {
      KernelBody stage = groups.bodyOfPart(part);
      for (Value input : stage.inputs()) {
        SmallVector<Operation *> reshapes;
        for (Value value = input; !inside.contains(value);) {
          reshapes.push_back(value.getDefiningOp());
          value = reshapes.back()->getOperand(0);
        }
        for (Operation *reshape : llvm::reverse(reshapes)) within.clone(*reshape, inside);
      }
      FusedOp each = makeFused(within, stage, part.kind, inside);
      for (auto [output, result] : llvm::zip(stage.outputs, each.getOutputs()))
        inside.map(output, result);
    }
    SmallVector<Value> yielded;
    for (Value output : body.outputs) yielded.push_back(inside.lookup(output));
    YieldOp::create(within, fused.getLoc(), yielded);
    return fused;
  }

  // Where segments are all there is, and each reads what no other does: operands in their order.
  static void orderAsSegments(FusedOp fused) {
    Block &block = fused.getBody().front();
    auto segments = dyn_cast<SegmentsOp>(block.front());
    if (!segments || segments->getNextNode() != block.getTerminator()) return;
    unsigned count = block.getNumArguments();
    llvm::SmallSetVector<unsigned, 16> order;
    for (Value operand : segments->getOperands())
      if (!order.insert(cast<BlockArgument>(operand).getArgNumber())) return;
    if (order.size() != count) return;
    SmallVector<Value> operands;
    for (unsigned number : order) {
      BlockArgument old = block.getArgument(number);
      old.replaceAllUsesWith(block.addArgument(old.getType(), old.getLoc()));
      operands.push_back(fused.getInputs()[number]);
    }
    block.eraseArguments(0, count);
    fused->setOperands(operands);
  }

  static FusedOp makeFused(OpBuilder &builder, const KernelBody &body, KernelKind kind,
                           const IRMapping &outside) {
    MLIRContext *context = builder.getContext();
    SmallVector<Value> inputs = body.inputs(), operands;
    SmallVector<Location> locations;
    for (Value input : inputs) operands.push_back(outside.lookupOrDefault(input));
    llvm::SmallDenseMap<Operation *, Operation *> twins = twinsIn(body);
    for (Operation *op : body.ops)
      if (!isa<ConstantOp>(op) && !twins.contains(op)) locations.push_back(op->getLoc());
    auto fused = FusedOp::create(builder, FusedLoc::get(context, locations),
                                 TypeRange(ValueRange(body.outputs)), operands,
                                 defaultSchedule(kind, context));
    Block *block = &fused.getBody().emplaceBlock();
    IRMapping inside;
    for (Value input : inputs)
      inside.map(input, block->addArgument(input.getType(), input.getLoc()));
    OpBuilder within = OpBuilder::atBlockEnd(block);
    for (Operation *op : body.ops)
      if (Operation *twin = twins.lookup(op))
        inside.map(op->getResult(0), inside.lookup(twin->getResult(0)));
      else
        within.clone(*op, inside);
    SmallVector<Value> yielded;
    for (Value output : body.outputs) yielded.push_back(inside.lookup(output));
    YieldOp::create(within, fused.getLoc(), yielded);
    if (kind == KernelKind::Update) {
      gatherSegments(*block);
      orderAsSegments(fused);
      // Assembly leaves out the region around segments that are alone: theirs are the locations it keeps.
      if (SegmentsOp alone = onlySegments(*block)) {
        for (BlockArgument argument : block->getArguments()) argument.setLoc(alone.getLoc());
        block->getTerminator()->setLoc(alone.getLoc());
      }
    }
    return fused;
  }

  llvm::StringMap<unsigned> names;
};

} // namespace
