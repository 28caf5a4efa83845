#include "sinter/codegen/CustomKernel.h"
#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineExprVisitor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

LoweringOptions LoweringOptions::of(TargetAttr target) {
  LoweringOptions options;
  if (!target) return options;
  options.gpu = target.getKind() == "cuda";
  options.vectorLanes = options.gpu ? 1 : std::max<int64_t>(1, target.getVectorBytes() / 4);
  options.tiles = target.getIsa() == "amx" || target.getIsa() == "avx512_bf16";
  bool wide = options.tiles || target.getIsa() == "avx512";
  options.registers = wide ? 32 : 16;
  options.maskedTails = wide;
  options.fma = target.getIsa() != "generic";
  options.l1Bytes = target.getL1Bytes();
  options.l2Bytes = target.getL2Bytes();
  options.sharedBytes = target.getSharedBytes();
  options.maxThreads = target.getMaxThreads();
  options.largeSharedBytes = target.getLargeSharedBytes();
  // What tiles of bf16 are multiplied by on a CPU without a matrix unit: vectors of pairs.
  options.matrix = target.getIsa() == "avx512_bf16" ? "pairs" : target.getMatrix().str();
  return options;
}

namespace {

/// Writes an affine expression as arithmetic on index values.
class IndexWriter : public AffineExprVisitor<IndexWriter, Value> {
public:
  IndexWriter(OpBuilder &b, Location loc, ValueRange operands, bool nonNegative)
      : b(b), loc(loc), operands(operands), nonNegative(nonNegative) {}

  Value visitAddExpr(AffineBinaryOpExpr expr) {
    // a + (-c) * b reads better, and folds better, as a subtraction.
    // In this order, whatever compiler built us.
    Value lhs = visit(expr.getLHS()), rhs = visit(expr.getRHS());
    return arith::AddIOp::create(b, loc, lhs, rhs);
  }
  Value visitMulExpr(AffineBinaryOpExpr expr) {
    // In this order, whatever compiler built us.
    Value lhs = visit(expr.getLHS()), rhs = visit(expr.getRHS());
    return arith::MulIOp::create(b, loc, lhs, rhs);
  }
  Value visitFloorDivExpr(AffineBinaryOpExpr expr) {
    Value lhs = visit(expr.getLHS()), rhs = visit(expr.getRHS());
    if (nonNegative) return arith::DivUIOp::create(b, loc, lhs, rhs);
    // floor for a positive divisor: divide -1 - x where x is negative, and turn the result round.
    Value zero = arith::ConstantIndexOp::create(b, loc, 0),
          minusOne = arith::ConstantIndexOp::create(b, loc, -1);
    Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lhs, zero);
    Value mirrored = arith::SubIOp::create(b, loc, minusOne, lhs);
    Value dividend = arith::SelectOp::create(b, loc, negative, mirrored, lhs);
    Value quotient = arith::DivUIOp::create(b, loc, dividend, rhs);
    Value back = arith::SubIOp::create(b, loc, minusOne, quotient);
    return arith::SelectOp::create(b, loc, negative, back, quotient);
  }
  Value visitModExpr(AffineBinaryOpExpr expr) {
    Value lhs = visit(expr.getLHS()), rhs = visit(expr.getRHS());
    if (nonNegative) return arith::RemUIOp::create(b, loc, lhs, rhs);
    Value rest = arith::RemSIOp::create(b, loc, lhs, rhs);
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, rest, zero);
    return arith::SelectOp::create(b, loc, negative, arith::AddIOp::create(b, loc, rest, rhs),
                                   rest);
  }
  Value visitCeilDivExpr(AffineBinaryOpExpr) {
    llvm_unreachable("index expressions divide by floor");
  }
  Value visitConstantExpr(AffineConstantExpr expr) {
    return arith::ConstantIndexOp::create(b, loc, expr.getValue());
  }
  Value visitDimExpr(AffineDimExpr expr) { return operands[expr.getPosition()]; }
  Value visitSymbolExpr(AffineSymbolExpr) { llvm_unreachable("index expressions have no symbols"); }

private:
  OpBuilder &b;
  Location loc;
  ValueRange operands;
  bool nonNegative;
};

/// Drops additions of zero (names that stood for what is known in a branch) and products with one, and
/// writes the sum with a negative number as a difference.
void foldNeutral(func::FuncOp function, IRRewriter &rewriter) {
  function.walk([&](Operation *op) {
    if (!isa<arith::AddIOp, arith::MulIOp>(op)) return;
    for (unsigned side : {0u, 1u}) {
      Value neutral = op->getOperand(side);
      if (isa<arith::AddIOp>(op) ? matchPattern(neutral, m_Zero()) : matchPattern(neutral, m_One()))
        return rewriter.replaceOp(op, op->getOperand(1 - side));
    }
    // Less is taken away, not added as a negative.
    APInt added;
    if (isa<arith::AddIOp>(op) && op->getResult(0).getType().isIndex() &&
        matchPattern(op->getOperand(1), m_ConstantInt(&added)) && added.isNegative()) {
      rewriter.setInsertionPoint(op);
      Value amount = arith::ConstantIndexOp::create(rewriter, op->getLoc(), -added.getSExtValue());
      rewriter.replaceOpWithNewOp<arith::SubIOp>(op, op->getOperand(0), amount);
    }
  });
}

/// Whether 32 bits hold every position and every thread's number, with room for sums on their way.
bool isNarrow(func::FuncOp function, int64_t threads) {
  constexpr int64_t most = int64_t(1) << 30;
  return threads < most && llvm::all_of(function.getArgumentTypes(), [&](Type type) {
           return cast<MemRefType>(type).getNumElements() < most;
         });
}

/// The functions that `function` calls, each once: bodies of an update's segments.
SmallVector<func::FuncOp> calledBy(func::FuncOp function) {
  SmallVector<func::FuncOp> called;
  function.walk([&](func::CallOp call) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
    if (callee && !callee.isExternal() && !is_contained(called, callee)) called.push_back(callee);
  });
  return called;
}

} // namespace

void expandIndexMath(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  // Unused index computations first, from the last on.
  function.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
    if (isOpTriviallyDead(op)) rewriter.eraseOp(op);
  });
  function.walk([&](affine::AffineApplyOp op) {
    rewriter.setInsertionPoint(op);
    IndexWriter writer(rewriter, op.getLoc(), op.getMapOperands(),
                       op->hasAttr("sinter.non_negative"));
    rewriter.replaceOp(op, writer.visit(op.getAffineMap().getResult(0)));
  });
  DominanceInfo dominance(function);
  foldNeutral(function, rewriter);
  eliminateCommonSubExpressions(rewriter, dominance, function);
  function.walk([](LoopLikeOpInterface loop) { moveLoopInvariantCode(loop); });
  eliminateCommonSubExpressions(rewriter, dominance, function);
}

FailureOr<LoweredKernel> lowerKernel(KernelOp kernel, OpBuilder &builder,
                                     const LoweringOptions &options) {
  OpBuilder::InsertionGuard guard(builder);
  std::optional<KernelKind> kind = kindOf(kernel.getSchedule());
  CustomLowering custom = nullptr;
  if (auto schedule = dyn_cast<CustomScheduleAttr>(kernel.getSchedule())) {
    custom = findCustomKernel(schedule.getName());
    if (!custom) {
      kernel.emitOpError("has the schedule of a kernel that nobody registered: '")
          << schedule.getName() << "'; is its plug-in loaded?";
      return failure();
    }
  }
  if (!kind) {
    kernel.emitOpError("has a schedule that code generation does not lower");
    return failure();
  }
  KernelFrame frame(kernel, builder, options);
  auto lower = [&] {
    switch (*kind) {
    case KernelKind::Pointwise:
      return lowerPointwise(frame);
    case KernelKind::Reduction:
    case KernelKind::Row:
      return lowerRows(frame);
    case KernelKind::Contraction:
      return lowerContraction(frame);
    case KernelKind::Scatter:
      return lowerScatter(frame);
    case KernelKind::Attention:
      return lowerAttention(frame);
    case KernelKind::Update:
      return lowerUpdate(frame);
    case KernelKind::Staged:
      return lowerStaged(frame);
    case KernelKind::Scan:
      return kernel.emitOpError("is a scan, which is launched step by step"), failure();
    case KernelKind::Custom:
      return custom(frame);
    }
    llvm_unreachable("a kind without a lowering");
  };
  LogicalResult result = lower();
  LoweredKernel &lowered = frame.lowered;
  SmallVector<std::pair<func::FuncOp, int64_t>> functions{
      {lowered.function, lowered.grid * lowered.block}};
  if (lowered.first) functions.push_back({lowered.first, lowered.firstGrid * lowered.firstBlock});
  for (auto &[function, threads] : functions) {
    if (failed(result)) break;
    expandIndexMath(function);
    if (options.gpu && isNarrow(function, threads))
      function->setAttr(narrowAttr, builder.getUnitAttr());
    if (options.strict) function->setAttr(strictAttr, builder.getUnitAttr());
    result = verify(function);
  }
  SmallVector<func::FuncOp> helpers = calledBy(lowered.function);
  for (func::FuncOp helper : helpers) {
    if (failed(result)) break;
    expandIndexMath(helper);
    for (StringRef attribute : {narrowAttr, strictAttr})
      if (lowered.function->hasAttr(attribute)) helper->setAttr(attribute, builder.getUnitAttr());
    result = verify(helper);
  }
  if (succeeded(result)) return lowered;
  for (auto &[function, threads] : functions) function.erase();
  for (func::FuncOp helper : helpers) helper.erase();
  return failure();
}

} // namespace sinter::codegen
