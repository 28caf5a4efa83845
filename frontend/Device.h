#pragma once

#include "sinter/runtime/Device.h"

#include <memory>
#include <string>

namespace sinter {

/// Strict: results are the same bits however ops are put together in kernels, at some cost in time: a
/// reduction's order of additions is its shape's, products and sums are not contracted. Declared roundings
/// are kept in either case. (Every NaN counts as the same.)
enum class Numerics { standard, strict };

/// Where programs run. A handle: copies are the same device.
class Device {
public:
  struct CpuOptions {
    int threads = 0; // 0: SINTER_NUM_THREADS, else the machine's
  };
  static Device cpu(CpuOptions options);
  static Device cpu() { return cpu({}); }
  /// Throws RuntimeError where there is no driver or no GPU.
  static Device cuda(int ordinal = 0);
  struct EmulatedOptions {
    int schedules = 1; // run each kernel under this many seeded schedules and compare bitwise
  };
  /// CUDA kernels run by the host, for tests and for machines without a GPU; slow.
  static Device cuda_emulated(EmulatedOptions options);
  static Device cuda_emulated() { return cuda_emulated({}); }
  /// The evaluator: op by op in double precision. What other devices are checked against.
  static Device reference();
  /// CUDA where there is a GPU, else the CPU.
  static Device best();
  /// "auto", "cpu", "cuda", "cuda-emulated" or "reference".
  static Device named(const std::string &name, int threads = 0);

  enum class Kind { cpu, cuda, cuda_emulated, reference };
  Kind kind() const { return kind_; }
  /// The name that `named` takes.
  std::string name() const;
  std::string description() const { return device_->description(); }
  const std::shared_ptr<runtime::Device> &runtimeDevice() const { return device_; }

private:
  Device(Kind kind, std::shared_ptr<runtime::Device> device)
      : kind_(kind), device_(std::move(device)) {}
  Kind kind_;
  std::shared_ptr<runtime::Device> device_;
};

} // namespace sinter
