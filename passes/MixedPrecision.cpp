#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_MIXEDPRECISION
#include "sinter/passes/Passes.h.inc"

namespace {

/// Rewrites one block in order. Values keep their identity: a lowered value is an f32 value whose type
/// has become `low`; casts made for a value are remembered and shared by all that want them.
class Lowering {
public:
  Lowering(Block &block, FloatType low)
      : block(block), low(low), full(Float32Type::get(low.getContext())),
        builder(low.getContext()) {}

  LogicalResult run() {
    for (Operation &op : llvm::make_early_inc_range(block))
      if (failed(visit(&op))) return failure();
    return success();
  }

private:
  Block &block;
  FloatType low;
  Type full;
  OpBuilder builder;
  DenseSet<Value> lowered; // traced as f32, now low
  DenseSet<Value> literal; // filled with one number: adopts the type of what it meets
  DenseMap<Value, Value> lowCasts, fullCasts;

  bool isFull(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getElementType() == full;
  }

  Value castOf(Value value, Type element, DenseMap<Value, Value> &made, Location loc) {
    Value &cast = made[value];
    if (!cast) {
      builder.setInsertionPointAfterValue(value);
      cast = CastOp::create(builder, loc, tensorType(value).clone(element), value);
    }
    return cast;
  }

  void lowerOperand(OpOperand &operand) {
    if (isFull(operand.get()))
      operand.set(castOf(operand.get(), low, lowCasts, operand.getOwner()->getLoc()));
  }
  void raiseOperand(OpOperand &operand) {
    if (lowered.contains(operand.get()))
      operand.set(castOf(operand.get(), full, fullCasts, operand.getOwner()->getLoc()));
  }

  /// Gives the f32 results their low type: what the op infers from its operands, where it does.
  LogicalResult lowerResults(Operation *op) {
    SmallVector<Type> types;
    if (auto infer = dyn_cast<InferTypeOpInterface>(op)) {
      if (failed(infer.inferReturnTypes(op->getContext(), op->getLoc(), op->getOperands(),
                                        op->getAttrDictionary(), op->getPropertiesStorage(),
                                        op->getRegions(), types)))
        return failure();
    } else {
      for (Value result : op->getResults())
        types.push_back(isFull(result) ? tensorType(result).clone(low) : result.getType());
    }
    for (auto [result, type] : llvm::zip(op->getResults(), types)) {
      if (result.getType() == type) continue;
      result.setType(type);
      lowered.insert(result);
    }
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
      return lowered.contains(other) &&
             policyOf(throughViews(other).getDefiningOp()) == PrecisionPolicy::Low;
    });
  }

  LogicalResult visit(Operation *op) {
    if (auto gradient = dyn_cast<GradientOp>(op)) return visitGradient(gradient);
    auto policy = dyn_cast<PrecisionOpInterface>(op);
    if (!policy) { // what leaves the function or enters foreign ops keeps its declared type
      for (OpOperand &operand : op->getOpOperands()) raiseOperand(operand);
      return success();
    }
    SplatElementsAttr number;
    if (matchPattern(op, m_Constant(&number)) && isFull(op->getResult(0)))
      literal.insert(op->getResult(0));

    auto participates = [&](Value v) { return isFull(v) || lowered.contains(v); };
    switch (policy.getPrecisionPolicy()) {
    case PrecisionPolicy::Low:
      if (!llvm::all_of(op->getOperands(), participates)) return success();
      for (OpOperand &operand : op->getOpOperands()) lowerOperand(operand);
      return lowerResults(op);
    case PrecisionPolicy::Full:
      for (OpOperand &operand : op->getOpOperands()) raiseOperand(operand);
      return success();
    case PrecisionPolicy::Widest: {
      bool anyLow = llvm::any_of(op->getOperands(), [&](Value v) { return lowered.contains(v); });
      bool anyFull = llvm::any_of(op->getOperands(), [&](Value v) {
        return isFull(v) && !literal.contains(v) && !takesBias(op, v);
      });
      if (anyFull || !anyLow) {
        for (OpOperand &operand : op->getOpOperands()) raiseOperand(operand);
        return success();
      }
      for (OpOperand &operand : op->getOpOperands()) lowerOperand(operand);
      return lowerResults(op);
    }
    case PrecisionPolicy::Keep:
      if (op->getNumOperands() > 0 && op->getNumResults() > 0 &&
          literal.contains(op->getOperand(0)) && isFull(op->getResult(0)))
        literal.insert(op->getResult(0)); // a literal's broadcast is one too
      if (llvm::none_of(op->getOperands(), [&](Value v) { return lowered.contains(v); }))
        return success();
      return lowerResults(op);
    }
    llvm_unreachable("unknown precision policy");
  }

  /// The outputs are f32 again; a lowered wrt is differentiated where it is, and its gradient widened.
  LogicalResult visitGradient(GradientOp op) {
    if (low.isF16())
      return op.emitError() << "mixed precision: training in f16 needs dynamic loss scaling, which "
                               "this pipeline does not have; use bf16";
    unsigned first = op.getOutputs().size(), last = first + op.getWrt().size();
    for (OpOperand &operand : op->getOpOperands())
      if (operand.getOperandNumber() < first || operand.getOperandNumber() >= last)
        raiseOperand(operand);
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
    FloatType low;
    if (type == "bf16") low = BFloat16Type::get(&getContext());
    if (type == "f16") low = Float16Type::get(&getContext());
    if (!low) {
      getOperation().emitError() << "mixed precision: type is '" << type
                                 << "', expected bf16 or f16";
      return signalPassFailure();
    }
    for (Block &block : getOperation().getBody())
      if (failed(Lowering(block, low).run())) return signalPassFailure();
  }
};

} // namespace
} // namespace sinter::passes
