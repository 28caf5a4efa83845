#include "sinter/ir/Terms.h"

using namespace mlir;
using namespace sinter::ir;

// Gradients of views, indexed access and reductions.

static Term cotangentTerm(Vjp &vjp) { return {vjp.builder, vjp.loc, vjp.cotangent()}; }
static bool wanted(Vjp &vjp, unsigned operand) { return vjp.cotangent() && vjp.needs(operand); }

void ReshapeOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) vjp.set(0, vjp.create<ReshapeOp>(getX().getType(), vjp.cotangent()));
}

void FusionBarrierOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) vjp.set(0, vjp.cotangent());
}

void TransposeOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [place, dim] : llvm::enumerate(getPermutation())) inverse[dim] = place;
  vjp.set(0, cotangentTerm(vjp).transpose(inverse));
}

void BroadcastOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  ArrayRef<int64_t> from = shapeOf(getX()), to = shapeOf(getResult());
  int64_t missing = int64_t(to.size() - from.size());
  SmallVector<int64_t> stretched = dimRange(0, missing);
  for (auto [dim, extent] : llvm::enumerate(from))
    if (extent == 1 && to[missing + dim] != 1) stretched.push_back(missing + int64_t(dim));
  vjp.set(0, cotangentTerm(vjp).sum(stretched, /*keepdim=*/false).reshape(from));
}

void SliceOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  SmallVector<int64_t> low(getStart()), high, interior;
  for (auto [dim, extent] : llvm::enumerate(shapeOf(getX()))) {
    int64_t taken = shapeOf(getResult())[dim], step = getStep()[dim];
    int64_t end = taken == 0 ? low[dim] : low[dim] + (taken - 1) * step + 1;
    high.push_back(extent - end);
    interior.push_back(step - 1);
  }
  vjp.set(0, vjp.create<PadOp>(vjp.cotangent(), low, high, interior, APFloat(0.0)));
}

void PadOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  SmallVector<int64_t> start(getLow()), limit, step;
  for (auto [dim, extent] : llvm::enumerate(shapeOf(getX()))) {
    step.push_back(getInterior()[dim] + 1);
    limit.push_back(extent == 0 ? start[dim] : start[dim] + (extent - 1) * step.back() + 1);
  }
  vjp.set(0, vjp.create<SliceOp>(vjp.cotangent(), start, limit, step));
}

void ConcatOp::buildVjp(Vjp &vjp) {
  if (!vjp.cotangent()) return;
  ArrayRef<int64_t> shape = shapeOf(getResult());
  SmallVector<int64_t> start(shape.size(), 0), limit(shape), step(shape.size(), 1);
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    limit[getDim()] = start[getDim()] + shapeOf(input)[getDim()];
    if (vjp.needs(i)) vjp.set(i, vjp.create<SliceOp>(vjp.cotangent(), start, limit, step));
    start[getDim()] = limit[getDim()];
  }
}

void RelayoutOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) vjp.set(0, vjp.create<RelayoutOp>(getX().getType(), vjp.cotangent()));
}

void EmbeddingOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0))
    vjp.set(0, vjp.create<EmbeddingGradOp>(getWeight().getType(), vjp.cotangent(), getIndices(),
                                           getPaddingIdxAttr()));
}

void EmbeddingGradOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  Term rows = cotangentTerm(vjp).with(
      vjp.create<EmbeddingOp>(vjp.cotangent(), getIndices(), getPaddingIdxAttr()));
  if (getPaddingIdx()) {
    Term indices = rows.with(getIndices());
    SmallVector<int64_t> column(indices.shape());
    column.push_back(1);
    Term padding = indices.compare(ComparePredicate::eq, double(*getPaddingIdx()));
    rows = padding.reshape(column).broadcast(rows.shape()).select(rows.filled(0.0), rows);
  }
  vjp.set(0, rows);
}

void GatherOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  Value zeros = splat(vjp.builder, vjp.loc, tensorType(getX()), 0.0);
  vjp.set(0, vjp.create<ScatterAddOp>(zeros, getIndex(), vjp.cotangent(), getDim()));
}

void ScatterAddOp::buildVjp(Vjp &vjp) {
  vjp.set(0, vjp.cotangent());
  if (wanted(vjp, 2)) vjp.set(2, vjp.create<GatherOp>(vjp.cotangent(), getIndex(), getDim()));
}

void DynamicSliceOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  Value zeros = splat(vjp.builder, vjp.loc, tensorType(getX()), 0.0);
  vjp.set(0, vjp.create<DynamicUpdateSliceOp>(zeros, vjp.cotangent(), getStart()));
}

void DynamicUpdateSliceOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) {
    Value zeros = splat(vjp.builder, vjp.loc, tensorType(getUpdate()), 0.0);
    vjp.set(0, vjp.create<DynamicUpdateSliceOp>(vjp.cotangent(), zeros, getStart()));
  }
  if (wanted(vjp, 1))
    vjp.set(1, vjp.create<DynamicSliceOp>(vjp.cotangent(), getStart(), shapeOf(getUpdate())));
}

void CumsumOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) vjp.set(0, vjp.create<CumsumOp>(vjp.cotangent(), getDim(), !getReverse()));
}

/// A reduction's cotangent with size 1 in the reduced dimensions.
static Term keptCotangent(Vjp &vjp, Value x, ArrayRef<int64_t> dims) {
  return cotangentTerm(vjp).reshape(keptShape(shapeOf(x), dims));
}

void SumOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0)) vjp.set(0, keptCotangent(vjp, getX(), getDim()).broadcast(shapeOf(getX())));
}

void MeanOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  int64_t count = 1;
  for (int64_t dim : getDim()) count *= shapeOf(getX())[dim];
  Term share = keptCotangent(vjp, getX(), getDim()) / double(count);
  vjp.set(0, share.broadcast(shapeOf(getX())));
}

/// Places that equal the extremum share the gradient equally, as PyTorch's amax and amin.
static void extremumVjp(Vjp &vjp, Value x, Value y, ArrayRef<int64_t> dims) {
  if (!wanted(vjp, 0)) return;
  Term in(vjp.builder, vjp.loc, x);
  SmallVector<int64_t> kept = keptShape(in.shape(), dims);
  Term equal = in.compare(ComparePredicate::eq, in.with(y).reshape(kept).broadcast(in.shape()));
  Term g = keptCotangent(vjp, x, dims).wide();
  Term share = g / equal.cast(g.element()).sum(dims, /*keepdim=*/true);
  Term spread = share.cast(in.element()).broadcast(in.shape());
  vjp.set(0, equal.select(spread, spread.filled(0.0)));
}
void MaxOp::buildVjp(Vjp &vjp) { extremumVjp(vjp, getX(), getResult(), getDim()); }
void MinOp::buildVjp(Vjp &vjp) { extremumVjp(vjp, getX(), getResult(), getDim()); }
