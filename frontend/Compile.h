#pragma once

#include "sinter/frontend/Array.h"
#include "sinter/frontend/Contracts.h"
#include "sinter/frontend/Device.h"
#include "sinter/frontend/Init.h"
#include "sinter/frontend/Precision.h"
#include "sinter/frontend/Profile.h"
#include "sinter/frontend/Tensor.h"

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace sinter {

/// A variable that outlives runs. Any trace may use it; `init` gives its first value.
Tensor parameter(const std::string &name, Shape shape, init::Init init = init::zeros,
                 DType dtype = f32, Where where = Where::current());

namespace detail {
struct TracedImpl;
struct ExecutableImpl;
} // namespace detail

/// A function of tensors as a graph.
class Traced {
public:
  /// Textual IR, which sinter-opt reads. With `locations`, the user's lines too.
  std::string ir(bool locations = false) const;
  std::vector<TensorSpec> inputs() const;
  std::vector<TensorSpec> outputs() const;
  /// Names of the parameters and states that it uses, in the order of its arguments.
  std::vector<std::string> variables() const;

  explicit Traced(std::shared_ptr<const detail::TracedImpl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const detail::TracedImpl> &impl() const { return impl_; }

private:
  std::shared_ptr<const detail::TracedImpl> impl_;
};

using TracedFunction = std::function<std::vector<Tensor>(const std::vector<Tensor> &)>;
Traced traceFunction(const TracedFunction &function, int arity,
                     const std::vector<TensorSpec> &inputs, Where where);

namespace detail {
inline std::vector<Tensor> listOf(Tensor one) { return {std::move(one)}; }
inline std::vector<Tensor> listOf(std::vector<Tensor> many) { return many; }
template <class... T> std::vector<Tensor> listOf(std::tuple<T...> many) {
  return std::apply([](auto &&...each) { return std::vector<Tensor>{each...}; }, many);
}
template <class A, class B> std::vector<Tensor> listOf(std::pair<A, B> two) {
  return {two.first, two.second};
}

template <class, size_t> using TensorOf = Tensor;
template <class F, size_t... I> constexpr bool takes(std::index_sequence<I...>) {
  return std::is_invocable_v<F &, TensorOf<F, I>...>;
}
/// How many tensors F takes, up to 8; -1: none of these.
template <class F, int n = 0> constexpr int arityOf() {
  if constexpr (n > 8)
    return -1;
  else if constexpr (takes<F>(std::make_index_sequence<n>()))
    return n;
  else
    return arityOf<F, n + 1>();
}
template <class F, size_t... I>
auto spread(F &function, const std::vector<Tensor> &x, std::index_sequence<I...>) {
  return function(x[I]...);
}
} // namespace detail

/// Runs `function` once, on tensors of these shapes and types, and notes what it does. It takes that
/// many tensors (or a vector of them) and returns a tensor, a pair, a tuple or a vector of them.
template <class F>
Traced trace(F &&function, std::vector<TensorSpec> inputs, Where where = Where::current()) {
  if constexpr (std::is_invocable_v<F &, const std::vector<Tensor> &>) {
    return traceFunction([&](const std::vector<Tensor> &x) { return detail::listOf(function(x)); },
                         -1, inputs, where);
  } else {
    constexpr int arity = detail::arityOf<std::remove_reference_t<F>>();
    static_assert(arity >= 0, "trace: the function takes Tensors");
    return traceFunction(
        [&](const std::vector<Tensor> &x) {
          return detail::listOf(detail::spread(function, x, std::make_index_sequence<arity>()));
        },
        arity, inputs, where);
  }
}

/// The gradients of a traced scalar with respect to parameters that it uses.
Traced grad(const Traced &loss, const std::vector<Tensor> &parameters,
            Where where = Where::current());
/// The scalar itself, then its gradients.
Traced value_and_grad(const Traced &loss, const std::vector<Tensor> &parameters,
                      Where where = Where::current());

/// In a trace: the gradients of a scalar with respect to values that it is computed from, such as the trace's
/// inputs. They are values of the trace like any other.
///
///   auto saliency = trace([&](Tensor x) { return abs(grad(amax(model(x), 1).sum(), {x})[0]); }, {spec});
std::vector<Tensor> grad(const Tensor &scalar, const std::vector<Tensor> &inputs,
                         Where where = Where::current());

/// Passes from outside, put into the compiler's pipeline at "before-STAGE" or "after-STAGE".
struct PassInsertion {
  std::string place;
  std::string pipeline; // as sinter-opt's --pass-pipeline spells it: "builtin.module(my-pass)"
};

struct CompileOptions {
  Device device = Device::best();
  Precision precision = Precision::f32;
  std::string dump_dir =
      {};            // IR after each pass, kernels, ledger and plan go here; else SINTER_DUMP
  uint64_t seed = 0; // of initial values and random ops
  std::vector<std::string> plugins =
      {}; // shared libraries with passes, besides SINTER_PASS_PLUGINS
  std::vector<PassInsertion> passes = {};
  Contracts require = {};
  /// Most bytes of working memory (parameters and other state apart) that a compiled function may need; 0:
  /// any. Where it needs more, values are computed again instead of being kept, with the same results bit
  /// for bit; a CompileError names the largest ones where even that is not enough. Not on `reference`.
  int64_t memory_budget = 0;
  Numerics numerics = Numerics::standard;
  /// On a GPU: kernels that have alternatives (other tiles of a product by the matrix unit) are timed before the
  /// first run, and the fastest run; choices are told on standard error and kept in the kernel cache. No sum changes
  /// its order by that; products by warps and by warpgroups (sm_90a) are units of their own, though.
  bool autotune = false;
  /// On a GPU: matrix units multiply f32, too, each factor rounded to tf32 (ten bits of fraction); sums stay f32. Off, f32
  /// is f32. Not with strict numerics.
  bool tf32 = false;
};

/// What one run costs.
struct Cost {
  int64_t kernels = 0;   // launches, fills and copies
  int64_t peakBytes = 0; // of the working memory
  int64_t lowerBoundBytes = 0;
  int64_t stateBytes = 0;
};

/// One launch of a compiled graph, in order.
struct LaunchInfo {
  std::string ops;    // "conv2d_add_relu"
  std::string source; // "model.cpp:14", the user's line
  std::string kernel; // the name under which kernel_sources has its text
};
/// A kernel's name and its text: CUDA C++, or what there is for other devices.
struct KernelText {
  std::string name, text;
};

/// A compiled graph on its device, with the values of its parameters.
class Executable {
public:
  /// Runs on arrays of the traced shapes and types, in order; a UserError says which one is not.
  std::vector<Array> run(const std::vector<Array> &inputs, Where where = Where::current());
  std::vector<Array> operator()(Where where = Where::current()) { return run({}, where); }
  std::vector<Array> operator()(const Array &a, Where where = Where::current()) {
    return run({a}, where);
  }
  std::vector<Array> operator()(const Array &a, const Array &b, Where where = Where::current()) {
    return run({a, b}, where);
  }
  std::vector<Array> operator()(const Array &a, const Array &b, const Array &c,
                                Where where = Where::current()) {
    return run({a, b, c}, where);
  }

  /// The value of a parameter or state.
  Array get(const std::string &name, Where where = Where::current()) const;
  void set(const std::string &name, const Array &value, Where where = Where::current());
  std::vector<std::string> variables() const;

  /// Of the module or the parameter `path`, what its last op gave in the latest run (computed anew).
  Array intermediate(const std::string &path, Where where = Where::current());

  /// The IR as traced, and as planned after all passes.
  std::string ir() const;
  std::string planned_ir() const;
  Cost cost() const;
  int64_t kernels() const { return cost().kernels; }
  /// Parameters, kernels, operations, bytes, memory against the bound, precision, and what was not
  /// fused by its reason, in words.
  std::string summary() const;
  /// Runs once, then `runs` times with a clock on every launch. What a run changes stays changed. With a
  /// dump, `report.html` gets the times.
  Profile profile(const std::vector<Array> &inputs, int64_t runs = 10,
                  Where where = Where::current());
  std::vector<LaunchInfo> launches() const;
  std::vector<KernelText> kernel_sources() const;
  /// The CUDA C++ that the graph would be on a GPU; needs none.
  std::vector<KernelText> cuda_kernels() const;
  /// Writes what `sinter-run` runs without a compiler.
  void save_program(const std::string &path) const;

  explicit Executable(std::shared_ptr<detail::ExecutableImpl> impl) : impl_(std::move(impl)) {}

private:
  std::shared_ptr<detail::ExecutableImpl> impl_;
};

Executable compile(const Traced &traced, CompileOptions options = {},
                   Where where = Where::current());

} // namespace sinter
