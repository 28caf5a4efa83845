#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

using detail::Emitter;

static DType floatingType(ArrayRef<const Arg *> arguments) {
  DType dtype = Emitter::promote(arguments);
  return runtime::isFloat(dtype) ? dtype : f32;
}

Tensor matmul(const Tensor &a, const Tensor &b, Where where) {
  Emitter e("matmul", where, {&a, &b});
  if (a.rank() == 0 || b.rank() == 0)
    e.fail(fmt::format("{} and {}: a scalar has no product of matrices", a.spec().text(),
                       b.spec().text()));
  Arg left(a, where), right(b, where);
  DType dtype = floatingType({&left, &right});
  Value lhs = e.cast(e[a], dtype), rhs = e.cast(e[b], dtype);
  Shape ls = a.shape(), rs = b.shape();
  bool vectorLeft = ls.size() == 1, vectorRight = rs.size() == 1;
  if (vectorLeft) ls.insert(ls.begin(), 1);
  if (vectorRight) rs.push_back(1);
  if (ls.back() != rs[rs.size() - 2])
    e.fail(fmt::format("{} and {}: inner sizes {} and {} differ", a.spec().text(), b.spec().text(),
                       ls.back(), rs[rs.size() - 2]));
  Value product;
  if (rs.size() == 2 && ls.size() > 2) { // rows of all batches in one matrix
    Shape rows{TensorSpec{Shape(ls.begin(), ls.end() - 1), f32}.numElements(), ls.back()};
    product = e.make<ir::MatmulOp>({e.reshape(lhs, rows), e.reshape(rhs, rs)});
  } else {
    Shape batch = e.commonShape({Shape(ls.begin(), ls.end() - 2), Shape(rs.begin(), rs.end() - 2)});
    auto batched = [&](Value value, const Shape &shape) {
      Shape full = batch;
      full.insert(full.end(), shape.end() - 2, shape.end());
      return e.broadcast(e.reshape(value, shape), full);
    };
    product = e.make<ir::MatmulOp>({batched(lhs, ls), batched(rhs, rs)});
    int64_t height = ls.end()[-2];
    ls = batch;
    ls.insert(ls.end(), {height, rs[rs.size() - 2]});
  }
  Shape shape(ls.begin(), ls.end() - 1);
  if (vectorLeft) shape.pop_back();
  if (!vectorRight) shape.push_back(rs.back());
  return e.tensor(e.reshape(product, shape));
}

static Value withBias(Emitter &e, Value x, const Tensor &bias, int64_t dim) {
  ArrayRef<int64_t> shape = ir::shapeOf(x);
  Value value = e.cast(e[bias], detail::dtypeOf(ir::elementOf(x)));
  if (bias.rank() != 1 || bias.shape()[0] != shape[dim])
    e.fail(fmt::format("{} is {}, expected [{}]", ir::describe("bias", value), text(bias.shape()),
                       shape[dim]));
  SmallVector<int64_t> aligned(shape.size() - dim, 1);
  aligned[0] = shape[dim];
  return e.make<ir::AddOp>({x, e.broadcast(e.reshape(value, aligned), shape)});
}

Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias, Where where) {
  Emitter e("linear", where, {&x, &weight, bias ? &bias : &weight});
  if (weight.rank() != 2)
    e.fail(ir::describe("weight", e[weight]) + " is " + text(weight.shape()) +
           ", expected [out, in]");
  if (x.rank() == 0 || x.shape().back() != weight.shape()[1])
    e.fail(fmt::format("input {} has {} features, {} expects {}", x.spec().text(),
                       x.rank() ? x.shape().back() : 0, ir::describe("weight", e[weight]),
                       weight.shape()[1]));
  Arg first(x, where), second(weight, where);
  DType dtype = floatingType({&first, &second});
  Shape shape = x.shape();
  int64_t features = shape.back();
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  Value product = e.make<ir::MatmulOp>(
      {e.reshape(e.cast(e[x], dtype), {rows, features}), e.cast(e[weight], dtype)},
      e.flag("transpose_b", true));
  if (bias) product = withBias(e, product, bias, 1);
  shape.back() = weight.shape()[0];
  return e.tensor(e.reshape(product, shape));
}

static Tensor convolve(const Tensor &x, const Tensor &weight, const Tensor *bias,
                       const Conv2dOptions &options, Where where) {
  Emitter e("conv2d", where, {&x, &weight, bias ? bias : &weight});
  Arg first(x, where), second(weight, where);
  DType dtype = floatingType({&first, &second});
  auto pair = [&](const char *name, Size2 size) { return e.ints(name, {size.height, size.width}); };
  // The weight itself is the operand where it can be: messages then know its name.
  Value result =
      e.make<ir::Conv2dOp>({e.cast(e[x], dtype), e.cast(e[weight], dtype)},
                           {pair("dilation", options.dilation), e.integer("groups", options.groups),
                            pair("padding", options.padding), pair("stride", options.stride)});
  if (bias) result = withBias(e, result, *bias, 1);
  return e.tensor(result);
}

Tensor conv2d(const Tensor &x, const Tensor &weight, Conv2dOptions options, Where where) {
  return convolve(x, weight, nullptr, options, where);
}
Tensor conv2d(const Tensor &x, const Tensor &weight, const Tensor &bias, Conv2dOptions options,
              Where where) {
  return convolve(x, weight, bias ? &bias : nullptr, options, where);
}

static NamedAttribute pairOf(Emitter &e, const char *name, Size2 size) {
  return e.ints(name, {size.height, size.width});
}

Tensor conv1d(const Tensor &x, const Tensor &weight, const Tensor &bias, Conv1dOptions options,
              Where where) {
  Emitter e("conv1d", where, {&x, &weight, bias ? &bias : &weight});
  if (x.rank() != 3 || weight.rank() != 3)
    e.fail(fmt::format("input {} and {} {}, expected [N, C, L] and [O, C/groups, K]",
                       text(x.shape()), ir::describe("weight", e[weight]), text(weight.shape())));
  Arg first(x, where), second(weight, where);
  DType dtype = floatingType({&first, &second});
  if (options.groups >= 1 && x.shape()[1] != weight.shape()[1] * options.groups)
    e.fail(fmt::format("input has {} channels, {} expects {}", x.shape()[1],
                       ir::describe("weight", e[weight]), weight.shape()[1] * options.groups));
  // A picture of one line.
  auto line = [&](const Tensor &tensor) {
    Shape shape = tensor.shape();
    shape.insert(shape.end() - 1, 1);
    return e.reshape(e.cast(e[tensor], dtype), shape);
  };
  Value result = e.make<ir::Conv2dOp>(
      {line(x), line(weight)},
      {pairOf(e, "dilation", {1, options.dilation}), e.integer("groups", options.groups),
       pairOf(e, "padding", {0, options.padding}), pairOf(e, "stride", {1, options.stride})});
  if (bias) result = withBias(e, result, bias, 1);
  ArrayRef<int64_t> shape = ir::shapeOf(result);
  return e.tensor(e.reshape(result, {shape[0], shape[1], shape[3]}));
}

Tensor conv_transpose2d(const Tensor &x, const Tensor &weight, const Tensor &bias,
                        ConvTranspose2dOptions options, Where where) {
  Emitter e("conv_transpose2d", where, {&x, &weight, bias ? &bias : &weight});
  std::string name = ir::describe("weight", e[weight]);
  if (x.rank() != 4 || weight.rank() != 4)
    e.fail(fmt::format("input {} and {} {}, expected [N, C, H, W] and [C, O/groups, R, S]",
                       text(x.shape()), name, text(weight.shape())));
  if (x.shape()[1] != weight.shape()[0])
    e.fail(
        fmt::format("input has {} channels, {} expects {}", x.shape()[1], name, weight.shape()[0]));
  Arg first(x, where), second(weight, where);
  DType dtype = floatingType({&first, &second});
  auto extent = [&](int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t extra,
                    int64_t dilation) {
    if (extra < 0 || extra >= std::max<int64_t>(stride, 1))
      e.fail(fmt::format("output_padding {} is not less than the stride {}", extra, stride));
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
  };
  const auto &[stride, padding, extra, groups, dilation] = options;
  Shape shape{x.shape()[0], weight.shape()[1] * groups,
              extent(x.shape()[2], weight.shape()[2], stride.height, padding.height, extra.height,
                     dilation.height),
              extent(x.shape()[3], weight.shape()[3], stride.width, padding.width, extra.width,
                     dilation.width)};
  if (shape[2] < 1 || shape[3] < 1)
    e.fail(fmt::format("input {} has no room for padding {} x {}", text(x.shape()), padding.height,
                       padding.width));
  // The gradient of the convolution that has this weight and would make x.
  Value result =
      e.make<ir::Conv2dInputGradOp>({e.cast(e[x], dtype), e.cast(e[weight], dtype)},
                                    {pairOf(e, "dilation", dilation), e.integer("groups", groups),
                                     pairOf(e, "padding", padding), pairOf(e, "stride", stride)},
                                    detail::typeOf({shape, dtype}));
  if (bias) result = withBias(e, result, bias, 1);
  return e.tensor(result);
}

template <class Options>
static SmallVector<NamedAttribute> poolAttributes(Emitter &e, const Options &options) {
  Size2 stride = options.stride.value_or(options.kernel_size);
  return {e.flag("ceil_mode", options.ceil_mode),
          e.ints("kernel_size", {options.kernel_size.height, options.kernel_size.width}),
          e.ints("padding", {options.padding.height, options.padding.width}),
          e.ints("stride", {stride.height, stride.width})};
}

Tensor max_pool2d(const Tensor &x, MaxPool2dOptions options, Where where) {
  Emitter e("max_pool2d", where, &x);
  return e.tensor(e.make<ir::MaxPool2dOp>(e[x], poolAttributes(e, options)));
}

Tensor avg_pool2d(const Tensor &x, AvgPool2dOptions options, Where where) {
  Emitter e("avg_pool2d", where, &x);
  auto attributes = poolAttributes(e, options);
  attributes.push_back(e.flag("count_include_pad", options.count_include_pad));
  return e.tensor(e.make<ir::AvgPool2dOp>(e[x], attributes));
}

/// PyTorch's windows of `out` results over `size` elements: from floor(i size / out) to
/// ceil((i + 1) size / out). Pools those of dimension `dim` one by one; `pool` takes a piece and the size of
/// its window.
template <class Pool>
static Tensor pooledAlong(const Tensor &x, int64_t dim, int64_t out, Where where, Pool pool) {
  int64_t size = x.shape()[dim];
  if (size % out == 0) return pool(x, size / out);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < out; ++i) {
    int64_t start = i * size / out, end = ((i + 1) * size + out - 1) / out;
    parts.push_back(pool(narrow(x, dim, start, end - start, where), end - start));
  }
  return cat(parts, dim, where);
}

static void checkAdaptive(const char *name, const Tensor &x, Size2 size, Where where) {
  Emitter e(name, where, &x);
  if (x.rank() != 4) e.fail(fmt::format("{} is not [N, C, H, W]", x.spec().text()));
  if (size.height < 1 || size.width < 1 || x.shape()[2] < 1 || x.shape()[3] < 1)
    e.fail(fmt::format("{} x {} results of {}", size.height, size.width, text(x.shape())));
}

Tensor adaptive_avg_pool2d(const Tensor &x, Size2 output_size, Where where) {
  checkAdaptive("adaptive_avg_pool2d", x, output_size, where);
  int64_t height = x.shape()[2], width = x.shape()[3];
  if (height % output_size.height == 0 && width % output_size.width == 0)
    return avg_pool2d(
        x, {.kernel_size = Size2(height / output_size.height, width / output_size.width)}, where);
  Tensor columns = pooledAlong(x, 3, output_size.width, where, [&](const Tensor &part, int64_t k) {
    return avg_pool2d(part, {.kernel_size = Size2(1, k)}, where);
  });
  return pooledAlong(columns, 2, output_size.height, where, [&](const Tensor &part, int64_t k) {
    return avg_pool2d(part, {.kernel_size = Size2(k, 1)}, where);
  });
}

// Columns first: the first of equal elements in the order of rows then wins, as in one window.
Tensor adaptive_max_pool2d(const Tensor &x, Size2 output_size, Where where) {
  checkAdaptive("adaptive_max_pool2d", x, output_size, where);
  int64_t height = x.shape()[2], width = x.shape()[3];
  int64_t rows = height / output_size.height, columns = width / output_size.width;
  if (height % output_size.height == 0 && width % output_size.width == 0 && rows * columns <= 255)
    return max_pool2d(x, {.kernel_size = Size2(rows, columns)}, where);
  Tensor narrowed = pooledAlong(x, 3, output_size.width, where, [&](const Tensor &part, int64_t k) {
    return max_pool2d(part, {.kernel_size = Size2(1, k)}, where);
  });
  return pooledAlong(narrowed, 2, output_size.height, where, [&](const Tensor &part, int64_t k) {
    return max_pool2d(part, {.kernel_size = Size2(k, 1)}, where);
  });
}

Tensor global_avg_pool2d(const Tensor &x, Where where) {
  if (x && x.rank() != 4)
    throw UserError(fmt::format("global_avg_pool2d: {} is not [N, C, H, W]", x.spec().text()),
                    where);
  return mean(x, {2, 3}, false, where);
}

} // namespace sinter
