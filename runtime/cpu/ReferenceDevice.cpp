#include "sinter/runtime/Device.h"
#include "sinter/runtime/cpu/HostMemory.h"

#include <fmt/format.h>

#include <cstring>

namespace sinter::runtime {
namespace {

struct HostKernel : LoadedKernel {
  HostFunction function;
};

/// Plain and serial: what other devices are compared with.
class ReferenceDevice : public Device {
public:
  TargetKind kind() const override { return TargetKind::reference; }
  std::string description() const override { return "reference evaluator"; }
  bool sharesHostMemory() const override { return true; }
  Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) override { return allocateHost(bytes); }

  Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) override {
    std::vector<std::unique_ptr<LoadedKernel>> loaded;
    for (const Kernel &kernel : program.kernels) {
      if (!kernel.host)
        return Error{
            ErrorCode::invalidArgument,
            fmt::format("kernel '{}' has no host function for the reference device", kernel.name)};
      auto made = std::make_unique<HostKernel>();
      made->function = kernel.host;
      loaded.push_back(std::move(made));
    }
    return loaded;
  }

  Status launch(const LoadedKernel &kernel, const Launch &,
                std::span<void *const> addresses) override {
    return static_cast<const HostKernel &>(kernel).function(addresses);
  }
  Status copy(void *to, const void *from, int64_t bytes) override {
    std::memmove(to, from, static_cast<size_t>(bytes));
    return {};
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override {
    fillHost(to, bytes, pattern);
    return {};
  }
  Status upload(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status download(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status synchronize() override { return {}; }
};

} // namespace

std::shared_ptr<Device> referenceDevice() { return std::make_shared<ReferenceDevice>(); }

} // namespace sinter::runtime
