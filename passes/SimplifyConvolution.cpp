#include "sinter/passes/Simplify.h"

#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {

namespace {

/// Places h of the input with h = first (mod stride): what reaches them comes by every stride-th place of the
/// weight alone. With h + padding = stride q + a, those are r = a + stride t, and the gradient is that of a
/// convolution without stride: dx[q] = sum over t of w[t] dy[q - t]. It is computed for all q that dy reaches, but
/// for as many at both ends as padding can leave out.
struct Phase {
  int64_t start = 0;   // of the weight's places
  int64_t padding = 0; // of the convolution without stride
  int64_t whole = 0;   // its places, of which those from `begin` are
  int64_t begin = 0;
  int64_t kept = 0; // what is wanted, but for places that nothing reaches; 0: nothing reaches any

  Phase(int64_t first, int64_t extent, int64_t kernel, int64_t outputs, int64_t stride,
        int64_t pad) {
    start = (first + pad) % stride;
    if (start >= kernel) return; // a kernel that is smaller than the stride
    int64_t taps = (kernel - start + stride - 1) / stride, q = (first + pad) / stride;
    int64_t reached = outputs + taps - 1;
    padding = std::max<int64_t>(0, std::min(q, reached - q - extent));
    whole = reached - 2 * padding;
    begin = q - padding;
    kept = std::max<int64_t>(0, std::min(extent, whole - begin));
  }
};

/// The gradient of a convolution with a stride by its input: most of the sums' terms are products with no place
/// of dy, so each of the stride's phases is a gradient without stride, and the results take turns.
struct StridedInputGrad : OpRewritePattern<Conv2dInputGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(Conv2dInputGradOp op, PatternRewriter &rewriter) const override {
    ArrayRef<int64_t> shape = shapeOf(op.getResult()),
                      kernel = shapeOf(op.getWeight()).drop_front(2),
                      outputs = shapeOf(op.getGrad()).drop_front(2), stride = op.getStride();
    if (stride[0] == 1 && stride[1] == 1) return rewriter.notifyMatchFailure(op, "no stride");
    if (op.getDilation() != ArrayRef<int64_t>{1, 1})
      return rewriter.notifyMatchFailure(op, "dilated");
    for (unsigned i = 0; i < 2; ++i)
      if (shape[2 + i] % stride[i])
        return rewriter.notifyMatchFailure(op, "the stride does not divide the input");
    int64_t height = shape[2] / stride[0], width = shape[3] / stride[1];
    Location loc = op.getLoc();
    auto typeOf = [&](ArrayRef<int64_t> of) {
      return op.getType().cloneWith(of, op.getType().getElementType());
    };
    SmallVector<Phase, 2> downs, acrosses;
    for (int64_t y = 0; y < stride[0]; ++y)
      downs.emplace_back(y, height, kernel[0], outputs[0], stride[0], op.getPadding()[0]);
    for (int64_t x = 0; x < stride[1]; ++x)
      acrosses.emplace_back(x, width, kernel[1], outputs[1], stride[1], op.getPadding()[1]);
    auto isEmpty = [](const Phase &phase) { return phase.kept < 1; };
    if (llvm::all_of(downs, isEmpty) || llvm::all_of(acrosses, isEmpty))
      return rewriter.notifyMatchFailure(op, "nothing reaches any phase");

    SmallVector<Value> rows;
    for (const Phase &down : downs) {
      SmallVector<Value> columns;
      for (const Phase &across : acrosses) {
        auto turn = cast<RankedTensorType>(typeOf({shape[0], shape[1], height, width, 1}));
        if (isEmpty(down) || isEmpty(across)) {
          columns.push_back(splat(rewriter, loc, turn, 0.0));
          continue;
        }
        Value weight = SliceOp::create(
            rewriter, loc, op.getWeight(), ArrayRef<int64_t>{0, 0, down.start, across.start},
            shapeOf(op.getWeight()), ArrayRef<int64_t>{1, 1, stride[0], stride[1]});
        Value part = Conv2dInputGradOp::create(
            rewriter, loc, typeOf({shape[0], shape[1], down.whole, across.whole}), op.getGrad(),
            weight, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{down.padding, across.padding},
            ArrayRef<int64_t>{1, 1}, op.getGroups());
        if (down.kept != down.whole || across.kept != across.whole)
          part = SliceOp::create(rewriter, loc, part,
                                 ArrayRef<int64_t>{0, 0, down.begin, across.begin},
                                 ArrayRef<int64_t>{shape[0], shape[1], down.begin + down.kept,
                                                   across.begin + across.kept},
                                 ArrayRef<int64_t>{1, 1, 1, 1});
        part = PadOp::create(rewriter, loc, part, ArrayRef<int64_t>{0, 0, 0, 0},
                             ArrayRef<int64_t>{0, 0, height - down.kept, width - across.kept},
                             ArrayRef<int64_t>{0, 0, 0, 0}, APFloat(0.0));
        columns.push_back(ReshapeOp::create(rewriter, loc, turn, part));
      }
      Value row = ConcatOp::create(rewriter, loc, columns, /*dim=*/4);
      rows.push_back(
          ReshapeOp::create(rewriter, loc, typeOf({shape[0], shape[1], height, 1, shape[3]}), row));
    }
    Value whole = ConcatOp::create(rewriter, loc, rows, /*dim=*/3);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), whole);
    return success();
  }
};

} // namespace

void populateConvolutionPatterns(RewritePatternSet &patterns) {
  patterns.add<StridedInputGrad>(patterns.getContext());
}

} // namespace sinter::passes
