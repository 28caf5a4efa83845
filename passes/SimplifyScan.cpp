#include "sinter/passes/Simplify.h"

#include "sinter/ir/Sinter.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace sinter::ir;

// Scans without what nobody reads, and without work that is the same at every step.

namespace sinter::passes {
namespace {

/// A scan with other operands and outputs, whose region is `scan`'s: its arguments and yielded values have
/// been changed to fit.
ScanOp withOperands(ScanOp scan, PatternRewriter &rewriter, TypeRange types, ValueRange xs,
                    ValueRange captures, uint64_t saved) {
  auto made = ScanOp::create(rewriter, scan.getLoc(), types, scan.getInit(), xs, captures,
                             scan.getCount(), scan.getReverse(), saved, scan.getStepAttr());
  rewriter.inlineRegionBefore(scan.getBody(), made.getBody(), made.getBody().end());
  return made;
}

/// Outputs of steps that nobody reads, and slices and captures that the region does not.
struct DropUnused : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    if (scan.getStep()) return rewriter.notifyMatchFailure(scan, "its step is a function");
    unsigned states = scan.getInit().size(), slices = scan.getXs().size();
    Block &body = scan.getBody().front();
    if (llvm::any_of(body, [](Operation &op) { return op.hasAttr(knownAttr); }))
      return rewriter.notifyMatchFailure(scan, "what it kept is not in place yet");
    SmallVector<unsigned> kept;
    BitVector deadYields(scan.getNumResults()), deadArguments(body.getNumArguments());
    uint64_t saved = scan.getSaved();
    for (unsigned i = 0; i < scan.getNumResults(); ++i) {
      if (i < states || !scan.getResult(i).use_empty()) {
        kept.push_back(i);
        continue;
      }
      deadYields.set(i);
      // A gradient wants all that is kept, or keeps it anew.
      if (i >= scan.getNumResults() - scan.getSaved()) saved = 0;
    }
    if (kept.empty()) return rewriter.notifyMatchFailure(scan, "nothing of it is used");
    SmallVector<Value> xs, captures;
    for (unsigned i = states; i < body.getNumArguments(); ++i) {
      if (body.getArgument(i).use_empty())
        deadArguments.set(i);
      else
        (i < states + slices ? xs : captures).push_back(scan.getOperand(i));
    }
    if (deadYields.none() && deadArguments.none())
      return rewriter.notifyMatchFailure(scan, "everything is used");
    SmallVector<Type> types;
    for (unsigned i : kept) types.push_back(scan.getResult(i).getType());
    rewriter.modifyOpInPlace(body.getTerminator(),
                             [&] { body.getTerminator()->eraseOperands(deadYields); });
    body.eraseArguments(deadArguments);
    ScanOp made = withOperands(scan, rewriter, types, xs, captures, saved);
    for (auto [result, i] : llvm::zip(made.getResults(), kept))
      rewriter.replaceAllUsesWith(scan.getResult(i), result);
    rewriter.eraseOp(scan);
    return success();
  }
};

/// What a step computes of captures alone is computed before. Views stay: they cost nothing inside.
struct HoistInvariant : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    if (scan.getStep()) return rewriter.notifyMatchFailure(scan, "its step is a function");
    Block &body = scan.getBody().front();
    unsigned first = body.getNumArguments() - scan.getCaptures().size();
    auto isCapture = [&](Value value) {
      auto argument = dyn_cast<BlockArgument>(value);
      return argument && argument.getOwner() == &body && argument.getArgNumber() >= first;
    };
    for (Operation &op : body.without_terminator()) {
      auto fusible = dyn_cast<FusibleOpInterface>(op);
      if (!fusible || fusible.getFusionKind() == FusionKind::View || op.getNumRegions() != 0 ||
          op.getNumResults() != 1 || op.getNumOperands() == 0 || op.hasAttr(knownAttr) ||
          !llvm::all_of(op.getOperands(), isCapture))
        continue;
      IRMapping map;
      for (Value operand : op.getOperands())
        map.map(operand, scan.getOperand(cast<BlockArgument>(operand).getArgNumber()));
      Operation *outside = rewriter.clone(op, map);
      SmallVector<Value> captures(scan.getCaptures());
      captures.push_back(outside->getResult(0));
      Value inside = body.addArgument(op.getResult(0).getType(), op.getLoc());
      rewriter.replaceOp(&op, inside);
      ScanOp made = withOperands(scan, rewriter, scan.getResultTypes(), scan.getXs(), captures,
                                 scan.getSaved());
      rewriter.replaceOp(scan, made.getResults());
      return success();
    }
    return rewriter.notifyMatchFailure(scan, "nothing is the same at every step");
  }
};

/// What the forward scan kept is not computed again.
struct UseKnown : RewritePattern {
  explicit UseKnown(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    auto known = op->getAttrOfType<IntegerAttr>(knownAttr);
    auto scan = op->getParentOfType<ScanOp>();
    if (!known || !scan || op->getParentOp() != scan)
      return rewriter.notifyMatchFailure(op, "its result is not kept");
    rewriter.replaceOp(op, scan.getBody().getArgument(known.getInt()));
    return success();
  }
};

} // namespace

void populateScanPatterns(RewritePatternSet &patterns) {
  patterns.add<DropUnused, HoistInvariant, UseKnown>(patterns.getContext());
}

} // namespace sinter::passes
