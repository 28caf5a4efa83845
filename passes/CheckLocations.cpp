#include "sinter/passes/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sinter::passes {
#define GEN_PASS_DEF_CHECKLOCATIONS
#include "sinter/passes/Passes.h.inc"

namespace {

/// Whether some part of `loc` says where it comes from.
bool isKnown(Location loc) {
  return TypeSwitch<LocationAttr, bool>(loc)
      .Case<UnknownLoc>([](auto) { return false; })
      .Case<FusedLoc>([](FusedLoc fused) { return llvm::any_of(fused.getLocations(), isKnown); })
      .Case<CallSiteLoc>(
          [](CallSiteLoc site) { return isKnown(site.getCallee()) || isKnown(site.getCaller()); })
      .Default([](auto) { return true; });
}

struct CheckLocations : impl::CheckLocationsBase<CheckLocations> {
  void runOnOperation() override {
    bool lost = false;
    getOperation()->walk([&](Operation *op) {
      if (isa<ModuleOp>(op) || op->hasTrait<OpTrait::ConstantLike>() || isKnown(op->getLoc()))
        return;
      op->emitError() << "'" << op->getName() << "' has lost its source location";
      lost = true;
    });
    if (lost) return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace sinter::passes
