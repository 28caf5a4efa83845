#include "sinter/frontend/detail/PrecisionTable.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/Trace.h"
#include "sinter/passes/MixedPrecision.h"
#include "sinter/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace sinter::detail {

/// What the op computes in: the type of its first floating-point operand, else of its result; empty when
/// there is none.
static std::string typeOf(Operation *op) {
  std::string text;
  auto note = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!text.empty() || !type || !isa<FloatType>(type.getElementType())) return;
    llvm::raw_string_ostream(text) << type.getElementType();
  };
  for (Value operand : op->getOperands()) note(operand);
  for (Value result : op->getResults()) note(result);
  return text;
}

static std::string reasonOf(Operation *op, const std::string &phase) {
  auto known = op->getAttrOfType<StringAttr>(passes::precisionReasonAttr);
  if (phase == "update") return "on f32 parameters";
  if (phase == "backward")
    return known ? "gradient: " + known.getValue().str() : std::string("sum of gradients");
  return known ? known.getValue().str() : std::string("as written");
}

std::vector<PrecisionRow> precisionTable(ModuleOp module, const std::string &entry,
                                         const std::string &precision) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  OpPassManager &functions = pm.nest<func::FuncOp>();
  passes::MixedPrecisionOptions options;
  options.type = precision;
  options.explain = true;
  functions.addPass(passes::createMixedPrecision(options));
  functions.addPass(passes::createAutodiff());
  Diagnostics diagnostics;
  if (failed(pm.run(module))) throw CompileError("precision", diagnostics.text());

  std::vector<PrecisionRow> rows;
  auto function = module.lookupSymbol<func::FuncOp>(entry);
  if (!function) return rows;
  for (Operation &op : function.getBody().front()) {
    auto fusible = dyn_cast<ir::FusibleOpInterface>(op);
    if (!fusible || op.getNumOperands() == 0) continue;
    if (fusible.getFusionKind() == ir::FusionKind::View) continue;
    std::string phase = originsOf(op.getLoc()).front().phase;
    PrecisionRow row{op.getName().stripDialect().str(), typeOf(&op), reasonOf(&op, phase), 1};
    if (row.type.empty()) continue;
    if (phase == "update") { // the state's types, and f64 for a loss scale
      row.op = "update", row.type = "f32";
    } else if (isa<ir::CastOp>(op) && isa<FloatType>(ir::elementOf(op.getOperand(0)))) {
      std::string to;
      llvm::raw_string_ostream(to) << ir::elementOf(op.getResult(0));
      row.type += " to " + to;
      row.reason = "between the types of ops";
    }
    auto same = llvm::find_if(rows, [&](const PrecisionRow &other) {
      return other.op == row.op && other.type == row.type && other.reason == row.reason;
    });
    if (same == rows.end())
      rows.push_back(std::move(row));
    else
      ++same->count;
  }
  return rows;
}

} // namespace sinter::detail
