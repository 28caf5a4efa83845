#include "sinter/frontend/detail/Emitter.h"

using namespace mlir;

namespace sinter {

using detail::Emitter;

template <class OpT> static Tensor reduce(Emitter &e, Value x, const Dims &dim, bool keepdim) {
  auto dims = e.dimsOf(dim, ir::tensorType(x).getRank());
  return e.tensor(e.make<OpT>(x, {e.ints("dim", dims), e.flag("keepdim", keepdim)}));
}

Tensor sum(const Tensor &x, Dims dim, bool keepdim, Where where) {
  Emitter e("sum", where, &x);
  Value value = e[x];
  if (!isa<FloatType>(ir::elementOf(value))) value = e.cast(value, i64);
  return reduce<ir::SumOp>(e, value, dim, keepdim);
}

Tensor mean(const Tensor &x, Dims dim, bool keepdim, Where where) {
  Emitter e("mean", where, &x);
  Value value = e[x];
  if (!isa<FloatType>(ir::elementOf(value)))
    e.fail("the mean of " + x.spec().text() + ": cast it to a floating type first");
  return reduce<ir::MeanOp>(e, value, dim, keepdim);
}

Tensor amax(const Tensor &x, Dims dim, bool keepdim, Where where) {
  Emitter e("amax", where, &x);
  return reduce<ir::MaxOp>(e, e[x], dim, keepdim);
}

Tensor amin(const Tensor &x, Dims dim, bool keepdim, Where where) {
  Emitter e("amin", where, &x);
  return reduce<ir::MinOp>(e, e[x], dim, keepdim);
}

Tensor argmax(const Tensor &x, std::optional<int64_t> dim, bool keepdim, Where where) {
  Emitter e("argmax", where, &x);
  return reduce<ir::ArgmaxOp>(e, e[x], dim ? Dims(*dim) : Dims(), keepdim);
}

// Each element of a result adds up its own: a long dimension in blocks, and what came before each block.
static Value cumulated(Emitter &e, Value x, int64_t dim) {
  constexpr int64_t block = 32;
  Shape shape(ir::shapeOf(x));
  int64_t size = shape[dim], blocks = (size + block - 1) / block;
  if (size <= 2 * block) return e.make<ir::CumsumOp>(x, e.integer("dim", dim));
  SmallVector<int64_t> none(shape.size(), 0), rest = none;
  rest[dim] = blocks * block - size;
  Value padded = x;
  if (rest[dim])
    padded =
        e.make<ir::PadOp>(x, {e.ints("high", rest), e.ints("interior", none), e.ints("low", none)});
  Shape split = shape;
  split[dim] = block;
  split.insert(split.begin() + dim, blocks);
  Value within = e.make<ir::CumsumOp>(e.reshape(padded, split), e.integer("dim", dim + 1));
  // The blocks' sums, up to the one before.
  SmallVector<int64_t> start(split.size(), 0), limit(split.begin(), split.end()),
      step(split.size(), 1);
  start[dim + 1] = block - 1;
  limit[dim] = blocks - 1;
  Value sums = e.make<ir::SliceOp>(
      within, {e.ints("limit", limit), e.ints("start", start), e.ints("step", step)});
  Shape summed = shape;
  summed[dim] = blocks - 1;
  Value before = cumulated(e, e.reshape(sums, summed), dim);
  SmallVector<int64_t> first = none;
  first[dim] = 1;
  before = e.make<ir::PadOp>(
      before, {e.ints("high", none), e.ints("interior", none), e.ints("low", first)});
  Shape column = split;
  column[dim + 1] = 1;
  Value total = e.make<ir::AddOp>({within, e.broadcast(e.reshape(before, column), split)});
  Shape whole = shape;
  whole[dim] = blocks * block;
  total = e.reshape(total, whole);
  if (!rest[dim]) return total;
  SmallVector<int64_t> end(shape.begin(), shape.end()), ones(shape.size(), 1);
  return e.make<ir::SliceOp>(total,
                             {e.ints("limit", end), e.ints("start", none), e.ints("step", ones)});
}

Tensor cumsum(const Tensor &x, int64_t dim, Where where) {
  Emitter e("cumsum", where, &x);
  Value value = e[x];
  if (!isa<FloatType>(ir::elementOf(value))) value = e.cast(value, i64);
  int64_t place = e.dimOf(dim, x.rank());
  if (x.rank() == 0) return e.tensor(value);
  DType dtype = detail::dtypeOf(ir::elementOf(value));
  // Rounded once.
  bool narrow = dtype == bf16 || dtype == f16;
  Value sums = cumulated(e, narrow ? e.cast(value, f32) : value, place);
  return e.tensor(e.cast(sums, dtype));
}

static Tensor ordered(Emitter &e, const Tensor &x, int64_t dim, bool descending) {
  return e.tensor(
      e.make<ir::ArgsortOp>(e[x], {e.flag("descending", descending), e.integer("dim", dim)}));
}

Tensor argsort(const Tensor &x, int64_t dim, bool descending, Where where) {
  Emitter e("argsort", where, &x);
  if (x.rank() == 0) return zeros({}, i64, where);
  return ordered(e, x, e.dimOf(dim, x.rank()), descending);
}

Sorted sort(const Tensor &x, int64_t dim, bool descending, Where where) {
  Emitter e("sort", where, &x);
  if (x.rank() == 0) return {x, zeros({}, i64, where)};
  int64_t place = e.dimOf(dim, x.rank());
  Tensor indices = ordered(e, x, place, descending);
  return {gather(x, place, indices, where), indices};
}

Sorted topk(const Tensor &x, int64_t k, int64_t dim, bool largest, Where where) {
  Emitter e("topk", where, &x);
  if (x.rank() == 0) return {x, zeros({}, i64, where)};
  int64_t place = e.dimOf(dim, x.rank());
  if (k < 0 || k > x.shape()[place])
    e.fail(fmt::format("k is {}, expected 0 to {}, the size of dimension {}", k, x.shape()[place],
                       place));
  Tensor indices = slice(ordered(e, x, place, largest), place, 0, k, 1, where);
  return {gather(x, place, indices, where), indices};
}

template <class OpT>
static Tensor along(const char *name, const Tensor &x, int64_t dim, Where where) {
  Emitter e(name, where, &x);
  Value value = e.floating(e[x]);
  return e.tensor(
      e.make<OpT>(value, e.integer("dim", e.dimOf(dim, ir::tensorType(value).getRank()))));
}

Tensor softmax(const Tensor &x, int64_t dim, Where where) {
  return along<ir::SoftmaxOp>("softmax", x, dim, where);
}
Tensor log_softmax(const Tensor &x, int64_t dim, Where where) {
  return along<ir::LogSoftmaxOp>("log_softmax", x, dim, where);
}

} // namespace sinter
