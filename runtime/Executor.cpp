#include "sinter/runtime/Executor.h"
#include "sinter/runtime/Autotune.h"
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
  int64_t offset = 0; // in a step's part of the staging buffer
  int64_t bytes = 0;
  bool staged = false; // in the run at hand
};

/// What was recorded of an entry: `steps` runs whose ports start at `base`.
struct Kept {
  void *base = nullptr;
  int64_t steps = 0;
  std::unique_ptr<Recording> recording;
};

struct EntryPlan {
  BoundEntry bound;
  std::vector<PortPlace> inputs, outputs;
  int64_t stepBytes = 0; // of its ports in the staging buffer
  std::vector<Kept> kept;
};

/// Calls under way at once: the next batch travels, and its launch is queued, while a step runs.
constexpr int slots = 2;

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
  std::shared_ptr<const Program> program, chosen; // as given, and with its alternatives decided
  std::shared_ptr<Device> device;
  std::shared_ptr<State> state;
  std::vector<std::unique_ptr<LoadedKernel>> kernels;
  std::shared_ptr<Buffer> arena, constants, staging;
  int64_t arenaBytes = 0, slotBytes = 0;
  std::vector<EntryPlan> plans;
  Profiler *profiler = nullptr;
  std::mutex running;
  std::shared_ptr<Moment> underWay[slots];
  int nextSlot = 0;

  Status allocateArena();
  Status uploadConstants(std::vector<void *> &addresses);
  Status findState(std::vector<void *> &addresses);
  Status bindEntries();
  Status needStaging(int64_t bytesOfSlot);
  /// Where step `step` of a call has its ports.
  void *stepBase(const EntryPlan &plan, int slot, int64_t step) const {
    return advance(staging->address(), slot * slotBytes + step * plan.stepBytes);
  }
  void bindStaged(EntryPlan &plan, int slot, int64_t step);
  Status checkCall(const EntryPlan &plan, std::span<const void *const> inputs,
                   std::span<void *const> outputs, int64_t steps) const;
  Status placeInputs(EntryPlan &plan, std::span<const void *const> host);
  Status placeOutputs(EntryPlan &plan, std::span<const void *const> inputs,
                      std::span<void *const> host);
  Status runAtOnce(EntryPlan &plan, std::span<const void *const> inputs,
                   std::span<void *const> outputs);
  Status runAtOnce(EntryPlan &plan, std::span<const void *const> inputs,
                   std::span<void *const> outputs, int64_t steps);
  Status upload(EntryPlan &plan, int slot, std::span<const void *const> inputs, int64_t steps);
  Status queue(EntryPlan &plan, int slot, int64_t steps);
  Status download(EntryPlan &plan, int slot, std::span<void *const> outputs, int64_t steps);
  Result<std::shared_ptr<Moment>> start(EntryPlan &plan, std::span<const void *const> inputs,
                                        std::span<void *const> outputs, int64_t steps);
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
  int64_t largest = 0;
  for (const Entry &entry : chosen->entries) {
    EntryPlan plan{BoundEntry(*chosen, entry, addresses, kernels), {}, {}, 0, {}};
    int64_t end = placePorts(entry.inputs, 0, plan.inputs);
    plan.stepBytes = placePorts(entry.outputs, end, plan.outputs);
    largest = std::max(largest, plan.stepBytes);
    plans.push_back(std::move(plan));
  }
  if (device->sharesHostMemory()) return {}; // most runs never need it
  return needStaging(largest);
}

void Executor::Impl::bindStaged(EntryPlan &plan, int slot, int64_t step) {
  void *base = stepBase(plan, slot, step);
  for (size_t i = 0; i < plan.inputs.size(); ++i)
    plan.bound.bindInput(i, advance(base, plan.inputs[i].offset));
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    plan.bound.bindOutput(i, advance(base, plan.outputs[i].offset));
}

Status Executor::Impl::needStaging(int64_t bytesOfSlot) {
  if (staging && bytesOfSlot <= slotBytes) return {};
  bytesOfSlot = alignUp(std::max<int64_t>(bytesOfSlot, 1), constantAlignment);
  const int64_t bytes = bytesOfSlot * (device->canRecord() ? slots : 1);
  auto buffer = device->allocate(bytes);
  if (!buffer.ok())
    return {buffer.error().code,
            fmt::format("inputs and outputs need {} on {}: {}", readable(bytes),
                        device->description(), buffer.error().message)};
  // Copies that run beside kernels must find the memory there; and what is under way ends before the
  // ring that it uses is given back.
  SINTER_RETURN_IF_ERROR(device->synchronize());
  staging = std::move(*buffer);
  slotBytes = bytesOfSlot;
  return {};
}

Status Executor::Impl::placeInputs(EntryPlan &plan, std::span<const void *const> host) {
  for (size_t i = 0; i < host.size(); ++i) {
    PortPlace &place = plan.inputs[i];
    place.staged = !device->sharesHostMemory() || !isAligned(host[i]);
    if (!place.staged) {
      plan.bound.bindInput(i, const_cast<void *>(host[i])); // no program writes to an input
      continue;
    }
    SINTER_RETURN_IF_ERROR(needStaging(plan.stepBytes));
    void *address = advance(stepBase(plan, 0, 0), place.offset);
    plan.bound.bindInput(i, address);
    if (place.bytes > 0) SINTER_RETURN_IF_ERROR(device->upload(address, host[i], place.bytes));
  }
  return {};
}

Status Executor::Impl::placeOutputs(EntryPlan &plan, std::span<const void *const> inputs,
                                    std::span<void *const> host) {
  for (size_t i = 0; i < host.size(); ++i) {
    PortPlace &place = plan.outputs[i];
    place.staged = !device->sharesHostMemory() || !isAligned(host[i]);
    // A kernel may write an output before another one has read what lies there.
    for (size_t k = 0; k < inputs.size() && !place.staged; ++k)
      place.staged = overlap(host[i], place.bytes, inputs[k], plan.inputs[k].bytes);
    for (size_t k = 0; k < i && !place.staged; ++k)
      place.staged = overlap(host[i], place.bytes, host[k], plan.outputs[k].bytes);
    if (place.staged) SINTER_RETURN_IF_ERROR(needStaging(plan.stepBytes));
    plan.bound.bindOutput(i, place.staged ? advance(stepBase(plan, 0, 0), place.offset) : host[i]);
  }
  return {};
}

/// Steps on a device that does not record, to their end.
Status Executor::Impl::runAtOnce(EntryPlan &plan, std::span<const void *const> inputs,
                                 std::span<void *const> outputs, int64_t steps) {
  const size_t in = plan.inputs.size(), out = plan.outputs.size();
  for (size_t step = 0; step < static_cast<size_t>(steps); ++step)
    SINTER_RETURN_IF_ERROR(
        runAtOnce(plan, inputs.subspan(step * in, in), outputs.subspan(step * out, out)));
  return {};
}

Status Executor::Impl::runAtOnce(EntryPlan &plan, std::span<const void *const> inputs,
                                 std::span<void *const> outputs) {
  SINTER_RETURN_IF_ERROR(placeInputs(plan, inputs));
  SINTER_RETURN_IF_ERROR(placeOutputs(plan, inputs, outputs));
  SINTER_RETURN_IF_ERROR(plan.bound.execute(*device, profiler));
  for (size_t i = 0; i < outputs.size(); ++i)
    if (const PortPlace &place = plan.outputs[i]; place.staged && place.bytes > 0)
      SINTER_RETURN_IF_ERROR(
          device->download(outputs[i], advance(stepBase(plan, 0, 0), place.offset), place.bytes));
  return device->synchronize();
}

Status Executor::Impl::upload(EntryPlan &plan, int slot, std::span<const void *const> inputs,
                              int64_t steps) {
  for (int64_t step = 0; step < steps; ++step)
    for (size_t i = 0; i < plan.inputs.size(); ++i)
      if (const PortPlace &place = plan.inputs[i]; place.bytes > 0)
        SINTER_RETURN_IF_ERROR(device->uploadBeside(
            advance(stepBase(plan, slot, step), place.offset),
            inputs[static_cast<size_t>(step) * plan.inputs.size() + i], place.bytes));
  return {};
}

/// Queues the steps whose inputs are in `slot`: their recording, which is made where there is none.
Status Executor::Impl::queue(EntryPlan &plan, int slot, int64_t steps) {
  if (profiler || plan.bound.decides()) {
    for (int64_t step = 0; step < steps; ++step) {
      bindStaged(plan, slot, step);
      SINTER_RETURN_IF_ERROR(plan.bound.execute(*device, profiler));
    }
    return {};
  }
  void *base = stepBase(plan, slot, 0);
  for (Kept &kept : plan.kept)
    if (kept.base == base && kept.steps == steps) return kept.recording->replay();
  // Of as many steps at another address, which no slot has any more: the staging has moved.
  std::unique_ptr<Recording> stale;
  auto isStale = [&](const Kept &kept) {
    for (int other = 0; other < slots; ++other)
      if (kept.base == stepBase(plan, other, 0)) return false;
    return kept.steps == steps;
  };
  if (auto found = std::find_if(plan.kept.begin(), plan.kept.end(), isStale);
      found != plan.kept.end()) {
    stale = std::move(found->recording);
    plan.kept.erase(found);
  }
  SINTER_RETURN_IF_ERROR(device->beginRecording());
  Status queued =
      plan.bound.record(*device, steps, [&](int64_t step) { bindStaged(plan, slot, step); });
  // Also after a failure, or the device stays recording.
  auto recording = device->endRecording(std::move(stale));
  SINTER_RETURN_IF_ERROR(queued);
  SINTER_RETURN_IF_ERROR(recording.status());
  plan.kept.push_back({base, steps, std::move(*recording)});
  return plan.kept.back().recording->replay();
}

Result<std::shared_ptr<Moment>> Executor::Impl::start(EntryPlan &plan,
                                                      std::span<const void *const> inputs,
                                                      std::span<void *const> outputs,
                                                      int64_t steps) {
  SINTER_RETURN_IF_ERROR(needStaging(steps * plan.stepBytes));
  const int slot = nextSlot;
  nextSlot = (nextSlot + 1) % slots;
  // What the slot held last is done before it is written again.
  if (auto earlier = std::exchange(underWay[slot], nullptr))
    SINTER_RETURN_IF_ERROR(earlier->wait());
  SINTER_RETURN_IF_ERROR(upload(plan, slot, inputs, steps));
  SINTER_RETURN_IF_ERROR(device->joinUploads());
  SINTER_RETURN_IF_ERROR(queue(plan, slot, steps));
  Status status = download(plan, slot, outputs, steps);
  Result<std::shared_ptr<Moment>> moment = status.ok() ? device->mark() : status;
  if (moment.ok())
    underWay[slot] = *moment;
  else
    (void)device->synchronize(); // downloads that were queued find the caller's memory
  return moment;
}

Status Executor::Impl::download(EntryPlan &plan, int slot, std::span<void *const> outputs,
                                int64_t steps) {
  for (int64_t step = 0; step < steps; ++step)
    for (size_t i = 0; i < plan.outputs.size(); ++i)
      if (const PortPlace &place = plan.outputs[i]; place.bytes > 0)
        SINTER_RETURN_IF_ERROR(
            device->download(outputs[static_cast<size_t>(step) * plan.outputs.size() + i],
                             advance(stepBase(plan, slot, step), place.offset), place.bytes));
  return {};
}

Executor::Executor(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Executor::~Executor() = default;

Result<std::shared_ptr<Executor>> Executor::create(std::shared_ptr<const Program> program,
                                                   std::shared_ptr<Device> device,
                                                   std::shared_ptr<State> state, bool autotune) {
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
  SINTER_ASSIGN_OR_RETURN(impl->chosen, decide(impl->program, *impl->device, autotune));
  SINTER_ASSIGN_OR_RETURN(impl->kernels, impl->device->load(*impl->chosen));
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

Status Executor::Impl::checkCall(const EntryPlan &plan, std::span<const void *const> inputs,
                                 std::span<void *const> outputs, int64_t steps) const {
  const Entry &entry = plan.bound.entry();
  if (steps < 1)
    return {ErrorCode::invalidArgument,
            fmt::format("entry '{}': {} steps were asked for", entry.name, steps)};
  const auto times = static_cast<size_t>(steps);
  if (inputs.size() != times * entry.inputs.size() ||
      outputs.size() != times * entry.outputs.size())
    return {ErrorCode::invalidArgument,
            fmt::format("entry '{}' takes {} inputs and {} outputs{}, the caller gave {} and {}",
                        entry.name, entry.inputs.size(), entry.outputs.size(),
                        steps > 1 ? fmt::format(" in each of {} steps", steps) : "", inputs.size(),
                        outputs.size())};
  for (size_t i = 0; i < inputs.size(); ++i)
    if (size_t port = i % plan.inputs.size(); !inputs[i] && plan.inputs[port].bytes > 0)
      return {ErrorCode::invalidArgument,
              fmt::format("entry '{}': input '{}' is null", entry.name, entry.inputs[port].name)};
  for (size_t i = 0; i < outputs.size(); ++i)
    if (size_t port = i % plan.outputs.size(); !outputs[i] && plan.outputs[port].bytes > 0)
      return {ErrorCode::invalidArgument,
              fmt::format("entry '{}': output '{}' is null", entry.name, entry.outputs[port].name)};
  return {};
}

Result<std::shared_ptr<Moment>> Executor::start(size_t entryIndex,
                                                std::span<const void *const> hostInputs,
                                                std::span<void *const> hostOutputs, int64_t steps) {
  if (entryIndex >= impl->plans.size())
    return Error{ErrorCode::invalidArgument, fmt::format("the program has no entry {}, it has {}",
                                                         entryIndex, impl->plans.size())};
  std::lock_guard lock(impl->running);
  EntryPlan &plan = impl->plans[entryIndex];
  SINTER_RETURN_IF_ERROR(impl->checkCall(plan, hostInputs, hostOutputs, steps));
  if (impl->device->canRecord()) return impl->start(plan, hostInputs, hostOutputs, steps);
  SINTER_RETURN_IF_ERROR(impl->runAtOnce(plan, hostInputs, hostOutputs, steps));
  return impl->device->mark();
}

int Executor::runsAhead() const { return impl->device->canRecord() ? slots : 1; }

Status Executor::run(size_t entryIndex, std::span<const void *const> hostInputs,
                     std::span<void *const> hostOutputs) {
  if (!impl->device->canRecord() &&
      entryIndex < impl->plans.size()) { // without a moment to wait for
    std::lock_guard lock(impl->running);
    EntryPlan &plan = impl->plans[entryIndex];
    SINTER_RETURN_IF_ERROR(impl->checkCall(plan, hostInputs, hostOutputs, 1));
    return impl->runAtOnce(plan, hostInputs, hostOutputs);
  }
  SINTER_ASSIGN_OR_RETURN(auto moment, start(entryIndex, hostInputs, hostOutputs));
  return moment->wait();
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
