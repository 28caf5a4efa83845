#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"
#include "sinter/passes/MixedPrecision.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_AUTODIFF
#include "sinter/passes/Passes.h.inc"

namespace {

bool isFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// Opens one sinter.gradient: finds the ops on a path from wrt to the outputs, then walks them once
/// backwards, asking each for its vector-Jacobian product.
class Reverse {
public:
  Reverse(GradientOp gradient) : gradient(gradient), builder(gradient) {}

  LogicalResult open() {
    if (failed(collectPath())) return failure();
    seed();
    for (Operation *op : llvm::reverse(path))
      if (failed(walkBack(op))) return failure();
    for (auto [result, wrt] : llvm::zip(gradient.getGradients(), gradient.getWrt())) {
      Value found = gradients.lookup(wrt);
      if (!found) found = splat(builder, gradient.getLoc(), tensorType(wrt), 0.0);
      result.replaceAllUsesWith(found);
    }
    gradient.erase();
    return success();
  }

private:
  GradientOp gradient;
  OpBuilder builder;
  /// Ops that the outputs need and that depend on wrt, in block order.
  SmallVector<Operation *> path;
  DenseSet<Value> active; // values that depend on wrt
  DenseMap<Value, Value> gradients;

  LogicalResult collectPath() {
    SetVector<Operation *> needed;
    // A composite op without a gradient of its own is opened, and its parts are looked at instead. One that
    // must keep more for its gradient is replaced.
    for (bool settled = false; !settled;) {
      needed.clear();
      if (DecomposableOpInterface composite = collectNeeded(needed)) {
        OpBuilder at(composite);
        composite->replaceAllUsesWith(composite.decompose(at));
        composite->erase();
        continue;
      }
      settled = llvm::none_of(needed, [](Operation *op) {
        auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
        return differentiable && differentiable.prepareVjp();
      });
    }
    active.insert(gradient.getWrt().begin(), gradient.getWrt().end());
    for (Operation &op : *gradient->getBlock()) { // topological
      if (&op == gradient) break;
      if (!needed.contains(&op) || llvm::none_of(op.getOperands(), [&](Value v) {
            return active.contains(v) && isFloat(v);
          }))
        continue;
      if (!isa<DifferentiableOpInterface>(op)) return refuse(&op);
      for (Value result : op.getResults())
        if (isFloat(result)) active.insert(result);
      path.push_back(&op);
    }
    return success();
  }

  /// The ops that the outputs depend on through floating point. Returns the first op that must be
  /// opened before more can be said, or null.
  DecomposableOpInterface collectNeeded(SetVector<Operation *> &needed) {
    SmallVector<Value> pending(gradient.getOutputs());
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (!op || op->getBlock() != gradient->getBlock() || !isFloat(value) || needed.contains(op))
        continue;
      if (!isa<DifferentiableOpInterface>(op)) {
        if (auto composite = dyn_cast<DecomposableOpInterface>(op)) return composite;
        // An ordinary op without a gradient is constant almost everywhere (floor, sign, a
        // comparison) or says so (stop_gradient): nothing flows through it.
        // But not of a loop, which may compute anything.
        auto fusible = dyn_cast<FusibleOpInterface>(op);
        if (fusible && fusible.getFusionKind() != FusionKind::Loop) continue;
      }
      needed.insert(op);
      llvm::append_range(pending, op->getOperands());
    }
    return nullptr;
  }

  LogicalResult refuse(Operation *op) {
    InFlightDiagnostic error = op->emitError()
                               << "'" << op->getName() << "' cannot be differentiated";
    error.attachNote(gradient.getLoc()) << "the gradient asked for here flows through it";
    return error;
  }

  void seed() {
    if (gradient.getCotangents().empty()) {
      Value loss = gradient.getOutputs().front();
      return accumulate(loss, splat(builder, gradient.getLoc(), tensorType(loss), 1.0));
    }
    for (auto [output, cotangent] : llvm::zip(gradient.getOutputs(), gradient.getCotangents()))
      accumulate(output, cotangent);
  }

  void accumulate(Value value, Value part) {
    Value &total = gradients[value];
    if (!total) {
      total = part;
      return;
    }
    Location loc = builder.getFusedLoc({total.getLoc(), part.getLoc()});
    total = AddOp::create(builder, loc, total, part);
  }

  LogicalResult walkBack(Operation *op) {
    SmallVector<Value> cotangents;
    for (Value result : op->getResults()) cotangents.push_back(gradients.lookup(result));
    if (llvm::none_of(cotangents, [](Value v) { return bool(v); })) return success();
    SmallVector<bool> wanted;
    for (Value operand : op->getOperands())
      wanted.push_back(isFloat(operand) && active.contains(operand));

    Vjp vjp(builder, op, cotangents, wanted);
    vjp.loc = NameLoc::get(builder.getStringAttr("gradient"), op->getLoc());
    Operation *before = gradient->getPrevNode();
    cast<DifferentiableOpInterface>(op).buildVjp(vjp);
    if (Attribute reason = op->getAttr(precisionReasonAttr)) // its types are the op's
      for (Operation *made = before ? before->getNextNode() : &gradient->getBlock()->front();
           made != gradient; made = made->getNextNode())
        made->setAttr(precisionReasonAttr, reason);
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Value part = vjp.gradient(i);
      if (!wanted[i] || !part) continue;
      if (part.getType() != operand.getType())
        return op->emitError() << "'" << op->getName() << "': the gradient of operand " << i
                               << " has type " << part.getType() << ", the operand has "
                               << operand.getType();
      accumulate(operand, part);
    }
    return success();
  }
};

struct Autodiff : impl::AutodiffBase<Autodiff> {
  GradientOp firstInRegion() {
    GradientOp found;
    getOperation().walk([&](GradientOp op) {
      if (op->getParentOp() == getOperation()) return WalkResult::advance();
      found = op;
      return WalkResult::interrupt();
    });
    return found;
  }

  void runOnOperation() override {
    // In program order, so that a gradient of a gradient meets ordinary ops.
    // The gradient of a region asks for gradients inside, which are opened before anything reads it.
    SmallVector<GradientOp> gradients;
    getOperation().walk([&](GradientOp op) { gradients.push_back(op); });
    for (GradientOp op : gradients) {
      if (failed(Reverse(op).open())) return signalPassFailure();
      while (GradientOp inner = firstInRegion())
        if (failed(Reverse(inner).open())) return signalPassFailure();
    }
  }
};

} // namespace
} // namespace sinter::passes
