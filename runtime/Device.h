#pragma once

#include "sinter/runtime/Program.h"

#include <memory>
#include <string>

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
  virtual Status launch(const LoadedKernel &kernel, const Launch &launch, std::span<void *const> addresses) = 0;
  virtual Status copy(void *to, const void *from, int64_t bytes) = 0;         // device to device
  virtual Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) = 0;
  virtual Status upload(void *to, const void *from, int64_t bytes) = 0;       // from the host
  virtual Status download(void *to, const void *from, int64_t bytes) = 0;     // to the host
  virtual Status synchronize() = 0;
};

struct CpuOptions { int numThreads = 0; }; // 0: SINTER_NUM_THREADS, else the machine's
std::shared_ptr<Device> cpuDevice(CpuOptions options = {});
std::shared_ptr<Device> referenceDevice();
/// Fails where there is no driver or no GPU, saying which.
Result<std::shared_ptr<Device>> cudaDevice(int ordinal = 0);
struct EmulatedOptions {
  int schedules = 1;    // run each kernel under this many seeded schedules and compare bitwise
  uint64_t seed = 0;
};
Result<std::shared_ptr<Device>> emulatedCudaDevice(EmulatedOptions options = {});

} // namespace sinter::runtime
