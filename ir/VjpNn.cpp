#include "sinter/ir/Terms.h"

using namespace mlir;
using namespace sinter::ir;

// Gradients of composite ops and windows. Where a gradient has a form of its own (cross entropy,
// norms) it is a composite op too; else it is written in elementwise ops and reductions.

static Term term(Vjp &vjp, Value value) { return {vjp.builder, vjp.loc, value}; }
static bool wanted(Vjp &vjp, unsigned operand) { return vjp.cotangent() && vjp.needs(operand); }

void SoftmaxOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  Term g = term(vjp, vjp.cotangent()).wide(), y = term(vjp, getResult()).wide();
  Term inner = (g * y).sum({int64_t(getDim())}, /*keepdim=*/true);
  vjp.set(0, (y * (g - inner.broadcast(y.shape()))).cast(elementOf(getX())));
}

void LogSoftmaxOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0)) return;
  Term g = term(vjp, vjp.cotangent()).wide(), y = term(vjp, getResult()).wide();
  Term total = g.sum({int64_t(getDim())}, /*keepdim=*/true);
  vjp.set(0, (g - exp(y) * total.broadcast(y.shape())).cast(elementOf(getX())));
}

void CrossEntropyOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0))
    vjp.set(0, vjp.create<CrossEntropyGradOp>(getLogits().getType(), vjp.cotangent(), getLogits(),
                                              getTarget(), getReductionAttr(),
                                              getLabelSmoothingAttr(), getIgnoreIndexAttr()));
}

/// The cotangent of each term of a loss, times `factor`: divided by their number for a mean.
static Term lossCotangent(Vjp &vjp, Value input, StringRef reduction, double factor) {
  Term g = term(vjp, vjp.cotangent()).wide();
  if (reduction == "mean") factor /= double(tensorType(input).getNumElements());
  if (factor != 1.0) g = g * factor;
  return g.broadcast(shapeOf(input));
}

void MseLossOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0) && !wanted(vjp, 1)) return;
  Type element = elementOf(getInput());
  Term difference = term(vjp, getInput()).wide() - term(vjp, getTarget()).wide();
  Term slope = difference * lossCotangent(vjp, getInput(), getReduction(), 2.0);
  if (vjp.needs(0)) vjp.set(0, slope.cast(element));
  if (vjp.needs(1)) vjp.set(1, (-slope).cast(element));
}

void L1LossOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0) && !wanted(vjp, 1)) return;
  Type element = elementOf(getInput());
  Term difference = term(vjp, getInput()).wide() - term(vjp, getTarget()).wide();
  Term slope = sign(difference) * lossCotangent(vjp, getInput(), getReduction(), 1.0);
  if (vjp.needs(0)) vjp.set(0, slope.cast(element));
  if (vjp.needs(1)) vjp.set(1, (-slope).cast(element));
}

void BceWithLogitsOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0) && !wanted(vjp, 1)) return;
  Type element = elementOf(getInput());
  Term x = term(vjp, getInput()).wide(), g = lossCotangent(vjp, getInput(), getReduction(), 1.0);
  if (vjp.needs(0)) vjp.set(0, ((sigmoid(x) - term(vjp, getTarget()).wide()) * g).cast(element));
  if (vjp.needs(1)) vjp.set(1, (-(x * g)).cast(element));
}

void BinaryCrossEntropyOp::buildVjp(Vjp &vjp) {
  if (!wanted(vjp, 0) && !wanted(vjp, 1)) return;
  Type element = elementOf(getInput());
  Term p = term(vjp, getInput()).wide(), t = term(vjp, getTarget()).wide();
  Term g = lossCotangent(vjp, getInput(), getReduction(), 1.0);
  if (vjp.needs(0)) {
    Term spread = (1.0 - p) * p;
    vjp.set(0, ((p - t) / maximum(spread, p.filled(1e-12)) * g).cast(element));
  }
  if (vjp.needs(1)) {
    Term least = p.filled(-100.0);
    vjp.set(1, ((maximum(log1p(-p), least) - maximum(log(p), least)) * g).cast(element));
  }
}

void BatchNormOp::buildVjp(Vjp &vjp) {
  if (vjp.cotangent()) {
    auto grad = BatchNormGradOp::create(vjp.builder, vjp.loc, vjp.cotangent(), getX(), getWeight(),
                                        getMean(), getVariance(), getEps());
    for (unsigned i = 0; i < 3; ++i)
      if (vjp.needs(i)) vjp.set(i, grad.getResult(i));
  }
  // The statistics are results, too: the gradient of a gradient reaches x through them.
  if (!vjp.needs(0) || (!vjp.cotangent(1) && !vjp.cotangent(2))) return;
  Term x = term(vjp, getX()).wide();
  SmallVector<int64_t> dims = dimsExcept(x.rank(), 1), kept = keptShape(x.shape(), dims);
  double count = 1;
  for (int64_t dim : dims) count *= double(x.shape()[dim]);
  auto spread = [&](Value v) {
    return term(vjp, v).cast(x.element()).reshape(kept).broadcast(x.shape());
  };
  std::optional<Term> total;
  if (Value g = vjp.gradient(0)) total = term(vjp, g).wide();
  auto add = [&](Term part) { total = total ? *total + part : part; };
  if (Value g = vjp.cotangent(1)) add(spread(g) * (1 / count));
  if (Value g = vjp.cotangent(2)) add(spread(g) * (x - spread(getMean())) * (2 / count));
  vjp.set(0, total->cast(elementOf(getX())));
}

void BatchNormInferenceOp::buildVjp(Vjp &vjp) {
  if (!vjp.cotangent()) return;
  Term g = term(vjp, vjp.cotangent()).wide(), x = term(vjp, getX()).wide();
  SmallVector<int64_t> dims = dimsExcept(x.rank(), 1), kept = keptShape(x.shape(), dims);
  auto channels = [&](Value v) { return term(vjp, v).cast(g.element()); };
  auto spread = [&](Term t) { return t.reshape(kept).broadcast(x.shape()); };
  Term inverse = rsqrt(channels(getVariance()) + getEps().convertToDouble());
  Term scale = channels(getWeight()) * inverse;
  auto set = [&](unsigned i, Term gradient) {
    vjp.set(i, gradient.cast(elementOf(getOperand(i))));
  };
  if (vjp.needs(0)) set(0, g * spread(scale));
  if (vjp.needs(2)) set(2, g.sum(dims, false));
  if (vjp.needs(3)) set(3, -(g.sum(dims, false) * scale));
  if (!vjp.needs(1) && !vjp.needs(4)) return;
  Term moment = (g * (x - spread(channels(getMean())))).sum(dims, false);
  if (vjp.needs(1)) set(1, moment * inverse);
  if (vjp.needs(4)) set(4, moment * scale * (inverse * inverse) * -0.5);
}

void LayerNormOp::buildVjp(Vjp &vjp) {
  if (!vjp.cotangent()) return;
  auto grad =
      LayerNormGradOp::create(vjp.builder, vjp.loc, vjp.cotangent(), getX(), getWeight(), getEps());
  for (unsigned i = 0; i < 3; ++i)
    if (vjp.needs(i)) vjp.set(i, grad.getResult(i));
}

void RmsNormOp::buildVjp(Vjp &vjp) {
  if (!vjp.cotangent()) return;
  auto grad =
      RmsNormGradOp::create(vjp.builder, vjp.loc, vjp.cotangent(), getX(), getWeight(), getEps());
  for (unsigned i = 0; i < 2; ++i)
    if (vjp.needs(i)) vjp.set(i, grad.getResult(i));
}

void GroupNormOp::buildVjp(Vjp &vjp) {
  if (!vjp.cotangent()) return;
  auto grad = GroupNormGradOp::create(vjp.builder, vjp.loc, vjp.cotangent(), getX(), getWeight(),
                                      getNumGroups(), getEps());
  for (unsigned i = 0; i < 3; ++i)
    if (vjp.needs(i)) vjp.set(i, grad.getResult(i));
}

void MaxPool2dOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0))
    vjp.set(0,
            vjp.create<MaxPool2dGradOp>(getX().getType(), vjp.cotangent(), getPlace(),
                                        getKernelSize(), getStride(), getPadding(), getCeilMode()));
}

void MaxPool2dGradOp::buildVjp(Vjp &vjp) {
  // Each window reads the cotangent at its place: row-major position (oy*s - p + place/kw) * W + ...
  if (!wanted(vjp, 0)) return;
  Term c = term(vjp, vjp.cotangent());
  Type index = vjp.builder.getI32Type();
  Term place = term(vjp, getPlace()).cast(index);
  int64_t height = c.shape()[2], width = c.shape()[3];
  double columns = double(getKernelSize()[1]);
  auto coordinate = [&](unsigned axis, Term inside) {
    return place.iota(2 + axis, index) * double(getStride()[axis]) + inside -
           double(getPadding()[axis]);
  };
  Term row = coordinate(0, place.binary<FloorDivideOp>(place.filled(columns)));
  Term column = coordinate(1, place.binary<RemainderOp>(place.filled(columns)));
  ArrayRef<int64_t> windows = place.shape();
  Term flat =
      (row * double(width) + column).reshape({windows[0], windows[1], windows[2] * windows[3]});
  Value picked = vjp.create<GatherOp>(c.reshape({windows[0], windows[1], height * width}), flat,
                                      /*dim=*/2);
  vjp.set(0, c.with(picked).reshape(windows));
}

void AvgPool2dOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0))
    vjp.set(0, vjp.create<AvgPool2dGradOp>(getX().getType(), vjp.cotangent(), getKernelSize(),
                                           getStride(), getPadding(), getCeilMode(),
                                           getCountIncludePad()));
}

void AvgPool2dGradOp::buildVjp(Vjp &vjp) {
  if (wanted(vjp, 0))
    vjp.set(0, vjp.create<AvgPool2dOp>(vjp.cotangent(), getKernelSize(), getStride(), getPadding(),
                                       getCeilMode(), getCountIncludePad()));
}
