#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

static SmallVector<AffineMap> mapsFromResult(Operation *op, ArrayRef<AffineExpr> operandIndices) {
  MLIRContext *context = op->getContext();
  int64_t rank = cast<ShapedType>(op->getResult(0).getType()).getRank();
  return {AffineMap::get(rank, 0, operandIndices, context),
          AffineMap::getMultiDimIdentityMap(rank, context)};
}

SmallVector<AffineMap> TransposeOp::getIndexingMaps() {
  SmallVector<AffineExpr> indices(getPermutation().size());
  for (auto [resultDim, operandDim] : llvm::enumerate(getPermutation()))
    indices[operandDim] = getAffineDimExpr(resultDim, getContext());
  return mapsFromResult(*this, indices);
}

SmallVector<AffineMap> BroadcastOp::getIndexingMaps() {
  ArrayRef<int64_t> from = shapeOf(getX()), to = shapeOf(getResult());
  SmallVector<AffineExpr> indices;
  for (size_t dim = 0; dim < from.size(); ++dim) {
    size_t resultDim = to.size() - from.size() + dim;
    indices.push_back(from[dim] == 1 ? getAffineConstantExpr(0, getContext())
                                     : getAffineDimExpr(resultDim, getContext()));
  }
  return mapsFromResult(*this, indices);
}

SmallVector<AffineMap> SliceOp::getIndexingMaps() {
  SmallVector<AffineExpr> indices;
  for (auto [dim, start, step] : llvm::enumerate(getStart(), getStep()))
    indices.push_back(getAffineDimExpr(dim, getContext()) * step + start);
  return mapsFromResult(*this, indices);
}

SmallVector<AffineMap> RelayoutOp::getIndexingMaps() { return identityMaps(*this); }
SmallVector<AffineMap> StopGradientOp::getIndexingMaps() { return identityMaps(*this); }
