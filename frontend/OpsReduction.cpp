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
