#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/Ledger.h"
#include "sinter/passes/fusion/Plan.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
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
std::string nameFor(ArrayRef<Operation *> ops, KernelKind kind) {
  if (kind == KernelKind::Update) return "update";
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
void openComposites(func::FuncOp func) {
  SmallVector<DecomposableOpInterface> composites;
  for (bool found = true; found;) {
    found = false;
    for (Operation &op : llvm::make_early_inc_range(func.getBody().front()))
      if (auto composite = dyn_cast<DecomposableOpInterface>(op)) {
        OpBuilder builder(&op);
        op.replaceAllUsesWith(composite.decompose(builder));
        op.erase();
        found = true;
      }
  }
}

// Whether computing the op again costs nothing: it only maps indices.
bool isFree(Operation *op) {
  auto fusible = dyn_cast<FusibleOpInterface>(op);
  if (!fusible || fusible.getFusionKind() != FusionKind::View || isa<ConstantOp, ReshapeOp>(op) ||
      !isa<ElementOpInterface>(op))
    return false;
  return op->getNumOperands() == 0 || !fusible.getIndexingMaps().empty();
}

// Gives each reader of a free op a copy of its own, so that each kernel can take one. Returns the
// copies with their original.
llvm::MapVector<Operation *, Operation *> duplicateFreeOps(func::FuncOp func) {
  llvm::MapVector<Operation *, Operation *> originals;
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front()))) {
    if (!isFree(&op)) continue;
    llvm::SmallSetVector<Operation *, 4> readers;
    for (Operation *user : op.getUsers()) readers.insert(user);
    // Users come newest first; the original stays with the earliest.
    SmallVector<Operation *> ordered = readers.takeVector();
    llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    for (Operation *user : llvm::drop_begin(ordered)) {
      if (user->hasTrait<OpTrait::IsTerminator>()) continue;
      Operation *copy = op.clone();
      op.getBlock()->getOperations().insertAfter(op.getIterator(), copy);
      user->replaceUsesOfWith(op.getResult(0), copy->getResult(0));
      originals[copy] = &op;
    }
  }
  return originals;
}

// Copies that no kernel took become one again.
void mergeLeftCopies(const Groups &groups,
                     const llvm::MapVector<Operation *, Operation *> &originals,
                     SmallVectorImpl<Operation *> &dead) {
  llvm::MapVector<Operation *, Operation *> kept;
  auto isAlone = [&](Operation *op) { return groups[groups.groupOf(op)].ops.size() == 1; };
  for (auto [copy, original] : originals) {
    if (!isAlone(copy)) continue;
    Operation *root = original;
    Operation *&representative = kept[root];
    if (!representative) representative = isAlone(root) ? root : copy;
    if (representative == copy || representative->getOperands() != copy->getOperands()) continue;
    // The earlier one in the block serves both.
    if (copy->isBeforeInBlock(representative)) representative->moveBefore(copy);
    copy->replaceAllUsesWith(representative);
    dead.push_back(copy);
  }
}

class FusionPass : public sinter::passes::impl::FusionBase<FusionPass> {
public:
  using FusionBase::FusionBase;

  void runOnOperation() override {
    names.clear();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal()) run(func);
  }

private:
  void run(func::FuncOp func) {
    openComposites(func);
    llvm::MapVector<Operation *, Operation *> copies = duplicateFreeOps(func);
    TargetAttr target = targetOf(func);
    CostModel costs(target);
    if (!singletons) {
      // A first plan tells which copies stay alone; the real one is made without them.
      Groups groups(func);
      fusion::plan(groups, costs, Legality(groups, costs, target));
      SmallVector<Operation *> dead;
      mergeLeftCopies(groups, copies, dead);
      for (Operation *op : dead) op->erase();
    }
    Groups groups(func);
    Legality legality(groups, costs, target);
    if (!singletons) fusion::plan(groups, costs, legality);
    SmallVector<unsigned> order = groups.inExecutionOrder();
    llvm::DenseMap<unsigned, std::string> kernelNames;
    for (unsigned group : order)
      if (!groups.isAlias(group)) {
        std::string base = nameFor(groups[group].ops, groups[group].kind);
        kernelNames[group] = base + "_" + std::to_string(names[base]++);
      }
    if (ledger)
      func->setAttr(ledgerAttr,
                    toAttribute(record(groups, costs, legality, kernelNames), &getContext()));
    apply(groups, order, kernelNames);
  }

  // Every edge between two computing ops, in program order.
  static Ledger record(const Groups &groups, const CostModel &costs, const Legality &legality,
                       const llvm::DenseMap<unsigned, std::string> &kernelNames) {
    Ledger ledger;
    func::FuncOp func = groups.function();
    ledger.function = func.getName().str();
    for (Operation &op : func.getBody().front()) {
      int consumer = groups.groupOf(&op);
      if (consumer < 0 || isa<ReshapeOp>(op)) continue;
      llvm::SmallSetVector<Value, 4> seen;
      for (Value operand : op.getOperands()) {
        Value source = operand;
        while (auto reshape = source.getDefiningOp<ReshapeOp>()) source = reshape.getX();
        Operation *def = source.getDefiningOp();
        int producer = def ? groups.groupOf(def) : -1;
        if (producer < 0 || !seen.insert(source)) continue;
        LedgerEdge edge;
        edge.producer = def->getName().stripDialect().str();
        edge.consumer = op.getName().stripDialect().str();
        edge.producerLine = sourceLine(def->getLoc());
        edge.consumerLine = sourceLine(op.getLoc());
        edge.bytes = fusion::bytesOf(source);
        edge.fused = producer == consumer;
        if (edge.fused) {
          edge.kernel = kernelNames.lookup(consumer);
        } else {
          RefusedBecause refused = whyApart(groups, costs, legality, producer, consumer);
          edge.code = nameOf(refused.code).str();
          edge.detail = refused.detail;
        }
        ledger.edges.push_back(std::move(edge));
      }
    }
    return ledger;
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
      if (groups.isAlias(group)) {
        builder.clone(*groups[group].ops.front(), outside);
        continue;
      }
      KernelBody body = groups.bodyOf(group);
      FusedOp fused = makeFused(builder, body, groups[group].kind, outside);
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

  static FusedOp makeFused(OpBuilder &builder, const KernelBody &body, KernelKind kind,
                           const IRMapping &outside) {
    MLIRContext *context = builder.getContext();
    SmallVector<Value> inputs = body.inputs(), operands;
    SmallVector<Location> locations;
    for (Value input : inputs) operands.push_back(outside.lookupOrDefault(input));
    for (Operation *op : body.ops)
      if (!isa<ConstantOp>(op)) locations.push_back(op->getLoc());
    auto fused = FusedOp::create(builder, FusedLoc::get(context, locations),
                                 TypeRange(ValueRange(body.outputs)), operands,
                                 defaultSchedule(kind, context));
    Block *block = &fused.getBody().emplaceBlock();
    IRMapping inside;
    for (Value input : inputs)
      inside.map(input, block->addArgument(input.getType(), input.getLoc()));
    OpBuilder within = OpBuilder::atBlockEnd(block);
    for (Operation *op : body.ops) within.clone(*op, inside);
    SmallVector<Value> yielded;
    for (Value output : body.outputs) yielded.push_back(inside.lookup(output));
    YieldOp::create(within, fused.getLoc(), yielded);
    return fused;
  }

  llvm::StringMap<unsigned> names;
};

} // namespace
