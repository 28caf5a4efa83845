#include "sinter/frontend/detail/Compiler.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

namespace sinter::detail {

void Runner::bind(const Device &device, const StateTable &table) {
  if (executor && generation == table.generation()) return;
  executor = check(runtime::Executor::create(compiled.program, device.runtimeDevice(),
                                             table.state(), compiled.autotune));
  index = check(executor->entryIndex(entry));
  generation = table.generation();
}

void Runner::initialise(const Device &device, const StateTable &table) {
  bind(device, table);
  check(executor->run(check(executor->entryIndex("init")), {}, {}));
}

std::vector<Array> Runner::run(const std::vector<Array> &inputs, const Device &device,
                               const StateTable &table) {
  std::lock_guard lock(running);
  bind(device, table);
  std::vector<const void *> in;
  for (const Array &input : inputs) in.push_back(input.raw());
  const std::vector<runtime::Port> &ports = compiled.program->entries[index].outputs;
  latest.resize(ports.size());
  std::vector<void *> out;
  for (auto [port, array] : llvm::zip_equal(ports, latest)) {
    TensorSpec spec{port.type.shape, port.type.dtype};
    if (array.shared() || array.spec() != spec) array = Array::empty(spec.shape, spec.dtype);
    out.push_back(array.raw());
  }
  check(executor->run(index, in, out));
  std::vector<Array> results = latest;
  for (size_t i = traced->numResults; i < results.size(); ++i)
    fmt::print(stderr, "{} = {}\n", traced->watched[i - traced->numResults], results[i].text());
  results.resize(traced->numResults);
  return results;
}

Runner::Started Runner::start(const std::vector<std::vector<Array>> &inputs, const Device &device,
                              const StateTable &table) {
  std::lock_guard lock(running);
  bind(device, table);
  Started started;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const std::vector<Array> &step : inputs) {
    for (const Array &input : step) in.push_back(input.raw());
    std::vector<Array> &results = started.results.emplace_back();
    for (const runtime::Port &port : compiled.program->entries[index].outputs) {
      results.push_back(Array::empty(port.type.shape, port.type.dtype));
      out.push_back(results.back().raw());
    }
  }
  started.moment = check(executor->start(index, in, out, static_cast<int64_t>(inputs.size())));
  return started;
}

void Runner::finish(Started &started) const {
  check(started.moment->wait());
  for (std::vector<Array> &results : started.results) {
    for (size_t i = traced->numResults; i < results.size(); ++i)
      fmt::print(stderr, "{} = {}\n", traced->watched[i - traced->numResults], results[i].text());
    results.resize(traced->numResults);
  }
}

static int64_t countKernels(const runtime::Block &block) {
  int64_t count = 0;
  for (const runtime::Instruction &instruction : block) {
    const auto *loop = std::get_if<runtime::Loop>(&instruction.op);
    count += loop ? loop->count * countKernels(*loop->body) : 1;
  }
  return count;
}

Cost Runner::cost() const {
  const runtime::Entry *found = compiled.program->findEntry(entry);
  Cost cost{.kernels = countKernels(found->body),
            .peakBytes = found->arenaBytes,
            .lowerBoundBytes = found->lowerBoundBytes};
  for (const auto &variable : compiled.program->state) cost.stateBytes += variable.type.numBytes();
  return cost;
}

static void collect(const runtime::Program &program, const runtime::Block &block,
                    std::vector<LaunchInfo> &into) {
  for (const runtime::Instruction &instruction : block) {
    if (const auto *launch = std::get_if<runtime::Launch>(&instruction.op))
      into.push_back({launch->label, launch->source, program.kernels[launch->kernel].name});
    else if (const auto *loop = std::get_if<runtime::Loop>(&instruction.op))
      collect(program, *loop->body, into);
    else if (const auto *copy = std::get_if<runtime::Copy>(&instruction.op))
      into.push_back({"copy", copy->source, ""});
    else if (const auto *fill = std::get_if<runtime::Fill>(&instruction.op))
      into.push_back({"fill", fill->source, ""});
  }
}

std::vector<LaunchInfo> Runner::launches() const {
  std::vector<LaunchInfo> result;
  collect(*compiled.program, compiled.program->findEntry(entry)->body, result);
  return result;
}

std::vector<KernelText> Runner::kernelTexts() const {
  std::vector<KernelText> result;
  for (const auto &kernel : compiled.program->kernels)
    result.push_back({kernel.name, kernel.source});
  return result;
}

static std::string placeText(const runtime::Program &program, const runtime::Entry &entry,
                             const runtime::Location &at) {
  switch (at.space) {
  case runtime::Space::arena:
    return fmt::format("arena[{}, {})", at.offset, at.offset + at.bytes);
  case runtime::Space::state:
    return program.state[at.index].name;
  case runtime::Space::input:
    return "input " + entry.inputs[at.index].name;
  case runtime::Space::output:
    return "output " + entry.outputs[at.index].name;
  case runtime::Space::constant:
    return fmt::format("constant {}", at.index);
  }
  return "";
}

std::string planText(const runtime::Program &program) {
  std::string text;
  for (const runtime::Entry &entry : program.entries) {
    text += fmt::format("{}: arena of {} bytes, of which at least {} are in use at one moment\n",
                        entry.name, entry.arenaBytes, entry.lowerBoundBytes);
    for (size_t i = 0; i < entry.body.size(); ++i) {
      const auto *launch = std::get_if<runtime::Launch>(&entry.body[i].op);
      if (!launch) continue;
      text += fmt::format("{:4} {} ({})", i, launch->label, launch->source);
      for (const auto &param : launch->params)
        if (const auto *pointer = std::get_if<runtime::PointerParam>(&param))
          text += fmt::format("\n     {} {}", pointer->written ? "->" : "  ",
                              placeText(program, entry, pointer->location));
      text += "\n";
    }
  }
  return text;
}

} // namespace sinter::detail
