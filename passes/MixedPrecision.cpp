#include "sinter/passes/MixedPrecision.h"

#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_MIXEDPRECISION
#include "sinter/passes/Passes.h.inc"

bool hasPrecisionScopes(ModuleOp module) {
  return module
      .walk([](Operation *op) {
        return op->hasAttr(precisionAttr) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {

/// "f32", "bf16" or "f16"; null for anything else.
FloatType floatNamed(MLIRContext *context, StringRef name) {
  if (name == "f32") return Float32Type::get(context);
  if (name == "bf16") return BFloat16Type::get(context);
  if (name == "f16") return Float16Type::get(context);
  return {};
}

/// Rewrites one block in order. Values keep their identity: a lowered value is an f32 value whose type
/// has become narrower; casts made for a value are remembered and shared by all that want them.
class Lowering {
public:
  Lowering(Block &block, FloatType asked, bool explain)
      : block(block), asked(asked), full(Float32Type::get(asked.getContext())),
        builder(asked.getContext()), explain(explain) {}

  LogicalResult run() {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      FloatType wanted = asked;
      std::string scope;
      if (failed(takeScope(&op, wanted, scope))) return failure();
      std::string reason;
      if (failed(visit(&op, wanted, reason))) return failure();
      if (explain && !reason.empty())
        op.setAttr(precisionReasonAttr, builder.getStringAttr(scope.empty() ? reason : scope));
    }
    for (Operation *view : llvm::reverse(views))
      if (view->use_empty()) view->erase();
    return success();
  }

private:
  Block &block;
  FloatType asked, full;
  OpBuilder builder;
  bool explain;
  DenseSet<Value> lowered; // traced as f32, now narrower
  DenseSet<Value> literal; // filled with one number: adopts the type of what it meets
  DenseMap<std::pair<Value, Type>, Value> casts;
  SetVector<Operation *> views; // that were made again, of what was cast
  bool anyF16 = false;

  /// What the op's own scope asks for, and its place; the attributes have then done their work.
  LogicalResult takeScope(Operation *op, FloatType &wanted, std::string &scope) {
    Attribute own = op->removeAttr(precisionAttr);
    auto place = dyn_cast_or_null<StringAttr>(op->removeAttr(precisionScopeAttr));
    if (!own) return success();
    auto name = dyn_cast<StringAttr>(own);
    wanted = name ? floatNamed(op->getContext(), name.getValue()) : FloatType();
    if (!wanted)
      return op->emitError() << "mixed precision: " << precisionAttr << " is " << own
                             << ", expected \"f32\", \"bf16\" or \"f16\"";
    scope = place ? ("scope at " + place.getValue()).str() : "scope";
    return success();
  }

  bool isFull(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getElementType() == full;
  }
  bool isLowered(Value value) { return lowered.contains(value); }
  bool participates(Value value) { return isFull(value) || isLowered(value); }

  /// `value` in another type. A view of an argument is one of its cast instead: however a parameter is
  /// looked at, it is cast once, as it lies in memory.
  Value castOf(Value value, Type element, Location loc) {
    if (elementOf(value) == element) return value;
    Value known = casts.lookup({value, element});
    if (known) return known;
    RankedTensorType type = tensorType(value).clone(element);
    Operation *view = value.getDefiningOp();
    Value cast;
    if (isa_and_nonnull<BroadcastOp, ReshapeOp, TransposeOp>(view) && !isLowered(value) &&
        isa<BlockArgument>(throughViews(value))) {
      Value source = castOf(view->getOperand(0), element, loc);
      builder.setInsertionPointAfter(view);
      Operation *seen = builder.clone(*view);
      seen->setOperand(0, source);
      seen->getResult(0).setType(type);
      cast = seen->getResult(0);
      views.insert(view);
    } else {
      builder.setInsertionPointAfterValue(value);
      cast = CastOp::create(builder, loc, type, value);
    }
    casts[{value, element}] = cast;
    return cast;
  }

  void castOperand(OpOperand &operand, Type element) {
    if (participates(operand.get()))
      operand.set(castOf(operand.get(), element, operand.getOwner()->getLoc()));
  }
  void castOperands(Operation *op, Type element) {
    for (OpOperand &operand : op->getOpOperands()) castOperand(operand, element);
  }

  /// Gives the f32 results the type that the op now has: what it infers from its operands, where it
  /// does, else `element`.
  LogicalResult lowerResults(Operation *op, Type element) {
    SmallVector<Type> types;
    if (auto infer = dyn_cast<InferTypeOpInterface>(op)) {
      if (failed(infer.inferReturnTypes(op->getContext(), op->getLoc(), op->getOperands(),
                                        op->getAttrDictionary(), op->getPropertiesStorage(),
                                        op->getRegions(), types)))
        return failure();
    } else {
      for (Value result : op->getResults())
        types.push_back(isFull(result) ? tensorType(result).clone(element) : result.getType());
    }
    for (auto [result, type] : llvm::zip(op->getResults(), types)) {
      if (result.getType() == type) continue;
      result.setType(type);
      lowered.insert(result);
    }
    anyF16 |= element.isF16();
    return success();
  }

  static PrecisionPolicy policyOf(Operation *op) {
    auto policy = dyn_cast_or_null<PrecisionOpInterface>(op);
    return policy ? policy.getPrecisionPolicy() : PrecisionPolicy::Full;
  }
  static Value throughViews(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (policyOf(op) != PrecisionPolicy::Keep || op->getNumOperands() != 1) break;
      value = op->getOperand(0);
    }
    return value;
  }
  /// Whether `op` adds a layer's bias: a rank-1 parameter, stretched, beside the result of a low op. In
  /// PyTorch it is an operand of that op and is cast with the others.
  bool takesBias(Operation *op, Value bias) {
    auto argument = dyn_cast<BlockArgument>(throughViews(bias));
    if (!argument || shapeOf(argument).size() != 1 || roleOf(argument) != "parameter") return false;
    return llvm::any_of(op->getOperands(), [&](Value other) {
      return isLowered(other) &&
             policyOf(throughViews(other).getDefiningOp()) == PrecisionPolicy::Low;
    });
  }
  /// The one narrow type of the lowered operands; null when there is none, or when they differ.
  Type commonLowType(Operation *op, bool &differ) {
    Type common;
    for (Value operand : op->getOperands()) {
      if (!isLowered(operand)) continue;
      differ |= common && common != elementOf(operand);
      common = elementOf(operand);
    }
    return differ ? Type() : common;
  }

  LogicalResult visit(Operation *op, FloatType wanted, std::string &reason) {
    if (auto gradient = dyn_cast<GradientOp>(op)) return visitGradient(gradient);
    // What enters and leaves a step keeps its type; inside, the policy holds.
    auto fusible = dyn_cast<FusibleOpInterface>(op);
    if (fusible && fusible.getFusionKind() == FusionKind::Loop)
      for (Region &region : op->getRegions())
        if (failed(Lowering(region.front(), wanted, explain).run())) return failure();
    auto policy = dyn_cast<PrecisionOpInterface>(op);
    if (!policy) { // what leaves the function or enters foreign ops keeps its declared type
      castOperands(op, full);
      return success();
    }
    SplatElementsAttr number;
    if (matchPattern(op, m_Constant(&number)) && isFull(op->getResult(0)))
      literal.insert(op->getResult(0));
    bool differ = false, isLow = wanted != full;
    Type low = commonLowType(op, differ);

    switch (policy.getPrecisionPolicy()) {
    case PrecisionPolicy::Low:
      reason = !isLow                            ? "asked for"
               : isa<ContractionOpInterface>(op) ? "contraction"
                                                 : "listed as low";
      // Masks and seeds are of other types anyway.
      if (!llvm::all_of(op->getOperands(), [&](Value v) {
            return participates(v) || !isa<FloatType>(elementOf(v));
          })) {
        reason = "the type of its operands";
        return success();
      }
      castOperands(op, wanted);
      return isLow ? lowerResults(op, wanted) : success();
    case PrecisionPolicy::Full:
      reason = "listed as needing range";
      castOperands(op, full);
      return success();
    case PrecisionPolicy::Widest: {
      reason = "widest of its inputs";
      bool anyFull = llvm::any_of(op->getOperands(), [&](Value v) {
        return isFull(v) && !literal.contains(v) && !takesBias(op, v);
      });
      if (!isLow || anyFull || !low) {
        castOperands(op, full);
        return success();
      }
      castOperands(op, low);
      return lowerResults(op, low);
    }
    case PrecisionPolicy::Refused:
      reason = "not in low precision";
      if (isLow && llvm::any_of(op->getOperands(), [&](Value v) { return participates(v); }))
        return op->emitError() << "mixed precision: " << op->getName().stripDialect()
                               << " of probabilities is not safe in " << asked
                               << ": use the form that takes logits, or ask for f32 here";
      castOperands(op, full);
      return success();
    case PrecisionPolicy::Keep:
      if (op->getNumResults() == 0) return success(); // computes nothing
      reason = "the type of its input";
      if (op->getNumOperands() > 0 && literal.contains(op->getOperand(0)) &&
          isFull(op->getResult(0)))
        literal.insert(op->getResult(0)); // a literal's broadcast is one too
      if (isLow && low) return lowerResults(op, low);
      castOperands(op, full);
      return success();
    }
    llvm_unreachable("unknown precision policy");
  }

  /// The outputs are f32 again; a lowered wrt is differentiated where it is, and its gradient widened.
  LogicalResult visitGradient(GradientOp op) {
    if (anyF16 && op.getCotangents().empty())
      return op.emitError()
             << "mixed precision: gradients in f16 need a scaled loss, or small ones "
                "become zero: train_step scales it; use bf16 here, or give "
                "sinter.gradient the scale as its cotangent";
    unsigned first = op.getOutputs().size(), last = first + op.getWrt().size();
    for (OpOperand &operand : op->getOpOperands())
      if (operand.getOperandNumber() < first || operand.getOperandNumber() >= last)
        castOperand(operand, full);
    for (auto [wrt, gradient] : llvm::zip(op.getWrt(), op.getGradients())) {
      if (gradient.getType() == wrt.getType()) continue;
      gradient.setType(wrt.getType());
      lowered.insert(gradient);
    }
    return success();
  }
};

struct MixedPrecision : impl::MixedPrecisionBase<MixedPrecision> {
  using MixedPrecisionBase::MixedPrecisionBase;

  void runOnOperation() override {
    FloatType asked = floatNamed(&getContext(), type);
    if (!asked) {
      getOperation().emitError() << "mixed precision: type is '" << type
                                 << "', expected f32, bf16 or f16";
      return signalPassFailure();
    }
    for (Block &block : getOperation().getBody())
      if (failed(Lowering(block, asked, explain).run())) return signalPassFailure();
  }
};

} // namespace
} // namespace sinter::passes
