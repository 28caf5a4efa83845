#include "sinter/passes/Simplify.h"

#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_SIMPLIFY
#include "sinter/passes/Passes.h.inc"

namespace {

/// Merges equal ops of a block into the first of them, and erases what nobody uses. As mlir::CSE does, but an op
/// is looked at again only where its whole hash is another's: in a large function, each look is a cache miss.
class EqualOps {
public:
  /// Whether there were any.
  bool merge(Block &block) {
    bool merged = false;
    llvm::DenseMap<size_t, SmallVector<Operation *, 1>> known; // looked up only
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (isOpTriviallyDead(&op)) {
        erase(op);
        merged = true;
        continue;
      }
      for (Region &region : op.getRegions())
        for (Block &inner : region) merged |= merge(inner);
      if (op.getNumRegions() > 0 || op.hasTrait<OpTrait::IsTerminator>() ||
          !isMemoryEffectFree(&op))
        continue;
      SmallVector<Operation *, 1> &others = known[size_t(OperationEquivalence::computeHash(
          &op, OperationEquivalence::directHashValue, OperationEquivalence::ignoreHashValue,
          OperationEquivalence::IgnoreLocations))];
      auto *same = llvm::find_if(others, [&](Operation *other) {
        return OperationEquivalence::isEquivalentTo(&op, other,
                                                    OperationEquivalence::IgnoreLocations);
      });
      if (same == others.end()) {
        others.push_back(&op);
        continue;
      }
      llvm::for_each(op.getUsers(), [&](Operation *user) { note(user); });
      op.replaceAllUsesWith(*same);
      if (isa<UnknownLoc>((*same)->getLoc())) (*same)->setLoc(op.getLoc());
      erase(op);
      merged = true;
    }
    return merged;
  }

  /// The ops that read another op than before, or are the last to read one, and their users.
  SmallVector<Operation *> changedAndUsers() const {
    llvm::SetVector<Operation *> all;
    for (Operation *op : changed)
      if (alive.contains(op)) {
        all.insert(op);
        all.insert(op->user_begin(), op->user_end());
      }
    return all.takeVector();
  }

private:
  void note(Operation *op) {
    if (alive.insert(op).second) changed.push_back(op);
  }
  void erase(Operation &op) {
    SmallVector<Value> operands(op.getOperands());
    alive.erase(&op);
    op.erase();
    for (Value operand : operands)
      if (operand.hasOneUse()) note(*operand.user_begin());
  }

  SmallVector<Operation *> changed;
  llvm::SmallPtrSet<Operation *, 32> alive; // of those
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
    // Merging equal ops exposes more rewrites and the other way round; each round removes ops, a few
    // reach the end, and the bound keeps a pair of patterns that undo each other from hanging.
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled).setMaxIterations(20);
    // In later rounds, rewrites can have become possible at these alone.
    SmallVector<Operation *> changed;
    for (int round = 0; round < 4; ++round) {
      bool rewritten = false;
      LogicalResult settled =
          round == 0 ? applyPatternsGreedily(getOperation(), patterns, config, &rewritten)
                     : applyOpPatternsGreedily(changed, patterns, config, &rewritten);
      if (failed(settled)) {
        getOperation().emitError() << "simplify: patterns do not settle";
        return signalPassFailure();
      }
      if (round > 0 && !rewritten) return;
      EqualOps equal;
      bool merged = false;
      for (Block &block : getOperation().getBody()) merged |= equal.merge(block);
      if (!merged) return;
      changed = equal.changedAndUsers();
    }
  }
};

} // namespace
} // namespace sinter::passes
