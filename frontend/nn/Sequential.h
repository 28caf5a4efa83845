#pragma once

#include "sinter/frontend/nn/Module.h"

#include <concepts>
#include <functional>
#include <memory>

namespace sinter::nn {

/// Modules and functions one after another, numbered as PyTorch numbers them ("0", "1", ...):
///
///   nn::Sequential net;
///   net.add<nn::Linear>({.in_features = 10, .out_features = 32});
///   net.add(sinter::relu);
class Sequential : public Module {
public:
  Sequential() = default;
  Sequential(Module *parent, std::string name, Where where = Where::current())
      : Module(parent, std::move(name), where) {}

  /// Appends a layer.
  template <class Layer>
  requires std::derived_from<Layer, Module> Layer &add(typename Layer::Options options = {},
                                                       Where where = Where::current()) {
    return keep(std::make_unique<Layer>(this, next(), std::move(options), where));
  }
  /// Appends a module whose constructor takes (parent, name, args...).
  template <class Layer, class... Args>
  requires std::derived_from<Layer, Module> Layer &emplace(Args &&...args) {
    return keep(std::make_unique<Layer>(this, next(), std::forward<Args>(args)...));
  }
  /// Appends an op.
  void add(Tensor (*op)(const Tensor &, Where), Where where = Where::current()) {
    append([op, where](const Tensor &x) { return op(x, where); });
  }
  /// Appends an op with options: `net.add(sinter::max_pool2d, {.kernel_size = 3})`.
  template <class Options> void add(Tensor (*op)(const Tensor &, Options, Where),
                                    std::type_identity_t<Options> options = {},
                                    Where where = Where::current()) {
    append([op, options, where](const Tensor &x) { return op(x, options, where); });
  }
  /// Appends any function from a tensor to a tensor.
  template <class F>
  requires std::is_invocable_r_v<Tensor, F &, const Tensor &>
  void add(F function) { append(std::move(function)); }

  Tensor forward(const Tensor &x) {
    Scope scope(*this);
    Tensor value = x;
    for (const auto &step : steps_) value = step(value);
    return value;
  }
  Tensor operator()(const Tensor &x) { return forward(x); }
  size_t size() const { return steps_.size(); }

private:
  std::string next() const { return std::to_string(steps_.size()); }
  void append(std::function<Tensor(const Tensor &)> step) { steps_.push_back(std::move(step)); }
  template <class Layer> Layer &keep(std::unique_ptr<Layer> layer) {
    Layer &kept = *layer;
    layers_.push_back(std::move(layer));
    append([&kept](const Tensor &x) { return call(kept, x); });
    return kept;
  }

  std::vector<std::unique_ptr<Module>> layers_;
  std::vector<std::function<Tensor(const Tensor &)>> steps_;
};

/// Modules of one type, numbered from 0.
template <std::derived_from<Module> T> class ModuleList : public Module {
public:
  ModuleList() = default;
  ModuleList(Module *parent, std::string name, Where where = Where::current())
      : Module(parent, std::move(name), where) {}

  /// Appends a module whose constructor takes (parent, name, options).
  template <class U = T> T &add(typename U::Options options, Where where = Where::current()) {
    return keep(std::make_unique<T>(this, std::to_string(size()), std::move(options), where));
  }
  /// Appends a module whose constructor takes (parent, name, args...).
  template <class... Args> T &emplace(Args &&...args) {
    return keep(std::make_unique<T>(this, std::to_string(size()), std::forward<Args>(args)...));
  }

  size_t size() const { return modules_.size(); }
  T &operator[](size_t i) { return *modules_.at(i); }

  class Iterator {
  public:
    explicit Iterator(const std::unique_ptr<T> *at) : at_(at) {}
    T &operator*() const { return **at_; }
    Iterator &operator++() { return ++at_, *this; }
    bool operator==(const Iterator &) const = default;

  private:
    const std::unique_ptr<T> *at_;
  };
  Iterator begin() const { return Iterator(modules_.data()); }
  Iterator end() const { return Iterator(modules_.data() + modules_.size()); }

private:
  T &keep(std::unique_ptr<T> module) { return *modules_.emplace_back(std::move(module)); }
  std::vector<std::unique_ptr<T>> modules_;
};

} // namespace sinter::nn
