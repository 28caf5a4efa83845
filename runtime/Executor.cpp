#include "sinter/runtime/Executor.h"
#include "sinter/runtime/BoundEntry.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

namespace sinter::runtime {
namespace {

constexpr int64_t constantAlignment = 256; // what cudaMalloc gives; wide enough for every load

std::string_view name(TargetKind kind) {
  switch (kind) {
  case TargetKind::cpu:
    return "cpu";
  case TargetKind::cuda:
    return "cuda";
  case TargetKind::reference:
    return "reference";
  }
  return "unknown";
}

std::string readable(int64_t bytes) {
  if (bytes >= int64_t(1) << 30)
    return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
  if (bytes >= 1 << 20) return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{} bytes", bytes);
}

Error arenaFailure(const Entry &entry, const Device &device, const Error &cause) {
  std::string message =
      fmt::format("entry '{}' needs an arena of {} on {}: {}", entry.name,
                  readable(entry.arenaBytes), device.description(), cause.message);
  if (!entry.largest.empty()) message += "; its largest tensors:";
  for (const Entry::Resident &resident : entry.largest)
    message += fmt::format("\n  {:>12}  {}", readable(resident.bytes), resident.label);
  return {cause.code, std::move(message)};
}

struct PortPlace {
  int64_t offset = 0; // in the staging buffer
  int64_t bytes = 0;
  bool staged = false; // in the run at hand
};

struct EntryPlan {
  BoundEntry bound;
  std::vector<PortPlace> inputs, outputs;
};

int64_t placePorts(const std::vector<Port> &ports, int64_t offset, std::vector<PortPlace> &places) {
  for (const Port &port : ports) {
    places.push_back({offset, port.type.numBytes()});
    offset = alignUp(offset + port.type.numBytes(), constantAlignment);
  }
  return offset;
}

bool overlap(const void *a, int64_t aBytes, const void *b, int64_t bBytes) {
  auto *first = static_cast<const std::byte *>(a), *second = static_cast<const std::byte *>(b);
  return first < second + bBytes && second < first + aBytes;
}

} // namespace

struct Executor::Impl {
  std::shared_ptr<const Program> program;
  std::shared_ptr<Device> device;
  std::shared_ptr<State> state;
  std::vector<std::unique_ptr<LoadedKernel>> kernels;
  std::shared_ptr<Buffer> arena, constants, staging;
  int64_t arenaBytes = 0, stagingBytes = 0;
  std::vector<EntryPlan> plans;
  Profiler *profiler = nullptr;
  std::mutex running;

  Status allocateArena();
  Status uploadConstants(std::vector<void *> &addresses);
  Status findState(std::vector<void *> &addresses);
  Status bindEntries();
  Status needStaging();
  Status stageAll(EntryPlan &plan);
  Status placeInputs(EntryPlan &plan, std::span<const void *const> host);
  Status placeOutputs(EntryPlan &plan, std::span<const void *const> inputs,
                      std::span<void *const> host);
  Status execute(BoundEntry &bound);
};

Status Executor::Impl::allocateArena() {
  const Entry *largest = nullptr;
  for (const Entry &entry : program->entries)
    if (!largest || entry.arenaBytes > largest->arenaBytes) largest = &entry;
  if (!largest || largest->arenaBytes == 0) return {};
  arenaBytes = largest->arenaBytes;
  auto buffer = device->allocate(arenaBytes);
  if (!buffer.ok()) return arenaFailure(*largest, *device, buffer.error());
  arena = std::move(*buffer);
  return {};
}

Status Executor::Impl::uploadConstants(std::vector<void *> &addresses) {
  int64_t total = 0;
  std::vector<int64_t> offsets;
  for (const std::vector<uint8_t> &constant : program->constants) {
    offsets.push_back(total);
    total = alignUp(total + static_cast<int64_t>(constant.size()), constantAlignment);
  }
  if (offsets.empty()) return {};
  auto buffer = device->allocate(std::max<int64_t>(total, 1));
  if (!buffer.ok())
    return {buffer.error().code,
            fmt::format("the program's constants need {} on {}: {}", readable(total),
                        device->description(), buffer.error().message)};
  constants = std::move(*buffer);
  for (size_t i = 0; i < offsets.size(); ++i) {
    addresses.push_back(advance(constants->address(), offsets[i]));
    const std::vector<uint8_t> &constant = program->constants[i];
    if (!constant.empty())
      SINTER_RETURN_IF_ERROR(
          device->upload(addresses.back(), constant.data(), static_cast<int64_t>(constant.size())));
  }
  return device->synchronize();
}

Status Executor::Impl::findState(std::vector<void *> &addresses) {
  for (const StateVariable &variable : program->state) {
    int index = state->find(variable.name);
    if (index < 0)
      return {ErrorCode::invalidArgument,
              fmt::format("the program needs the state variable '{}', which the given state lacks",
                          variable.name)};
    const TensorType &held = state->variables()[static_cast<size_t>(index)].type;
    if (held != variable.type)
      return {ErrorCode::invalidArgument,
              fmt::format("the program's state variable '{}' is {}, the given state's is {}",
                          variable.name, variable.type.text(), held.text())};
    addresses.push_back(state->address(static_cast<size_t>(index)));
  }
  return {};
}

Status Executor::Impl::bindEntries() {
  std::vector<void *> stateAddresses, constantAddresses;
  SINTER_RETURN_IF_ERROR(findState(stateAddresses));
  SINTER_RETURN_IF_ERROR(uploadConstants(constantAddresses));
  Addresses addresses{arena ? arena->address() : nullptr, stateAddresses, constantAddresses};
  for (const Entry &entry : program->entries) {
    EntryPlan plan{BoundEntry(*program, entry, addresses, kernels), {}, {}};
    int64_t end = placePorts(entry.inputs, 0, plan.inputs);
    stagingBytes = std::max(stagingBytes, placePorts(entry.outputs, end, plan.outputs));
    plans.push_back(std::move(plan));
  }
  if (device->sharesHostMemory()) return {}; // most runs never need it
  SINTER_RETURN_IF_ERROR(needStaging());
  for (EntryPlan &plan : plans) SINTER_RETURN_IF_ERROR(stageAll(plan));
  return {};
}

/// Binds every port to its place in the staging buffer, for good.
Status Executor::Impl::stageAll(EntryPlan &plan) {
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    plan.inputs[i].staged = true;
    plan.bound.bindInput(i, advance(staging->address(), plan.inputs[i].offset));
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    plan.outputs[i].staged = true;
    plan.bound.bindOutput(i, advance(staging->address(), plan.outputs[i].offset));
  }
  return {};
}

Status Executor::Impl::needStaging() {
  if (staging) return {};
  auto buffer = device->allocate(std::max<int64_t>(stagingBytes, 1));
  if (!buffer.ok())
    return {buffer.error().code,
            fmt::format("inputs and outputs need {} on {}: {}", readable(stagingBytes),
                        device->description(), buffer.error().message)};
  staging = std::move(*buffer);
  return {};
}

Status Executor::Impl::placeInputs(EntryPlan &plan, std::span<const void *const> host) {
  for (size_t i = 0; i < host.size(); ++i) {
    PortPlace &place = plan.inputs[i];
    if (device->sharesHostMemory()) {
      place.staged = !isAligned(host[i]);
      if (!place.staged) {
        plan.bound.bindInput(i, const_cast<void *>(host[i])); // no program writes to an input
        continue;
      }
      SINTER_RETURN_IF_ERROR(needStaging());
      plan.bound.bindInput(i, advance(staging->address(), place.offset));
    }
    if (place.bytes > 0)
      SINTER_RETURN_IF_ERROR(
          device->upload(advance(staging->address(), place.offset), host[i], place.bytes));
  }
  return {};
}

Status Executor::Impl::placeOutputs(EntryPlan &plan, std::span<const void *const> inputs,
                                    std::span<void *const> host) {
  if (!device->sharesHostMemory()) return {};
  for (size_t i = 0; i < host.size(); ++i) {
    PortPlace &place = plan.outputs[i];
    place.staged = !isAligned(host[i]);
    // A kernel may write an output before another one has read what lies there.
    for (size_t k = 0; k < inputs.size() && !place.staged; ++k)
      place.staged = overlap(host[i], place.bytes, inputs[k], plan.inputs[k].bytes);
    for (size_t k = 0; k < i && !place.staged; ++k)
      place.staged = overlap(host[i], place.bytes, host[k], plan.outputs[k].bytes);
    if (place.staged) SINTER_RETURN_IF_ERROR(needStaging());
    plan.bound.bindOutput(i, place.staged ? advance(staging->address(), place.offset) : host[i]);
  }
  return {};
}

Status Executor::Impl::execute(BoundEntry &bound) {
  if (profiler || bound.decides() || !device->canRecord()) return bound.execute(*device, profiler);
  if (!bound.recording) {
    SINTER_RETURN_IF_ERROR(device->beginRecording());
    Status queued = bound.execute(*device, nullptr);
    auto recording = device->endRecording(); // also after a failure, or the device stays recording
    SINTER_RETURN_IF_ERROR(queued);
    SINTER_RETURN_IF_ERROR(recording.status());
    bound.recording = std::move(*recording);
  }
  return bound.recording->replay();
}

Executor::Executor(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Executor::~Executor() = default;

Result<std::shared_ptr<Executor>> Executor::create(std::shared_ptr<const Program> program,
                                                   std::shared_ptr<Device> device,
                                                   std::shared_ptr<State> state) {
  if (!program || !device)
    return Error{ErrorCode::invalidArgument, "executor: no program or no device given"};
  if (program->target != device->kind())
    return Error{ErrorCode::invalidArgument,
                 fmt::format("the program was compiled for {}, the device is {}",
                             name(program->target), device->description())};
  SINTER_RETURN_IF_ERROR(checkProgram(*program));
  SINTER_RETURN_IF_ERROR(checkExecutable(*program));
  if (!state) { SINTER_ASSIGN_OR_RETURN(state, State::create(program->state, device)); }
  if (state->device() != device)
    return Error{ErrorCode::invalidArgument,
                 fmt::format("the given state lives on another device ({}) than the executor's",
                             state->device()->description())};
  auto impl = std::make_unique<Impl>();
  impl->program = std::move(program);
  impl->device = std::move(device);
  impl->state = std::move(state);
  SINTER_ASSIGN_OR_RETURN(impl->kernels, impl->device->load(*impl->program));
  SINTER_RETURN_IF_ERROR(impl->allocateArena());
  SINTER_RETURN_IF_ERROR(impl->bindEntries());
  return std::shared_ptr<Executor>(new Executor(std::move(impl)));
}

Result<size_t> Executor::entryIndex(std::string_view name) const {
  const std::vector<Entry> &entries = impl->program->entries;
  std::string known;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].name == name) return i;
    known += (i ? ", " : "") + entries[i].name;
  }
  return Error{ErrorCode::notFound,
               fmt::format("the program has no entry '{}', it has: {}", name, known)};
}

Status Executor::run(size_t entryIndex, std::span<const void *const> hostInputs,
                     std::span<void *const> hostOutputs) {
  if (entryIndex >= impl->plans.size())
    return {ErrorCode::invalidArgument,
            fmt::format("the program has no entry {}, it has {}", entryIndex, impl->plans.size())};
  std::lock_guard lock(impl->running);
  EntryPlan &plan = impl->plans[entryIndex];
  const Entry &entry = plan.bound.entry();
  if (hostInputs.size() != entry.inputs.size() || hostOutputs.size() != entry.outputs.size())
    return {ErrorCode::invalidArgument,
            fmt::format("entry '{}' takes {} inputs and {} outputs, the caller gave {} and {}",
                        entry.name, entry.inputs.size(), entry.outputs.size(), hostInputs.size(),
                        hostOutputs.size())};
  for (size_t i = 0; i < hostInputs.size(); ++i)
    if (!hostInputs[i] && plan.inputs[i].bytes > 0)
      return {ErrorCode::invalidArgument,
              fmt::format("entry '{}': input '{}' is null", entry.name, entry.inputs[i].name)};
  for (size_t i = 0; i < hostOutputs.size(); ++i)
    if (!hostOutputs[i] && plan.outputs[i].bytes > 0)
      return {ErrorCode::invalidArgument,
              fmt::format("entry '{}': output '{}' is null", entry.name, entry.outputs[i].name)};

  SINTER_RETURN_IF_ERROR(impl->placeInputs(plan, hostInputs));
  SINTER_RETURN_IF_ERROR(impl->placeOutputs(plan, hostInputs, hostOutputs));
  SINTER_RETURN_IF_ERROR(impl->execute(plan.bound));
  for (size_t i = 0; i < hostOutputs.size(); ++i)
    if (const PortPlace &place = plan.outputs[i]; place.staged && place.bytes > 0)
      SINTER_RETURN_IF_ERROR(impl->device->download(
          hostOutputs[i], advance(impl->staging->address(), place.offset), place.bytes));
  return impl->device->synchronize();
}

int64_t Executor::numLaunches(size_t entryIndex) const {
  return impl->plans.at(entryIndex).bound.numLaunches();
}
void Executor::setProfiler(Profiler *profiler) {
  std::lock_guard lock(impl->running);
  impl->profiler = profiler;
}
const std::shared_ptr<const Program> &Executor::program() const { return impl->program; }
const std::shared_ptr<Device> &Executor::device() const { return impl->device; }
const std::shared_ptr<State> &Executor::state() const { return impl->state; }
int64_t Executor::arenaBytes() const { return impl->arenaBytes; }

} // namespace sinter::runtime
