#include "CheckGraph.h"

#include "sinter/passes/Pipeline.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::test {

/// Counts what is about to be compared.
static void count(const std::vector<HostTensor> &before, const std::vector<HostTensor> &after,
                  CheckResult &result) {
  for (size_t r = 0; r < before.size(); ++r)
    for (int64_t i = 0; i < before[r].numElements(); ++i) {
      ++result.elements;
      result.unbounded += std::isinf(before[r].errorAt(i) + after[r].errorAt(i));
    }
}

CheckResult checkPasses(const RandomGraph &graph) {
  CheckResult result;
  Ir ir;
  auto module = ir.parse(graph.text);
  auto problem = [&](const std::string &what) {
    result.problem = what + ir.errors;
    return result;
  };
  if (!module) return problem("is not valid: ");
  std::vector<HostTensor> inputs = check::inputsOf(&ir.context, graph), before;
  auto evaluate = [&](mlir::ModuleOp at, std::vector<HostTensor> &results) {
    auto made = codegen::evaluate(Ir::function(at, "f"), inputs);
    if (failed(made)) return false;
    results.assign(made->begin(), made->end());
    return true;
  };
  // The reference: the graph as written, with its gradients opened and nothing else done to it.
  mlir::OwningOpRef<mlir::ModuleOp> opened = module->clone();
  if (!runPasses(ir, *opened, "func.func(sinter-autodiff)")) return problem("autodiff failed: ");
  if (!evaluate(*opened, before)) return problem("cannot be evaluated: ");

  std::string failedStage;
  bool reached = false; // stages before autodiff leave a gradient, which is not evaluated
  auto afterStage = [&](llvm::StringRef stage, llvm::StringRef, mlir::ModuleOp at) {
    if (!result.problem.empty()) return;
    reached |= stage == "autodiff";
    if (!reached) return;
    std::vector<HostTensor> after;
    if (!evaluate(at, after)) {
      result.problem = fmt::format("after {}: cannot be evaluated: {}", stage.str(), ir.errors);
      return;
    }
    count(before, after, result);
    std::string difference = disagreement(before, after);
    if (!difference.empty()) result.problem = fmt::format("after {}: {}", stage.str(), difference);
  };
  if (failed(passes::runPipeline(*module, {}, afterStage, &failedStage)) && result.problem.empty())
    result.problem = fmt::format("{} failed: {}", failedStage, ir.errors);
  return result;
}

CheckResult checkOnDevice(const RandomGraph &graph, const std::string &device,
                          const std::string &precision) {
  CheckResult result;
  Ir ir;
  auto module = ir.parse(graph.text), reference = ir.parse(graph.text);
  auto problem = [&](const std::string &what) {
    result.problem = what + ir.errors;
    return result;
  };
  if (!module) return problem("is not valid: ");
  passes::PipelineOptions options;
  options.precision = precision;
  if (precision != "f32" &&
      !runPasses(ir, *reference,
                 fmt::format("func.func(sinter-mixed-precision{{type={}}})", precision)))
    return problem("mixed precision failed: ");
  if (!runPasses(ir, *reference, "func.func(sinter-autodiff)")) return problem("autodiff failed: ");
  std::vector<HostTensor> inputs = check::inputsOf(&ir.context, graph);
  auto expected = codegen::evaluate(Ir::function(*reference, "f"), inputs);
  if (failed(expected)) return problem("cannot be evaluated: ");
  OnDevice compiled(ir, *module, device, options);
  result.problem = compiled.problem;
  if (!result.problem.empty()) return result;
  auto actual = compiled.run("f", inputs, resultTypes(*reference, "f"));
  result.problem = compiled.problem;
  if (!result.problem.empty()) return result;
  std::vector<HostTensor> wanted(expected->begin(), expected->end());
  count(wanted, actual, result);
  result.problem = disagreement(wanted, actual);
  return result;
}

CheckResult checkStrict(const RandomGraph &graph, const std::string &device) {
  CheckResult result;
  Ir ir;
  std::vector<HostTensor> results[2];
  for (bool fuse : {false, true}) {
    auto module = ir.parse(graph.text);
    if (!module) {
      result.problem = "is not valid: " + ir.errors;
      return result;
    }
    std::vector<HostTensor> inputs = check::inputsOf(&ir.context, graph);
    std::vector<mlir::RankedTensorType> types = resultTypes(*module, "f");
    passes::PipelineOptions options;
    options.numerics = "strict";
    options.fuse = fuse;
    OnDevice compiled(ir, *module, device, options);
    result.problem = compiled.problem;
    if (!result.problem.empty()) return result;
    results[fuse] = compiled.run("f", inputs, types);
    result.problem = compiled.problem;
    if (!result.problem.empty()) return result;
  }
  result.problem = bitDifference(results[0], results[1]);
  for (const HostTensor &tensor : results[0]) result.elements += tensor.numElements();
  return result;
}

Check checkOf(const std::string &mode) {
  if (mode == "passes") return checkPasses;
  if (mode == "ledger") return checkLedger;
  if (mode == "budget") return checkBudget;
  if (mode == "cpu") return [](const RandomGraph &graph) { return checkOnDevice(graph, "cpu"); };
  if (mode == "cpu-bf16")
    return [](const RandomGraph &graph) { return checkOnDevice(graph, "cpu", "bf16"); };
  if (mode == "emulated")
    return [](const RandomGraph &graph) { return checkOnDevice(graph, "cuda-emulated"); };
  if (mode == "strict") return [](const RandomGraph &graph) { return checkStrict(graph, "cpu"); };
  if (mode == "strict-emulated")
    return [](const RandomGraph &graph) { return checkStrict(graph, "cuda-emulated"); };
  return nullptr;
}

} // namespace sinter::test
