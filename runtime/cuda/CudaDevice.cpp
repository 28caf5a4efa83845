#include "sinter/runtime/cuda/CudaDevice.h"

#include "sinter/runtime/cuda/CudaContext.h"
#include "sinter/runtime/cuda/CudaModule.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace sinter::runtime::cuda {

namespace {

CuDevicePtr toDevice(const void *address) { return reinterpret_cast<CuDevicePtr>(address); }

class CudaBuffer final : public Buffer {
public:
  CudaBuffer(std::shared_ptr<CudaContext> context, CuDevicePtr address, int64_t bytes)
      : context_(std::move(context)), address_(address), bytes_(bytes) {}
  ~CudaBuffer() override { context_->free(address_); }
  void *address() const override { return reinterpret_cast<void *>(address_); }
  int64_t bytes() const override { return bytes_; }

private:
  std::shared_ptr<CudaContext> context_;
  CuDevicePtr address_;
  int64_t bytes_;
};

/// The kernels queued since the last synchronisation, to be named when one of them faults.
class LaunchLog {
public:
  void add(const std::string &kernel, const Launch &launch) {
    std::string &text = entries_[count_++ % capacity];
    text.assign(kernel);
    if (!launch.label.empty()) text.append(" (").append(launch.label).append(")");
    if (!launch.source.empty()) text.append(" at ").append(launch.source);
  }
  void add(const LaunchLog &other) {
    for (size_t i = other.count_ - std::min(other.count_, capacity); i < other.count_; ++i)
      entries_[count_++ % capacity] = other.entries_[i % capacity];
  }
  void clear() { count_ = 0; }
  std::string text() const {
    if (count_ == 0) return "no kernel was launched since the last synchronisation";
    const size_t kept = std::min(count_, capacity);
    std::string all =
        fmt::format("one of the {} kernels launched since the last synchronisation: ", count_);
    if (kept < count_) all += fmt::format("(the last {}) ", kept);
    for (size_t i = count_ - kept; i < count_; ++i)
      all += (i == count_ - kept ? "" : ", ") + entries_[i % capacity];
    return all;
  }

private:
  static constexpr size_t capacity = 64;
  std::array<std::string, capacity> entries_; // reused, so that a launch seldom allocates
  size_t count_ = 0;
};

class CudaRecording final : public Recording {
public:
  CudaRecording(std::shared_ptr<CudaContext> context, std::shared_ptr<LaunchLog> deviceLog)
      : context_(std::move(context)), deviceLog_(std::move(deviceLog)) {}
  ~CudaRecording() override {
    if (exec && context_->enter().ok())
      context_->defer(context_->api->cuGraphExecDestroy(exec), "cuGraphExecDestroy");
  }
  Status replay() override {
    SINTER_RETURN_IF_ERROR(context_->enter());
    deviceLog_->add(log);
    return context_->api->check(context_->api->cuGraphLaunch(exec, context_->stream),
                                "cuGraphLaunch");
  }
  CuGraphExec exec = nullptr;
  LaunchLog log;

private:
  std::shared_ptr<CudaContext> context_;
  std::shared_ptr<LaunchLog> deviceLog_;
};

class CudaDevice final : public Device {
public:
  CudaDevice(std::shared_ptr<CudaContext> context, std::shared_ptr<const Nvrtc> nvrtc,
             std::string nvrtcMissing)
      : context_(std::move(context)), nvrtc_(std::move(nvrtc)),
        nvrtcMissing_(std::move(nvrtcMissing)), staging_(*context_) {}

  TargetKind kind() const override { return TargetKind::cuda; }
  std::string description() const override {
    return fmt::format("{} (sm_{}, {:.0f} GiB, driver {}.{})", context_->name, context_->capability,
                       static_cast<double>(context_->totalBytes) / (1 << 30),
                       context_->driverVersion / 1000, context_->driverVersion % 1000 / 10);
  }

  Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) override {
    SINTER_ASSIGN_OR_RETURN(CuDevicePtr address, context_->allocate(bytes));
    return std::shared_ptr<Buffer>(std::make_shared<CudaBuffer>(context_, address, bytes));
  }

  Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) override {
    return loadKernels(context_, nvrtc_.get(), nvrtcMissing_, program);
  }

  Status launch(const LoadedKernel &loaded, const Launch &launch,
                std::span<void *const> addresses) override;
  Status copy(void *to, const void *from, int64_t bytes) override {
    SINTER_RETURN_IF_ERROR(context_->enter());
    if (bytes == 0) return {};
    return check(api().cuMemcpyDtoDAsync_v2(toDevice(to), toDevice(from),
                                            static_cast<size_t>(bytes), context_->stream),
                 "cuMemcpyDtoDAsync_v2");
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override;
  Status upload(void *to, const void *from, int64_t bytes) override {
    if (recording_)
      return {ErrorCode::invalidArgument,
              "an upload cannot be recorded: its bytes would be read later"};
    SINTER_RETURN_IF_ERROR(context_->enter());
    return staging_.upload(toDevice(to), from, static_cast<size_t>(bytes));
  }
  Status download(void *to, const void *from, int64_t bytes) override {
    if (recording_) return {ErrorCode::invalidArgument, "a download cannot be recorded"};
    SINTER_RETURN_IF_ERROR(context_->enter());
    return staging_.download(to, toDevice(from), static_cast<size_t>(bytes));
  }
  Status synchronize() override;

  bool canRecord() const override { return true; }
  Status beginRecording() override;
  Result<std::unique_ptr<Recording>> endRecording() override;

private:
  const CudaApi &api() const { return *context_->api; }
  Status check(CuResult result, const char *call) const {
    return context_->api->check(result, call);
  }

  std::shared_ptr<CudaContext> context_;
  std::shared_ptr<const Nvrtc> nvrtc_;
  std::string nvrtcMissing_;
  PinnedStaging staging_;
  std::shared_ptr<LaunchLog> log_ = std::make_shared<LaunchLog>();
  std::unique_ptr<CudaRecording> recording_;
};

Status CudaDevice::launch(const LoadedKernel &loaded, const Launch &launch,
                          std::span<void *const> addresses) {
  const auto &kernel = static_cast<const CudaKernel &>(loaded);
  auto named = [&](Status status) -> Status {
    if (status.ok()) return status;
    return {status.error().code, fmt::format("kernel '{}'{}{}: {}", kernel.name,
                                             launch.label.empty() ? "" : " (" + launch.label + ")",
                                             launch.source.empty() ? "" : " at " + launch.source,
                                             status.error().message)};
  };
  SINTER_RETURN_IF_ERROR(context_->enter());
  // The driver copies parameters by their sizes in the kernel's image: eight bytes hold any of them.
  constexpr size_t maxParams = 512;
  if (launch.params.size() > maxParams)
    return named({ErrorCode::unsupported,
                  fmt::format("{} parameters (at most {})", launch.params.size(), maxParams)});
  uint64_t values[maxParams];
  void *params[maxParams];
  size_t nextAddress = 0;
  for (size_t i = 0; i < launch.params.size(); ++i) {
    params[i] = &values[i];
    if (std::holds_alternative<PointerParam>(launch.params[i])) {
      if (nextAddress >= addresses.size())
        return named(
            {ErrorCode::invalidArgument, fmt::format("pointer parameter {} has no address", i)});
      values[i] = toDevice(addresses[nextAddress++]);
    } else if (const auto *scalar = std::get_if<ScalarParam>(&launch.params[i])) {
      std::memcpy(&values[i], scalar->bits.data(), 8);
    } else {
      return named({ErrorCode::unsupported,
                    fmt::format("parameter {} is a tensor map, which is not supported", i)});
    }
  }
  const LaunchShape &shape = launch.shape;
  if (shape.sharedBytes > static_cast<uint32_t>(context_->maxSharedBytes))
    return named({ErrorCode::unsupported,
                  fmt::format("{} bytes of shared memory a block, {} has {}", shape.sharedBytes,
                              context_->name, context_->maxSharedBytes)});
  constexpr uint32_t sharedWithoutAsking = 48 << 10;
  if (shape.sharedBytes > std::max(kernel.allowedSharedBytes, sharedWithoutAsking)) {
    SINTER_RETURN_IF_ERROR(
        named(check(api().cuFuncSetAttribute(kernel.function, cuFuncMaxDynamicSharedBytes,
                                             static_cast<int>(shape.sharedBytes)),
                    "cuFuncSetAttribute")));
    kernel.allowedSharedBytes = shape.sharedBytes;
  }
  (recording_ ? recording_->log : *log_).add(kernel.name, launch);
  return named(
      check(api().cuLaunchKernel(kernel.function, shape.grid[0], shape.grid[1], shape.grid[2],
                                 shape.block[0], shape.block[1], shape.block[2], shape.sharedBytes,
                                 context_->stream, params, nullptr),
            "cuLaunchKernel"));
}

Status CudaDevice::fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) {
  if (pattern.empty() || bytes % static_cast<int64_t>(pattern.size()) != 0)
    return {ErrorCode::invalidArgument,
            fmt::format("a fill of {} bytes with a pattern of {} bytes", bytes, pattern.size())};
  SINTER_RETURN_IF_ERROR(context_->enter());
  if (bytes == 0) return {};
  const CuDevicePtr address = toDevice(to);
  const auto size = static_cast<size_t>(bytes);
  const bool uniform =
      std::all_of(pattern.begin(), pattern.end(), [&](uint8_t b) { return b == pattern[0]; });
  if (uniform)
    return check(api().cuMemsetD8Async(address, pattern[0], size, context_->stream),
                 "cuMemsetD8Async");
  if (pattern.size() == 2 && address % 2 == 0) {
    uint16_t word;
    std::memcpy(&word, pattern.data(), 2);
    return check(api().cuMemsetD16Async(address, word, size / 2, context_->stream),
                 "cuMemsetD16Async");
  }
  if (pattern.size() == 4 && address % 4 == 0) {
    uint32_t word;
    std::memcpy(&word, pattern.data(), 4);
    return check(api().cuMemsetD32Async(address, word, size / 4, context_->stream),
                 "cuMemsetD32Async");
  }
  // Longer patterns: one column of a matrix at a time, whose rows are the pattern's repetitions.
  const size_t rows = size / pattern.size();
  if (pattern.size() % 4 == 0 && address % 4 == 0) {
    for (size_t at = 0; at < pattern.size(); at += 4) {
      uint32_t word;
      std::memcpy(&word, pattern.data() + at, 4);
      SINTER_RETURN_IF_ERROR(check(
          api().cuMemsetD2D32Async(address + at, pattern.size(), word, 1, rows, context_->stream),
          "cuMemsetD2D32Async"));
    }
    return {};
  }
  for (size_t at = 0; at < pattern.size(); ++at)
    SINTER_RETURN_IF_ERROR(check(api().cuMemsetD2D8Async(address + at, pattern.size(), pattern[at],
                                                         1, rows, context_->stream),
                                 "cuMemsetD2D8Async"));
  return {};
}

Status CudaDevice::synchronize() {
  if (recording_) return {ErrorCode::invalidArgument, "a synchronisation cannot be recorded"};
  SINTER_RETURN_IF_ERROR(context_->enter());
  Status status = check(api().cuStreamSynchronize(context_->stream), "cuStreamSynchronize");
  if (!status.ok()) {
    Status named(status.error().code, status.error().message + ", in " + log_->text());
    log_->clear();
    staging_.abandon();
    return named;
  }
  log_->clear();
  staging_.finish();
  return context_->takeDeferred();
}

Status CudaDevice::beginRecording() {
  if (recording_) return {ErrorCode::invalidArgument, "the device is recording already"};
  SINTER_RETURN_IF_ERROR(context_->enter());
  SINTER_RETURN_IF_ERROR(
      check(api().cuStreamBeginCapture_v2(context_->stream, cuCaptureThreadLocal),
            "cuStreamBeginCapture_v2"));
  recording_ = std::make_unique<CudaRecording>(context_, log_);
  return {};
}

Result<std::unique_ptr<Recording>> CudaDevice::endRecording() {
  if (!recording_) return Error{ErrorCode::invalidArgument, "the device is not recording"};
  std::unique_ptr<CudaRecording> recording = std::move(recording_);
  SINTER_RETURN_IF_ERROR(context_->enter());
  CuGraph graph = nullptr;
  SINTER_RETURN_IF_ERROR(
      check(api().cuStreamEndCapture(context_->stream, &graph), "cuStreamEndCapture"));
  Status made = check(api().cuGraphInstantiateWithFlags(&recording->exec, graph, 0),
                      "cuGraphInstantiateWithFlags");
  context_->defer(api().cuGraphDestroy(graph), "cuGraphDestroy");
  SINTER_RETURN_IF_ERROR(made);
  return std::unique_ptr<Recording>(std::move(recording));
}

} // namespace

Result<std::shared_ptr<Device>> makeCudaDevice(std::shared_ptr<const CudaApi> api,
                                               std::shared_ptr<const Nvrtc> nvrtc, int ordinal,
                                               std::string nvrtcMissing) {
  SINTER_ASSIGN_OR_RETURN(auto context, CudaContext::open(std::move(api), ordinal));
  return std::shared_ptr<Device>(
      std::make_shared<CudaDevice>(std::move(context), std::move(nvrtc), std::move(nvrtcMissing)));
}

} // namespace sinter::runtime::cuda

namespace sinter::runtime {

Result<std::shared_ptr<Device>> cudaDevice(int ordinal) {
  SINTER_ASSIGN_OR_RETURN(auto api, cuda::CudaApi::open());
  // Without NVRTC a program that brings its images still runs.
  auto nvrtc = cuda::Nvrtc::open();
  return cuda::makeCudaDevice(std::move(api), nvrtc.ok() ? *nvrtc : nullptr, ordinal,
                              nvrtc.ok() ? std::string() : nvrtc.error().message);
}

} // namespace sinter::runtime
