#include "sinter/frontend/detail/ContractCheck.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Origin.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/memory/Lifetimes.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

void ContractCheck::violated(const char *contract, Location where, const std::string &text) {
  Origin origin = originsOf(where).front();
  std::string inside = origin.path;
  if (origin.phase == "backward") inside += inside.empty() ? "gradient" : " gradient";
  violations.push_back(
      {contract, inside.empty() ? text : fmt::format("{} ({})", text, inside), placeOf(where)});
}

void ContractCheck::afterStage(StringRef stage, ModuleOp module) {
  if (stage == "layout" && options.require.no_f32_fallback) checkPrecision(module);
  if (stage == "decompose" && options.require.graph_capture) checkCapture(module);
  if (stage == "memory" && options.require.donation) checkDonation(module);
}

// The memory plan puts a copying launch in front of state that what it becomes cannot be written to.
void ContractCheck::checkDonation(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic()) continue; // the step of a scan, whose state is nobody's
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [result, state] : llvm::enumerate(passes::memory::donationsOf(function))) {
      if (!state) continue;
      auto launch =
          passes::memory::storageOf(terminator->getOperand(result)).getDefiningOp<ir::LaunchOp>();
      if (!launch) continue;
      auto kernel =
          SymbolTable::lookupNearestSymbolFrom<ir::KernelOp>(launch, launch.getKernelAttr());
      if (!kernel || !isa<ir::YieldOp>(kernel.getBody().front().front())) continue;
      auto name = function.getArgAttrOfType<StringAttr>(state.getArgNumber(), ir::nameAttr);
      violated("donation", launch.getLoc(),
               fmt::format("'{}' is not updated in place: what it becomes is copied there",
                           name ? name.str() : std::string("a state")));
    }
  }
}

void ContractCheck::checkPrecision(ModuleOp module) {
  if (options.precision == Precision::f32) return;
  module.walk([&](ir::ContractionOpInterface op) {
    for (unsigned side : {0u, 1u}) {
      Type type = getElementTypeOrSelf(op->getOperand(op.getSideOperand(side)));
      if (!type.isF32() && !type.isF64()) continue;
      std::string name = op->getName().stripDialect().str(), text;
      llvm::raw_string_ostream(text) << type;
      violated("no_f32_fallback", op->getLoc(), fmt::format("{} takes {} operands", name, text));
      return;
    }
  });
}

// Branches and loops on values: the host fetches their conditions.
void ContractCheck::checkCapture(ModuleOp module) {
  module.walk([&](Operation *op) {
    if (isa<ir::CondOp, ir::WhileOp>(op))
      violated("graph_capture", op->getLoc(),
               fmt::format("the host decides what a {} runs", op->getName().stripDialect().str()));
  });
}

void ContractCheck::check(const runtime::Program &program) const {
  if (!violations.empty()) {
    const Violation &first = violations.front();
    std::string text = first.text;
    if (violations.size() > 1) text += fmt::format("; and {} more", violations.size() - 1);
    throw CompileError("require." + first.contract, text, first.place);
  }
  if (options.require.graph_capture && program.target == runtime::TargetKind::reference)
    throw CompileError("require.graph_capture", "the device 'reference' evaluates op by op");
}

} // namespace sinter::detail
