#include "sinter/passes/Simplify.h"

#include "sinter/ir/Sinter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
namespace {

/// The number that `value` is filled with, if it is such a constant.
std::optional<double> literal(Value value) {
  SplatElementsAttr splat;
  if (!matchPattern(value, m_Constant(&splat))) return std::nullopt;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble();
  return std::nullopt;
}

bool hasLayout(Value value) { return bool(tensorType(value).getEncoding()); }

/// A transpose that moves only dimensions of size 1 leaves the order in memory as it is.
struct TransposeToReshape : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    int64_t last = -1;
    for (int64_t dim : op.getPermutation()) {
      if (shapeOf(op.getX())[dim] == 1) continue;
      if (dim < last) return rewriter.notifyMatchFailure(op, "moves elements");
      last = dim;
    }
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// A broadcast that stretches nothing only adds dimensions of size 1.
struct BroadcastToReshape : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    if (tensorType(op.getX()).getNumElements() != tensorType(op).getNumElements())
      return rewriter.notifyMatchFailure(op, "stretches a dimension");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// broadcast(reshape(x)) where the reshape only puts dimensions of size 1 in front: a broadcast does.
struct BroadcastOfReshape : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getX().getDefiningOp<ReshapeOp>();
    if (!reshape) return rewriter.notifyMatchFailure(op, "not of a reshape");
    ArrayRef<int64_t> from = shapeOf(reshape.getX()), to = shapeOf(reshape.getResult());
    if (from.size() > to.size() || to.take_back(from.size()) != from ||
        llvm::any_of(to.drop_back(from.size()), [](int64_t extent) { return extent != 1; }))
      return rewriter.notifyMatchFailure(op, "the reshape does more than add leading ones");
    rewriter.modifyOpInPlace(op, [&] { op.getXMutable().assign(reshape.getX()); });
    return success();
  }
};

/// A reduction over dimensions of size 1 (or none) keeps every element.
template <class OpT> struct ReductionToReshape : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    for (int64_t dim : op.getDim())
      if (shapeOf(op.getX())[dim] != 1) return rewriter.notifyMatchFailure(op, "folds elements");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// A large tensor folded to one number: parts of it first, which threads share. How many they are depends
/// on the shape alone. Narrow floats are left: their parts would be rounded.
template <class OpT> struct FoldInParts : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  static constexpr int64_t leastElements = 1 << 18, mostParts = 64, leastParts = 8;

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    auto type = tensorType(op.getX());
    int64_t count = type.getNumElements();
    if (tensorType(op).getNumElements() != 1 || count < leastElements)
      return rewriter.notifyMatchFailure(op, "keeps elements, or folds few");
    if (hasLayout(op.getX()) || computeType(elementOf(op.getX())) != elementOf(op.getX()))
      return rewriter.notifyMatchFailure(op, "not in row-major order, or narrow");
    int64_t parts = mostParts;
    while (parts >= leastParts && count % parts != 0) parts /= 2;
    if (parts < leastParts) return rewriter.notifyMatchFailure(op, "no equal parts");
    Type element = elementOf(op.getX()), made = elementOf(op.getResult());
    Value x = ReshapeOp::create(rewriter, op.getLoc(),
                                RankedTensorType::get({parts, count / parts}, element), op.getX());
    Value each = OpT::create(rewriter, op.getLoc(), RankedTensorType::get({parts}, made), x,
                             ArrayRef<int64_t>{1}, /*keepdim=*/false);
    Value all = OpT::create(rewriter, op.getLoc(), RankedTensorType::get({}, made), each,
                            ArrayRef<int64_t>{0}, /*keepdim=*/false);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), all);
    return success();
  }
};

/// The sum of n copies is a product with n. Narrow floats are left: n might not be exact in them.
struct SumOfBroadcast : OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SumOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast) return rewriter.notifyMatchFailure(op, "not of a broadcast");
    if (computeType(elementOf(op.getX())) != elementOf(op.getX()))
      return rewriter.notifyMatchFailure(op, "a narrow type");
    ArrayRef<int64_t> from = shapeOf(broadcast.getX()), to = shapeOf(broadcast.getResult());
    SmallVector<int64_t> aligned(to.size() - from.size(), 1);
    llvm::append_range(aligned, from);
    int64_t copies = 1;
    for (int64_t dim : op.getDim()) {
      if (aligned[dim] != 1) return rewriter.notifyMatchFailure(op, "sums different elements");
      copies *= to[dim];
    }
    if (copies == 0 || copies > (1 << 24))
      return rewriter.notifyMatchFailure(op, "count not exact");
    SmallVector<int64_t> kept;
    for (auto [dim, extent] : llvm::enumerate(aligned))
      if (op.getKeepdim() || !llvm::is_contained(op.getDim(), int64_t(dim))) kept.push_back(extent);
    auto small = RankedTensorType::get(kept, elementOf(op.getX()));
    Value x = ReshapeOp::create(rewriter, op.getLoc(), small, broadcast.getX());
    Value product = MulOp::create(rewriter, op.getLoc(), x,
                                  splat(rewriter, op.getLoc(), small, double(copies)));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), product);
    return success();
  }
};

/// matmul reads a transposed operand as well as a plain one.
struct MatmulOfTranspose : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  static TransposeOp swapOfLastTwo(Value value) {
    auto op = value.getDefiningOp<TransposeOp>();
    if (!op || hasLayout(op.getX())) return nullptr;
    ArrayRef<int64_t> permutation = op.getPermutation();
    int64_t rank = permutation.size();
    for (int64_t dim = 0; dim < rank - 2; ++dim)
      if (permutation[dim] != dim) return nullptr;
    return permutation[rank - 2] == rank - 1 ? op : nullptr;
  }

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    TransposeOp lhs = swapOfLastTwo(op.getLhs()), rhs = swapOfLastTwo(op.getRhs());
    if (!lhs && !rhs) return rewriter.notifyMatchFailure(op, "no operand is such a transpose");
    rewriter.replaceOpWithNewOp<MatmulOp>(
        op, lhs ? lhs.getX() : op.getLhs(), rhs ? rhs.getX() : op.getRhs(),
        op.getTransposeA() != bool(lhs), op.getTransposeB() != bool(rhs));
    return success();
  }
};

struct EmptyPad : OpRewritePattern<PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PadOp op, PatternRewriter &rewriter) const override {
    if (op.getX().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "adds elements");
    rewriter.replaceOp(op, op.getX());
    return success();
  }
};

struct ConcatOfOne : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    if (op.getInputs().size() != 1) return rewriter.notifyMatchFailure(op, "joins several");
    rewriter.replaceOp(op, op.getInputs());
    return success();
  }
};

struct SliceOfSlice : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<SliceOp>();
    if (!inner) return rewriter.notifyMatchFailure(op, "not of a slice");
    SmallVector<int64_t> start, limit, step;
    for (auto [dim, extent] : llvm::enumerate(shapeOf(op.getResult()))) {
      int64_t stride = inner.getStep()[dim];
      start.push_back(inner.getStart()[dim] + op.getStart()[dim] * stride);
      step.push_back(op.getStep()[dim] * stride);
      limit.push_back(extent == 0 ? start.back() : start.back() + (extent - 1) * step.back() + 1);
    }
    if (llvm::is_contained(shapeOf(op.getResult()), 0))
      return rewriter.notifyMatchFailure(op, "takes nothing");
    rewriter.replaceOpWithNewOp<SliceOp>(op, inner.getX(), start, limit, step);
    return success();
  }
};

/// The gradient of relu after that of max_pool2d: what reaches a place of x is zero where x <= 0. A
/// window routes its gradient to the place where x is the window's result, so the small result can be
/// asked instead, and x need not be kept.
struct MaskOfPoolGrad : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SelectOp op, PatternRewriter &rewriter) const override {
    auto grad = op.getOnFalse().getDefiningOp<MaxPool2dGradOp>();
    auto pool = grad ? grad.getPlace().getDefiningOp<MaxPool2dOp>() : nullptr;
    auto mask = op.getCondition().getDefiningOp<CompareOp>();
    if (!pool || !mask || !grad->hasOneUse())
      return rewriter.notifyMatchFailure(op, "not the gradient of a pool, masked");
    if (mask.getPredicate() != ComparePredicate::le || mask.getLhs() != pool.getX() ||
        literal(mask.getRhs()) != 0.0 || literal(op.getOnTrue()) != 0.0)
      return rewriter.notifyMatchFailure(op, "the mask is not x <= 0 of the pool's operand");
    rewriter.setInsertionPoint(grad);
    Location loc = op.getLoc();
    auto filled = [&](Value like) { return splat(rewriter, loc, tensorType(like), 0.0); };
    Value small = CompareOp::create(rewriter, loc, ComparePredicate::le, pool.getResult(),
                                    filled(pool.getResult()));
    Value routed = SelectOp::create(rewriter, loc, small, filled(grad.getGrad()), grad.getGrad());
    rewriter.modifyOpInPlace(grad, [&] { grad.getGradMutable().assign(routed); });
    rewriter.replaceOp(op, grad.getResult());
    return success();
  }
};

/// Where windows do not overlap, the gradient of max_pool2d only moves elements, within their pictures: the
/// sum over whole pictures is that of what is moved; also where each element is cast before it is added.
struct SumOfPoolGrad : OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SumOp op, PatternRewriter &rewriter) const override {
    auto cast = op.getX().getDefiningOp<CastOp>();
    auto grad = (cast ? cast.getX() : op.getX()).getDefiningOp<MaxPool2dGradOp>();
    if (!grad) return rewriter.notifyMatchFailure(op, "not of a pool's gradient");
    for (int64_t axis : {0, 1})
      if (grad.getKernelSize()[axis] > grad.getStride()[axis] ||
          !llvm::is_contained(op.getDim(), 2 + axis))
        return rewriter.notifyMatchFailure(op, "windows overlap, or part of a picture is summed");
    Value moved = grad.getGrad();
    if (cast) {
      rewriter.setInsertionPoint(cast);
      moved = CastOp::create(rewriter, cast.getLoc(),
                             tensorType(moved).clone(elementOf(cast.getResult())), moved);
    }
    rewriter.modifyOpInPlace(op, [&] { op.getXMutable().assign(moved); });
    return success();
  }
};

struct NegOfNeg : OpRewritePattern<NegOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NegOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<NegOp>();
    if (!inner) return rewriter.notifyMatchFailure(op, "not of a negation");
    rewriter.replaceOp(op, inner.getX());
    return success();
  }
};

/// a + (-b) is a - b.
struct AddOfNeg : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    if (auto neg = op.getRhs().getDefiningOp<NegOp>())
      rewriter.replaceOpWithNewOp<SubOp>(op, op.getLhs(), neg.getX());
    else if (auto neg = op.getLhs().getDefiningOp<NegOp>())
      rewriter.replaceOpWithNewOp<SubOp>(op, op.getRhs(), neg.getX());
    else
      return rewriter.notifyMatchFailure(op, "no operand is a negation");
    return success();
  }
};

/// a - (-b) is a + b.
struct SubOfNeg : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp op, PatternRewriter &rewriter) const override {
    auto neg = op.getRhs().getDefiningOp<NegOp>();
    if (!neg) return rewriter.notifyMatchFailure(op, "not of a negation");
    rewriter.replaceOpWithNewOp<AddOp>(op, op.getLhs(), neg.getX());
    return success();
  }
};

/// x^2 and x^3 are products, as PyTorch computes them.
struct PowOfLiteral : OpRewritePattern<PowOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PowOp op, PatternRewriter &rewriter) const override {
    std::optional<double> exponent = literal(op.getRhs());
    if (!exponent || (*exponent != 2.0 && *exponent != 3.0))
      return rewriter.notifyMatchFailure(op, "the exponent is not a literal 2 or 3");
    Value x = op.getLhs(), square = MulOp::create(rewriter, op.getLoc(), x, x);
    if (*exponent == 2.0)
      rewriter.replaceOp(op, square);
    else
      rewriter.replaceOpWithNewOp<MulOp>(op, square, x);
    return success();
  }
};

/// Through a wider float: one cast.
struct CastOfCast : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<CastOp>();
    if (!inner) return rewriter.notifyMatchFailure(op, "not of a cast");
    auto from = dyn_cast<FloatType>(elementOf(inner.getX()));
    auto between = dyn_cast<FloatType>(elementOf(op.getX()));
    if (!from || !between ||
        !APFloat::isRepresentableBy(from.getFloatSemantics(), between.getFloatSemantics()))
      return rewriter.notifyMatchFailure(op, "the first cast may round");
    rewriter.modifyOpInPlace(op, [&] { op.getXMutable().assign(inner.getX()); });
    return success();
  }
};

} // namespace

void populateSimplifyPatterns(RewritePatternSet &patterns) {
  patterns
      .add<TransposeToReshape, BroadcastToReshape, BroadcastOfReshape, ReductionToReshape<SumOp>,
           ReductionToReshape<MeanOp>, ReductionToReshape<MaxOp>, ReductionToReshape<MinOp>,
           FoldInParts<SumOp>, FoldInParts<MeanOp>, FoldInParts<MaxOp>, FoldInParts<MinOp>,
           SumOfBroadcast, MatmulOfTranspose, EmptyPad, ConcatOfOne, SliceOfSlice, MaskOfPoolGrad,
           SumOfPoolGrad, NegOfNeg, AddOfNeg, SubOfNeg, PowOfLiteral, CastOfCast>(
          patterns.getContext());
}

} // namespace sinter::passes
