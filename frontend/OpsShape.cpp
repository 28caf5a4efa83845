#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

#include <numeric>

using namespace mlir;

namespace sinter {

using detail::Emitter;

Tensor reshape(const Tensor &x, Shape shape, Where where) {
  Emitter e("reshape", where, &x);
  int64_t known = 1, count = x.spec().numElements();
  int64_t *open = nullptr;
  std::string wanted = text(shape);
  for (int64_t &size : shape)
    if (size == -1 && !open)
      open = &size;
    else
      known *= size;
  if (open && known > 0) *open = count / known;
  if (TensorSpec{shape, x.dtype()}.numElements() != count ||
      llvm::any_of(shape, [](int64_t size) { return size < 0; }))
    e.fail(fmt::format("{} has {} elements, which do not make shape {}", x.spec().text(), count,
                       wanted));
  return e.tensor(e.reshape(e[x], shape));
}

Tensor flatten(const Tensor &x, int64_t start_dim, int64_t end_dim, Where where) {
  Emitter e("flatten", where, &x);
  int64_t rank = x.rank();
  int64_t start = e.dimOf(start_dim, rank), end = e.dimOf(end_dim, rank);
  if (start > end) e.fail(fmt::format("start_dim {} comes after end_dim {}", start_dim, end_dim));
  if (rank == 0) return e.tensor(e.reshape(e[x], {1}));
  const Shape &old = x.shape();
  Shape shape(old.begin(), old.begin() + start);
  shape.push_back(
      std::accumulate(old.begin() + start, old.begin() + end + 1, int64_t(1), std::multiplies<>()));
  shape.insert(shape.end(), old.begin() + end + 1, old.end());
  return e.tensor(e.reshape(e[x], shape));
}

Tensor squeeze(const Tensor &x, Dims dim, Where where) {
  Emitter e("squeeze", where, &x);
  auto dims = e.dimsOf(dim, x.rank());
  Shape shape;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (x.shape()[i] != 1 || !llvm::is_contained(dims, i)) shape.push_back(x.shape()[i]);
  return e.tensor(e.reshape(e[x], shape));
}

Tensor unsqueeze(const Tensor &x, int64_t dim, Where where) {
  Emitter e("unsqueeze", where, &x);
  Shape shape = x.shape();
  shape.insert(shape.begin() + e.dimOf(dim, x.rank() + 1), 1);
  return e.tensor(e.reshape(e[x], shape));
}

Tensor permute(const Tensor &x, Dims dims, Where where) {
  Emitter e("permute", where, &x);
  SmallVector<int64_t> permutation;
  for (int64_t dim : dims.values) permutation.push_back(e.dimOf(dim, x.rank()));
  auto sorted = permutation;
  llvm::sort(sorted);
  for (int64_t i = 0; i < x.rank(); ++i)
    if (sorted.size() != static_cast<size_t>(x.rank()) || sorted[i] != i)
      e.fail(fmt::format("{} is no order of the {} dimensions", text(dims.values), x.rank()));
  return e.tensor(e.transpose(e[x], permutation));
}

Tensor transpose(const Tensor &x, int64_t dim0, int64_t dim1, Where where) {
  Emitter e("transpose", where, &x);
  SmallVector<int64_t> permutation(x.rank());
  std::iota(permutation.begin(), permutation.end(), 0);
  if (x.rank())
    std::swap(permutation[e.dimOf(dim0, x.rank())], permutation[e.dimOf(dim1, x.rank())]);
  return e.tensor(e.transpose(e[x], permutation));
}

Tensor t(const Tensor &x, Where where) {
  if (x && x.rank() > 2)
    throw UserError(fmt::format("t: {} has more than two dimensions", x.spec().text()), where);
  return x && x.rank() < 2 ? x : transpose(x, 0, 1, where);
}

Tensor broadcast_to(const Tensor &x, Shape shape, Where where) {
  Emitter e("broadcast_to", where, &x);
  size_t missing = shape.size() - x.shape().size();
  bool fits = shape.size() >= x.shape().size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    int64_t old = i < missing ? 1 : x.shape()[i - missing];
    if (shape[i] == -1 && i >= missing) shape[i] = old;
    fits = shape[i] >= 0 && (old == 1 || old == shape[i]);
  }
  if (!fits) e.fail(fmt::format("{} does not broadcast to {}", x.spec().text(), text(shape)));
  return e.tensor(e.broadcast(e[x], shape));
}

static SmallVector<Arg, 4> argsOf(const std::vector<Tensor> &tensors, Where where) {
  SmallVector<Arg, 4> args;
  for (const Tensor &tensor : tensors) args.emplace_back(tensor, where);
  return args;
}

static Tensor concatenate(const char *name, const std::vector<Tensor> &tensors, int64_t dim,
                          bool isNew, Where where) {
  if (tensors.empty()) throw UserError(fmt::format("{}: no tensors", name), where);
  SmallVector<const Tensor *> pointers;
  for (const Tensor &tensor : tensors) pointers.push_back(&tensor);
  Emitter e(name, where, pointers);
  auto args = argsOf(tensors, where);
  SmallVector<const Arg *> argPointers;
  for (const Arg &arg : args) argPointers.push_back(&arg);
  DType dtype = Emitter::promote(argPointers);
  int64_t rank = tensors[0].rank() + (isNew ? 1 : 0);
  if (rank == 0) e.fail("scalars cannot be concatenated: stack them");
  int64_t place = e.dimOf(dim, rank);
  SmallVector<Value> values;
  for (const Tensor &tensor : tensors) {
    Value value = e.cast(e[tensor], dtype);
    if (isNew) {
      if (tensor.shape() != tensors[0].shape())
        e.fail(
            fmt::format("shapes {} and {} differ", text(tensors[0].shape()), text(tensor.shape())));
      Shape shape = tensor.shape();
      shape.insert(shape.begin() + place, 1);
      value = e.reshape(value, shape);
    }
    values.push_back(value);
  }
  if (values.size() == 1) return e.tensor(values[0]);
  return e.tensor(e.make<ir::ConcatOp>(values, e.integer("dim", place)));
}

Tensor cat(const std::vector<Tensor> &tensors, int64_t dim, Where where) {
  return concatenate("cat", tensors, dim, false, where);
}
Tensor stack(const std::vector<Tensor> &tensors, int64_t dim, Where where) {
  return concatenate("stack", tensors, dim, true, where);
}

static Value sliced(Emitter &e, Value x, int64_t dim, int64_t start, int64_t limit, int64_t step) {
  ArrayRef<int64_t> shape = ir::shapeOf(x);
  SmallVector<int64_t> starts(shape.size(), 0), limits(shape), steps(shape.size(), 1);
  starts[dim] = start, limits[dim] = limit, steps[dim] = step;
  return e.make<ir::SliceOp>(
      x, {e.ints("limit", limits), e.ints("start", starts), e.ints("step", steps)});
}

Tensor slice(const Tensor &x, int64_t dim, int64_t start, std::optional<int64_t> end, int64_t step,
             Where where) {
  Emitter e("slice", where, &x);
  if (x.rank() == 0) e.fail("a scalar has no dimensions");
  if (step < 1) e.fail(fmt::format("step {} is not positive", step));
  int64_t place = e.dimOf(dim, x.rank()), size = x.shape()[place];
  auto clampTo = [size](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
  };
  int64_t from = clampTo(start), limit = std::max(from, end ? clampTo(*end) : size);
  return e.tensor(sliced(e, e[x], place, from, limit, step));
}

Tensor narrow(const Tensor &x, int64_t dim, int64_t start, int64_t length, Where where) {
  Emitter e("narrow", where, &x);
  if (x.rank() == 0) e.fail("a scalar has no dimensions");
  int64_t place = e.dimOf(dim, x.rank()), size = x.shape()[place];
  int64_t from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from + length > size)
    e.fail(fmt::format("[{}, {}) lies outside dimension {} of {}", from, from + length, place,
                       x.spec().text()));
  return e.tensor(sliced(e, e[x], place, from, from + length, 1));
}

Tensor select(const Tensor &x, int64_t dim, int64_t index, Where where) {
  Emitter e("select", where, &x);
  if (x.rank() == 0) e.fail("a scalar has no dimensions");
  int64_t place = e.dimOf(dim, x.rank()), size = x.shape()[place];
  int64_t at = index < 0 ? index + size : index;
  if (at < 0 || at >= size)
    e.fail(fmt::format("index {} lies outside dimension {} of {}", index, place, x.spec().text()));
  Shape shape = x.shape();
  shape.erase(shape.begin() + place);
  return e.tensor(e.reshape(sliced(e, e[x], place, at, at + 1, 1), shape));
}

Tensor pad(const Tensor &x, std::vector<int64_t> amounts, double value, Where where) {
  Emitter e("pad", where, &x);
  int64_t rank = x.rank();
  if (amounts.size() % 2 || static_cast<int64_t>(amounts.size()) > 2 * rank)
    e.fail(
        fmt::format("{} amounts for a tensor of rank {}: two for each padded dimension, last first",
                    amounts.size(), rank));
  SmallVector<int64_t> low(rank, 0), high(rank, 0), interior(rank, 0);
  for (size_t i = 0; i < amounts.size() / 2; ++i) {
    low[rank - 1 - i] = amounts[2 * i];
    high[rank - 1 - i] = amounts[2 * i + 1];
  }
  Value padded = e[x];
  for (int64_t i = 0; i < rank; ++i) { // negative amounts crop
    int64_t cropLow = std::max<int64_t>(-low[i], 0), cropHigh = std::max<int64_t>(-high[i], 0);
    if (cropLow + cropHigh > x.shape()[i])
      e.fail(fmt::format("crops {} of the {} elements of dimension {}", cropLow + cropHigh,
                         x.shape()[i], i));
    if (cropLow || cropHigh) padded = sliced(e, padded, i, cropLow, x.shape()[i] - cropHigh, 1);
    low[i] = std::max<int64_t>(low[i], 0), high[i] = std::max<int64_t>(high[i], 0);
  }
  return e.tensor(e.make<ir::PadOp>(padded, {e.ints("high", high), e.ints("interior", interior),
                                             e.ints("low", low), e.number("value", value)}));
}

} // namespace sinter
