#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

using detail::Emitter;

static const char *nameOf(Reduction reduction) {
  return reduction == Reduction::none ? "none" : reduction == Reduction::mean ? "mean" : "sum";
}

/// PyTorch promotes a float and a double operand; weights of a norm follow its input.
static DType floatingType(std::initializer_list<const Tensor *> tensors, Where where) {
  SmallVector<Arg, 4> args;
  SmallVector<const Arg *, 4> pointers;
  for (const Tensor *tensor : tensors) args.emplace_back(*tensor, where);
  for (const Arg &arg : args) pointers.push_back(&arg);
  DType dtype = Emitter::promote(pointers);
  return runtime::isFloat(dtype) ? dtype : f32;
}

/// With a probability for each class.
static Tensor softCrossEntropy(const Tensor &logits, const Tensor &target,
                               const CrossEntropyOptions &options, Where where) {
  Tensor expected = target;
  double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1))
    throw UserError("cross_entropy: label_smoothing must be between 0 and 1", where);
  if (smoothing > 0) {
    double share = smoothing / static_cast<double>(target.shape()[1]);
    expected =
        add(Arg(mul(Arg(target, where), Arg(1 - smoothing, where)), where), Arg(share, where));
  }
  Tensor product = mul(Arg(log_softmax(logits, 1, where), where), Arg(expected, where));
  Tensor losses = neg(sum(product, 1, false, where), where);
  if (options.reduction == Reduction::none) return losses;
  return options.reduction == Reduction::mean ? mean(losses, {}, false, where)
                                              : sum(losses, {}, false, where);
}

Tensor class_weights(const Tensor &target, const CrossEntropyOptions &options, Where where) {
  detail::PinnedPlace pinned(where);
  auto classes = static_cast<int64_t>(options.weight.size());
  Tensor table = constant(Array(options.weight, {classes, 1}).to(f32), where);
  Tensor counts = ne(target, options.ignore_index);
  Tensor share = embedding(sinter::where(counts, target, 0), table, {}, where);
  return sinter::where(counts, reshape(share, target.shape(), where), 0.0);
}

static Tensor weightedCrossEntropy(const Emitter &e, const Tensor &logits, const Tensor &target,
                                   const CrossEntropyOptions &options, Where where) {
  auto classes = static_cast<int64_t>(options.weight.size());
  if (logits.rank() < 2 || logits.shape()[1] != classes)
    e.fail(fmt::format("weight has {} values, logits {} have {} classes", classes,
                       logits.spec().text(), logits.rank() < 2 ? 0 : logits.shape()[1]));
  detail::PinnedPlace pinned(where);
  Tensor each = cross_entropy(
      logits, target, {.reduction = Reduction::none, .ignore_index = options.ignore_index}, where);
  Tensor share = to(class_weights(target, options, where), each.dtype());
  each = each * share;
  if (options.label_smoothing != 0) {
    Shape aligned(static_cast<size_t>(logits.rank()), 1);
    aligned[1] = classes;
    Tensor table = constant(Array(options.weight, aligned).to(each.dtype()), where);
    Tensor smooth = sum(log_softmax(to(logits, each.dtype()), 1) * table, 1);
    smooth = sinter::where(ne(target, options.ignore_index), smooth, 0.0);
    each = each * (1 - options.label_smoothing) -
           smooth * (options.label_smoothing / static_cast<double>(classes));
  }
  if (options.reduction == Reduction::none) return each;
  Tensor total = sum(each);
  return options.reduction == Reduction::mean ? total / sum(share) : total;
}

Tensor cross_entropy(const Tensor &logits, const Tensor &target, CrossEntropyOptions options,
                     Where where) {
  Emitter e("cross_entropy", where, {&logits, &target});
  Value classes = e[target], input = e.floating(e[logits]);
  if (!options.from_logits) {
    auto softmax = input.getDefiningOp<ir::SoftmaxOp>();
    if (softmax && softmax.getDim() == 1)
      input = softmax.getX();
    else
      input = e.make<ir::LogOp>(
          e.make<ir::ClampOp>(input, {e.number("max", 1 - 1e-7), e.number("min", 1e-7)}));
  }
  if (runtime::isFloat(target.dtype()) && target.rank() > 1 && target.shape() == logits.shape()) {
    if (!options.weight.empty()) e.fail("weight goes with class indices, not with probabilities");
    return softCrossEntropy(e.tensor(input), target, options, where);
  }
  if (runtime::isFloat(target.dtype()) || target.dtype() == i1)
    e.fail(fmt::format("target is {}, expected class indices (integers) or probabilities {}",
                       target.spec().text(), text(logits.shape())));
  if (!options.weight.empty())
    return weightedCrossEntropy(e, e.tensor(input), target, options, where);
  return e.tensor(e.make<ir::CrossEntropyOp>({input, classes},
                                             {e.integer("ignore_index", options.ignore_index),
                                              e.number("label_smoothing", options.label_smoothing),
                                              e.word("reduction", nameOf(options.reduction))}));
}

template <class OpT> static Tensor pairLoss(const char *name, const Tensor &input,
                                            const Tensor &target, const LossOptions &options,
                                            Where where) {
  Emitter e(name, where, {&input, &target});
  if (input.shape() != target.shape())
    e.fail(fmt::format("input {} and target {} differ in shape", text(input.shape()),
                       text(target.shape())));
  DType dtype = floatingType({&input, &target}, where);
  return e.tensor(e.make<OpT>({e.cast(e[input], dtype), e.cast(e[target], dtype)},
                              e.word("reduction", nameOf(options.reduction))));
}

Tensor mse_loss(const Tensor &input, const Tensor &target, LossOptions options, Where where) {
  return pairLoss<ir::MseLossOp>("mse_loss", input, target, options, where);
}
Tensor l1_loss(const Tensor &input, const Tensor &target, LossOptions options, Where where) {
  return pairLoss<ir::L1LossOp>("l1_loss", input, target, options, where);
}
Tensor bce_with_logits(const Tensor &input, const Tensor &target, LossOptions options,
                       Where where) {
  return pairLoss<ir::BceWithLogitsOp>("bce_with_logits", input, target, options, where);
}

Tensor binary_cross_entropy(const Tensor &input, const Tensor &target, LossOptions options,
                            Where where) {
  Emitter e("binary_cross_entropy", where, {&input, &target});
  if (auto sigmoid = e[input].getDefiningOp<ir::SigmoidOp>())
    return pairLoss<ir::BceWithLogitsOp>("binary_cross_entropy", e.tensor(sigmoid.getX()), target,
                                         options, where);
  return pairLoss<ir::BinaryCrossEntropyOp>("binary_cross_entropy", input, target, options, where);
}

Tensor rms_norm(const Tensor &x, const Tensor &weight, RmsNormOptions options, Where where) {
  Emitter e("rms_norm", where, {&x, &weight});
  if (!options.eps) e.fail("eps must be given");
  return e.tensor(
      e.make<ir::RmsNormOp>({e.floating(e[x]), e[weight]}, e.number("eps", *options.eps)));
}

Tensor group_norm(const Tensor &x, int64_t num_groups, const Tensor &weight, const Tensor &bias,
                  NormOptions options, Where where) {
  Emitter e("group_norm", where, {&x, &weight, &bias});
  return e.tensor(
      e.make<ir::GroupNormOp>({e.floating(e[x]), e[weight], e[bias]},
                              {e.number("eps", options.eps), e.integer("num_groups", num_groups)}));
}

Tensor layer_norm(const Tensor &x, const Tensor &weight, const Tensor &bias, NormOptions options,
                  Where where) {
  Emitter e("layer_norm", where, {&x, &weight, &bias});
  return e.tensor(e.make<ir::LayerNormOp>({e.floating(e[x]), e[weight], e[bias]},
                                          e.number("eps", options.eps)));
}

BatchNorm batch_norm(const Tensor &x, const Tensor &weight, const Tensor &bias, NormOptions options,
                     Where where) {
  Emitter e("batch_norm", where, {&x, &weight, &bias});
  Operation *op = e.makeOp(ir::BatchNormOp::getOperationName(),
                           {e.floating(e[x]), e[weight], e[bias]}, e.number("eps", options.eps));
  return {e.tensor(op->getResult(0)), e.tensor(op->getResult(1)), e.tensor(op->getResult(2))};
}

Tensor batch_norm(const Tensor &x, const Tensor &running_mean, const Tensor &running_var,
                  const Tensor &weight, const Tensor &bias, NormOptions options, Where where) {
  Emitter e("batch_norm", where, {&x, &running_mean, &running_var, &weight, &bias});
  return e.tensor(e.make<ir::BatchNormInferenceOp>(
      {e.floating(e[x]), e[weight], e[bias], e[running_mean], e[running_var]},
      e.number("eps", options.eps)));
}

Tensor embedding(const Tensor &indices, const Tensor &weight, EmbeddingOptions options,
                 Where where) {
  Emitter e("embedding", where, {&indices, &weight});
  SmallVector<NamedAttribute> attributes;
  if (options.padding_idx) {
    int64_t row = *options.padding_idx;
    if (row < 0 && weight.rank() == 2) row += weight.shape()[0];
    attributes.push_back(e.integer("padding_idx", row));
  }
  return e.tensor(e.make<ir::EmbeddingOp>({e[weight], e[indices]}, attributes));
}

Tensor gather(const Tensor &x, int64_t dim, const Tensor &index, Where where) {
  Emitter e("gather", where, {&x, &index});
  return e.tensor(e.make<ir::GatherOp>({e[x], e[index]}, e.integer("dim", e.dimOf(dim, x.rank()))));
}

Tensor scatter_add(const Tensor &x, int64_t dim, const Tensor &index, const Tensor &src,
                   Where where) {
  Emitter e("scatter_add", where, {&x, &index, &src});
  return e.tensor(
      e.make<ir::ScatterAddOp>({e[x], e[index], e[src]}, e.integer("dim", e.dimOf(dim, x.rank()))));
}

/// Starts as 64-bit scalars.
static SmallVector<Value> startsOf(Emitter &e, const std::vector<Tensor> &start) {
  SmallVector<Value> values;
  for (const Tensor &each : start) {
    if (runtime::isFloat(each.dtype()) || each.dtype() == i1)
      e.fail(fmt::format("a start is {}, expected an integer", each.spec().text()));
    values.push_back(e.cast(e[each], i64));
  }
  return values;
}

Tensor dynamic_slice(const Tensor &x, const std::vector<Tensor> &start, Shape size, Where where) {
  SmallVector<const Tensor *> tensors{&x};
  for (const Tensor &each : start) tensors.push_back(&each);
  Emitter e("dynamic_slice", where, tensors);
  SmallVector<Value> operands{e[x]};
  llvm::append_range(operands, startsOf(e, start));
  return e.tensor(e.make<ir::DynamicSliceOp>(operands, e.ints("size", size)));
}

Tensor dynamic_update_slice(const Tensor &x, const Tensor &update, const std::vector<Tensor> &start,
                            Where where) {
  SmallVector<const Tensor *> tensors{&x, &update};
  for (const Tensor &each : start) tensors.push_back(&each);
  Emitter e("dynamic_update_slice", where, tensors);
  SmallVector<Value> operands{e[x], e.cast(e[update], x.dtype())};
  llvm::append_range(operands, startsOf(e, start));
  return e.tensor(e.make<ir::DynamicUpdateSliceOp>(operands));
}

Tensor one_hot(const Tensor &indices, int64_t num_classes, DType dtype, Where where) {
  Emitter e("one_hot", where, &indices);
  if (num_classes < 1) e.fail(fmt::format("num_classes is {}", num_classes));
  Shape shape = indices.shape();
  shape.push_back(num_classes);
  return e.tensor(e.make<ir::OneHotOp>(e[indices], {}, detail::typeOf({shape, dtype})));
}

void print(const Tensor &x, const std::string &label, Where where) {
  Emitter e("print", where, &x);
  StringRef file = where.file_name();
  std::string place = fmt::format("{}:{}", file.substr(file.rfind('/') + 1).str(), where.line());
  e.inTrace().watch(e[x], label.empty() ? place : fmt::format("{}: {}", place, label));
}

Tensor constant(const Array &value, Where where) {
  Emitter e("constant", where, {});
  auto type = detail::typeOf(value.spec());
  DenseElementsAttr elements;
  if (value.dtype() == i1) { // whose dense form is made of bits
    SmallVector<bool> bits;
    for (uint8_t byte : value.bytes()) bits.push_back(byte != 0);
    elements = DenseElementsAttr::get(type, bits);
  } else {
    auto bytes = value.bytes();
    elements = DenseElementsAttr::getFromRawBuffer(
        type, ArrayRef<char>(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
  }
  return e.tensor(e.make<ir::ConstantOp>({}, e.attribute("value", elements), type));
}

Tensor full(Shape shape, double value, DType dtype, Where where) {
  Emitter e("full", where, {});
  return e.tensor(e.splat({std::move(shape), dtype}, value));
}
Tensor zeros(Shape shape, DType dtype, Where where) {
  return full(std::move(shape), 0, dtype, where);
}
Tensor ones(Shape shape, DType dtype, Where where) {
  return full(std::move(shape), 1, dtype, where);
}

Tensor arange(int64_t end, DType dtype, Where where) {
  Emitter e("arange", where, {});
  if (end < 0 || dtype == i1)
    e.fail(fmt::format("{} numbers of type {}", end, runtime::name(dtype)));
  return e.tensor(e.make<ir::IotaOp>({}, e.integer("dim", 0), detail::typeOf({{end}, dtype})));
}

template <class OpT> static Tensor draw(const char *name, Shape shape, DType dtype,
                                        std::optional<double> p, Where where) {
  Emitter e(name, where, {});
  if (!runtime::isFloat(dtype))
    e.fail(fmt::format("{} is not a floating type", runtime::name(dtype)));
  if (p && !(*p >= 0 && *p <= 1)) e.fail(fmt::format("p is {}, expected a probability", *p));
  SmallVector<NamedAttribute> attributes;
  if (p) attributes.push_back(e.number("p", *p));
  attributes.push_back(e.integer("stream", e.inTrace().newStream(where)));
  return e.tensor(e.make<OpT>({e.inTrace().seed(), e.inTrace().randomStep()}, attributes,
                              detail::typeOf({std::move(shape), dtype})));
}

Tensor rand(Shape shape, DType dtype, Where where) {
  return draw<ir::RandomUniformOp>("rand", std::move(shape), dtype, {}, where);
}
Tensor randn(Shape shape, DType dtype, Where where) {
  return draw<ir::RandomNormalOp>("randn", std::move(shape), dtype, {}, where);
}
Tensor bernoulli(Shape shape, double p, DType dtype, Where where) {
  return draw<ir::RandomBernoulliOp>("bernoulli", std::move(shape), dtype, p, where);
}

Tensor dropout(const Tensor &x, DropoutOptions options, Where where) {
  Emitter e("dropout", where, &x);
  if (!(options.p >= 0 && options.p <= 1))
    e.fail(fmt::format("p is {}, expected a probability", options.p));
  Value value = e.floating(e[x]);
  if (!options.training || options.p == 0) return e.tensor(value);
  if (options.p == 1)
    return e.tensor(e.make<ir::MulOp>({value, e.splat(detail::specOf(value.getType()), 0)}));
  return e.tensor(e.make<ir::DropoutOp>(
      {value, e.inTrace().seed(), e.inTrace().randomStep()},
      {e.number("p", options.p), e.integer("stream", e.inTrace().newStream(where))}));
}

} // namespace sinter
