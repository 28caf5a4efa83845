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

/// A point in a device's queue.
class Moment {
public:
  virtual ~Moment() = default;
  /// Waits until all that was queued before it is done: downloads among that have then arrived.
  /// Reports what went wrong up to there, every time it is asked.
  virtual Status wait() = 0;
};

/// One place where programs run. Work is queued in order; `synchronize` waits for it and reports
/// what went wrong since the last one.
class Device {
public:
  virtual ~Device() = default;
  virtual TargetKind kind() const = 0;
  virtual std::string description() const = 0;
  /// What kernels are best made for: "sm_90"; empty where that is decided elsewhere.
  virtual std::string architecture() const { return {}; }
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

  /// Like `upload`, but beside the kernels that are queued: only what is queued after `joinUploads` sees
  /// the bytes, and nothing that is queued may use `to`.
  virtual Status uploadBeside(void *to, const void *from, int64_t bytes) {
    return upload(to, from, bytes);
  }
  virtual Status joinUploads() { return {}; }
  /// The point after all that is queued. On a device that does everything at once there is nothing to
  /// wait for.
  virtual Result<std::shared_ptr<Moment>> mark();

  /// Whether kernels may be given the host's own pointers, so that inputs and outputs need no copy.
  virtual bool sharesHostMemory() const { return false; }

  /// Whether `beginRecording` works here. Between it and `endRecording`, launches, copies and fills
  /// are noted and not done; an executor records an entry once and replays it each step.
  virtual bool canRecord() const { return false; }
  virtual Status beginRecording();
  /// The next launch, copy or fill waits for these earlier ones, numbered from 0 since
  /// `beginRecording`, and may run beside all others. Without it, one waits for the one before.
  virtual void recordAfter(std::span<const uint32_t> earlier) { (void)earlier; }
  /// `stale`, a recording of the same work at other addresses, is changed into the new one where the
  /// device can; it may be null.
  virtual Result<std::unique_ptr<Recording>>
  endRecording(std::unique_ptr<Recording> stale = nullptr);
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
