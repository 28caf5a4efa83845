#include "sinter/frontend/Compile.h"

#include "sinter/frontend/detail/Emitter.h"
#include "sinter/frontend/detail/Traced.h"

#include "mlir/IR/Verifier.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

Tensor parameter(const std::string &name, Shape shape, init::Init init, DType dtype, Where where) {
  if (name.empty()) throw UserError("parameter: the name is empty", where);
  for (int64_t size : shape)
    if (size < 1)
      throw UserError(fmt::format("parameter '{}': shape {}", name, text(shape)), where);
  auto impl = std::make_shared<detail::TensorImpl>();
  impl->spec = {shape, dtype};
  impl->variable = std::make_shared<detail::Variable>(
      detail::Variable{name, impl->spec, runtime::StateRole::parameter, init.resolve(shape, where),
                       runtime::isFloat(dtype), where});
  return Tensor(std::move(impl));
}

namespace detail {

func::FuncOp TracedImpl::function() const { return *module.get().getOps<func::FuncOp>().begin(); }
size_t TracedImpl::numInputs() const {
  return const_cast<TracedImpl *>(this)->function().getNumArguments() - variables.size();
}

std::string print(Operation *op, bool locations) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  if (locations) flags.enableDebugInfo(true, /*prettyForm=*/false);
  op->print(stream, flags);
  return text;
}

std::shared_ptr<TracedImpl>
traceInto(const std::string &name, const std::vector<TensorSpec> &inputs,
          const std::vector<std::string> &inputNames, Where where,
          const std::function<std::vector<Value>(Trace &trace, const std::vector<Tensor> &inputs)>
              &body) {
  auto trace = std::make_shared<Trace>(name, where);
  std::vector<Tensor> arguments;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (int64_t size : inputs[i].shape)
      if (size < 0)
        throw UserError(fmt::format("trace: input {} is {}", i, inputs[i].text()), where);
    arguments.push_back(trace->addInput(inputs[i], inputNames[i], where));
  }
  auto result = std::make_shared<TracedImpl>();
  {
    Trace::Scope scope(*trace);
    std::vector<Value> results = body(*trace, arguments);
    result->numResults = results.size();
    trace->finish(results, where);
  }
  result->module = trace->takeModule();
  result->variables = trace->variables();
  result->watched = trace->watchedLabels();
  Diagnostics diagnostics;
  if (failed(verify(*result->module))) throw CompileError("trace", diagnostics.text());
  return result;
}

} // namespace detail

Traced traceFunction(const TracedFunction &function, int arity,
                     const std::vector<TensorSpec> &inputs, Where where) {
  if (arity >= 0 && static_cast<size_t>(arity) != inputs.size())
    throw UserError(
        fmt::format("trace: the function takes {} tensors, {} are specified", arity, inputs.size()),
        where);
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs.size(); ++i) names.push_back(fmt::format("input{}", i));
  return Traced(detail::traceInto("main", inputs, names, where,
                                  [&](detail::Trace &trace, const std::vector<Tensor> &arguments) {
                                    std::vector<Value> results;
                                    std::vector<Tensor> tensors = function(arguments);
                                    for (const Tensor &tensor : tensors) {
                                      detail::Emitter e("trace", where, &tensor);
                                      if (&e.inTrace() != &trace)
                                        e.fail("a result belongs to another trace");
                                      results.push_back(e[tensor]);
                                    }
                                    return results;
                                  }));
}

std::string Traced::ir(bool locations) const {
  return detail::print(impl_->module.get(), locations);
}

std::vector<TensorSpec> Traced::inputs() const {
  std::vector<TensorSpec> specs;
  for (Type type : impl_->function().getArgumentTypes().take_front(impl_->numInputs()))
    specs.push_back(detail::specOf(type));
  return specs;
}

std::vector<TensorSpec> Traced::outputs() const {
  std::vector<TensorSpec> specs;
  for (Type type : impl_->function().getResultTypes().take_front(impl_->numResults))
    specs.push_back(detail::specOf(type));
  return specs;
}

std::vector<std::string> Traced::variables() const {
  std::vector<std::string> names;
  for (const auto &variable : impl_->variables) names.push_back(variable->name);
  return names;
}

static Traced differentiate(const char *name, const Traced &loss,
                            const std::vector<Tensor> &parameters, bool keepValue, Where where) {
  const detail::TracedImpl &source = *loss.impl();
  auto fail = [&](const std::string &message) {
    throw UserError(fmt::format("{}: {}", name, message), where);
  };
  TensorSpec output = loss.outputs().empty() ? TensorSpec{{0}, f32} : loss.outputs()[0];
  if (source.numResults != 1 || output.numElements() != 1 || !output.shape.empty() ||
      !runtime::isFloat(output.dtype))
    fail(fmt::format("the traced function gives {}, not one floating-point scalar",
                     source.numResults == 1 ? output.text()
                                            : fmt::format("{} values", source.numResults)));
  if (parameters.empty()) fail("no parameters to differentiate by");

  auto result = std::make_shared<detail::TracedImpl>();
  result->module = cast<ModuleOp>(source.module.get()->clone());
  result->variables = source.variables;
  result->watched = source.watched;
  func::FuncOp function = result->function();
  SmallVector<Value> wrt;
  for (const Tensor &tensor : parameters) {
    if (!tensor || !tensor.impl()->variable) fail("only parameters can be differentiated by");
    auto place = llvm::find(source.variables, tensor.impl()->variable);
    if (place == source.variables.end())
      fail(fmt::format("the traced function does not use '{}'", tensor.name()));
    if (!runtime::isFloat(tensor.dtype()))
      fail(fmt::format("'{}' is {}", tensor.name(), tensor.spec().text()));
    wrt.push_back(function.getArgument(source.numInputs() + (place - source.variables.begin())));
  }
  Operation *end = function.getBody().front().getTerminator();
  OpBuilder b(end);
  Value value = end->getOperand(0);
  auto gradient = ir::GradientOp::create(b, detail::locationOf(where, {}),
                                         ValueRange(wrt).getTypes(), value, wrt, ValueRange());
  SmallVector<Value> returned(gradient->getResults());
  if (keepValue) returned.insert(returned.begin(), value);
  result->numResults = returned.size();
  // What is donated moves behind the new results.
  int64_t shift = static_cast<int64_t>(returned.size()) - 1;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto donated = function.getArgAttrOfType<IntegerAttr>(i, ir::donatedAttr))
      function.setArgAttr(i, ir::donatedAttr, b.getI64IntegerAttr(donated.getInt() + shift));
  llvm::append_range(returned, end->getOperands().drop_front());
  end->setOperands(returned);
  function.setFunctionType(
      b.getFunctionType(function.getArgumentTypes(), ValueRange(returned).getTypes()));
  detail::Diagnostics diagnostics;
  if (failed(verify(*result->module))) throw CompileError(name, diagnostics.text());
  return Traced(result);
}

Traced grad(const Traced &loss, const std::vector<Tensor> &parameters, Where where) {
  return differentiate("grad", loss, parameters, false, where);
}
Traced value_and_grad(const Traced &loss, const std::vector<Tensor> &parameters, Where where) {
  return differentiate("value_and_grad", loss, parameters, true, where);
}

std::vector<Tensor> grad(const Tensor &scalar, const std::vector<Tensor> &inputs, Where where) {
  SmallVector<const Tensor *> operands{&scalar};
  for (const Tensor &input : inputs) operands.push_back(&input);
  detail::Emitter e("grad", where, operands);
  if (!scalar.shape().empty() || !runtime::isFloat(scalar.dtype()))
    e.fail(fmt::format("{} is not one floating-point scalar", scalar.spec().text()));
  if (inputs.empty()) e.fail("no inputs to differentiate by");
  SmallVector<Value> values{e[scalar]};
  for (const Tensor &input : inputs) {
    if (!runtime::isFloat(input.dtype()))
      e.fail(fmt::format("an input is {}, which has no gradient", input.spec().text()));
    values.push_back(e[input]);
  }
  ValueRange wrt = ValueRange(values).drop_front();
  std::vector<int32_t> segments{1, static_cast<int32_t>(wrt.size()), 0};
  Operation *gradient = e.makeOp(
      ir::GradientOp::getOperationName(), values,
      e.attribute("operandSegmentSizes", DenseI32ArrayAttr::get(&detail::context(), segments)),
      wrt.getTypes());
  std::vector<Tensor> results;
  for (Value each : gradient->getResults()) results.push_back(e.tensor(each));
  return results;
}

} // namespace sinter
