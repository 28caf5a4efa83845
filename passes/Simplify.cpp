#include "sinter/passes/Simplify.h"

#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_SIMPLIFY
#include "sinter/passes/Passes.h.inc"

namespace {

struct Simplify : impl::SimplifyBase<Simplify> {
  using SimplifyBase::SimplifyBase;

  FrozenRewritePatternSet patterns;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    for (RegisteredOperationName op : context->getRegisteredOperationsByDialect("sinter"))
      op.getCanonicalizationPatterns(set, context);
    populateSimplifyPatterns(set);
    populateScanPatterns(set);
    populateConstantFolding(set, foldLimit);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    // Merging equal ops exposes more rewrites and the other way round; each round removes ops, a few
    // reach the end, and the bound keeps a pair of patterns that undo each other from hanging.
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled).setMaxIterations(20);
    for (int round = 0; round < 4; ++round) {
      bool rewritten = false, merged = false;
      if (failed(applyPatternsGreedily(getOperation(), patterns, config, &rewritten))) {
        getOperation().emitError() << "simplify: patterns do not settle";
        return signalPassFailure();
      }
      IRRewriter rewriter(&getContext());
      DominanceInfo dominance(getOperation());
      eliminateCommonSubExpressions(rewriter, dominance, getOperation(), &merged);
      if (!merged) return;
    }
  }
};

} // namespace
} // namespace sinter::passes
