#include "CheckGraph.h"

#include "sinter/passes/Pipeline.h"
#include "sinter/passes/memory/CheckPlan.h"

#include <fmt/format.h>

namespace sinter::test {
namespace {

/// The graph as compiled within a budget (0: any).
struct Compiled {
  Compiled(const RandomGraph &graph, int64_t budget) : module(ir.parse(graph.text)) {
    if (!module) return;
    passes::PipelineOptions options;
    options.memoryBudget = budget;
    done = succeeded(passes::runPipeline(*module, options));
    if (done)
      arena = function()->getAttrOfType<mlir::IntegerAttr>(passes::memory::arenaBytesAttr).getInt();
  }
  mlir::func::FuncOp function() { return Ir::function(*module, "f"); }
  bool evaluate(const RandomGraph &graph, std::vector<HostTensor> &results) {
    auto made = codegen::evaluate(function(), check::inputsOf(&ir.context, graph));
    if (failed(made)) return false;
    results.assign(made->begin(), made->end());
    return true;
  }

  Ir ir;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  bool done = false;
  int64_t arena = 0;
};

// One NaN is as good as another.
bool sameBits(const HostTensor &a, const HostTensor &b) {
  return a.integers == b.integers &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    [](double x, double y) { return x == y || (x != x && y != y); });
}

} // namespace

CheckResult checkBudget(const RandomGraph &graph) {
  CheckResult result;
  Compiled whole(graph, 0);
  if (!whole.done) {
    result.problem = "cannot be compiled: " + whole.ir.errors;
    return result;
  }
  std::vector<HostTensor> expected, actual;
  for (double share : {0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4}) {
    auto budget = static_cast<int64_t>(static_cast<double>(whole.arena) * share);
    if (budget == 0) break; // it needs no memory
    Compiled tight(graph, budget);
    if (!tight.done) {
      ++result.unbounded;
      if (tight.ir.errors.find("its budget") == std::string::npos)
        result.problem =
            fmt::format("within {} of {} bytes: {}", budget, whole.arena, tight.ir.errors);
      break;
    }
    ++result.elements;
    if (expected.empty() && !whole.evaluate(graph, expected))
      result.problem = "cannot be evaluated: " + whole.ir.errors;
    else if (!tight.evaluate(graph, actual))
      result.problem = "cannot be evaluated: " + tight.ir.errors;
    else if (tight.arena > budget)
      result.problem = fmt::format("{} bytes in a budget of {}", tight.arena, budget);
    for (size_t i = 0; i < expected.size() && result.problem.empty(); ++i)
      if (!sameBits(expected[i], actual[i]))
        result.problem =
            fmt::format("result {} differs within {} of {} bytes", i, budget, whole.arena);
    if (!result.problem.empty()) break;
  }
  return result;
}

} // namespace sinter::test
