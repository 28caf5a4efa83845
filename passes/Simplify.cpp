#include "sinter/passes/Simplify.h"

#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/FoldUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_SIMPLIFY
#include "sinter/passes/Passes.h.inc"

namespace {

/// Ops at which something has changed: what they read, or that they are the last to read it.
class ChangedOps : public RewriterBase::Listener {
public:
  void note(Operation *op) {
    if (alive.insert(op).second) all.push_back(op);
  }
  void forget(Operation *op) { alive.erase(op); }

  SmallVector<Operation *> andUsers() const {
    llvm::SetVector<Operation *> result;
    for (Operation *op : all)
      if (alive.contains(op)) {
        result.insert(op);
        result.insert(op->user_begin(), op->user_end());
      }
    return result.takeVector();
  }

private:
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override { note(op); }
  void notifyOperationModified(Operation *op) override { note(op); }
  void notifyOperationReplaced(Operation *op, ValueRange) override {
    for (Operation *user : op->getUsers()) note(user);
  }
  void notifyOperationErased(Operation *op) override { forget(op); }

  SmallVector<Operation *> all;
  llvm::SmallPtrSet<Operation *, 32> alive; // of those
};

/// Merges equal ops of a block into the first of them, and erases what nobody uses. As mlir::CSE does, but an op
/// is looked at again only where its whole hash is another's: in a large function, each look is a cache miss.
class EqualOps {
public:
  explicit EqualOps(ChangedOps &changed) : changed(changed) {}

  void merge(Block &block) {
    llvm::DenseMap<uint64_t, Operation *>
        known; // by their hashes, or what follows those; looked up only
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (isOpTriviallyDead(&op)) {
        erase(op);
        continue;
      }
      for (Region &region : op.getRegions())
        for (Block &inner : region) merge(inner);
      if (op.getNumRegions() > 0 || op.hasTrait<OpTrait::IsTerminator>() ||
          !isMemoryEffectFree(&op))
        continue;
      uint64_t hash =
          uint64_t(OperationEquivalence::computeHash(&op, OperationEquivalence::directHashValue,
                                                     OperationEquivalence::ignoreHashValue,
                                                     OperationEquivalence::IgnoreLocations)) >>
          1; // the map's own marks are not reached
      auto [same, isNew] = known.try_emplace(hash, &op);
      while (!isNew && !OperationEquivalence::isEquivalentTo(&op, same->second,
                                                             OperationEquivalence::IgnoreLocations))
        std::tie(same, isNew) = known.try_emplace(++hash, &op);
      if (isNew) continue;
      for (Operation *user : op.getUsers()) changed.note(user);
      Operation *first = same->second;
      op.replaceAllUsesWith(first);
      if (isa<UnknownLoc>(first->getLoc())) first->setLoc(op.getLoc());
      erase(op);
    }
  }

private:
  void erase(Operation &op) {
    SmallVector<Value> operands(op.getOperands());
    op.walk([&](Operation *each) { changed.forget(each); });
    op.erase();
    for (Value operand : operands)
      if (operand.hasOneUse()) changed.note(*operand.user_begin());
  }

  ChangedOps &changed;
};

struct Simplify : impl::SimplifyBase<Simplify> {
  using SimplifyBase::SimplifyBase;

  FrozenRewritePatternSet patterns;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    for (RegisteredOperationName op : context->getRegisteredOperationsByDialect("sinter"))
      op.getCanonicalizationPatterns(set, context);
    populateSimplifyPatterns(set);
    populateScanPatterns(set);
    populateConvolutionPatterns(set);
    populateConstantFolding(set, foldLimit);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    // Merging equal ops exposes more rewrites and the other way round. Each round but the first looks at what the last
    // one changed alone: the ops of a large function are in no cache.
    SmallVector<Operation *> ops = withoutConstants();
    constexpr int mostRounds = 20;
    for (int round = 0; round < mostRounds; ++round) {
      ChangedOps changed;
      GreedyRewriteConfig config;
      // The bound keeps a pair of patterns that undo each other from hanging.
      config.setScope(&getOperation().getBody())
          .setListener(&changed)
          .setMaxNumRewrites(64 * int64_t(ops.size()) + 1024);
      bool rewritten = false;
      if (failed(applyOpPatternsGreedily(ops, patterns, config, &rewritten))) break;
      if (round > 0 && !rewritten) return;
      EqualOps equal(changed);
      for (Block &block : getOperation().getBody()) equal.merge(block);
      ops = changed.andUsers();
      if (ops.empty()) return;
    }
    getOperation().emitError() << "simplify: patterns do not settle";
    signalPassFailure();
  }

  /// The ops of the function, what is inside of one before it; constants are moved to where they lie first, equal ones
  /// as one.
  SmallVector<Operation *> withoutConstants() {
    SmallVector<Operation *> ops;
    OperationFolder folder(&getContext());
    getOperation().getBody().walk([&](Operation *op) {
      Attribute value;
      if (!matchPattern(op, m_Constant(&value)))
        ops.push_back(op);
      else
        folder.insertKnownConstant(op, value);
    });
    return ops;
  }
};

} // namespace
} // namespace sinter::passes
