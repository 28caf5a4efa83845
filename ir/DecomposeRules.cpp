#include "sinter/ir/Terms.h"

using namespace mlir;
using namespace sinter::ir;

// Composite ops in elementwise ops, reductions and views. bf16 and f16 are widened to f32 on the way
// in and rounded once on the way out.

static Term wide(OpBuilder &b, Operation *op, Value value) {
  return Term(b, op->getLoc(), value).wide();
}
static Value narrowed(Term result, Value like) { return result.cast(elementOf(like)); }

namespace {
/// x minus its largest element along `dim`, and the logarithm or plain sum of the exponentials.
struct Shifted {
  Term z, e, total; // total has size 1 along dim
  Shifted(Term x, int64_t dim)
      : z(x - x.max({dim}, /*keepdim=*/true).broadcast(x.shape())), e(exp(z)),
        total(e.sum({dim}, /*keepdim=*/true)) {}
};
} // namespace

SmallVector<Value> SoftmaxOp::decompose(OpBuilder &b) {
  Shifted s(wide(b, *this, getX()), getDim());
  return {narrowed(s.e / s.total.broadcast(s.e.shape()), getResult())};
}

SmallVector<Value> LogSoftmaxOp::decompose(OpBuilder &b) {
  Shifted s(wide(b, *this, getX()), getDim());
  return {narrowed(s.z - log(s.total).broadcast(s.z.shape()), getResult())};
}

// Losses that are elementwise and then reduced.

static Value reduced(Term terms, StringRef reduction, Value like) {
  SmallVector<int64_t> dims = dimRange(0, terms.rank());
  if (reduction == "mean") terms = terms.mean(dims, /*keepdim=*/false);
  if (reduction == "sum") terms = terms.sum(dims, /*keepdim=*/false);
  return narrowed(terms, like);
}

SmallVector<Value> MseLossOp::decompose(OpBuilder &b) {
  Term difference = wide(b, *this, getInput()) - wide(b, *this, getTarget());
  return {reduced(difference * difference, getReduction(), getResult())};
}

SmallVector<Value> L1LossOp::decompose(OpBuilder &b) {
  Term difference = wide(b, *this, getInput()) - wide(b, *this, getTarget());
  return {reduced(abs(difference), getReduction(), getResult())};
}

SmallVector<Value> BceWithLogitsOp::decompose(OpBuilder &b) {
  // max(x, 0) - x t + log(1 + exp(-|x|)): no term overflows.
  Term x = wide(b, *this, getInput()), t = wide(b, *this, getTarget());
  Term losses = maximum(x, x.filled(0.0)) - x * t + log1p(exp(-abs(x)));
  return {reduced(losses, getReduction(), getResult())};
}

SmallVector<Value> BinaryCrossEntropyOp::decompose(OpBuilder &b) {
  Term p = wide(b, *this, getInput()), t = wide(b, *this, getTarget()), least = p.filled(-100.0);
  Term losses = (t - 1.0) * maximum(log1p(-p), least) - t * maximum(log(p), least);
  return {reduced(losses, getReduction(), getResult())};
}

// Cross entropy with class indices. With z = x - max and s = sum exp z, a row's loss is
//   (1 - smoothing) (log s - z[target]) + smoothing (log s - mean z).

namespace {
struct ClassRows {
  Term target;               // with size 1 along the classes
  std::optional<Term> valid; // likewise; absent when no target can be ignored
  SmallVector<int64_t> rows; // shape without the classes

  ClassRows(Term logits, Value indices, int64_t ignore) : target(logits.with(indices)) {
    rows = SmallVector<int64_t>(target.shape());
    target = target.reshape(keptShape(logits.shape(), {1}));
    auto type = cast<IntegerType>(target.element());
    bool possible = type.isUnsigned()
                        ? llvm::isUIntN(type.getWidth(), uint64_t(ignore)) && ignore >= 0
                        : llvm::isIntN(type.getWidth(), ignore);
    if (possible) valid = target.compare(ComparePredicate::ne, target.filled(double(ignore)));
  }
  /// One at the target's class, as i1 of the logits' shape.
  Term hot(Term logits) const {
    return logits.iota(1, target.element())
        .compare(ComparePredicate::eq, target.broadcast(logits.shape()));
  }
  Term masked(Term values) const {
    if (!valid) return values;
    return valid->broadcast(values.shape()).select(values, values.filled(0.0));
  }
  /// The number of targets that count, as the scalar `like`.
  Term number(Term like) const {
    SmallVector<int64_t> all = dimRange(0, target.rank());
    if (valid) return valid->cast(like.element()).sum(all, /*keepdim=*/false);
    return like.filled(double(target.count()));
  }
};
} // namespace

SmallVector<Value> CrossEntropyOp::decompose(OpBuilder &b) {
  Term x = wide(b, *this, getLogits());
  ClassRows rows(x, getTarget(), getIgnoreIndex());
  Shifted s(x, 1);
  Term logTotal = log(s.total);
  Term at = rows.hot(x).select(s.z, s.z.filled(0.0)).sum({1}, /*keepdim=*/true);
  Term losses = logTotal - at;
  double smoothing = getLabelSmoothing().convertToDouble();
  if (smoothing > 0)
    losses = losses * (1 - smoothing) + (logTotal - s.z.mean({1}, /*keepdim=*/true)) * smoothing;
  losses = rows.masked(losses).reshape(rows.rows);
  if (getReduction() == "none") return {narrowed(losses, getResult())};
  Term total = losses.sum(dimRange(0, losses.rank()), /*keepdim=*/false);
  if (getReduction() == "mean") total = total / rows.number(total);
  return {narrowed(total, getResult())};
}

SmallVector<Value> CrossEntropyGradOp::decompose(OpBuilder &b) {
  // A valid row's gradient is g (softmax - (1 - smoothing) onehot - smoothing / C); 0 elsewhere.
  Term x = wide(b, *this, getLogits()), g = wide(b, *this, getGrad());
  ClassRows rows(x, getTarget(), getIgnoreIndex());
  Shifted s(x, 1);
  if (getReduction() == "mean") g = g / rows.number(g);
  if (getReduction() == "none") g = g.reshape(keptShape(x.shape(), {1}));
  double smoothing = getLabelSmoothing().convertToDouble();
  double others = smoothing / double(x.shape()[1]);
  Term expected = rows.hot(x).select(x.filled(1 - smoothing + others), x.filled(others));
  Term slope = s.e / s.total.broadcast(x.shape()) - expected;
  return {narrowed(rows.masked(slope * g.broadcast(x.shape())), getResult())};
}

// Normalisations.

namespace {
/// Per-channel vectors [C] beside x [N, C, ...].
struct Channels {
  SmallVector<int64_t> dims, kept, shape;
  explicit Channels(Term x)
      : dims(dimsExcept(x.rank(), 1)), kept(keptShape(x.shape(), dims)), shape(x.shape()) {}
  Term spread(Term vector) const { return vector.reshape(kept).broadcast(shape); }
  int64_t channels() const { return shape[1]; }
};
} // namespace

SmallVector<Value> BatchNormOp::decompose(OpBuilder &b) {
  Term x = wide(b, *this, getX());
  auto parameter = [&](Value v) { return x.with(v).cast(x.element()); };
  Channels c(x);
  Term mean = x.mean(c.dims, /*keepdim=*/true);
  Term centred = x - mean.broadcast(x.shape());
  Term variance = (centred * centred).mean(c.dims, /*keepdim=*/true);
  Term scale =
      rsqrt(variance + getEps().convertToDouble()) * parameter(getWeight()).reshape(c.kept);
  Term y = centred * c.spread(scale) + c.spread(parameter(getBias()));
  int64_t channels = c.channels();
  return {narrowed(y, getResult()), narrowed(mean.reshape(channels), getMean()),
          narrowed(variance.reshape(channels), getVariance())};
}

SmallVector<Value> BatchNormInferenceOp::decompose(OpBuilder &b) {
  Term x = wide(b, *this, getX());
  auto parameter = [&](Value v) { return x.with(v).cast(x.element()); };
  Channels c(x);
  Term scale =
      rsqrt(parameter(getVariance()) + getEps().convertToDouble()) * parameter(getWeight());
  Term y = (x - c.spread(parameter(getMean()))) * c.spread(scale) + c.spread(parameter(getBias()));
  return {narrowed(y, getResult())};
}

SmallVector<Value> BatchNormGradOp::decompose(OpBuilder &b) {
  // With n elements a channel and h = (x - mean) / sigma:
  //   dbias = sum g, dweight = sum g h, dx = weight / sigma (g - dbias / n - h dweight / n).
  Term x = wide(b, *this, getX()), g = x.with(getGrad()).cast(x.element());
  auto parameter = [&](Value v) { return x.with(v).cast(x.element()); };
  Channels c(x);
  double n = double(x.count()) / double(c.channels());
  Term inverse = rsqrt(parameter(getVariance()) + getEps().convertToDouble());
  Term h = (x - c.spread(parameter(getMean()))) * c.spread(inverse);
  Term gradBias = g.sum(c.dims, /*keepdim=*/false), gradWeight = (g * h).sum(c.dims, false);
  Term centred = g - c.spread(gradBias / n) - h * c.spread(gradWeight / n);
  Term gradX = centred * c.spread(inverse * parameter(getWeight()));
  return {narrowed(gradX, getGradX()), narrowed(gradWeight, getGradWeight()),
          narrowed(gradBias, getGradBias())};
}

namespace {
/// x normalised over its trailing `rank` dimensions.
struct Normalised {
  SmallVector<int64_t> dims;
  Term h, inverse; // inverse has size 1 in dims
  Normalised(Term x, int64_t rank, double eps)
      : dims(dimRange(x.rank() - rank, x.rank())), h(x - x.mean(dims, true).broadcast(x.shape())),
        inverse(rsqrt((h * h).mean(dims, true) + eps)) {
    h = h * inverse.broadcast(x.shape());
  }
};
} // namespace

SmallVector<Value> LayerNormOp::decompose(OpBuilder &b) {
  Term x = wide(b, *this, getX());
  auto parameter = [&](Value v) { return x.with(v).cast(x.element()).broadcast(x.shape()); };
  Normalised n(x, tensorType(getWeight()).getRank(), getEps().convertToDouble());
  return {narrowed(n.h * parameter(getWeight()) + parameter(getBias()), getResult())};
}

SmallVector<Value> LayerNormGradOp::decompose(OpBuilder &b) {
  // With h the normalised input and u = g weight: dx = (u - mean u - h mean(u h)) / sigma.
  Term x = wide(b, *this, getX()), g = x.with(getGrad()).cast(x.element());
  int64_t rank = tensorType(getWeight()).getRank();
  Normalised n(x, rank, getEps().convertToDouble());
  Term u = g * x.with(getWeight()).cast(x.element()).broadcast(x.shape());
  Term along = (u * n.h).mean(n.dims, true).broadcast(x.shape());
  Term gradX = (u - u.mean(n.dims, true).broadcast(x.shape()) - n.h * along) *
               n.inverse.broadcast(x.shape());
  SmallVector<int64_t> leading = dimRange(0, x.rank() - rank);
  return {narrowed(gradX, getGradX()), narrowed((g * n.h).sum(leading, false), getGradWeight()),
          narrowed(g.sum(leading, false), getGradBias())};
}

namespace {
/// x divided by the root of its mean square over its trailing `rank` dimensions.
struct Scaled {
  SmallVector<int64_t> dims;
  Term inverse, h; // inverse has size 1 in dims
  Scaled(Term x, int64_t rank, double eps)
      : dims(dimRange(x.rank() - rank, x.rank())), inverse(rsqrt((x * x).mean(dims, true) + eps)),
        h(x * inverse.broadcast(x.shape())) {}
};

/// [N, C, ...] as [N, groups, C / groups, ...], whose dimensions from 2 on are normalised together.
struct GroupedChannels {
  SmallVector<int64_t> shape, parameterShape;
  GroupedChannels(ArrayRef<int64_t> of, int64_t groups) : shape(of) {
    shape[1] = of[1] / groups;
    shape.insert(shape.begin() + 1, groups);
    parameterShape = {groups, shape[2]};
    parameterShape.resize(shape.size() - 1, 1);
  }
  int64_t normalized() const { return int64_t(shape.size()) - 2; }
  /// A vector [C] beside a grouped tensor.
  Term spread(Term vector) const { return vector.reshape(parameterShape).broadcast(shape); }
  /// The sum for each channel, [C].
  Term perChannel(Term grouped) const {
    SmallVector<int64_t> dims{0};
    llvm::append_range(dims, dimRange(3, grouped.rank()));
    return grouped.sum(dims, false).reshape(shape[1] * shape[2]);
  }
};
} // namespace

SmallVector<Value> RmsNormOp::decompose(OpBuilder &b) {
  Term x = wide(b, *this, getX());
  Scaled s(x, tensorType(getWeight()).getRank(), getEps().convertToDouble());
  Term weight = x.with(getWeight()).cast(x.element()).broadcast(x.shape());
  return {narrowed(s.h * weight, getResult())};
}

SmallVector<Value> RmsNormGradOp::decompose(OpBuilder &b) {
  // With h the scaled input, r = 1 / root and u = g weight: dx = r (u - h mean(u h)).
  Term x = wide(b, *this, getX()), g = x.with(getGrad()).cast(x.element());
  int64_t rank = tensorType(getWeight()).getRank();
  Scaled s(x, rank, getEps().convertToDouble());
  Term u = g * x.with(getWeight()).cast(x.element()).broadcast(x.shape());
  Term along = (u * s.h).mean(s.dims, true).broadcast(x.shape());
  Term gradX = (u - s.h * along) * s.inverse.broadcast(x.shape());
  return {narrowed(gradX, getGradX()),
          narrowed((g * s.h).sum(dimRange(0, x.rank() - rank), false), getGradWeight())};
}

SmallVector<Value> GroupNormOp::decompose(OpBuilder &b) {
  GroupedChannels groups(shapeOf(getX()), getNumGroups());
  Term x = wide(b, *this, getX()).reshape(groups.shape);
  auto parameter = [&](Value v) { return groups.spread(x.with(v).cast(x.element())); };
  Normalised n(x, groups.normalized(), getEps().convertToDouble());
  Term y = n.h * parameter(getWeight()) + parameter(getBias());
  return {narrowed(y.reshape(shapeOf(getX())), getResult())};
}

SmallVector<Value> GroupNormGradOp::decompose(OpBuilder &b) {
  // As layer_norm's, over each group; the parameters' gradients are sums over each channel.
  GroupedChannels groups(shapeOf(getX()), getNumGroups());
  Term x = wide(b, *this, getX()).reshape(groups.shape);
  Term g = x.with(getGrad()).cast(x.element()).reshape(groups.shape);
  Normalised n(x, groups.normalized(), getEps().convertToDouble());
  Term u = g * groups.spread(x.with(getWeight()).cast(x.element()));
  Term along = (u * n.h).mean(n.dims, true).broadcast(x.shape());
  Term gradX = (u - u.mean(n.dims, true).broadcast(x.shape()) - n.h * along) *
               n.inverse.broadcast(x.shape());
  return {narrowed(gradX.reshape(shapeOf(getX())), getGradX()),
          narrowed(groups.perChannel(g * n.h), getGradWeight()),
          narrowed(groups.perChannel(g), getGradBias())};
}
