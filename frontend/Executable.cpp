#include "sinter/frontend/detail/Compiler.h"

#include "sinter/ir/Sinter.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

namespace detail {

struct ExecutableImpl {
  CompileOptions options;
  Traced traced;
  std::vector<TensorSpec> inputs;
  StateTable table;
  std::shared_ptr<Runner> runner;
  std::vector<Array> latest; // inputs of the latest run, for `intermediate`

  ExecutableImpl(CompileOptions given, Traced source)
      : options(std::move(given)), traced(std::move(source)), inputs(traced.inputs()),
        table(options.device, options.seed) {}
};

} // namespace detail

Executable compile(const Traced &traced, CompileOptions options, Where where) {
  if (options.memory_budget < 0)
    throw UserError(fmt::format("compile: memory_budget is {}, expected bytes, or 0 for any",
                                options.memory_budget),
                    where);
  auto impl = std::make_shared<detail::ExecutableImpl>(std::move(options), traced);
  impl->runner = detail::prepare(traced.impl(), "main", impl->options, impl->table, {}, {}, "main");
  return Executable(std::move(impl));
}

static void checkInputs(const char *what, const std::vector<Array> &given,
                        const std::vector<TensorSpec> &wanted, Where where) {
  if (given.size() != wanted.size())
    throw UserError(fmt::format("{}: {} inputs, expected {}", what, given.size(), wanted.size()),
                    where);
  for (size_t i = 0; i < given.size(); ++i)
    if (given[i].spec() != wanted[i])
      throw UserError(fmt::format("{}: input {} is {}, expected {}", what, i,
                                  given[i].spec().text(), wanted[i].text()),
                      where);
}

std::vector<Array> Executable::run(const std::vector<Array> &inputs, Where where) {
  checkInputs("run", inputs, impl_->inputs, where);
  impl_->latest = inputs;
  return impl_->runner->run(inputs, impl_->options.device, impl_->table);
}

std::vector<std::string> Executable::variables() const {
  std::vector<std::string> names;
  if (impl_->table.state())
    for (const auto &variable : impl_->table.state()->variables()) names.push_back(variable.name);
  return names;
}

static void require(const detail::StateTable &table, const char *what, const std::string &name,
                    Where where) {
  if (!table.state() || table.state()->find(name) < 0)
    throw UserError(fmt::format("{}: the program has no variable '{}'", what, name), where);
}

Array Executable::get(const std::string &name, Where where) const {
  require(impl_->table, "get", name, where);
  return impl_->table.get(name);
}

void Executable::set(const std::string &name, const Array &value, Where where) {
  require(impl_->table, "set", name, where);
  TensorSpec wanted = impl_->table.get(name).spec();
  if (value.spec() != wanted)
    throw UserError(
        fmt::format("set: '{}' is {}, the value {}", name, wanted.text(), value.spec().text()),
        where);
  impl_->table.set(name, value);
}

/// The last op under a module path, or a parameter of that name.
static Value findValue(func::FuncOp function, StringRef path) {
  Value found;
  for (BlockArgument argument : function.getArguments())
    if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), ir::nameAttr))
      if (name.getValue() == path) found = argument;
  for (Operation &op : function.getBody().front())
    if (auto name = dyn_cast<NameLoc>(op.getLoc());
        name && name.getName() == path && op.getNumResults())
      found = op.getResult(0);
  return found;
}

Array Executable::intermediate(const std::string &path, Where where) {
  if (impl_->latest.size() != impl_->inputs.size())
    throw UserError("intermediate: nothing has been run yet", where);
  auto cut = std::make_shared<detail::TracedImpl>();
  cut->module = cast<ModuleOp>(impl_->traced.impl()->module.get()->clone());
  cut->variables = impl_->traced.impl()->variables;
  cut->numResults = 1; // and nothing is printed
  func::FuncOp function = cut->function();
  Value value = findValue(function, path);
  if (!value)
    throw UserError(fmt::format("intermediate: no op of the graph belongs to '{}'", path), where);
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    function.removeArgAttr(i, ir::donatedAttr);
  // What is expected of the whole is not of a part of it.
  detail::dropExpectations(*cut->module);
  Operation *end = function.getBody().front().getTerminator();
  end->setOperands(value);
  function.setFunctionType(
      FunctionType::get(function.getContext(), function.getArgumentTypes(), value.getType()));
  auto runner = detail::prepare(cut, "main", impl_->options, impl_->table, {}, {}, "intermediate");
  return runner->run(impl_->latest, impl_->options.device, impl_->table)[0];
}

std::string Executable::ir() const { return impl_->runner->compiled.tracedIr; }
std::string Executable::planned_ir() const { return impl_->runner->compiled.plannedIr; }
Cost Executable::cost() const { return impl_->runner->cost(); }

std::string Executable::summary() const { return impl_->runner->summary(impl_->options); }

Profile Executable::profile(const std::vector<Array> &inputs, int64_t runs, Where where) {
  checkInputs("profile", inputs, impl_->inputs, where);
  impl_->latest = inputs;
  return impl_->runner->profile(inputs, impl_->options, impl_->table, runs);
}

std::vector<LaunchInfo> Executable::launches() const { return impl_->runner->launches(); }
std::vector<KernelText> Executable::kernel_sources() const { return impl_->runner->kernelTexts(); }
std::vector<KernelText> Executable::cuda_kernels() const {
  return detail::cudaTextOf(*impl_->traced.impl(), impl_->options);
}

void Executable::save_program(const std::string &path) const {
  // What runs here need not be in a form that a file can have.
  const auto &traced = impl_->traced.impl();
  std::vector<detail::VariablePtr> drawn;
  for (const detail::VariablePtr &variable : traced->variables)
    if (variable->role != runtime::StateRole::seed) drawn.push_back(variable);
  auto init = drawn.empty() ? nullptr : detail::traceInit(drawn, impl_->options.seed);
  std::vector<const detail::TracedImpl *> functions{traced.get()};
  if (init) functions.insert(functions.begin(), init.get());
  detail::Compiled compiled =
      detail::compileFunctions(functions, impl_->options, "program", /*savable=*/true);
  check(runtime::saveProgram(*compiled.program, path));
}

} // namespace sinter
