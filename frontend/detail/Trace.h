#pragma once

#include "sinter/frontend/Tensor.h"
#include "sinter/frontend/detail/Variable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <optional>

namespace sinter::detail {

/// The process's context, with every dialect loaded.
mlir::MLIRContext &context();
mlir::Type elementType(DType dtype);
DType dtypeOf(mlir::Type element);
mlir::RankedTensorType typeOf(const TensorSpec &spec);
TensorSpec specOf(mlir::Type type);
mlir::Location locationOf(Where where, const std::string &path);

/// Collects the errors that MLIR reports on this thread while it lives.
class Diagnostics {
public:
  Diagnostics();
  ~Diagnostics();
  const std::string &text() const { return collected; }
  /// "model.cpp:14", of the first error that has a line.
  const std::string &place() const { return firstPlace; }

private:
  std::string collected, firstPlace;
  mlir::DiagnosticEngine::HandlerID handler;
};

/// A function that is being traced.
class Trace : public std::enable_shared_from_this<Trace> {
public:
  explicit Trace(llvm::StringRef name, Where where);

  /// The innermost trace that is running on this thread, or null.
  static Trace *running();
  /// Makes a trace the running one while it lives.
  class Scope {
  public:
    explicit Scope(Trace &trace);
    ~Scope();
    Scope(const Scope &) = delete;
  };

  Tensor addInput(const TensorSpec &spec, const std::string &name, Where where);
  /// The current value of a variable: what was last written, else an argument of the function.
  mlir::Value read(const VariablePtr &variable);
  /// Records a new value, which the function will return and donate.
  void write(const VariablePtr &variable, mlir::Value value);
  /// Whether the function uses it so far.
  bool uses(const VariablePtr &variable) const { return llvm::is_contained(order, variable); }
  /// A variable's value at the function's start.
  mlir::Value initial(const VariablePtr &variable) {
    return func.getArgument(argumentOf(variable));
  }
  const std::vector<VariablePtr> &writtenVariables() const { return written; }

  /// The variables that random ops need.
  const VariablePtr &seedVariable();
  const VariablePtr &stepVariable();
  mlir::Value seed() { return read(seedVariable()); }
  mlir::Value step() { return initial(stepVariable()); }
  /// What random ops count with: the step, unless a step is made of several passes.
  mlir::Value randomStep() { return randomCounter ? randomCounter : step(); }
  void setRandomStep(mlir::Value value) { randomCounter = value; }
  /// The id of a random stream of this place; distinct in the trace.
  uint32_t newStream(Where where);

  Tensor tensor(mlir::Value value);
  /// Has a value printed after each run.
  void watch(mlir::Value value, std::string label);
  /// Ends the function with `results`, then what is watched, then the donated values. Arguments come in the order inputs,
  /// parameters, states, scalars, seed; those without use go. The trace is closed afterwards.
  void finish(llvm::ArrayRef<mlir::Value> results, Where where);

  /// Set where an op is to run in f16 whatever the graph is compiled with.
  bool needsLossScale = false;
  /// Whether the step advances by itself unless something writes it.
  bool stepAdvances = true;

  bool isOpen() const { return open; }
  mlir::OpBuilder &builder() { return b; }
  mlir::func::FuncOp function() { return func; }
  mlir::ModuleOp module() { return *owner; }
  mlir::OwningOpRef<mlir::ModuleOp> takeModule() { return std::move(owner); }
  /// After `finish`: of the arguments that are not inputs, in order.
  const std::vector<VariablePtr> &variables() const { return order; }
  /// Labels of the watched values.
  const std::vector<std::string> &watchedLabels() const { return labels; }

private:
  unsigned argumentOf(const VariablePtr &variable);

  mlir::OwningOpRef<mlir::ModuleOp> owner;
  mlir::func::FuncOp func;
  mlir::OpBuilder b;
  bool open = true;
  unsigned numInputs = 0;
  std::vector<VariablePtr> order;
  std::map<const Variable *, mlir::Value> values;
  std::vector<VariablePtr> written;
  std::vector<mlir::Value> watched;
  std::vector<std::string> labels;
  std::map<std::string, VariablePtr> byName;
  VariablePtr theSeed, theStep;
  mlir::Value randomCounter;
  std::map<std::string, int> streamCounts;
  std::map<uint32_t, std::string> streams;
};

/// The path of the module whose forward function is running ("" outside of all).
const std::string &modulePath();
/// Ops that the library makes on the user's behalf (an optimiser's, a metric's) bear this place.
class PinnedPlace {
public:
  explicit PinnedPlace(Where where);
  ~PinnedPlace();
  PinnedPlace(const PinnedPlace &) = delete;
  static Where orElse(Where where);

private:
  std::optional<Where> before;
};

/// Replaces it and returns what it was; use nn::Scope or PathScope.
std::string exchangeModulePath(std::string path);
/// Enters a path while it lives.
class PathScope {
public:
  explicit PathScope(std::string path) : before(exchangeModulePath(std::move(path))) {}
  ~PathScope() { exchangeModulePath(std::move(before)); }
  PathScope(const PathScope &) = delete;

private:
  std::string before;
};

} // namespace sinter::detail
