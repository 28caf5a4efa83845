#include "sinter/passes/memory/Tape.h"

#include "sinter/ir/KernelKinds.h"
#include "sinter/passes/fusion/CostModel.h"

#include <algorithm>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::memory {

// What the ops of a part, or of a whole kernel, cost. Stages cost what each does.
static double costOf(const fusion::CostModel &model, const KernelBody &body, KernelKind kind) {
  if (kind != KernelKind::Staged)
    return kind == KernelKind::Custom ? double(model.bytesOf(body)) : model.costOf(body, kind);
  double cost = 0;
  for (Operation *op : body.ops)
    if (auto stage = dyn_cast<FusedOp>(op))
      cost += costOf(model, KernelBody::of(stage.getBody().front()), *kindOf(stage.getSchedule()));
  return cost;
}

Tape::Tape(func::FuncOp func, const Homes &homes) : func(func), reuse(std::make_shared<Reuse>()) {
  SmallVector<BlockArgument> states = donationsOf(func);
  SmallVector<LaunchOp> launches = launchesOf(func);
  for (auto [number, launch] : llvm::enumerate(launches)) {
    order.push_back(int(number));
    for (OpResult result : launch->getResults()) {
      numbers[result] = int(values.size());
      Value value;
      value.bytes = std::max<int64_t>(1, (bytesOf(result) + alignment - 1) / alignment) * alignment;
      value.maker = int(number);
      value.result = result.getResultNumber();
      if (auto home = homes.find(result); home != homes.end()) {
        value.home = true;
        if (BlockArgument state = states[home->second]) value.state = int(state.getArgNumber());
      }
      values.push_back(value);
    }
  }
  for (LaunchOp launch : launches) {
    Step step = describe(launch, {});
    for (OpResult result : launch->getResults()) step.outputs.push_back(numbers.lookup(result));
    step.root = int(steps.size());
    steps.push_back(std::move(step));
  }
}

ArrayRef<Part> Tape::partsOf(LaunchOp launch) const {
  KernelOp kernel = kernelOf(launch);
  auto [it, isNew] = kernelParts.try_emplace(kernel);
  if (isNew) it->second = memory::partsOf(kernel);
  return it->second;
}

Tape::Step Tape::describe(LaunchOp launch, ArrayRef<unsigned> parts) const {
  Step step;
  step.launch = launch;
  step.parts.assign(parts.begin(), parts.end());
  KernelOp kernel = kernelOf(launch);
  KernelKind kind = *kindOf(kernel.getSchedule());
  Block &block = kernel.getBody().front();
  SmallVector<unsigned> operands, results;
  fusion::CostModel model(targetOf(launch));
  if (parts.empty()) {
    operands = llvm::to_vector(llvm::seq<unsigned>(0, launch.getInputs().size()));
    results = llvm::to_vector(llvm::seq<unsigned>(0, launch->getNumResults()));
    auto [known, isNew] = kernelCosts.try_emplace(kernel);
    if (isNew) known->second = costOf(model, KernelBody::of(block), kind);
    step.cost = known->second;
  }
  ArrayRef<Part> all = parts.empty() ? ArrayRef<Part>() : partsOf(launch);
  for (unsigned part : parts) {
    operands.append(all[part].inputs);
    results.append(all[part].outputs);
    KernelBody body{all[part].ops, {}};
    for (unsigned output : all[part].outputs)
      body.outputs.push_back(block.getTerminator()->getOperand(output));
    step.cost += costOf(model, body, kind);
  }
  llvm::sort(operands);
  operands.erase(std::unique(operands.begin(), operands.end()), operands.end());
  llvm::sort(results);
  for (unsigned operand : operands) {
    mlir::Value storage = storageOf(launch.getInputs()[operand]);
    auto known = numbers.find(storage);
    step.inputs.push_back({operand, known == numbers.end() ? -1 : known->second});
    auto argument = dyn_cast<BlockArgument>(storage);
    if (argument && func.getArgAttr(argument.getArgNumber(), donatedAttr) &&
        !llvm::is_contained(step.reads, int(argument.getArgNumber())))
      step.reads.push_back(int(argument.getArgNumber()));
  }
  for (auto [place, result] : llvm::enumerate(results)) {
    if (values[size_t(numbers.lookup(launch->getResult(result)))].home) continue;
    for (auto [input, one] : llvm::enumerate(step.inputs))
      if (one.value >= 0 && reuse->mayTake(launch, result, one.operand))
        step.mayTake.emplace_back(unsigned(place), unsigned(input));
  }
  return step;
}

int Tape::addParts(ArrayRef<int> from, ArrayRef<unsigned> parts) {
  LaunchOp launch = steps[size_t(from.front())].launch;
  Step step = describe(launch, parts);
  int number = int(steps.size());
  std::vector<bool> made(launch->getNumResults());
  for (unsigned part : parts)
    for (unsigned result : partsOf(launch)[part].outputs) made[result] = true;
  for (int other : from) {
    for (Input &input : step.inputs)
      for (const Input &known : steps[size_t(other)].inputs)
        if (known.operand == input.operand) input.value = known.value;
    for (int value : steps[size_t(other)].outputs)
      if (made[values[size_t(value)].result]) step.outputs.push_back(value);
  }
  llvm::sort(step.outputs,
             [&](int a, int b) { return values[size_t(a)].result < values[size_t(b)].result; });
  for (int value : step.outputs) values[size_t(value)].maker = number;
  step.root = number;
  steps.push_back(std::move(step));
  return number;
}

void Tape::removeSteps(size_t count, ArrayRef<int> makers) {
  steps.resize(steps.size() - count);
  for (int maker : makers)
    for (int value : steps[size_t(maker)].outputs) values[size_t(value)].maker = maker;
  while (!values.empty() && values.back().maker >= int(steps.size())) values.pop_back();
}

int Tape::addCopy(int from) {
  Step step = steps[size_t(from)];
  int number = int(steps.size());
  for (int &value : step.outputs) {
    Value copy = values[size_t(value)];
    copy.home = false;
    copy.state = -1;
    copy.maker = number;
    values.push_back(copy);
    value = int(values.size()) - 1;
  }
  steps.push_back(std::move(step));
  return number;
}

int64_t Tape::bytesAround(const Step &step) const {
  int64_t bytes = 0;
  std::vector<int> seen;
  for (const Input &input : step.inputs)
    if (input.value >= 0 && !values[size_t(input.value)].home &&
        !llvm::is_contained(seen, input.value)) {
      seen.push_back(input.value);
      bytes += values[size_t(input.value)].bytes;
    }
  for (size_t output = 0; output < step.outputs.size(); ++output) {
    const Value &value = values[size_t(step.outputs[output])];
    bool mayTake = llvm::any_of(step.mayTake, [&](auto pair) { return pair.first == output; });
    if (!value.home && !mayTake) bytes += value.bytes;
  }
  return bytes;
}

std::vector<int> Tape::places() const {
  std::vector<int> places(steps.size(), -1);
  for (size_t place = 0; place < order.size(); ++place) places[size_t(order[place])] = int(place);
  return places;
}

std::vector<int> Tape::lastReads() const {
  std::vector<int> last(values.size(), -1);
  for (size_t place = 0; place < order.size(); ++place)
    for (const Input &input : steps[size_t(order[place])].inputs)
      if (input.value >= 0) last[size_t(input.value)] = int(place);
  return last;
}

// `begin(value, first, last)` for a value with bytes of its own, `extend(value, over, first, last)` for one
// that takes those of `over`, which end at `first`.
template <class Begin, class Extend> void Tape::play(Begin &&begin, Extend &&extend) const {
  std::vector<int> last = lastReads();
  std::vector<bool> taken;
  for (int place = 0; place < int(order.size()); ++place) {
    const Step &step = steps[size_t(order[size_t(place)])];
    taken.assign(step.inputs.size(), false);
    for (size_t output = 0; output < step.outputs.size(); ++output) {
      int value = step.outputs[output];
      if (values[size_t(value)].home) continue;
      int end = std::max(place, last[size_t(value)]), over = -1;
      for (auto [result, input] : step.mayTake) {
        if (result != output || taken[input]) continue;
        int candidate = step.inputs[input].value;
        if (candidate < 0 || values[size_t(candidate)].home || last[size_t(candidate)] != place)
          continue;
        over = candidate;
        taken[input] = true;
        break;
      }
      if (over >= 0)
        extend(value, over, place, end);
      else
        begin(value, place, end);
    }
  }
}

std::vector<int64_t> Tape::profile() const {
  std::vector<int64_t> changes(order.size() + 1, 0);
  play(
      [&](int value, int first, int last) {
        changes[size_t(first)] += values[size_t(value)].bytes;
        changes[size_t(last) + 1] -= values[size_t(value)].bytes;
      },
      [&](int value, int, int first, int last) {
        changes[size_t(first) + 1] += values[size_t(value)].bytes;
        changes[size_t(last) + 1] -= values[size_t(value)].bytes;
      });
  for (size_t place = 1; place < changes.size(); ++place) changes[place] += changes[place - 1];
  changes.pop_back();
  return changes;
}

std::vector<Extent> Tape::extents() const {
  std::vector<Extent> extents;
  std::vector<int> extentOf(values.size(), -1);
  play(
      [&](int value, int first, int last) {
        extentOf[size_t(value)] = int(extents.size());
        extents.push_back({values[size_t(value)].bytes, first, last});
      },
      [&](int value, int over, int, int last) {
        extentOf[size_t(value)] = extentOf[size_t(over)];
        extents[size_t(extentOf[size_t(over)])].last = last;
      });
  return extents;
}

int64_t Tape::peak() const {
  std::vector<int64_t> live = profile();
  return live.empty() ? 0 : *std::max_element(live.begin(), live.end());
}

int64_t Tape::excess(int64_t target) const {
  int64_t sum = 0;
  for (int64_t bytes : profile()) sum += std::max<int64_t>(0, bytes - target);
  return sum;
}

} // namespace sinter::passes::memory
