#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_OUTLINECONTROL
#include "sinter/passes/Passes.h.inc"

namespace {

struct OutlineControl : impl::OutlineControlBase<OutlineControl> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      SmallVector<Operation *> found; // what is inside comes before what it is in
      function.walk([&](Operation *op) {
        if (isa<ScanOp, WhileOp, CondOp>(op)) found.push_back(op);
      });
      for (Operation *op : found) outline(op, symbols);
    }
  }

  void outline(Operation *op, SymbolTable &symbols) {
    if (auto scan = dyn_cast<ScanOp>(op)) {
      if (!scan.getStep())
        scan.setStepAttr(
            function(scan, scan.getBody(), "scan_step", scan.getInit().size(), symbols));
    } else if (auto loop = dyn_cast<WhileOp>(op)) {
      if (!loop.getStep())
        loop.setStepAttr(
            function(loop, loop.getBody(), "while_step", loop.getInit().size(), symbols));
    } else if (auto branch = cast<CondOp>(op); !branch.getBranches()) {
      branch.setBranchesAttr(ArrayAttr::get(
          &getContext(), {function(branch, branch.getThen(), "cond_then", 0, symbols),
                          function(branch, branch.getOtherwise(), "cond_else", 0, symbols)}));
    }
  }

  /// A private function of a region, whose first `states` arguments are donated.
  FlatSymbolRefAttr function(Operation *op, Region &region, StringRef name, unsigned states,
                             SymbolTable &symbols) {
    Block &body = region.front();
    Operation *yield = body.getTerminator();
    OpBuilder builder(&getContext());
    auto type = builder.getFunctionType(body.getArgumentTypes(), yield->getOperandTypes());
    auto function = func::FuncOp::create(op->getLoc(), name, type);
    function.setPrivate();
    symbols.insert(function);
    Block *entry = function.addEntryBlock();
    IRMapping map;
    for (auto [from, to] : llvm::zip(body.getArguments(), entry->getArguments())) {
      to.setLoc(op->getLoc()); // copies of state say where they come from
      map.map(from, to);
    }
    builder.setInsertionPointToEnd(entry);
    for (Operation &each : body.without_terminator()) builder.clone(each, map);
    SmallVector<Value> results;
    for (Value value : yield->getOperands()) results.push_back(map.lookupOrDefault(value));
    func::ReturnOp::create(builder, yield->getLoc(), results);
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      bool isState = i < states;
      function.setArgAttr(i, roleAttr, builder.getStringAttr(isState ? "state" : "input"));
      function.setArgAttr(i, nameAttr,
                          builder.getStringAttr((isState ? "state" : "x") + std::to_string(i)));
      if (isState) function.setArgAttr(i, donatedAttr, builder.getI64IntegerAttr(i));
    }
    return FlatSymbolRefAttr::get(function);
  }
};

} // namespace
} // namespace sinter::passes
