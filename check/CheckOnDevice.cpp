#include "sinter/check/CheckPipeline.h"

#include "sinter/check/Places.h"
#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Executor.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::check {

LogicalResult setTarget(ModuleOp module, const std::string &device) {
  if (device == "cpu") {
    auto target = codegen::cpuTarget(*module.getContext());
    if (!target.ok()) return module.emitError(target.error().message);
    module->setAttr(ir::targetAttr, *target);
    return success();
  }
  auto target = codegen::cudaTarget(*module.getContext());
  if (failed(target)) return failure();
  module->setAttr(ir::targetAttr, *target);
  return success();
}

/// The variable that argument `number` is, or -1 for an input.
static int variableOf(func::FuncOp function, unsigned number, const runtime::Program &program) {
  if (ir::roleOf(function.getArgument(number)) == "input") return -1;
  auto name = function.getArgAttrOfType<StringAttr>(number, ir::nameAttr);
  return name ? program.findState(name.getValue().str()) : -1;
}

/// One run: inputs and state in, outputs and donated state out, by result number.
static runtime::Result<Values> runOnce(runtime::Executor &executor, func::FuncOp function,
                                       const Values &inputs) {
  const runtime::Program &program = *executor.program();
  runtime::State &state = *executor.state();
  std::vector<std::vector<uint8_t>> in, out;
  std::map<unsigned, std::string> donated; // result: variable
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    std::vector<uint8_t> bytes = codegen::toBytes(inputs[i]);
    int variable = variableOf(function, i, program);
    if (variable < 0) {
      in.push_back(std::move(bytes));
      continue;
    }
    const std::string &name = program.state[size_t(variable)].name;
    if (auto status = state.set(name, bytes); !status.ok()) return status.error();
    if (auto result = function.getArgAttrOfType<IntegerAttr>(i, ir::donatedAttr))
      donated[unsigned(result.getInt())] = name;
  }
  std::vector<const void *> inPointers;
  std::vector<void *> outPointers;
  for (unsigned r = 0; r < function.getNumResults(); ++r) {
    auto type = cast<RankedTensorType>(function.getResultTypes()[r]);
    // What a kernel does not write must not look right by chance.
    if (!donated.contains(r))
      out.emplace_back(codegen::tensorTypeOf(type).numBytes(), uint8_t(0xA5));
  }
  for (const auto &bytes : in) inPointers.push_back(bytes.data());
  for (auto &bytes : out) outPointers.push_back(bytes.data());
  auto entry = executor.entryIndex(function.getName().str());
  if (!entry.ok()) return entry.error();
  if (auto status = executor.run(*entry, inPointers, outPointers); !status.ok())
    return status.error();
  Values results;
  size_t next = 0;
  for (unsigned r = 0; r < function.getNumResults(); ++r) {
    auto type = cast<RankedTensorType>(function.getResultTypes()[r]);
    if (!donated.contains(r)) {
      results.push_back(codegen::fromBytes(type, out[next++].data()));
      continue;
    }
    auto bytes = state.get(donated[r]);
    if (!bytes.ok()) return bytes.error();
    results.push_back(codegen::fromBytes(type, bytes->data()));
  }
  return results;
}

std::optional<Problem> checkOnDevice(ModuleOp planned, const std::string &name,
                                     const Rounds &rounds, const Observation &expected,
                                     std::string &absent) {
  auto fails = [&](const std::string &what) { return Problem{"codegen", what}; };
  Errors errors(planned.getContext());
  bool cuda = name != "cpu";
  std::shared_ptr<runtime::Device> device = runtime::cpuDevice();
  if (cuda) {
    // Two schedules of the threads: what depends on their order differs.
    auto emulated = runtime::emulatedCudaDevice({.schedules = 2});
    if (!emulated.ok()) {
      absent = emulated.error().message;
      return std::nullopt;
    }
    device = *emulated;
  }
  OwningOpRef<ModuleOp> module = planned.clone();
  codegen::CodegenOptions options;
  options.target = cuda ? runtime::TargetKind::cuda : runtime::TargetKind::cpu;
  auto program = codegen::compileToProgram(*module, options);
  if (failed(program)) return fails("kernels cannot be compiled: " + errors.take());
  auto executor =
      runtime::Executor::create(std::make_shared<runtime::Program>(std::move(*program)), device);
  if (!executor.ok()) return fails("the program cannot be loaded: " + executor.error().message);
  for (const auto &[function, values] : expected.results) {
    auto op = planned.lookupSymbol<func::FuncOp>(function);
    for (size_t r = 0; r < values.size(); ++r) {
      const Round &round = rounds.at(function)[r];
      auto actual = runOnce(**executor, op, round.inputs);
      if (!actual.ok()) return fails(fmt::format("@{}: {}", function, actual.error().message));
      auto difference = firstDifference(values[r], *actual);
      if (!difference) continue;
      return fails(fmt::format("@{} computes something else on the device ({}): result {}, {}",
                               function, round.name, difference->result,
                               describe(*difference, values[r][difference->result].type)));
    }
  }
  return std::nullopt;
}

} // namespace sinter::check
