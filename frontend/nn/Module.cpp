#include "sinter/frontend/nn/Module.h"

#include "sinter/frontend/detail/Emitter.h"
#include "sinter/frontend/detail/Store.h"

#include <fmt/format.h>

#include <set>

namespace sinter::nn {

Module::Module() : store_(std::make_shared<detail::Store>()) {}

Module::Module(Module *parent, std::string name, Where where)
    : parent_(parent), name_(std::move(name)) {
  if (!parent_) {
    store_ = std::make_shared<detail::Store>();
    path_ = name_;
    return;
  }
  if (name_.empty() || name_.find('.') != std::string::npos)
    throw UserError(
        fmt::format("nn::Module: '{}' is no name of a child: it must not be empty or have dots",
                    name_),
        where);
  parent_->claim(name_, "child", where);
  path_ = parent_->pathOf(name_);
  store_ = parent_->store_;
  training_ = parent_->training_;
  parent_->children_.push_back(this);
}

Module::~Module() {
  if (!parent_) return;
  std::erase(parent_->children_, this);
  parent_->names_.erase(name_);
}

void Module::claim(const std::string &name, const char *what, Where where) {
  std::string description = fmt::format("{} '{}' (line {})", what, pathOf(name), where.line());
  auto [other, fresh] = names_.emplace(name, description);
  if (!fresh)
    throw UserError(fmt::format("nn::Module: {} and {} have one name", other->second, description),
                    where);
}

void Module::train(bool on) {
  training_ = on;
  for (Module *child : children_) child->train(on);
}

void Module::collectModules(std::vector<Module *> &into) {
  into.push_back(this);
  for (Module *child : children_) child->collectModules(into);
}

std::vector<bool> Module::modes() const {
  std::vector<Module *> all;
  const_cast<Module *>(this)->collectModules(all);
  std::vector<bool> result;
  for (const Module *module : all) result.push_back(module->training_);
  return result;
}

void Module::set_modes(const std::vector<bool> &modes) {
  std::vector<Module *> all;
  collectModules(all);
  for (size_t i = 0; i < all.size() && i < modes.size(); ++i) all[i]->training_ = modes[i];
}

void Module::collect(bool buffers, std::vector<Named> &into) const {
  for (const Slot &slot : slots_)
    if (slot.isBuffer == buffers) {
      auto impl = std::make_shared<detail::TensorImpl>();
      impl->spec = slot.variable->spec;
      impl->variable = slot.variable;
      into.push_back({pathOf(slot.name), Tensor(std::move(impl))});
    }
  for (const Module *child : children_) child->collect(buffers, into);
}

std::vector<Module::Named> Module::named_parameters() const {
  std::vector<Named> result;
  collect(false, result);
  return result;
}

std::vector<Module::Named> Module::named_buffers() const {
  std::vector<Named> result;
  collect(true, result);
  return result;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> result;
  for (Named &named : named_parameters()) result.push_back(std::move(named.tensor));
  return result;
}

int64_t Module::num_parameters() const {
  std::set<const detail::Variable *> seen;
  int64_t count = 0;
  for (const Tensor &tensor : parameters())
    if (seen.insert(tensor.impl()->variable.get()).second) count += tensor.spec().numElements();
  return count;
}

void Module::requires_grad(bool on) {
  for (const Tensor &tensor : parameters())
    tensor.impl()->variable->trainable = on && runtime::isFloat(tensor.dtype());
  ++store_->trainedGeneration;
}

void Module::requires_grad(const std::string &name, bool on, Where where) {
  for (const Named &named : named_parameters()) {
    if (named.name != name) continue;
    if (on && !runtime::isFloat(named.tensor.dtype()))
      throw UserError(fmt::format("requires_grad: '{}' is {}, which has no gradient", name,
                                  named.tensor.spec().text()),
                      where);
    named.tensor.impl()->variable->trainable = on;
    ++store_->trainedGeneration;
    return;
  }
  throw UserError(fmt::format("requires_grad: the module has no parameter '{}'", name), where);
}

void Module::tie(Tensor &mine, const Tensor &other, Where where) {
  if (!mine || !mine.impl()->variable || !other || !other.impl()->variable)
    throw UserError("tie: both must be parameters", where);
  if (mine.spec() != other.spec())
    throw UserError(fmt::format("tie: '{}' is {}, '{}' is {}", mine.name(), mine.spec().text(),
                                other.name(), other.spec().text()),
                    where);
  for (Slot &slot : slots_)
    if (slot.variable == mine.impl()->variable) {
      slot.variable = other.impl()->variable;
      mine = other;
      return;
    }
  throw UserError(fmt::format("tie: '{}' is no parameter of module '{}'", mine.name(), path_),
                  where);
}

static detail::VariablePtr find(const Module &module, const std::string &name, Where where) {
  for (const auto &list : {module.named_parameters(), module.named_buffers()})
    for (const Module::Named &named : list)
      if (named.name == name) return named.tensor.impl()->variable;
  throw UserError(fmt::format("the model has no parameter or buffer '{}'", name), where);
}

Array Module::value(const std::string &name, Where where) const {
  return store_->get(find(*this, name, where));
}

void Module::set_value(const std::string &name, const Array &value, Where where) {
  auto variable = find(*this, name, where);
  if (value.spec() != variable->spec)
    throw UserError(fmt::format("set_value: '{}' is {}, the value {}", name, variable->spec.text(),
                                value.spec().text()),
                    where);
  store_->set(variable, value);
}

Tensor Module::declare(const std::string &name, Shape shape, const init::Init &init, DType dtype,
                       bool isBuffer, Where where) {
  claim(name, isBuffer ? "buffer" : "parameter", where);
  for (int64_t size : shape)
    if (size < 1)
      throw UserError(fmt::format("'{}' would have shape {}: was an option left out?", pathOf(name),
                                  text(shape)),
                      where);
  auto impl = std::make_shared<detail::TensorImpl>();
  impl->spec = {shape, dtype};
  auto role = isBuffer ? runtime::StateRole::state : runtime::StateRole::parameter;
  bool trainable = !isBuffer && runtime::isFloat(dtype);
  impl->variable = std::make_shared<detail::Variable>(detail::Variable{
      pathOf(name), impl->spec, role, init.resolve(shape, where), trainable, where});
  slots_.push_back({name, isBuffer, impl->variable});
  return Tensor(std::move(impl));
}

Tensor Module::parameter(const std::string &name, Shape shape, init::Init init, DType dtype,
                         Where where) {
  return declare(name, std::move(shape), init, dtype, false, where);
}
Tensor Module::buffer(const std::string &name, Shape shape, init::Init init, DType dtype,
                      Where where) {
  return declare(name, std::move(shape), init, dtype, true, where);
}

void Module::update(const Tensor &buffer, const Tensor &value, Where where) {
  detail::Emitter e("update", where, {&buffer, &value});
  if (!buffer.impl()->variable) e.fail("the first argument is no buffer");
  if (buffer.spec() != value.spec())
    e.fail(fmt::format("'{}' is {}, the new value {}", buffer.name(), buffer.spec().text(),
                       value.spec().text()));
  e.inTrace().write(buffer.impl()->variable, e[value]);
}

// The path is the trace's business; only this file and the ops know where it is kept.
Scope::Scope(const Module &module) : before_(detail::exchangeModulePath(module.path())) {}
Scope::~Scope() { detail::exchangeModulePath(std::move(before_)); }

} // namespace sinter::nn
