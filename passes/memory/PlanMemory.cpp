#include "sinter/passes/Passes.h"
#include "sinter/passes/memory/CheckPlan.h"
#include "sinter/passes/memory/Order.h"

namespace sinter::passes {
#define GEN_PASS_DEF_PLANMEMORY
#define GEN_PASS_DEF_CHECKPLAN
#include "sinter/passes/Passes.h.inc"
} // namespace sinter::passes

using namespace mlir;
using namespace sinter::ir;
using namespace sinter::passes::memory;

namespace {

void writePlan(func::FuncOp func, const Homes &homes, const Lifetimes &lifetimes,
               const Placement &placement) {
  llvm::DenseMap<Value, int64_t> offsets;
  for (auto [buffer, offset] : llvm::zip(lifetimes.buffers, placement.offsets))
    for (Value value : buffer.values) offsets[value] = offset;
  Builder b(func.getContext());
  for (LaunchOp launch : launchesOf(func)) {
    SmallVector<int64_t> inPlace, offset, home;
    for (Value result : launch.getOutputs()) {
      auto own = homes.find(result);
      home.push_back(own == homes.end() ? -1 : int64_t(own->second));
      offset.push_back(own == homes.end() ? offsets.lookup(result) : -1);
      inPlace.push_back(lifetimes.inPlace.lookup(result));
    }
    launch.setInPlaceAttr(b.getDenseI64ArrayAttr(inPlace));
    launch.setOffsetAttr(b.getDenseI64ArrayAttr(offset));
    launch.setHomeAttr(b.getDenseI64ArrayAttr(home));
  }
  func->setAttr(arenaBytesAttr, b.getI64IntegerAttr(placement.height));
  func->setAttr(lowerBoundAttr, b.getI64IntegerAttr(lowerBound(lifetimes.extents())));
}

class PlanMemoryPass : public sinter::passes::impl::PlanMemoryBase<PlanMemoryPass> {
public:
  using PlanMemoryBase::PlanMemoryBase;

private:
  void runOnOperation() override {
    for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (func.isExternal()) continue;
      Precedence precedence(func);
      Homes homes = assignHomes(func, precedence);
      Lifetimes lifetimes;
      Placement placement;
      auto planned = [&] {
        lifetimes = lifetimesOf(func, homes);
        placement = place(lifetimes.extents());
      };
      // An order that fits was made to fit.
      if (budget > 0) {
        arrangeAsIs(func, precedence, homes);
        planned();
      }
      if (budget <= 0 || placement.height > budget) {
        orderLaunches(func, precedence, homes);
        planned();
      }
      writePlan(func, homes, lifetimes, placement);
      if (failed(checkPlan(func))) return signalPassFailure();
      if (budget > 0 && placement.height > budget) {
        func.emitError() << "@" << func.getName() << " needs " << placement.height
                         << " bytes of working memory, and its budget is " << int64_t(budget);
        return signalPassFailure();
      }
    }
  }
};

class CheckPlanPass : public sinter::passes::impl::CheckPlanBase<CheckPlanPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && failed(checkPlan(func))) signalPassFailure();
  }
};

} // namespace
