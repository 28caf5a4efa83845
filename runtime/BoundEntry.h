#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/Profiler.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace sinter::runtime {

/// An instruction with its operands' addresses in `BoundEntry::slots`.
struct BoundInstruction {
  const Instruction *source = nullptr;
  const LoadedKernel *kernel = nullptr;
  size_t firstSlot = 0, numSlots = 0;

  /// Of a loop: its body, and the slots that advance each turn. Of a branch: `body` where its condition holds,
  /// else `otherwise`. A condition is the first slot.
  struct Step {
    size_t slot = 0;
    int64_t stride = 0;
  };
  std::vector<BoundInstruction> body, otherwise;
  std::vector<Step> steps;
};

/// Where the bases of the spaces lie.
struct Addresses {
  void *arena = nullptr;
  std::span<void *const> state;     // of the program's variables
  std::span<void *const> constants; // of the program's constants
};

/// An entry whose addresses are resolved. Those of inputs and outputs can be moved afterwards.
class BoundEntry {
public:
  /// `program` and `kernels` must outlive it.
  BoundEntry(const Program &program, const Entry &entry, const Addresses &addresses,
             std::span<const std::unique_ptr<LoadedKernel>> kernels);

  void bindInput(size_t index, void *base) { bind(inputs[index], base); }
  void bindOutput(size_t index, void *base) { bind(outputs[index], base); }
  /// Queues the whole body on the device. With a profiler, waits after each instruction.
  Status execute(Device &device, Profiler *profiler);
  /// Queues the body on a device that records, `steps` times, with the dependencies that the program
  /// states; `bindStep` puts the ports of a step where they are to be.
  Status record(Device &device, int64_t steps, const std::function<void(int64_t)> &bindStep);
  /// Launches, copies and fills of a run: of branches those of the longer one, of loops on a condition one turn's.
  int64_t numLaunches() const { return launches; }
  /// Whether what runs depends on data, which then come back to the host in the middle of a run.
  bool decides() const { return hasConditions; }
  const Entry &entry() const { return *source; }

private:
  struct PortBinding {
    struct Use {
      size_t slot = 0;
      int64_t offset = 0;
    };
    void *base = nullptr;
    std::vector<Use> uses;
  };

  void bind(PortBinding &port, void *base);
  void addSlot(const Location &location, const Addresses &addresses);
  std::vector<BoundInstruction> bindBlock(const Block &block, const Addresses &addresses,
                                          std::span<const std::unique_ptr<LoadedKernel>> kernels,
                                          int64_t times);
  Status executeBlock(std::span<const BoundInstruction> block, Device &device, Profiler *profiler);
  Status executeLoop(const BoundInstruction &loop, Device &device, Profiler *profiler);
  Status executeWhile(const BoundInstruction &loop, Device &device, Profiler *profiler);
  Status executeIf(const BoundInstruction &branch, Device &device, Profiler *profiler);
  Result<bool> holds(const BoundInstruction &instruction, Device &device);
  /// Recorded operations, by number, that something comes after.
  using Earlier = std::vector<uint32_t>;
  /// Records a block after `before`; what nothing in it comes after is what follows it comes after.
  Result<Earlier> recordBlock(std::span<const BoundInstruction> block, Device &device,
                              const Earlier &before, uint32_t &next);
  Result<Earlier> recordLoop(const BoundInstruction &loop, Device &device, Earlier before,
                             uint32_t &next);
  Status executeTimed(const BoundInstruction &instruction, Device &device, Profiler &profiler);
  Status executeOne(const BoundInstruction &instruction, Device &device);

  const Program *program;
  const Entry *source;
  std::vector<void *> slots;
  std::vector<PortBinding> inputs, outputs;
  std::vector<BoundInstruction> body;
  int64_t launches = 0;
  bool hasConditions = false;
};

} // namespace sinter::runtime
