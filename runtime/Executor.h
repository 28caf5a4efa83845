#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/Profiler.h"
#include "sinter/runtime/State.h"

#include <memory>
#include <span>
#include <string_view>

namespace sinter::runtime {

/// Runs a program's entries on one device. Every address is resolved when it is made; a step
/// allocates nothing. Runs of one executor are serialised.
class Executor {
public:
  /// Checks the program, loads its kernels, uploads its constants and allocates one arena for all
  /// entries. `state` may serve other executors too and must have all of the program's variables;
  /// without one, a state of zeros is made.
  ///
  /// Launches run the model's choice among their alternatives, or, with `autotune`, the one that is
  /// fastest on this device: measured now, or found in the kernel cache (Autotune.h).
  static Result<std::shared_ptr<Executor>> create(std::shared_ptr<const Program> program,
                                                  std::shared_ptr<Device> device,
                                                  std::shared_ptr<State> state = nullptr,
                                                  bool autotune = false);
  ~Executor();

  Result<size_t> entryIndex(std::string_view name) const;

  /// Runs an entry and waits for it: `hostInputs[i]` and `hostOutputs[i]` are dense tensors of the
  /// entry's ports. On a device that shares the host's memory they are used in place where they are
  /// aligned to 64 bytes and outputs overlap nothing, otherwise copied. After an error, state that
  /// the entry writes is unspecified.
  Status run(size_t entryIndex, std::span<const void *const> hostInputs,
             std::span<void *const> hostOutputs);

  /// Queues `steps` runs behind what is queued; on a device that records, as one launch over a ring of
  /// inputs and outputs. Step t has `hostInputs[t * n + i]` for n inputs, and outputs likewise. Inputs
  /// may be reused on return; outputs must live until the moment that is returned was waited for, and
  /// are filled then. At most `runsAhead` calls are under way: one more waits for the first of them,
  /// and returns its error.
  Result<std::shared_ptr<Moment>> start(size_t entryIndex, std::span<const void *const> hostInputs,
                                        std::span<void *const> hostOutputs, int64_t steps = 1);
  /// How many calls of `start` can be under way; 1 where it returns when all is done.
  int runsAhead() const;

  /// Launches, copies and fills of one run, loops unrolled.
  int64_t numLaunches(size_t entryIndex) const;

  /// Records every launch of the runs to come; null stops. The profiler must outlive its use.
  void setProfiler(Profiler *profiler);

  const std::shared_ptr<const Program> &program() const;
  const std::shared_ptr<Device> &device() const;
  const std::shared_ptr<State> &state() const;
  int64_t arenaBytes() const;

private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace sinter::runtime
