#pragma once

#include "sinter/runtime/Program.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sinter::runtime {

/// Memory on a device. Freed when the last owner lets go.
class Buffer {
public:
  virtual ~Buffer() = default;
  /// The address kernels see; on the CPU and the emulated device also the host's.
  virtual void *address() const = 0;
  virtual int64_t bytes() const = 0;
};

/// A kernel made ready for launches on one device.
class LoadedKernel {
public:
  virtual ~LoadedKernel() = default;
};

/// Queued work that can be queued again with one call (a CUDA graph).
class Recording {
public:
  virtual ~Recording() = default;
  virtual Status replay() = 0;
};

/// One place where programs run. Work is queued in order; `synchronize` waits for it and reports
/// what went wrong since the last one.
class Device {
public:
  virtual ~Device() = default;
  virtual TargetKind kind() const = 0;
  virtual std::string description() const = 0;
  virtual Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) = 0;
  /// Makes every kernel of the program launchable, `loaded[i]` for `program.kernels[i]`.
  virtual Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) = 0;
  /// `addresses[i]` is the resolved address of pointer parameter i of the launch.
  virtual Status launch(const LoadedKernel &kernel, const Launch &launch,
                        std::span<void *const> addresses) = 0;
  virtual Status copy(void *to, const void *from, int64_t bytes) = 0; // device to device
  virtual Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) = 0;
  /// From the host; `from` may be reused on return.
  virtual Status upload(void *to, const void *from, int64_t bytes) = 0;
  /// To the host, after all queued work; `to` is filled after `synchronize`.
  virtual Status download(void *to, const void *from, int64_t bytes) = 0;
  virtual Status synchronize() = 0;

  /// Whether kernels may be given the host's own pointers, so that inputs and outputs need no copy.
  virtual bool sharesHostMemory() const { return false; }

  /// Whether `beginRecording` works here. Between it and `endRecording`, launches, copies and fills
  /// are noted and not done; an executor records an entry once and replays it each step.
  virtual bool canRecord() const { return false; }
  virtual Status beginRecording();
  virtual Result<std::unique_ptr<Recording>> endRecording();
};

struct CpuOptions {
  int numThreads = 0; // 0: the shared pool, with SINTER_NUM_THREADS threads, else the machine's
};
/// An environment variable that cannot be used is reported by the device's first `load`.
std::shared_ptr<Device> cpuDevice(CpuOptions options = {});
/// Runs kernels that exist as `Kernel::host` only.
std::shared_ptr<Device> referenceDevice();
/// Fails where there is no driver or no GPU, saying which.
Result<std::shared_ptr<Device>> cudaDevice(int ordinal = 0);
struct EmulatedOptions {
  int schedules = 1; // run each kernel under this many seeded schedules and compare bitwise
  uint64_t seed = 0;
};
Result<std::shared_ptr<Device>> emulatedCudaDevice(EmulatedOptions options = {});

} // namespace sinter::runtime
