#include "sinter/runtime/cuda/CudaDevice.h"

#include "sinter/runtime/TensorMaps.h"
#include "sinter/runtime/cuda/CudaContext.h"
#include "sinter/runtime/cuda/CudaModule.h"
#include "sinter/runtime/cuda/CudaRecording.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <functional>

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

class CudaDevice;

/// What is queued up to here, waited for by an event of its own.
class CudaMoment final : public Moment {
public:
  CudaMoment(std::shared_ptr<CudaDevice> device, CuEvent event, uint64_t launches,
             uint64_t downloads)
      : device_(std::move(device)), event_(event), launches_(launches), downloads_(downloads) {}
  ~CudaMoment() override;
  Status wait() override;

private:
  std::shared_ptr<CudaDevice> device_;
  CuEvent event_;
  uint64_t launches_, downloads_;
  std::optional<Status> status_;
};

class CudaDevice final : public Device, public std::enable_shared_from_this<CudaDevice> {
public:
  CudaDevice(std::shared_ptr<CudaContext> context, std::shared_ptr<const Nvrtc> nvrtc,
             std::string nvrtcMissing)
      : context_(std::move(context)), nvrtc_(std::move(nvrtc)),
        nvrtcMissing_(std::move(nvrtcMissing)), uploads_(*context_, context_->stream),
        besides_(*context_, context_->copyStream), downloads_(*context_) {}

  TargetKind kind() const override { return TargetKind::cuda; }
  std::string description() const override {
    return fmt::format("{} (sm_{}, {:.0f} GiB, driver {}.{})", context_->name, context_->capability,
                       static_cast<double>(context_->totalBytes) / (1 << 30),
                       context_->driverVersion / 1000, context_->driverVersion % 1000 / 10);
  }

  std::string architecture() const override { return fmt::format("sm_{}", context_->capability); }

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
    return recorded([&]() -> Status {
      if (bytes == 0) return {};
      return check(api().cuMemcpyDtoDAsync_v2(toDevice(to), toDevice(from),
                                              static_cast<size_t>(bytes), context_->stream),
                   "cuMemcpyDtoDAsync_v2");
    });
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override;
  Status upload(void *to, const void *from, int64_t bytes) override {
    SINTER_RETURN_IF_ERROR(enterToUpload());
    return named(uploads_.upload(toDevice(to), from, static_cast<size_t>(bytes)));
  }
  Status uploadBeside(void *to, const void *from, int64_t bytes) override {
    SINTER_RETURN_IF_ERROR(enterToUpload());
    context_->copiesQueued();
    return named(besides_.upload(toDevice(to), from, static_cast<size_t>(bytes)));
  }
  Status joinUploads() override {
    SINTER_RETURN_IF_ERROR(context_->enter());
    return context_->joinCopies();
  }
  Status download(void *to, const void *from, int64_t bytes) override {
    if (capture_) return {ErrorCode::invalidArgument, "a download cannot be recorded"};
    SINTER_RETURN_IF_ERROR(context_->enter());
    return named(downloads_.download(to, toDevice(from), static_cast<size_t>(bytes)));
  }
  Status synchronize() override;
  Result<std::shared_ptr<Moment>> mark() override;
  /// Waits for a moment's event; then its launches and downloads are done.
  Status finish(CuEvent event, uint64_t launches, uint64_t downloads);
  CudaContext &context() { return *context_; }

  bool canRecord() const override { return true; }
  Status beginRecording() override;
  void recordAfter(std::span<const uint32_t> earlier) override {
    if (capture_) capture_->after(earlier);
  }
  Result<std::unique_ptr<Recording>> endRecording(std::unique_ptr<Recording> stale) override;

private:
  const CudaApi &api() const { return *context_->api; }
  Status enterToUpload() const {
    if (capture_)
      return {ErrorCode::invalidArgument,
              "an upload cannot be recorded: its bytes would be read later"};
    return context_->enter();
  }
  /// Calls what queues one operation; while recording, as one of the graph.
  Status recorded(const std::function<Status()> &queue) {
    if (!capture_) return queue();
    SINTER_RETURN_IF_ERROR(capture_->beginOperation());
    SINTER_RETURN_IF_ERROR(queue());
    return capture_->endOperation();
  }
  /// A failure of a call that may wait is also that of a kernel that was queued before.
  Status named(Status status);
  Status encode(const TensorMapParam &map, void *address, TensorMap &to) const;
  Status queueLaunch(const CudaKernel &kernel, const LaunchShape &shape, void **params);
  Status queueFill(CuDevicePtr address, size_t size, std::span<const uint8_t> pattern);
  Status check(CuResult result, const char *call) const {
    return context_->api->check(result, call);
  }

  std::shared_ptr<CudaContext> context_;
  std::shared_ptr<const Nvrtc> nvrtc_;
  std::string nvrtcMissing_;
  PinnedUploads uploads_, besides_;
  PinnedDownloads downloads_;
  std::shared_ptr<LaunchLog> log_ = std::make_shared<LaunchLog>();
  std::unique_ptr<GraphCapture> capture_;
};

CudaMoment::~CudaMoment() {
  CudaContext &context = device_->context();
  context.defer(context.enterResult(), "cuCtxSetCurrent");
  context.defer(context.api->cuEventDestroy_v2(event_), "cuEventDestroy_v2");
}

Status CudaMoment::wait() {
  if (!status_) status_ = device_->finish(event_, launches_, downloads_);
  return *status_;
}

Status CudaDevice::launch(const LoadedKernel &loaded, const Launch &launch,
                          std::span<void *const> addresses) {
  const auto &kernel = static_cast<const CudaKernel &>(loaded);
  auto ofKernel = [&](Status status) -> Status {
    if (status.ok()) return status;
    return {status.error().code, fmt::format("kernel '{}'{}{}: {}", kernel.name,
                                             launch.label.empty() ? "" : " (" + launch.label + ")",
                                             launch.source.empty() ? "" : " at " + launch.source,
                                             status.error().message)};
  };
  SINTER_RETURN_IF_ERROR(context_->enter());
  // The driver copies parameters by their sizes in the kernel's image: eight bytes hold any but tensor maps.
  constexpr size_t maxParams = 512;
  if (launch.params.size() > maxParams)
    return ofKernel({ErrorCode::unsupported,
                     fmt::format("{} parameters (at most {})", launch.params.size(), maxParams)});
  uint64_t values[maxParams];
  void *params[maxParams];
  std::vector<TensorMap> maps;
  maps.reserve(launch.params.size()); // none moves
  size_t nextAddress = 0;
  for (size_t i = 0; i < launch.params.size(); ++i) {
    params[i] = &values[i];
    if (std::holds_alternative<PointerParam>(launch.params[i])) {
      if (nextAddress >= addresses.size())
        return ofKernel(
            {ErrorCode::invalidArgument, fmt::format("pointer parameter {} has no address", i)});
      values[i] = toDevice(addresses[nextAddress++]);
    } else if (const auto *scalar = std::get_if<ScalarParam>(&launch.params[i])) {
      std::memcpy(&values[i], scalar->bits.data(), 8);
    } else {
      if (nextAddress >= addresses.size())
        return ofKernel(
            {ErrorCode::invalidArgument, fmt::format("tensor map parameter {} has no address", i)});
      params[i] = &maps.emplace_back();
      SINTER_RETURN_IF_ERROR(ofKernel(encode(std::get<TensorMapParam>(launch.params[i]),
                                             addresses[nextAddress++], maps.back())));
    }
  }
  const LaunchShape &shape = launch.shape;
  if (shape.sharedBytes > static_cast<uint32_t>(context_->maxSharedBytes))
    return ofKernel({ErrorCode::unsupported,
                     fmt::format("{} bytes of shared memory a block, {} has {}", shape.sharedBytes,
                                 context_->name, context_->maxSharedBytes)});
  constexpr uint32_t sharedWithoutAsking = 48 << 10;
  if (shape.sharedBytes > std::max(kernel.allowedSharedBytes, sharedWithoutAsking)) {
    SINTER_RETURN_IF_ERROR(
        ofKernel(check(api().cuFuncSetAttribute(kernel.function, cuFuncMaxDynamicSharedBytes,
                                                static_cast<int>(shape.sharedBytes)),
                       "cuFuncSetAttribute")));
    kernel.allowedSharedBytes = shape.sharedBytes;
  }
  std::string name = LaunchLog::nameOf(kernel.name, launch);
  if (capture_)
    capture_->names.push_back(std::move(name));
  else
    log_->add(std::move(name));
  return ofKernel(recorded([&] { return queueLaunch(kernel, shape, params); }));
}

Status CudaDevice::encode(const TensorMapParam &map, void *address, TensorMap &to) const {
  SINTER_RETURN_IF_ERROR(checkTensorMap(map, address));
  if (map.type != DType::bf16 && map.type != DType::f16)
    return {ErrorCode::unsupported, fmt::format("a tensor map of {}", name(map.type))};
  // Innermost first, strides without the neighbours'.
  const size_t rank = map.shape.size();
  std::array<uint64_t, 5> sizes{}, strides{};
  std::array<unsigned, 5> box{}, steps;
  steps.fill(1);
  for (size_t d = 0; d < rank; ++d) {
    sizes[d] = static_cast<uint64_t>(map.shape[rank - 1 - d]);
    box[d] = static_cast<unsigned>(map.box[rank - 1 - d]);
    if (d > 0) strides[d - 1] = static_cast<uint64_t>(map.strides[rank - 1 - d]);
  }
  return check(api().cuTensorMapEncodeTiled(
                   reinterpret_cast<CUtensorMap_st *>(&to),
                   map.type == DType::bf16 ? cuTensorMapBfloat16 : cuTensorMapFloat16,
                   static_cast<unsigned>(rank), address, sizes.data(), strides.data(), box.data(),
                   steps.data(), cuTensorMapInterleaveNone, static_cast<int>(map.swizzle),
                   cuTensorMapL2Promotion128, cuTensorMapFillZeros),
               "cuTensorMapEncodeTiled");
}

Status CudaDevice::queueLaunch(const CudaKernel &kernel, const LaunchShape &shape, void **params) {
  // A kernel that waits by itself for the one before it may be set up while that one ends.
  const bool early =
      kernel.awaits && context_->capability >= 90 && capture_ && capture_->afterOneKernel();
  if (capture_) capture_->operationIsKernel();
  if (!early)
    return check(api().cuLaunchKernel(kernel.function, shape.grid[0], shape.grid[1], shape.grid[2],
                                      shape.block[0], shape.block[1], shape.block[2],
                                      shape.sharedBytes, context_->stream, params, nullptr),
                 "cuLaunchKernel");
  LaunchAttribute attribute{cuLaunchProgrammaticSerialization, {}, {1}};
  LaunchConfig config{{shape.grid[0], shape.grid[1], shape.grid[2]},
                      {shape.block[0], shape.block[1], shape.block[2]},
                      shape.sharedBytes,
                      context_->stream,
                      &attribute,
                      1};
  return check(api().cuLaunchKernelEx(reinterpret_cast<const CUlaunchConfig_st *>(&config),
                                      kernel.function, params, nullptr),
               "cuLaunchKernelEx");
}

Status CudaDevice::fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) {
  if (pattern.empty() || bytes % static_cast<int64_t>(pattern.size()) != 0)
    return {ErrorCode::invalidArgument,
            fmt::format("a fill of {} bytes with a pattern of {} bytes", bytes, pattern.size())};
  SINTER_RETURN_IF_ERROR(context_->enter());
  return recorded([&]() -> Status {
    return bytes == 0 ? Status() : queueFill(toDevice(to), static_cast<size_t>(bytes), pattern);
  });
}

Status CudaDevice::queueFill(CuDevicePtr address, size_t size, std::span<const uint8_t> pattern) {
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

Status CudaDevice::named(Status status) {
  if (status.ok() || log_->queued() == 0) return status;
  return {status.error().code, status.error().message + ", in " + log_->text()};
}

Status CudaDevice::synchronize() {
  if (capture_) return {ErrorCode::invalidArgument, "a synchronisation cannot be recorded"};
  SINTER_RETURN_IF_ERROR(context_->enter());
  Status status = context_->joinCopies();
  if (status.ok())
    status = check(api().cuStreamSynchronize(context_->stream), "cuStreamSynchronize");
  if (!status.ok()) {
    Status told(status.error().code, status.error().message + ", in " + log_->text());
    log_->done(log_->queued());
    downloads_.abandon();
    context_->reported();
    return told;
  }
  log_->done(log_->queued());
  downloads_.finish();
  return context_->takeDeferred();
}

Result<std::shared_ptr<Moment>> CudaDevice::mark() {
  if (capture_) return Error{ErrorCode::invalidArgument, "a moment cannot be recorded"};
  SINTER_RETURN_IF_ERROR(context_->enter());
  CuEvent event = nullptr;
  SINTER_RETURN_IF_ERROR(check(api().cuEventCreate(&event, cuEventDisableTiming), "cuEventCreate"));
  auto moment =
      std::make_shared<CudaMoment>(shared_from_this(), event, log_->queued(), downloads_.queued());
  SINTER_RETURN_IF_ERROR(check(api().cuEventRecord(event, context_->stream), "cuEventRecord"));
  return std::shared_ptr<Moment>(std::move(moment));
}

Status CudaDevice::finish(CuEvent event, uint64_t launches, uint64_t downloads) {
  SINTER_RETURN_IF_ERROR(context_->enter());
  Status status = check(api().cuEventSynchronize(event), "cuEventSynchronize");
  if (!status.ok()) {
    Status told(status.error().code, status.error().message + ", in " + log_->text());
    downloads_.abandon();
    context_->reported();
    return told;
  }
  log_->done(launches);
  downloads_.finish(downloads);
  return context_->takeDeferred();
}

Status CudaDevice::beginRecording() {
  if (capture_) return {ErrorCode::invalidArgument, "the device is recording already"};
  SINTER_RETURN_IF_ERROR(context_->enter());
  auto capture = std::make_unique<GraphCapture>(context_);
  SINTER_RETURN_IF_ERROR(capture->begin());
  capture_ = std::move(capture);
  return {};
}

Result<std::unique_ptr<Recording>> CudaDevice::endRecording(std::unique_ptr<Recording> stale) {
  if (!capture_) return Error{ErrorCode::invalidArgument, "the device is not recording"};
  std::unique_ptr<GraphCapture> capture = std::move(capture_);
  context_->defer(context_->enterResult(), "cuCtxSetCurrent"); // a capture must not stay open
  auto recording = std::make_unique<CudaRecording>(context_, log_);
  SINTER_RETURN_IF_ERROR(capture->end(*recording, std::move(stale)));
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
