#pragma once

#include "sinter/frontend/Compile.h"
#include "sinter/frontend/detail/Traced.h"
#include "sinter/runtime/Executor.h"

#include <mutex>

namespace sinter::detail {

class Dump;
struct ModuleOptions;

/// What came out of a compilation.
struct Compiled {
  std::shared_ptr<const runtime::Program> program;
  std::string tracedIr, plannedIr;
  std::shared_ptr<Dump> dump; // null when nothing is written
  bool autotune = false;      // as the options asked
};

/// Compiles functions, of different names, into one program for the options' device. `label` names
/// the folder of the dump. Throws CompileError.
Compiled compileFunctions(const std::vector<const TracedImpl *> &functions,
                          const CompileOptions &options, const std::string &label,
                          bool savable = false);
/// How `options` ask for a module to be compiled.
ModuleOptions moduleOptions(const CompileOptions &options);
/// The CUDA text of a function's kernels, as they are for the oldest supported GPU.
std::vector<KernelText> cudaTextOf(const TracedImpl &function, const CompileOptions &options);
/// Takes what the model's writer expects of fusion off all functions.
void dropExpectations(mlir::ModuleOp module);
/// A program's launches with the places of their operands, for people.
std::string planText(const runtime::Program &program);

/// A function `init` that gives variables their initial values, from their names and the seed: the
/// state's, or the one given, which it then writes to the state.
std::shared_ptr<TracedImpl> traceInit(const std::vector<VariablePtr> &variables,
                                      std::optional<uint64_t> seed = {});

/// Whether the variable starts with random numbers.
bool isRandom(const Variable &variable);

/// The variables of programs that share one state on one device.
class StateTable {
public:
  StateTable(Device device, uint64_t seed) : device(std::move(device)), seed(seed) {}

  /// Variables, of these, that the state does not have yet.
  std::vector<VariablePtr> missing(const std::vector<VariablePtr> &variables) const;
  /// Adds variables, keeping the values of the others. Addresses change: executors must be made
  /// anew. New ones hold their initial value if it is a constant, else zeros.
  void add(const std::vector<VariablePtr> &variables);

  const std::shared_ptr<runtime::State> &state() const { return current; }
  /// Counts the changes of addresses.
  int64_t generation() const { return changes; }

  Array get(const std::string &name) const;
  void set(const std::string &name, const Array &value);

private:
  Device device;
  uint64_t seed;
  std::shared_ptr<runtime::State> current;
  int64_t changes = 0;
};

/// One function of a program, ready to run on the table's state.
class Runner {
public:
  Runner(std::shared_ptr<const TracedImpl> traced, Compiled compiled, std::string entry)
      : traced(std::move(traced)), compiled(std::move(compiled)), entry(std::move(entry)) {}

  /// Inputs must have the entry's types (checked by the caller).
  std::vector<Array> run(const std::vector<Array> &inputs, const Device &device,
                         const StateTable &table);
  /// Runs that are under way.
  struct Started {
    std::vector<std::vector<Array>> results; // of each step
    std::shared_ptr<runtime::Moment> moment;
  };
  /// Queues steps, as one launch where the device can; their results are there when `finish` returns.
  Started start(const std::vector<std::vector<Array>> &inputs, const Device &device,
                const StateTable &table);
  void finish(Started &started) const;
  /// Runs the program's `init`.
  void initialise(const Device &device, const StateTable &table);
  Cost cost() const;
  std::string summary(const CompileOptions &options) const;
  /// Runs once, then `runs` times with a clock on every launch.
  Profile profile(const std::vector<Array> &inputs, const CompileOptions &options,
                  const StateTable &table, int64_t runs);
  std::vector<LaunchInfo> launches() const;
  std::vector<KernelText> kernelTexts() const;

  const std::shared_ptr<const TracedImpl> traced;
  const Compiled compiled;
  const std::string entry;

private:
  void bind(const Device &device, const StateTable &table);

  std::shared_ptr<runtime::Executor> executor;
  size_t index = 0;
  int64_t generation = -1;
  std::mutex running;
  std::vector<Array> latest; // the last run's results; what the caller dropped is written again
};

/// Compiles `traced`, together with the initialisation of the variables that `table` does not have
/// yet; afterwards they are there, with their initial values. `given` may have values for some.
std::shared_ptr<Runner>
prepare(std::shared_ptr<const TracedImpl> traced, const std::string &entry,
        const CompileOptions &options, StateTable &table, const std::vector<VariablePtr> &others,
        const std::function<std::optional<Array>(const std::string &)> &given,
        const std::string &label);

} // namespace sinter::detail
