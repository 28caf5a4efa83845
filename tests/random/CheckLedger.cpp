#include "CheckGraph.h"

#include "sinter/ir/KernelKinds.h"
#include "sinter/passes/Pipeline.h"
#include "sinter/passes/fusion/LedgerAttribute.h"

#include "mlir/IR/AsmState.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

using namespace mlir;

namespace sinter::test {
namespace {

/// Producer and consumer as the IR calls them, and which result of the producer it is.
using Edge = std::tuple<std::string, unsigned, std::string>;

std::string nameOf(Operation *op, AsmState &state) {
  std::string name;
  llvm::raw_string_ostream os(name);
  op->getResult(0).printAsOperand(os, state);
  return name.substr(0, name.find('#'));
}

bool isSeenThrough(Operation *op) {
  StringRef name = op->getName().stripDialect();
  return name == "reshape" || name == "fusion_barrier";
}

/// The edges between ops that compute, with the bytes that flow.
std::map<Edge, int64_t> edgesOf(ModuleOp module) {
  std::map<Edge, int64_t> edges;
  func::FuncOp func = Ir::function(module, "f");
  AsmState state(func);
  for (Operation &op : func.getBody().front().without_terminator()) {
    if (isSeenThrough(&op) || isa<ir::ConstantOp>(op)) continue;
    for (Value operand : op.getOperands()) {
      while (Operation *def = operand.getDefiningOp()) {
        if (!isSeenThrough(def)) break;
        operand = def->getOperand(0);
      }
      auto result = dyn_cast<OpResult>(operand);
      if (!result || isa<ir::ConstantOp>(result.getOwner())) continue;
      auto type = cast<RankedTensorType>(operand.getType());
      int64_t bytes = type.getElementTypeBitWidth() < 8 ? 1 : type.getElementTypeBitWidth() / 8;
      edges[{nameOf(result.getOwner(), state), result.getResultNumber(), nameOf(&op, state)}] =
          bytes * type.getNumElements();
    }
  }
  return edges;
}

std::string compare(const std::map<Edge, int64_t> &expected, const passes::Ledger &ledger,
                    const std::set<std::string> &kernels, int64_t &refused) {
  std::set<std::string> codes;
  for (ir::Refusal refusal : ir::allRefusals()) codes.insert(ir::nameOf(refusal).str());
  std::set<Edge> seen;
  for (const passes::LedgerEdge &edge : ledger.edges) {
    const passes::LedgerOp &from = ledger.ops[edge.from], &to = ledger.ops[edge.to];
    Edge key{from.value, edge.result, to.value};
    std::string text = fmt::format("{}#{} -> {}", from.value, edge.result, to.value);
    auto known = expected.find(key);
    if (known == expected.end()) return text + " is no edge of the graph";
    if (!seen.insert(key).second) return text + " is there twice";
    if (edge.bytes != known->second)
      return fmt::format("{} has {} bytes, not {}", text, edge.bytes, known->second);
    if (edge.fused != edge.code.empty() || edge.fused == edge.kernels.empty())
      return text + " is neither fused nor refused, or both";
    for (const std::string &kernel : edge.kernels)
      if (!kernels.count(kernel)) return text + " is fused into " + kernel + ", which is nowhere";
    if (edge.fused) continue;
    ++refused;
    if (!codes.count(edge.code)) return text + " is refused with " + edge.code;
    if (edge.detail.empty()) return text + " is refused without words";
  }
  if (seen.size() != expected.size())
    return fmt::format("{} of {} edges are missing", expected.size() - seen.size(),
                       expected.size());
  for (const passes::LedgerOp &op : ledger.ops)
    for (const std::string &kernel : op.kernels)
      if (!kernels.count(kernel)) return op.value + " is in " + kernel + ", which is nowhere";
  return "";
}

} // namespace

CheckResult checkLedger(const RandomGraph &graph) {
  CheckResult result;
  Ir ir;
  auto module = ir.parse(graph.text);
  auto problem = [&](const std::string &what) {
    result.problem = what + ir.errors;
    return result;
  };
  if (!module) return problem("is not valid: ");
  passes::PipelineOptions options;
  options.ledger = true;
  std::map<Edge, int64_t> expected;
  std::string previous, failedStage;
  auto afterStage = [&](llvm::StringRef stage, llvm::StringRef, ModuleOp at) {
    if (stage != "fusion") { // what fusion will start from, in the end
      expected = edgesOf(at);
      return;
    }
    std::set<std::string> kernels;
    for (auto fused : Ir::function(at, "f").getBody().front().getOps<ir::FusedOp>())
      kernels.insert(fused->getAttrOfType<StringAttr>(ir::nameAttr).str());
    std::vector<passes::Ledger> ledgers = passes::ledgersOf(at);
    if (ledgers.size() != 1) {
      result.problem = fmt::format("{} ledgers", ledgers.size());
      return;
    }
    int64_t refused = 0;
    result.problem = compare(expected, ledgers[0], kernels, refused);
    result.elements = int64_t(expected.size());
    result.unbounded = refused;
  };
  // No further than fusion: the stages after it have checks of their own.
  bool done = false;
  auto guarded = [&](llvm::StringRef stage, llvm::StringRef pipeline, ModuleOp at) {
    if (!done) afterStage(stage, pipeline, at);
    done |= stage == "fusion";
  };
  if (failed(passes::runPipeline(*module, options, guarded, &failedStage)) &&
      result.problem.empty())
    return problem(failedStage + " failed: ");
  return result;
}

} // namespace sinter::test
