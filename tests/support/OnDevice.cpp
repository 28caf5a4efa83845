#include "OnDevice.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::test {

std::vector<std::string> devices() { return {"cpu", "cuda-emulated"}; }

static mlir::FailureOr<ir::TargetAttr> targetOf(Ir &ir, bool cuda) {
  if (cuda) return codegen::cudaTarget(ir.context);
  auto target = codegen::cpuTarget(ir.context);
  if (target.ok()) return *target;
  ir.errors += target.error().message;
  return mlir::failure();
}

std::optional<runtime::Program> programFor(Ir &ir, mlir::ModuleOp module, const std::string &name,
                                           std::string &problem,
                                           const passes::PipelineOptions &pipeline) {
  bool cuda = name != "cpu";
  auto target = targetOf(ir, cuda);
  if (failed(target)) {
    problem = "no target: " + ir.errors;
    return std::nullopt;
  }
  module->setAttr(ir::targetAttr, *target);
  std::string stage;
  if (failed(passes::runPipeline(module, pipeline, {}, &stage))) {
    problem = stage + " failed: " + ir.errors;
    return std::nullopt;
  }
  codegen::CodegenOptions options;
  options.target = cuda ? runtime::TargetKind::cuda : runtime::TargetKind::cpu;
  auto program = codegen::compileToProgram(module, options);
  if (succeeded(program)) return std::move(*program);
  problem = "code generation failed: " + ir.errors;
  return std::nullopt;
}

OnDevice::OnDevice(Ir &ir, mlir::ModuleOp module, const std::string &name,
                   const passes::PipelineOptions &pipeline) {
  std::shared_ptr<runtime::Device> device = runtime::cpuDevice();
  if (name != "cpu") {
    // Two schedules of the threads: what depends on their order differs.
    auto emulated = runtime::emulatedCudaDevice({.schedules = 2});
    if (!emulated.ok()) {
      problem = emulated.error().message;
      return;
    }
    device = *emulated;
  }
  auto program = programFor(ir, module, name, problem, pipeline);
  if (!program) return;
  auto made =
      runtime::Executor::create(std::make_shared<runtime::Program>(std::move(*program)), device);
  if (!made.ok())
    problem = "the executor: " + made.error().message;
  else
    executor = *made;
}

std::vector<HostTensor> OnDevice::run(const std::string &name,
                                      const std::vector<HostTensor> &inputs,
                                      const std::vector<mlir::RankedTensorType> &types) {
  std::vector<std::vector<uint8_t>> in, out;
  std::vector<const void *> inPointers;
  std::vector<void *> outPointers;
  for (const HostTensor &input : inputs) in.push_back(codegen::toBytes(input));
  // What a kernel does not write must not look right by chance.
  for (auto type : types) out.emplace_back(codegen::tensorTypeOf(type).numBytes(), uint8_t(0xA5));
  for (const auto &bytes : in) inPointers.push_back(bytes.data());
  for (auto &bytes : out) outPointers.push_back(bytes.data());
  auto entry = executor->entryIndex(name);
  runtime::Status status =
      entry.ok() ? executor->run(*entry, inPointers, outPointers) : entry.status();
  if (!status.ok()) {
    problem = fmt::format("@{}: {}", name, status.error().message);
    return {};
  }
  std::vector<HostTensor> results;
  for (size_t i = 0; i < types.size(); ++i)
    results.push_back(codegen::fromBytes(types[i], out[i].data()));
  return results;
}

std::vector<mlir::RankedTensorType> resultTypes(mlir::ModuleOp module,
                                                const std::string &function) {
  std::vector<mlir::RankedTensorType> types;
  for (mlir::Type type : Ir::function(module, function).getResultTypes())
    types.push_back(llvm::cast<mlir::RankedTensorType>(type));
  return types;
}

bool runPasses(Ir &ir, mlir::ModuleOp module, const std::string &pipeline) {
  passes::registerPasses();
  mlir::PassManager manager(&ir.context);
  llvm::raw_string_ostream errors(ir.errors);
  return succeeded(mlir::parsePassPipeline(pipeline, manager, errors)) &&
         succeeded(manager.run(module));
}

std::string bitDifference(const std::vector<HostTensor> &expected,
                          const std::vector<HostTensor> &actual) {
  if (expected.size() != actual.size())
    return fmt::format("{} results instead of {}", actual.size(), expected.size());
  for (size_t r = 0; r < expected.size(); ++r)
    for (int64_t i = 0; i < expected[r].numElements(); ++i) {
      double wanted = expected[r].at(i), got = actual[r].at(i);
      bool same = std::isnan(wanted) ? std::isnan(got)
                                     : wanted == got && std::signbit(wanted) == std::signbit(got);
      if (!expected[r].isFloat()) same = expected[r].integers[i] == actual[r].integers[i];
      if (!same) return fmt::format("result {}, element {}: {} instead of {}", r, i, got, wanted);
    }
  return "";
}

std::string disagreement(const std::vector<HostTensor> &expected,
                         const std::vector<HostTensor> &actual) {
  if (expected.size() != actual.size())
    return fmt::format("{} results instead of {}", actual.size(), expected.size());
  for (size_t r = 0; r < expected.size(); ++r) {
    int64_t i = codegen::firstDisagreement(expected[r], actual[r]);
    if (i >= 0)
      return fmt::format("result {}, element {}: {} +- {} instead of {} +- {}", r, i,
                         actual[r].at(i), actual[r].errorAt(i), expected[r].at(i),
                         expected[r].errorAt(i));
  }
  return "";
}

} // namespace sinter::test
