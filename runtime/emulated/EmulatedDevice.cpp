#include "sinter/runtime/Device.h"
#include "sinter/runtime/TensorMaps.h"
#include "sinter/runtime/emulated/BlockRunner.h"
#include "sinter/runtime/emulated/EmulatedModule.h"
#include "sinter/runtime/emulated/HostCompiler.h"

#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <mutex>

namespace sinter::runtime {

namespace {

using namespace emulated;

class HostBuffer final : public Buffer {
public:
  HostBuffer(void *memory, int64_t bytes) : memory_(memory), bytes_(bytes) {}
  ~HostBuffer() override { std::free(memory_); }
  void *address() const override { return memory_; }
  int64_t bytes() const override { return bytes_; }

private:
  void *memory_;
  int64_t bytes_;
};

class EmulatedKernel final : public LoadedKernel {
public:
  std::string name;
  std::shared_ptr<EmulatedModule> module;
  sinter_emu::KernelInfo info{};
  Signature signature;
};

/// A copy of what a launch may write, to run it again from the same start.
struct Snapshot {
  void *address;
  std::vector<uint8_t> before, first;
  size_t param;
};

class EmulatedDevice final : public Device {
public:
  explicit EmulatedDevice(EmulatedOptions options) : options_(options) {}

  TargetKind kind() const override { return TargetKind::cuda; }
  std::string description() const override {
    return fmt::format("cuda-emulated ({} schedule{}, seed {})", options_.schedules,
                       options_.schedules == 1 ? "" : "s", options_.seed);
  }

  Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) override {
    // cuMemAlloc's alignment, and never null for an empty tensor.
    const auto rounded = (static_cast<size_t>(bytes > 0 ? bytes : 1) + 255) & ~size_t(255);
    void *memory = bytes < 0 ? nullptr : std::aligned_alloc(256, rounded);
    if (!memory)
      return Error{ErrorCode::outOfMemory,
                   fmt::format("cannot allocate {} bytes for the emulated device", bytes)};
    return std::shared_ptr<Buffer>(new HostBuffer(memory, bytes));
  }

  Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) override {
    if (program.target != TargetKind::cuda)
      return Error{ErrorCode::invalidArgument,
                   "the program was not compiled for CUDA; the emulated device runs CUDA text"};
    SINTER_ASSIGN_OR_RETURN(auto modules, EmulatedModule::build(program));
    std::vector<std::unique_ptr<LoadedKernel>> loaded(program.kernels.size());
    for (const auto &module : modules) {
      module->attach(runner_.host());
      for (size_t i = 0; i < module->kernels().size(); ++i) {
        const Kernel &source = program.kernels[module->kernels()[i]];
        auto kernel = std::make_unique<EmulatedKernel>();
        kernel->name = source.name;
        kernel->module = module;
        kernel->info = module->info(i);
        kernel->signature = parseSignature(source.source, source.name);
        loaded[module->kernels()[i]] = std::move(kernel);
      }
    }
    return loaded;
  }

  Status launch(const LoadedKernel &loaded, const Launch &launch,
                std::span<void *const> addresses) override {
    const auto &kernel = static_cast<const EmulatedKernel &>(loaded);
    std::lock_guard lock(mutex_);
    Status status = launchChecked(kernel, launch, addresses);
    if (status.ok()) return status;
    std::string who = fmt::format("kernel '{}'", kernel.name);
    if (!launch.label.empty()) who += fmt::format(" ({})", launch.label);
    if (!launch.source.empty()) who += fmt::format(" at {}", launch.source);
    return {status.error().code, who + ": " + status.error().message};
  }

  Status copy(void *to, const void *from, int64_t bytes) override {
    std::memmove(to, from, static_cast<size_t>(bytes));
    return {};
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override {
    if (pattern.empty() || bytes % static_cast<int64_t>(pattern.size()) != 0)
      return {ErrorCode::invalidArgument,
              fmt::format("a fill of {} bytes with a pattern of {} bytes", bytes, pattern.size())};
    for (int64_t at = 0; at < bytes; at += static_cast<int64_t>(pattern.size()))
      std::memcpy(static_cast<char *>(to) + at, pattern.data(), pattern.size());
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
  Status launchChecked(const EmulatedKernel &kernel, const Launch &launch,
                       std::span<void *const> addresses);
  static Result<sinter_emu::TensorMap> encode(const TensorMapParam &map, void *address);
  Status checkShape(const EmulatedKernel &kernel, const LaunchShape &shape) const;

  EmulatedOptions options_;
  std::mutex mutex_; // the scheduler is one
  BlockRunner runner_;
};

Status EmulatedDevice::checkShape(const EmulatedKernel &kernel, const LaunchShape &shape) const {
  const uint64_t threads = uint64_t(shape.block[0]) * shape.block[1] * shape.block[2];
  if (threads == 0 || threads > 1024 || shape.block[2] > 64)
    return {ErrorCode::invalidArgument,
            fmt::format("a block of {} x {} x {} threads (at most 1024)", shape.block[0],
                        shape.block[1], shape.block[2])};
  if (kernel.signature.maxThreads && threads > kernel.signature.maxThreads)
    return {ErrorCode::invalidArgument,
            fmt::format("a block of {} threads, but __launch_bounds__ allows {}", threads,
                        kernel.signature.maxThreads)};
  if (!shape.grid[0] || !shape.grid[1] || !shape.grid[2] || shape.grid[0] > 0x7fffffffu ||
      shape.grid[1] > 65535 || shape.grid[2] > 65535)
    return {ErrorCode::invalidArgument,
            fmt::format("a grid of {} x {} x {} blocks (at most 2^31 - 1, 65535, 65535)",
                        shape.grid[0], shape.grid[1], shape.grid[2])};
  if (!kernel.signature.cluster || kernel.signature.cluster > 8 ||
      shape.grid[0] % kernel.signature.cluster)
    return {ErrorCode::invalidArgument,
            fmt::format("{} blocks in clusters of {} (at most 8, and the grid is whole clusters)",
                        shape.grid[0], kernel.signature.cluster)};
  if (shape.sharedBytes > 227 * 1024)
    return {ErrorCode::invalidArgument,
            fmt::format("{} bytes of dynamic shared memory", shape.sharedBytes)};
  return {};
}

Result<sinter_emu::TensorMap> EmulatedDevice::encode(const TensorMapParam &map, void *address) {
  SINTER_RETURN_IF_ERROR(checkTensorMap(map, address));
  const size_t rank = map.shape.size();
  if (rank != 3)
    return Error{ErrorCode::unsupported,
                 fmt::format("a tensor map of {} dimensions; kernels copy boxes of 3", rank)};
  sinter_emu::TensorMap made;
  made.base = static_cast<char *>(address);
  for (size_t d = 0; d < 3; ++d) { // innermost first, as the driver has them
    made.size[d] = static_cast<unsigned long long>(map.shape[2 - d]);
    made.stride[d] = static_cast<unsigned long long>(map.strides[2 - d]);
    made.box[d] = static_cast<unsigned>(map.box[2 - d]);
  }
  made.elementBytes = static_cast<unsigned>(byteWidth(map.type));
  made.swizzle = map.swizzle;
  return made;
}

Status EmulatedDevice::launchChecked(const EmulatedKernel &kernel, const Launch &launch,
                                     std::span<void *const> addresses) {
  SINTER_RETURN_IF_ERROR(checkShape(kernel, launch.shape));
  const auto &names = kernel.signature.paramNames;
  if (launch.params.size() != static_cast<size_t>(kernel.info.numParams))
    return {ErrorCode::invalidArgument, fmt::format("launched with {} parameters, its text has {}",
                                                    launch.params.size(), kernel.info.numParams)};
  std::vector<sinter_emu::Argument> arguments(launch.params.size() + 1);
  std::vector<sinter_emu::Region> regions(launch.params.size());
  std::vector<sinter_emu::TensorMap> maps(launch.params.size());
  std::vector<Snapshot> snapshots;
  size_t nextAddress = 0;
  for (size_t i = 0; i < launch.params.size(); ++i) {
    const sinter_emu::ParamInfo &info = kernel.info.params[i];
    const std::string label =
        fmt::format("parameter {}{}", i, i < names.size() ? " '" + names[i] + "'" : "");
    if (const auto *pointer = std::get_if<PointerParam>(&launch.params[i])) {
      if (info.kind == sinter_emu::ParamKind::scalar ||
          info.kind == sinter_emu::ParamKind::tensorMap)
        return {ErrorCode::invalidArgument,
                fmt::format("{} is a {} in the text, the launch passes a pointer", label,
                            info.kind == sinter_emu::ParamKind::scalar ? "scalar" : "tensor map")};
      if (nextAddress >= addresses.size())
        return {ErrorCode::invalidArgument,
                fmt::format("{} has no address ({} were given)", label, addresses.size())};
      if (info.kind == sinter_emu::ParamKind::pointer && info.writable != pointer->written)
        return {ErrorCode::invalidArgument,
                label + (info.writable
                             ? " may be written by the text, the launch says it is only read"
                             : " is only read by the text, the launch says it is written")};
      void *address = addresses[nextAddress++];
      regions[i] = {static_cast<char *>(address),
                    static_cast<unsigned long long>(pointer->location.bytes), nullptr,
                    static_cast<int>(i)};
      arguments[i].region = &regions[i];
      if (pointer->written && options_.schedules > 1) {
        const auto *bytes = static_cast<const uint8_t *>(address);
        snapshots.push_back({address, {bytes, bytes + pointer->location.bytes}, {}, i});
      }
    } else if (const auto *scalar = std::get_if<ScalarParam>(&launch.params[i])) {
      if (info.kind != sinter_emu::ParamKind::scalar)
        return {ErrorCode::invalidArgument,
                label + " is no scalar in the text, the launch passes one"};
      if (static_cast<int64_t>(info.elementBytes) != byteWidth(scalar->type))
        return {ErrorCode::invalidArgument,
                fmt::format("{} has {} bytes in the text, the launch passes {} ({})", label,
                            info.elementBytes, byteWidth(scalar->type), name(scalar->type))};
      std::memcpy(&arguments[i].bits, scalar->bits.data(), 8);
    } else {
      if (info.kind != sinter_emu::ParamKind::tensorMap)
        return {ErrorCode::invalidArgument,
                label + " is no tensor map in the text, the launch passes one"};
      if (nextAddress >= addresses.size())
        return {ErrorCode::invalidArgument,
                fmt::format("{} has no address ({} were given)", label, addresses.size())};
      auto map = encode(std::get<TensorMapParam>(launch.params[i]), addresses[nextAddress++]);
      if (!map.ok()) return {map.error().code, label + ": " + map.error().message};
      maps[i] = *map;
      arguments[i].map = &maps[i];
    }
  }

  const auto dim = [](const std::array<uint32_t, 3> &d) {
    return sinter_emu::Dim3{d[0], d[1], d[2]};
  };
  const Grid grid{dim(launch.shape.grid), dim(launch.shape.block), launch.shape.sharedBytes,
                  kernel.signature.cluster};
  const int runs = std::max(1, options_.schedules);
  for (int run = 0; run < runs; ++run) {
    if (run > 0)
      for (const Snapshot &s : snapshots) std::memcpy(s.address, s.before.data(), s.before.size());
    // Late copies and NaN-like shared memory first: alone they already show the most mistakes.
    const Schedule schedule{options_.seed + static_cast<uint64_t>(run),
                            run % 2 ? uint8_t(0) : uint8_t(0xff), run % 2 == 0};
    SINTER_RETURN_IF_ERROR(runner_.run(kernel.info, arguments, grid, schedule, names));
    for (Snapshot &s : snapshots) {
      const auto *bytes = static_cast<const uint8_t *>(s.address);
      if (run == 0) {
        s.first.assign(bytes, bytes + s.before.size());
        continue;
      }
      if (std::memcmp(s.first.data(), bytes, s.first.size()) == 0) continue;
      size_t at = 0;
      while (s.first[at] == bytes[at]) ++at;
      const unsigned width = std::max(1u, kernel.info.params[s.param].elementBytes);
      return {ErrorCode::deviceFailure,
              fmt::format("its result depends on the order of its threads: element {} of parameter "
                          "{}{} differs between "
                          "schedules 0 and {} (a missing barrier, a race between blocks, or shared "
                          "memory read before "
                          "it is written)",
                          at / width, s.param,
                          s.param < names.size() ? " '" + names[s.param] + "'" : "", run)};
    }
  }
  return {};
}

} // namespace

Result<std::shared_ptr<Device>> emulatedCudaDevice(EmulatedOptions options) {
  if (options.schedules < 1)
    return Error{ErrorCode::invalidArgument,
                 fmt::format("an emulated device with {} schedules", options.schedules)};
  SINTER_ASSIGN_OR_RETURN(std::string compiler, hostCompilerCommand()); // absent: say so now
  (void)compiler;
  return std::shared_ptr<Device>(std::make_shared<EmulatedDevice>(options));
}

} // namespace sinter::runtime
