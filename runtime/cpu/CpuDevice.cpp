#include "sinter/runtime/Device.h"
#include "sinter/runtime/Environment.h"
#include "sinter/runtime/Memory.h"
#include "sinter/runtime/cpu/HostMemory.h"
#include "sinter/runtime/cpu/KernelImage.h"
#include "sinter/runtime/cpu/ThreadPool.h"

#include <fmt/format.h>

#include <cstring>

namespace sinter::runtime {
namespace {

/// Copies and fills below this are not worth waking a thread.
constexpr int64_t copyGrain = int64_t(1) << 20;

struct CpuKernel : LoadedKernel {
  CpuFunction function = nullptr;
  std::shared_ptr<void> owner; // the code `function` points into
};

class CpuDevice : public Device {
public:
  explicit CpuDevice(CpuOptions options) {
    if (options.numThreads > 0) ownPool = std::make_unique<ThreadPool>(options.numThreads);
    pool = ownPool ? ownPool.get() : &sharedThreadPool();
  }

  TargetKind kind() const override { return TargetKind::cpu; }
  std::string description() const override {
    return fmt::format("cpu ({} threads, {})", pool->numThreads(), bestHostIsa());
  }
  bool sharesHostMemory() const override { return true; }

  Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) override { return allocateHost(bytes); }

  Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) override {
    SINTER_RETURN_IF_ERROR(environment::numThreads().status());
    std::shared_ptr<KernelImage> image;
    std::vector<std::unique_ptr<LoadedKernel>> loaded;
    for (const Kernel &kernel : program.kernels) {
      auto made = std::make_unique<CpuKernel>();
      if (kernel.function) {
        made->function = kernel.function;
        made->owner = program.keepAlive;
      } else {
        if (program.cpuImages.empty())
          return Error{
              ErrorCode::invalidArgument,
              fmt::format("kernel '{}' has no code for the CPU: neither a function of this "
                          "process nor an image",
                          kernel.name)};
        if (!image) { SINTER_ASSIGN_OR_RETURN(image, KernelImage::load(program.cpuImages)); }
        SINTER_ASSIGN_OR_RETURN(made->function, image->find(kernel.name));
        made->owner = image;
      }
      loaded.push_back(std::move(made));
    }
    return loaded;
  }

  Status launch(const LoadedKernel &kernel, const Launch &launch,
                std::span<void *const> addresses) override {
    // Grows to the widest launch of the program, then never again.
    static thread_local std::vector<int64_t> scalars;
    scalars.clear();
    for (const KernelParam &param : launch.params)
      if (auto *scalar = std::get_if<ScalarParam>(&param)) {
        int64_t bits;
        std::memcpy(&bits, scalar->bits.data(), sizeof(bits));
        scalars.push_back(bits);
      }
    CpuFunction function = static_cast<const CpuKernel &>(kernel).function;
    const int64_t *values = scalars.data(); // the workers' own `scalars` are other vectors
    pool->parallelFor(launch.shape.range, launch.shape.grain, [&](int64_t begin, int64_t end) {
      function(addresses.data(), values, begin, end);
    });
    return {};
  }

  Status copy(void *to, const void *from, int64_t bytes) override {
    pool->parallelFor(bytes, copyGrain, [&](int64_t begin, int64_t end) {
      std::memmove(advance(to, begin), advance(from, begin), static_cast<size_t>(end - begin));
    });
    return {};
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override {
    if (pattern.empty()) return {ErrorCode::invalidArgument, "fill: the pattern is empty"};
    int64_t period = static_cast<int64_t>(pattern.size());
    pool->parallelFor(bytes, alignUp(copyGrain, period), [&](int64_t begin, int64_t end) {
      fillHost(advance(to, begin), end - begin, pattern);
    });
    return {};
  }
  Status upload(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status download(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status synchronize() override { return {}; }

private:
  std::unique_ptr<ThreadPool> ownPool;
  ThreadPool *pool = nullptr;
};

} // namespace

std::shared_ptr<Device> cpuDevice(CpuOptions options) {
  return std::make_shared<CpuDevice>(options);
}

} // namespace sinter::runtime
