#include "sinter/passes/fusion/Expectations.h"

#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/Explain.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <set>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_CHECKEXPECTATIONS
#include "sinter/passes/Passes.h.inc"
} // namespace sinter::passes

namespace sinter::passes::fusion {

// A list of dictionaries: `max`, `at` (a location) and `boundaries` (words).
static constexpr llvm::StringLiteral mostAttr = "sinter.expected_kernels";

Expectations::Expectations(func::FuncOp func) {
  Block &block = func.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto expected = dyn_cast<ExpectFusedOp>(op)) {
      Together one{op.getLoc(), {}, {}};
      for (Value value : expected.getValues())
        // Arguments and constants are in every kernel that wants them.
        if (Operation *maker = LedgerOps::sourceOf(value).getDefiningOp();
            maker && !isa<ConstantOp>(maker))
          one.makers.push_back(maker);
      together.push_back(std::move(one));
    } else if (auto expected = dyn_cast<ExpectKernelsOp>(op)) {
      most.push_back({op.getLoc(), int64_t(expected.getMax())});
    } else {
      continue;
    }
    op.erase();
  }
  if (together.empty()) return;
  llvm::DenseSet<Operation *> gone;
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op)) {
      gone.insert(&op);
      op.erase();
    }
  for (Together &one : together)
    for (Operation *&maker : one.makers)
      if (gone.contains(maker)) maker = nullptr;
}

void Expectations::resolve(const LedgerOps &ops) {
  for (Together &one : together)
    for (Operation *maker : one.makers)
      if (int id = maker ? ops.idOf(maker) : -1; id >= 0) one.ids.push_back(unsigned(id));
}

LogicalResult Expectations::check(const Together &one, const Ledger &ledger) const {
  if (one.ids.size() < one.makers.size())
    return emitError(one.loc) << "expect_fused: no result needs one of the values: it is not "
                                 "computed at all";
  if (one.ids.size() < 2) return success();
  auto kernelsOf = [&](unsigned id) {
    const std::vector<std::string> &names = ledger.ops[id].kernels;
    return std::set<std::string>(names.begin(), names.end());
  };
  std::set<std::string> common = kernelsOf(one.ids.front());
  for (unsigned id : llvm::drop_begin(one.ids)) {
    std::set<std::string> kernels = kernelsOf(id);
    std::erase_if(common, [&](const std::string &name) { return !kernels.count(name); });
  }
  if (!common.empty()) return success();
  // The first two neighbours of the list that are apart say most.
  for (size_t i = 0; i + 1 < one.ids.size(); ++i) {
    std::set<std::string> a = kernelsOf(one.ids[i]), b = kernelsOf(one.ids[i + 1]);
    if (llvm::none_of(a, [&](const std::string &name) { return b.count(name) != 0; }))
      return emitError(one.loc) << "expect_fused: "
                                << explain::explain(ledger, {one.ids[i]}, {one.ids[i + 1]});
  }
  return emitError(one.loc) << "expect_fused: "
                            << explain::explain(ledger, {one.ids.front()}, {one.ids.back()});
}

LogicalResult Expectations::check(func::FuncOp func, const Ledger &ledger) const {
  LogicalResult result = success();
  for (const Together &one : together)
    if (failed(check(one, ledger))) result = failure();
  if (most.empty()) return result;
  Builder b(func.getContext());
  StringAttr boundaries = b.getStringAttr(explain::largestBoundaries(ledger, 3));
  SmallVector<Attribute> entries;
  for (const Most &one : most)
    entries.push_back(
        b.getDictionaryAttr({b.getNamedAttr("at", static_cast<LocationAttr>(one.loc)),
                             b.getNamedAttr("boundaries", boundaries),
                             b.getNamedAttr("max", b.getI64IntegerAttr(one.kernels))}));
  func->setAttr(mostAttr, b.getArrayAttr(entries));
  return result;
}

namespace {

class CheckExpectationsPass
    : public sinter::passes::impl::CheckExpectationsBase<CheckExpectationsPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      auto expected = func->getAttrOfType<ArrayAttr>(mostAttr);
      if (!expected) continue;
      func->removeAttr(mostAttr);
      int64_t kernels = 0;
      func.walk([&](Operation *op) { kernels += isa<LaunchOp>(op); });
      for (auto one : expected.getAsRange<DictionaryAttr>()) {
        int64_t max = one.getAs<IntegerAttr>("max").getInt();
        if (kernels <= max) continue;
        StringRef boundaries = one.getAs<StringAttr>("boundaries").getValue();
        InFlightDiagnostic error = emitError(one.getAs<LocationAttr>("at"));
        error << "expect_kernels: " << func.getName() << " is " << kernels << " kernels, expected "
              << max << " or fewer.";
        if (!boundaries.empty()) error << " The largest boundaries: " << boundaries << ".";
        signalPassFailure();
      }
    }
  }
};

} // namespace
} // namespace sinter::passes::fusion
