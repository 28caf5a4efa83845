#include "sinter/codegen/Points.h"

#include "sinter/ir/KernelKinds.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// The place in `value` of domain point `indices`: the same, or another shape's with as many elements.
static SmallVector<Value> placeIn(Elements &elements, Value value, ArrayRef<int64_t> domain,
                                  ValueRange indices) {
  ArrayRef<int64_t> shape = shapeOf(value);
  if (shape == domain) return SmallVector<Value>(indices);
  MLIRContext *context = value.getContext();
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < domain.size(); ++dim) dims.push_back(getAffineDimExpr(dim, context));
  AffineExpr linear = linearIndex(dims, domain, context);
  int64_t stride = tensorType(value).getNumElements();
  SmallVector<Value> place;
  for (int64_t extent : shape) {
    stride /= std::max<int64_t>(extent, 1);
    place.push_back(elements.apply(
        linear.floorDiv(std::max<int64_t>(stride, 1)) % std::max<int64_t>(extent, 1), indices));
  }
  return place;
}

void emitPoint(KernelFrame &frame, Elements &elements, ArrayRef<unsigned> outputs,
               ArrayRef<int64_t> domain, ValueRange indices) {
  SmallVector<Value> values;
  for (unsigned output : outputs) {
    Value yielded = frame.yield()->getOperand(output);
    values.push_back(elements.element(yielded, placeIn(elements, yielded, domain, indices)));
  }
  SmallVector<AffineExpr> exprs;
  for (Value index : indices) exprs.push_back(elements.exprOf(index));
  AffineExpr position = linearIndex(exprs, domain, frame.builder.getContext());
  for (auto [output, value] : llvm::zip_equal(outputs, values))
    elements.store(value, frame.outputBuffer(output), elementOf(frame.yield()->getOperand(output)),
                   position);
}

MergedDims mergedDomain(KernelFrame &frame, ArrayRef<unsigned> outputs, ArrayRef<int64_t> domain) {
  std::vector<AffineExpr> positions =
      frame.trial(domain, [&](Elements &elements, ValueRange indices) {
        emitPoint(frame, elements, outputs, domain, indices);
      });
  return mergeDims(
      domain, positions, [](unsigned) { return true; }, frame.builder.getContext());
}

SmallVector<Value> originalIndices(Elements &elements, const MergedDims &merged,
                                   ValueRange indices) {
  SmallVector<Value> result;
  for (AffineExpr expr : merged.exprs) result.push_back(elements.apply(expr, indices));
  return result;
}

LogicalResult lowerPointwise(KernelFrame &frame) {
  ArrayRef<int64_t> domain = shapeOf(frame.yield()->getOperand(0));
  auto outputs = llvm::to_vector(llvm::seq<unsigned>(0, frame.yield()->getNumOperands()));
  MergedDims merged = mergedDomain(frame, outputs, domain);
  auto elements = frame.elements();
  emitParallelNest(frame, *elements, merged.extents, /*vectorize=*/true,
                   int64_t(frame.body().getOperations().size()), [&](ValueRange indices, int64_t) {
                     emitPoint(frame, *elements, outputs, domain,
                               originalIndices(*elements, merged, indices));
                   });
  return failure(elements->failed());
}

} // namespace sinter::codegen
