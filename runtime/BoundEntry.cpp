#include "sinter/runtime/BoundEntry.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sinter::runtime {
namespace {

/// "launch 'matmul+bias' (model.cpp:14 fc)", as errors and profiles name an instruction.
struct Name {
  std::string_view kind, label, source;
};
Name nameOf(const Instruction &instruction) {
  if (auto *launch = std::get_if<Launch>(&instruction.op))
    return {"launch", launch->label, launch->source};
  if (auto *copy = std::get_if<Copy>(&instruction.op)) return {"copy", "copy", copy->source};
  if (auto *fill = std::get_if<Fill>(&instruction.op)) return {"fill", "fill", fill->source};
  return {"loop", "loop", ""};
}

/// The index among a launch's addresses (of pointers and tensor maps) of its parameter `param`.
size_t pointerIndex(const Launch &launch, size_t param) {
  size_t index = 0;
  for (size_t p = 0; p < param; ++p)
    index += !std::holds_alternative<ScalarParam>(launch.params[p]);
  return index;
}

/// What `path` leads to in a loop, as `instructionAt` does.
const BoundInstruction &boundAt(const BoundInstruction &loop, std::span<const uint32_t> path) {
  const BoundInstruction *found = &loop;
  for (uint32_t number : path) {
    size_t first = found->body.size();
    found = number < first ? &found->body[number] : &found->otherwise[number - first];
  }
  return *found;
}

} // namespace

BoundEntry::BoundEntry(const Program &program, const Entry &entry, const Addresses &addresses,
                       std::span<const std::unique_ptr<LoadedKernel>> kernels)
    : program(&program), source(&entry), inputs(entry.inputs.size()),
      outputs(entry.outputs.size()) {
  body = bindBlock(entry.body, addresses, kernels, 1);
}

void BoundEntry::addSlot(const Location &location, const Addresses &addresses) {
  void *base = nullptr;
  switch (location.space) {
  case Space::arena:
    base = addresses.arena;
    break;
  case Space::state:
    base = addresses.state[location.index];
    break;
  case Space::constant:
    base = addresses.constants[location.index];
    break;
  case Space::input:
    inputs[location.index].uses.push_back({slots.size(), location.offset});
    break;
  case Space::output:
    outputs[location.index].uses.push_back({slots.size(), location.offset});
    break;
  }
  slots.push_back(base ? advance(base, location.offset) : nullptr);
}

std::vector<BoundInstruction>
BoundEntry::bindBlock(const Block &block, const Addresses &addresses,
                      std::span<const std::unique_ptr<LoadedKernel>> kernels, int64_t times) {
  std::vector<BoundInstruction> bound;
  bound.reserve(block.size());
  for (const Instruction &instruction : block) {
    BoundInstruction made;
    made.source = &instruction;
    made.firstSlot = slots.size();
    if (auto *loop = std::get_if<Loop>(&instruction.op)) {
      int64_t turns = 0;
      if (__builtin_mul_overflow(times, loop->count, &turns))
        turns = INT64_MAX; // only a number for people
      made.body = bindBlock(*loop->body, addresses, kernels, turns);
      for (const LoopOffset &moved : loop->offsets) {
        const BoundInstruction &target = boundAt(made, moved.path);
        auto *launch = std::get_if<Launch>(&target.source->op);
        size_t operand = launch ? pointerIndex(*launch, moved.param) : moved.param;
        made.steps.push_back({target.firstSlot + operand, moved.stride});
      }
    } else if (auto *turns = std::get_if<While>(&instruction.op)) {
      hasConditions = true;
      addSlot(turns->condition, addresses);
      made.body = bindBlock(*turns->body, addresses, kernels, times);
    } else if (auto *branch = std::get_if<If>(&instruction.op)) {
      hasConditions = true;
      addSlot(branch->condition, addresses);
      int64_t before = launches;
      made.body = bindBlock(*branch->then, addresses, kernels, times);
      int64_t first = std::exchange(launches, before);
      if (branch->otherwise)
        made.otherwise = bindBlock(*branch->otherwise, addresses, kernels, times);
      launches = std::max(launches, first);
    } else {
      launches += times;
      if (auto *launch = std::get_if<Launch>(&instruction.op)) {
        made.kernel = kernels[launch->kernel].get();
        for (const KernelParam &param : launch->params)
          if (auto *pointer = std::get_if<PointerParam>(&param))
            addSlot(pointer->location, addresses);
          else if (auto *map = std::get_if<TensorMapParam>(&param))
            addSlot(map->location, addresses);
      } else if (auto *copy = std::get_if<Copy>(&instruction.op)) {
        addSlot(copy->from, addresses);
        addSlot(copy->to, addresses);
      } else if (auto *fill = std::get_if<Fill>(&instruction.op)) {
        addSlot(fill->to, addresses);
      }
    }
    made.numSlots = slots.size() - made.firstSlot;
    bound.push_back(std::move(made));
  }
  return bound;
}

void BoundEntry::bind(PortBinding &port, void *base) {
  if (port.base == base) return;
  port.base = base;
  for (const PortBinding::Use &use : port.uses) slots[use.slot] = advance(base, use.offset);
}

Status BoundEntry::execute(Device &device, Profiler *profiler) {
  return executeBlock(body, device, profiler);
}

Status BoundEntry::executeBlock(std::span<const BoundInstruction> block, Device &device,
                                Profiler *profiler) {
  for (const BoundInstruction &instruction : block) {
    Status status;
    if (std::holds_alternative<Loop>(instruction.source->op))
      status = executeLoop(instruction, device, profiler);
    else if (std::holds_alternative<While>(instruction.source->op))
      status = executeWhile(instruction, device, profiler);
    else if (std::holds_alternative<If>(instruction.source->op))
      status = executeIf(instruction, device, profiler);
    else if (profiler)
      status = executeTimed(instruction, device, *profiler);
    else
      status = executeOne(instruction, device);
    SINTER_RETURN_IF_ERROR(status);
  }
  return {};
}

Status BoundEntry::executeLoop(const BoundInstruction &loop, Device &device, Profiler *profiler) {
  int64_t count = std::get<Loop>(loop.source->op).count;
  int64_t turn = 0;
  Status status;
  while (turn < count && status.ok()) {
    status = executeBlock(loop.body, device, profiler);
    for (const BoundInstruction::Step &step : loop.steps)
      slots[step.slot] = advance(slots[step.slot], step.stride);
    ++turn;
  }
  for (const BoundInstruction::Step &step : loop.steps)
    slots[step.slot] = advance(slots[step.slot], -turn * step.stride);
  return status;
}

Result<bool> BoundEntry::holds(const BoundInstruction &instruction, Device &device) {
  uint8_t flag = 0;
  SINTER_RETURN_IF_ERROR(device.download(&flag, slots[instruction.firstSlot], 1));
  SINTER_RETURN_IF_ERROR(device.synchronize());
  return flag != 0;
}

Status BoundEntry::executeWhile(const BoundInstruction &loop, Device &device, Profiler *profiler) {
  while (true) {
    SINTER_ASSIGN_OR_RETURN(bool goesOn, holds(loop, device));
    if (!goesOn) return {};
    SINTER_RETURN_IF_ERROR(executeBlock(loop.body, device, profiler));
  }
}

Status BoundEntry::executeIf(const BoundInstruction &branch, Device &device, Profiler *profiler) {
  SINTER_ASSIGN_OR_RETURN(bool first, holds(branch, device));
  return executeBlock(first ? branch.body : branch.otherwise, device, profiler);
}

Status BoundEntry::record(Device &device, int64_t steps,
                          const std::function<void(int64_t)> &bindStep) {
  Earlier before;
  uint32_t next = 0;
  for (int64_t step = 0; step < steps; ++step) {
    bindStep(step);
    SINTER_ASSIGN_OR_RETURN(before, recordBlock(body, device, before, next));
  }
  return {};
}

Result<BoundEntry::Earlier> BoundEntry::recordBlock(std::span<const BoundInstruction> block,
                                                    Device &device, const Earlier &before,
                                                    uint32_t &next) {
  std::vector<Earlier> ends(block.size());
  std::vector<bool> last(block.size(), true);
  for (size_t i = 0; i < block.size(); ++i) {
    Earlier after;
    for (uint32_t dependency : block[i].source->dependencies) {
      after.insert(after.end(), ends[dependency].begin(), ends[dependency].end());
      last[dependency] = false;
    }
    // What depends on nothing in the block still comes after what the block comes after.
    if (after.empty()) after = before;
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    if (std::holds_alternative<Loop>(block[i].source->op)) {
      SINTER_ASSIGN_OR_RETURN(ends[i], recordLoop(block[i], device, std::move(after), next));
    } else {
      device.recordAfter(after);
      SINTER_RETURN_IF_ERROR(executeOne(block[i], device));
      ends[i] = {next++};
    }
  }
  Earlier all;
  for (size_t i = 0; i < block.size(); ++i)
    if (last[i]) all.insert(all.end(), ends[i].begin(), ends[i].end());
  return block.empty() ? before : all;
}

Result<BoundEntry::Earlier> BoundEntry::recordLoop(const BoundInstruction &loop, Device &device,
                                                   Earlier before, uint32_t &next) {
  const int64_t count = std::get<Loop>(loop.source->op).count;
  int64_t turn = 0;
  Status status;
  for (; turn < count && status.ok(); ++turn) {
    auto ends = recordBlock(loop.body, device, before, next);
    status = ends.status();
    if (ends.ok()) before = std::move(*ends);
    for (const BoundInstruction::Step &step : loop.steps)
      slots[step.slot] = advance(slots[step.slot], step.stride);
  }
  for (const BoundInstruction::Step &step : loop.steps)
    slots[step.slot] = advance(slots[step.slot], -turn * step.stride);
  SINTER_RETURN_IF_ERROR(status);
  return before;
}

Status BoundEntry::executeTimed(const BoundInstruction &instruction, Device &device,
                                Profiler &profiler) {
  double start = profiler.now();
  SINTER_RETURN_IF_ERROR(executeOne(instruction, device));
  SINTER_RETURN_IF_ERROR(device.synchronize());
  double end = profiler.now();
  Name name = nameOf(*instruction.source);
  std::string symbol(name.kind);
  if (auto *launch = std::get_if<Launch>(&instruction.source->op))
    symbol = program->kernels[launch->kernel].name;
  profiler.record(
      {std::move(symbol), std::string(name.label), std::string(name.source), start, end - start});
  return {};
}

Status BoundEntry::executeOne(const BoundInstruction &instruction, Device &device) {
  std::span<void *const> operands(slots.data() + instruction.firstSlot, instruction.numSlots);
  Status status;
  if (auto *launch = std::get_if<Launch>(&instruction.source->op))
    status = device.launch(*instruction.kernel, *launch, operands);
  else if (auto *copy = std::get_if<Copy>(&instruction.source->op))
    status = device.copy(operands[1], operands[0], copy->to.bytes);
  else if (auto *fill = std::get_if<Fill>(&instruction.source->op))
    status = device.fill(operands[0], fill->to.bytes, fill->pattern);
  if (status.ok()) return status;
  Name name = nameOf(*instruction.source);
  return {status.error().code,
          fmt::format("entry '{}': {} '{}' ({}) failed: {}", source->name, name.kind, name.label,
                      name.source.empty() ? "no source line" : name.source,
                      status.error().message)};
}

} // namespace sinter::runtime
