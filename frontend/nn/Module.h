#pragma once

#include "sinter/frontend/Array.h"
#include "sinter/frontend/Init.h"
#include "sinter/frontend/Tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sinter {
namespace detail {
class Store;
struct Variable;
} // namespace detail

namespace nn {

/// A part of a model: it owns parameters and buffers and has child modules, each named once; the
/// path of names is the parameter's name in checkpoints ("conv1.weight"). Children are members,
/// constructed with `this` and their name:
///
///   struct Net : nn::Module {
///     nn::Linear fc{this, "fc", {.in_features = 10, .out_features = 2}};
///     Tensor forward(Tensor x) { return fc(x); }
///   };
///
/// A module is neither copied nor moved. Two names that are equal: a UserError that says which.
class Module {
public:
  Module(); // a whole model
  Module(Module *parent, std::string name, Where where = Where::current());
  virtual ~Module();
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  /// "" for a whole model.
  const std::string &path() const { return path_; }

  /// Training or evaluation mode, of this module and all inside it. It counts when a graph is traced.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  /// The modes of this module and all inside it, and back.
  std::vector<bool> modes() const;
  void set_modes(const std::vector<bool> &modes);

  struct Named {
    std::string name; // the whole path
    Tensor tensor;
  };
  /// In order of declaration, those of children after a module's own.
  std::vector<Named> named_parameters() const;
  std::vector<Named> named_buffers() const;
  std::vector<Tensor> parameters() const;
  /// Elements of all parameters, tied ones once.
  int64_t num_parameters() const;

  /// Whether training changes the parameters of this module and all inside it; those that it does not have no
  /// gradient computed. A change makes the next step another one, which compiles once.
  void requires_grad(bool on);
  /// The same for one of them, by its whole path.
  void requires_grad(const std::string &name, bool on, Where where = Where::current());
  /// Makes `mine`, a parameter of this module, the same variable as `other`.
  void tie(Tensor &mine, const Tensor &other, Where where = Where::current());

  /// Values of parameters and buffers, by path from the whole model. Before the first compilation
  /// they are the initial ones of `seed`.
  Array value(const std::string &name, Where where = Where::current()) const;
  void set_value(const std::string &name, const Array &value, Where where = Where::current());

  /// What the values live in; shared by all modules of a model.
  const std::shared_ptr<detail::Store> &store() const { return store_; }

protected:
  Tensor parameter(const std::string &name, Shape shape, init::Init init = init::zeros,
                   DType dtype = f32, Where where = Where::current());
  /// State that training keeps but gradients do not change.
  Tensor buffer(const std::string &name, Shape shape, init::Init init = init::zeros,
                DType dtype = f32, Where where = Where::current());
  /// In a trace: the buffer has this value after the step.
  void update(const Tensor &buffer, const Tensor &value, Where where = Where::current());

private:
  struct Slot {
    std::string name;
    bool isBuffer = false;
    std::shared_ptr<detail::Variable> variable;
  };
  std::string pathOf(const std::string &name) const {
    return path_.empty() ? name : path_ + "." + name;
  }
  void claim(const std::string &name, const char *what, Where where);
  Tensor declare(const std::string &name, Shape shape, const init::Init &init, DType dtype,
                 bool isBuffer, Where where);
  void collect(bool buffers, std::vector<Named> &into) const;
  void collectModules(std::vector<Module *> &into);

  Module *parent_ = nullptr;
  std::string name_, path_;
  bool training_ = true;
  std::vector<Slot> slots_;
  std::vector<Module *> children_;
  std::map<std::string, std::string> names_; // of children, parameters and buffers: what they are
  std::shared_ptr<detail::Store> store_;
};

/// Enters a module while it lives: ops made meanwhile bear its path.
class Scope {
public:
  explicit Scope(const Module &module);
  ~Scope();
  Scope(const Scope &) = delete;

private:
  std::string before_;
};

/// Calls `module.forward(...)` inside the module's scope.
template <class M, class... Args> auto call(M &module, Args &&...args) {
  Scope scope(module);
  return module.forward(std::forward<Args>(args)...);
}

} // namespace nn
} // namespace sinter
