#include "sinter/ir/InferSupport.h"
#include "sinter/ir/Terms.h"

#include <cmath>

using namespace mlir;

// Attention and its gradient: inference, opening, the vector-Jacobian product. FlashAttention-2 (Dao, 2023):
// the gradient needs of the forward pass the result and each row's logarithm of the sum of exponentials alone.

namespace sinter::ir {

int64_t AttentionFacts::pairs() const {
  if (!isCausal) return batch * heads * rows * keys;
  // Row i takes keys 0 .. i.
  int64_t rising = std::min(rows, keys), whole = rows - rising;
  return batch * heads * (rising * (rising + 1) / 2 + whole * keys);
}

namespace {

template <class Op> AttentionFacts factsOf(Op op) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery()), value = shapeOf(op.getValue());
  return {.batch = query[0],
          .heads = query[1],
          .groups = value[1],
          .rows = query[2],
          .keys = value[2],
          .features = query[3],
          .values = value[3],
          .query = op.getQuery(),
          .key = op.getKey(),
          .value = op.getValue(),
          .mask = op.getMask(),
          .seed = op.getSeed(),
          .step = op.getStep(),
          .isCausal = op.getIsCausal(),
          .scale = op.getScale().convertToDouble(),
          .drop = op.getP().convertToDouble(),
          .stream = int64_t(op.getStream())};
}

/// What both ops ask of their common operands.
template <class Adaptor>
LogicalResult check(std::optional<Location> loc, StringRef name, Adaptor op) {
  for (auto [what, operand] : {std::pair<StringRef, Value>{"query", op.getQuery()},
                               {"key", op.getKey()},
                               {"value", op.getValue()}}) {
    if (shapeOf(operand).size() != 4)
      return refuse(loc, name, ": ", what, " has shape ", shapeText(shapeOf(operand)),
                    ", expected [batch, heads, length, features]");
    if (elementOf(operand) != elementOf(op.getQuery()))
      return refuse(loc, name, ": query is ", typeText(op.getQuery().getType()), ", ", what, " is ",
                    typeText(operand.getType()));
  }
  ArrayRef<int64_t> q = shapeOf(op.getQuery()), k = shapeOf(op.getKey()),
                    v = shapeOf(op.getValue());
  if (k[3] != q[3] || k[0] != q[0] || k[1] == 0 || q[1] % k[1] != 0)
    return refuse(
        loc, name, ": query ", shapeText(q), " and key ", shapeText(k),
        " differ in batch or features, or the query's heads are no multiple of the key's");
  if (v.drop_back(1) != k.drop_back(1))
    return refuse(loc, name, ": key ", shapeText(k), " and value ", shapeText(v),
                  " differ in batch, heads or length");
  int64_t full[] = {q[0], q[1], q[2], k[2]};
  if (Value mask = op.getMask()) {
    bool fits = shapeOf(mask).size() == 4;
    for (auto [own, extent] : llvm::zip(shapeOf(mask), full)) fits &= own == 1 || own == extent;
    if (!fits)
      return refuse(loc, name, ": mask has shape ", shapeText(shapeOf(mask)),
                    ", which does not broadcast to ", shapeText(full));
    if (!elementOf(mask).isInteger(1) && elementOf(mask) != elementOf(op.getQuery()))
      return refuse(loc, name, ": mask is ", typeText(mask.getType()),
                    ", expected i1 or the query's type");
  }
  double p = op.getP().convertToDouble();
  if (!(p >= 0 && p < 1)) return refuse(loc, name, ": p must be at least 0 and below 1");
  bool draws = op.getSeed() && op.getStep();
  if (draws != (p > 0) || bool(op.getSeed()) != bool(op.getStep()))
    return refuse(loc, name, ": seed and step belong to p > 0");
  for (Value scalar : {op.getSeed(), op.getStep()})
    if (scalar && !shapeOf(scalar).empty())
      return refuse(loc, name, ": seed and step must be scalars");
  return success();
}

/// The op's tensors as terms of compute type, and the scores made of them.
struct Opened {
  OpBuilder &b;
  Location loc;
  AttentionFacts f;
  SmallVector<int64_t> full,
      grouped; // of weights by head; with the heads of a group as rows of one product

  Opened(OpBuilder &b, Location loc, const AttentionFacts &facts)
      : b(b), loc(loc),
        f(facts), full{f.batch, f.heads, f.rows, f.keys}, grouped{f.batch, f.groups,
                                                                  f.shared() * f.rows, f.keys} {}

  Term wide(Value value) const { return Term(b, loc, value).wide(); }
  bool isNarrow() const { return elementOf(f.query) != computeType(elementOf(f.query)); }
  /// A factor of a product: rounded to the op's type, whose numbers matrix units multiply.
  Term factor(Term x) const { return x.cast(elementOf(f.query)).wide(); }
  Term product(Term lhs, Term rhs, bool transposeLhs, bool transposeRhs) const {
    return lhs.with(MatmulOp::create(b, loc, lhs, rhs, transposeLhs, transposeRhs));
  }
  /// [B, H, L, x] with the heads of a group as rows of one product, and back.
  Term byGroup(Term x) const {
    return x.reshape({f.batch, f.groups, f.shared() * f.rows, x.shape().back()});
  }
  Term byHead(Term x) const { return x.reshape({f.batch, f.heads, f.rows, x.shape().back()}); }
  /// The scale is part of the query, or, where that would round it once more, of what is made of it.
  Term query() const {
    Term own = wide(f.query);
    return byGroup(isNarrow() ? own : own * f.scale);
  }
  Term scaled(Term x) const { return isNarrow() ? x * f.scale : x; }

  Term scores() const {
    Term s = scaled(byHead(product(query(), wide(f.key), false, true)));
    Term none = s.filled(-HUGE_VAL);
    // What is left out is so whatever its score, and whatever is added to that.
    if (f.mask) {
      Term mask = s.with(f.mask);
      bool chooses = elementOf(f.mask).isInteger(1);
      s = chooses ? mask.broadcast(full).select(s, none) : s + mask.wide().broadcast(full);
    }
    if (!f.isCausal) return s;
    Type index = b.getI32Type();
    return s.iota(2, index).compare(ComparePredicate::ge, s.iota(3, index)).select(s, none);
  }
  Term dropped(Term x) const {
    if (!f.seed) return x;
    return x.with(DropoutOp::create(b, loc, x, f.seed, f.step, b.getI64IntegerAttr(f.stream),
                                    b.getF64FloatAttr(f.drop)));
  }
  Term stretched(Term row) const {
    return row.reshape({f.batch, f.heads, f.rows, 1}).broadcast(full);
  }
  /// Each weight before dropping, and how a cotangent changes its score.
  std::pair<Term, Term> weightsAndScoreGradient(Value grad, Value logsumexp, Value delta) const {
    Term p = exp(scores() - stretched(wide(logsumexp)));
    Term along = dropped(byHead(product(byGroup(wide(grad)), wide(f.value), false, true)));
    return {p, p * (along - stretched(wide(delta)))};
  }
};

/// Features of a head, of which a thread keeps panels on its stack, or a block's threads sums in registers.
constexpr int64_t maxFeatures = 256;

/// Whether a GPU's block has the shared memory for the gradient's smallest tiles: 16 rows and 16 keys, filled up to a
/// few columns more, their scores and cotangents. (codegen/attention/BlockAttention)
bool fitsBlock(const AttentionFacts &f, TargetAttr target) {
  int64_t most = std::max(target.getSharedBytes(), target.getLargeSharedBytes());
  return 4 * (2 * 16 * (f.features + f.values + 16) + 2 * 16 * 17 + 32) <= most;
}

bool kernelTakes(const AttentionFacts &f, TargetAttr target) {
  if (!target || (target.getKind() == "cuda" && !fitsBlock(f, target))) return false;
  // Long sums of a narrow query's gradient are kept on a thread's stack.
  bool narrow = elementOf(f.query) != computeType(elementOf(f.query));
  if (target.getKind() == "cpu" && narrow && f.keys > 512 &&
      f.shared() * f.rows * f.features > int64_t(1) << 18)
    return false;
  return !elementOf(f.query).isF64() && f.features <= maxFeatures && f.values <= maxFeatures &&
         f.pairs() > 0 && f.features > 0 && f.values > 0;
}

} // namespace

std::optional<AttentionFacts> attentionFactsOf(Operation *op) {
  if (auto forward = dyn_cast<AttentionOp>(op)) return forward.getFacts();
  if (auto backward = dyn_cast<AttentionBackwardOp>(op)) return backward.getFacts();
  return std::nullopt;
}

AttentionFacts AttentionOp::getFacts() { return factsOf(*this); }
AttentionFacts AttentionBackwardOp::getFacts() { return factsOf(*this); }

// Scores and the product with them; the gradient makes the scores again and has four products more.
int64_t AttentionOp::getFlops() {
  AttentionFacts f = getFacts();
  return 2 * f.pairs() * (f.features + f.values);
}
int64_t AttentionBackwardOp::getFlops() {
  AttentionFacts f = getFacts();
  return 2 * f.pairs() * (3 * f.features + 2 * f.values);
}

bool AttentionOp::hasKernel(TargetAttr target) { return kernelTakes(getFacts(), target); }
bool AttentionBackwardOp::hasKernel(TargetAttr target) { return kernelTakes(getFacts(), target); }

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(check(loc, "attention", op))) return failure();
  SmallVector<int64_t> shape(shapeOf(op.getQuery()));
  Type element = elementOf(op.getQuery());
  shape.back() = shapeOf(op.getValue()).back();
  types.push_back(tensorOf(shape, element));
  types.push_back(tensorOf(ArrayRef(shape).drop_back(), computeType(element)));
  return success();
}

LogicalResult AttentionBackwardOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                    ValueRange operands, DictionaryAttr attributes,
                                                    OpaqueProperties properties,
                                                    RegionRange regions,
                                                    SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(check(loc, "attention_backward", op))) return failure();
  SmallVector<int64_t> shape(shapeOf(op.getQuery()));
  Type element = elementOf(op.getQuery());
  auto rows = tensorOf(ArrayRef(shape).drop_back(), computeType(element));
  for (Value row : {op.getLogsumexp(), op.getDelta()})
    if (row.getType() != rows)
      return refuse(loc, "attention_backward: logsumexp and delta are ", typeText(row.getType()),
                    ", expected ", typeText(rows));
  shape.back() = shapeOf(op.getValue()).back();
  if (op.getGrad().getType() != tensorOf(shape, element))
    return refuse(loc, "attention_backward: grad is ", typeText(op.getGrad().getType()),
                  ", expected ", typeText(tensorOf(shape, element)));
  for (Value operand : {op.getQuery(), op.getKey(), op.getValue()})
    types.push_back(tensorOf(shapeOf(operand), element));
  return success();
}

SmallVector<Value> AttentionOp::decompose(OpBuilder &b) {
  Opened o(b, getLoc(), getFacts());
  Term s = o.scores(), most = s.max({3}, /*keepdim=*/true);
  Term e = exp(s - most.broadcast(s.shape())), total = e.sum({3}, /*keepdim=*/true);
  Term weights = o.factor(o.dropped(e / total.broadcast(s.shape())));
  Term result = o.byHead(o.product(o.byGroup(weights), o.wide(getValue()), false, false));
  Term logsumexp = (most + log(total)).reshape(shapeOf(getLogsumexp()));
  return {result.cast(elementOf(getResult())), logsumexp};
}

SmallVector<Value> AttentionBackwardOp::decompose(OpBuilder &b) {
  Opened o(b, getLoc(), getFacts());
  auto [p, ds] = o.weightsAndScoreGradient(getGrad(), getLogsumexp(), getDelta());
  Term slope = o.byGroup(o.factor(ds));
  Term query = o.byHead(o.product(slope, o.wide(getKey()), false, false)) * o.f.scale;
  Term key = o.scaled(o.product(slope, o.query(), true, false));
  Term value =
      o.product(o.byGroup(o.factor(o.dropped(p))), o.byGroup(o.wide(getGrad())), true, false);
  Type element = elementOf(getQuery());
  return {query.cast(element), key.cast(element), value.cast(element)};
}

void AttentionOp::buildVjp(Vjp &vjp) {
  OpBuilder &b = vjp.builder;
  Opened o(b, vjp.loc, getFacts());
  Term result = o.wide(getResult());
  Value grad = vjp.cotangent(0);
  if (!grad) grad = splat(b, vjp.loc, tensorType(getResult()), 0.0);
  Term delta = (o.wide(grad) * result).sum({3}, /*keepdim=*/false);
  if (Value logarithm = vjp.cotangent(1)) delta = delta - o.wide(logarithm);
  if (vjp.needs(0) || vjp.needs(1) || vjp.needs(2)) {
    auto gradient = AttentionBackwardOp::create(
        b, vjp.loc, grad, getQuery(), getKey(), getValue(), getLogsumexp(), delta, getMask(),
        getSeed(), getStep(), getScaleAttr(), getIsCausalAttr(), getPAttr(), getStreamAttr());
    for (unsigned i = 0; i < 3; ++i)
      if (vjp.needs(i)) vjp.set(i, gradient->getResult(i));
  }
  if (!getMask() || !vjp.needs(3)) return;
  // As large as the scores: a mask that learns is.
  Term ds = o.weightsAndScoreGradient(grad, getLogsumexp(), delta).second;
  SmallVector<int64_t> folded;
  for (auto [dim, extent] : llvm::enumerate(shapeOf(getMask())))
    if (extent == 1 && o.full[dim] != 1) folded.push_back(int64_t(dim));
  vjp.set(3, ds.sum(folded, /*keepdim=*/true).cast(elementOf(getMask())));
}

} // namespace sinter::ir
