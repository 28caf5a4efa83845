#include "sinter/frontend/detail/Emitter.h"

#include "sinter/frontend/Precision.h"
#include "sinter/passes/MixedPrecision.h"

#include "mlir/IR/Verifier.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

Emitter::Emitter(const char *name, Where where, ArrayRef<const Tensor *> tensors)
    : name(name), where(PinnedPlace::orElse(where)), b(&context()),
      loc(locationOf(this->where, modulePath())) {
  enter(tensors);
}

Emitter::Emitter(const char *name, ArrayRef<const Arg *> arguments)
    : name(name), where(PinnedPlace::orElse(arguments[0]->where)), b(&context()),
      loc(locationOf(where, modulePath())) {
  SmallVector<const Tensor *> tensors;
  for (const Arg *argument : arguments)
    if (argument->tensor) tensors.push_back(&argument->tensor);
  if (tensors.empty()) fail("none of its operands is a tensor with a value");
  enter(tensors);
}

void Emitter::fail(const std::string &message) const {
  throw UserError(fmt::format("{}: {}", name, message), where);
}

void Emitter::enter(ArrayRef<const Tensor *> tensors) {
  for (const Tensor *tensor : tensors) {
    if (!*tensor) fail("a tensor without a value (default-constructed)");
    const auto &other = tensor->impl()->trace;
    if (!other) continue; // a variable
    if (trace && other != trace) fail("its operands belong to two different traces");
    trace = other;
  }
  if (!trace) {
    if (!Trace::running())
      fail("no trace is running: ops work on tensors inside the function given to sinter::trace, "
           "or in a "
           "module's forward that Trainer or train_step calls");
    trace = Trace::running()->shared_from_this();
  }
  if (!trace->isOpen()) fail("an operand belongs to a trace that has ended");
  b.restoreInsertionPoint(trace->builder().saveInsertionPoint());
}

Value Emitter::operator[](const Tensor &tensor) {
  const TensorImpl &impl = *tensor.impl();
  if (impl.variable) return trace->read(impl.variable);
  Value value = Value::getFromOpaquePointer(impl.value);
  // While a step is traced its region belongs to no op yet.
  Operation *parent = value.getParentRegion()->getParentOp();
  if (isa_and_nonnull<ir::ScanOp>(parent))
    fail("an operand belongs to the step of a scan, which has ended: outputs of the scan are its "
         "way out");
  if (isa_and_nonnull<ir::WhileOp, ir::CondOp>(parent))
    fail(
        "an operand belongs to a branch or a loop, which has ended: what it leaves is its way out");
  return value;
}

/// "'sinter.conv2d' op input has ..." and "conv2d: input has ..." become "input has ...".
static std::string plain(StringRef text, StringRef mnemonic) {
  if (text.consume_front("'")) {
    auto [quoted, rest] = text.split('\'');
    text = rest.ltrim();
    text.consume_front("op ");
  }
  if (text.consume_front(mnemonic)) text.consume_front(": ");
  return text.str();
}

Operation *Emitter::makeOp(StringRef op, ValueRange operands, ArrayRef<NamedAttribute> attributes,
                           TypeRange types) {
  StringRef mnemonic = op.split('.').second;
  Diagnostics diagnostics;
  OperationState state(loc, op);
  state.addOperands(operands);
  state.addAttributes(attributes);
  state.addTypes(types);
  if (types.empty()) {
    auto registered = *state.name.getRegisteredInfo();
    DictionaryAttr dictionary = state.attributes.getDictionary(&context());
    // Inference reads attributes as properties.
    int bytes = registered.getOpPropertyByteSize();
    SmallVector<std::max_align_t, 8> storage((bytes + sizeof(std::max_align_t) - 1) /
                                             sizeof(std::max_align_t));
    OpaqueProperties properties(bytes ? static_cast<void *>(storage.data()) : nullptr);
    if (bytes) {
      registered.initOpProperties(properties, OpaqueProperties(nullptr));
      (void)registered.setOpPropertiesFromAttribute(state.name, properties, dictionary,
                                                    [&] { return emitError(loc); });
      registered.populateDefaultProperties(properties);
    }
    auto *infer = registered.getInterface<InferTypeOpInterface>();
    LogicalResult inferred = infer->inferReturnTypes(&context(), loc, operands, dictionary,
                                                     properties, state.regions, state.types);
    if (bytes) registered.destroyOpProperties(properties);
    if (failed(inferred)) fail(plain(diagnostics.text(), mnemonic));
  }
  Operation *made = b.create(state);
  const PrecisionScope *precision = PrecisionScope::current();
  auto policy = dyn_cast<ir::PrecisionOpInterface>(made);
  if (precision && policy &&
      (!precision->onlyLow || policy.getPrecisionPolicy() == ir::PrecisionPolicy::Low)) {
    made->setAttr(passes::precisionAttr, b.getStringAttr(sinter::text(precision->type)));
    made->setAttr(passes::precisionScopeAttr, b.getStringAttr(precision->place));
    if (precision->type == Precision::f16) trace->needsLossScale = true;
  }
  if (failed(verify(made, /*verifyRecursively=*/false))) {
    made->erase();
    fail(plain(diagnostics.text(), mnemonic));
  }
  return made;
}

Value Emitter::cast(Value x, DType dtype) {
  auto type = RankedTensorType::get(ir::shapeOf(x), elementType(dtype));
  return x.getType() == type ? x : make<ir::CastOp>(x, {}, type);
}

Value Emitter::broadcast(Value x, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, ir::elementOf(x));
  return x.getType() == type ? x : make<ir::BroadcastOp>(x, {}, type);
}

Value Emitter::reshape(Value x, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, ir::elementOf(x));
  return x.getType() == type ? x : make<ir::ReshapeOp>(x, {}, type);
}

Value Emitter::transpose(Value x, ArrayRef<int64_t> permutation) {
  for (size_t i = 0; i < permutation.size(); ++i)
    if (permutation[i] != static_cast<int64_t>(i))
      return make<ir::TransposeOp>(x, ints("permutation", permutation));
  return x;
}

Value Emitter::splat(const TensorSpec &spec, double value) {
  return ir::splat(b, loc, typeOf(spec), value);
}

Value Emitter::floating(Value x) {
  return isa<FloatType>(ir::elementOf(x)) ? x : cast(x, DType::f32);
}

Shape Emitter::commonShape(ArrayRef<Shape> shapes) const {
  Shape common;
  for (const Shape &shape : shapes) {
    if (shape.size() > common.size())
      common.insert(common.begin(), shape.size() - common.size(), 1);
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t &size = common[common.size() - shape.size() + i];
      if (shape[i] == 1 || shape[i] == size) continue;
      if (size != 1) {
        std::string list;
        for (const Shape &each : shapes) list += (list.empty() ? "" : " and ") + text(each);
        fail(fmt::format("shapes {} do not broadcast", list));
      }
      size = shape[i];
    }
  }
  return common;
}

static int category(DType dtype) {
  return runtime::isFloat(dtype) ? 2 : dtype == DType::i1 ? 0 : 1;
}

static DType promoteTypes(DType a, DType b) {
  if (a == b) return a;
  if ((a == DType::bf16 && b == DType::f16) || (a == DType::f16 && b == DType::bf16))
    return DType::f32;
  auto rank = [](DType dtype) {
    switch (dtype) {
    case DType::i1:
      return 0;
    case DType::u8:
      return 1;
    case DType::i32:
      return 2;
    case DType::i64:
      return 3;
    case DType::bf16:
    case DType::f16:
      return 4;
    case DType::f32:
      return 5;
    case DType::f64:
      return 6;
    }
    return 0;
  };
  return rank(a) > rank(b) ? a : b;
}

// The rule of c10's combine_categories: a lower class of operands (scalars, numbers) only lifts the
// category, never the width.
DType Emitter::promote(ArrayRef<const Arg *> arguments) {
  std::optional<DType> tensors, scalars, numbers;
  auto join = [](std::optional<DType> &into, DType dtype) {
    into = into ? promoteTypes(*into, dtype) : dtype;
  };
  for (const Arg *argument : arguments)
    if (!argument->tensor)
      join(numbers, argument->number.kind == Number::Kind::floating  ? DType::f32
                    : argument->number.kind == Number::Kind::integer ? DType::i64
                                                                     : DType::i1);
    else
      join(argument->tensor.impl()->spec.shape.empty() ? scalars : tensors,
           argument->tensor.impl()->spec.dtype);
  auto combine = [](std::optional<DType> higher,
                    std::optional<DType> lower) -> std::optional<DType> {
    if (!higher || !lower) return higher ? higher : lower;
    return category(*lower) > category(*higher) ? promoteTypes(*higher, *lower) : *higher;
  };
  return *combine(tensors, combine(scalars, numbers));
}

SmallVector<Value> Emitter::align(ArrayRef<const Arg *> arguments, DType dtype) {
  SmallVector<Shape> shapes;
  for (const Arg *argument : arguments)
    if (argument->tensor) shapes.push_back(argument->tensor.impl()->spec.shape);
  Shape common = commonShape(shapes);
  SmallVector<Value> values;
  for (const Arg *argument : arguments)
    values.push_back(argument->tensor ? broadcast(cast((*this)[argument->tensor], dtype), common)
                                      : splat({common, dtype}, argument->number.value));
  return values;
}

int64_t Emitter::dimOf(int64_t dim, int64_t rank) const {
  int64_t from = std::max<int64_t>(rank, 1);
  if (dim < -from || dim >= from)
    fail(fmt::format("dimension {} of a tensor of rank {}", dim, rank));
  return dim < 0 ? dim + from : dim;
}

SmallVector<int64_t> Emitter::dimsOf(const Dims &dims, int64_t rank) const {
  SmallVector<int64_t> result;
  if (dims.values.empty()) {
    for (int64_t i = 0; i < rank; ++i) result.push_back(i);
    return result;
  }
  for (int64_t dim : dims.values) {
    int64_t place = dimOf(dim, rank);
    if (llvm::is_contained(result, place)) fail(fmt::format("dimension {} is named twice", dim));
    if (rank > 0) result.push_back(place);
  }
  llvm::sort(result);
  return result;
}

} // namespace sinter::detail
