#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_OUTLINESCANS
#include "sinter/passes/Passes.h.inc"

namespace {

struct OutlineScans : impl::OutlineScansBase<OutlineScans> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      SmallVector<ScanOp> scans;
      function.walk([&](ScanOp scan) { scans.push_back(scan); });
      for (ScanOp scan : scans) {
        if (scan->getParentOfType<ScanOp>()) {
          scan.emitError() << "scan: a scan in a scan has no form that runs on this device";
          return signalPassFailure();
        }
        if (!scan.getStep()) outline(scan, symbols);
      }
    }
  }

  void outline(ScanOp scan, SymbolTable &symbols) {
    Block &body = scan.getBody().front();
    Operation *yield = body.getTerminator();
    OpBuilder builder(&getContext());
    auto type = builder.getFunctionType(body.getArgumentTypes(), yield->getOperandTypes());
    auto function = func::FuncOp::create(scan.getLoc(), "scan_step", type);
    function.setPrivate();
    symbols.insert(function);
    Block *entry = function.addEntryBlock();
    IRMapping map;
    for (auto [from, to] : llvm::zip(body.getArguments(), entry->getArguments())) {
      to.setLoc(scan.getLoc()); // copies of state say where they come from
      map.map(from, to);
    }
    builder.setInsertionPointToEnd(entry);
    for (Operation &op : body.without_terminator()) builder.clone(op, map);
    SmallVector<Value> results;
    for (Value value : yield->getOperands()) results.push_back(map.lookupOrDefault(value));
    func::ReturnOp::create(builder, yield->getLoc(), results);
    unsigned states = scan.getInit().size();
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      bool isState = i < states;
      function.setArgAttr(i, roleAttr, builder.getStringAttr(isState ? "state" : "input"));
      function.setArgAttr(i, nameAttr,
                          builder.getStringAttr((isState ? "state" : "x") + std::to_string(i)));
      if (isState) function.setArgAttr(i, donatedAttr, builder.getI64IntegerAttr(i));
    }
    scan.setStepAttr(FlatSymbolRefAttr::get(function));
  }
};

} // namespace
} // namespace sinter::passes
