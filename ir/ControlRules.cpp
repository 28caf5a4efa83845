#include "sinter/ir/InferSupport.h"

#include "mlir/IR/IRMapping.h"

// What the regions of branches and loops must be, and the gradient of a branch.

using namespace mlir;
using namespace sinter::ir;

static int64_t flopsOf(Region &region) {
  int64_t total = 0;
  for (Operation &op : region.front())
    if (auto fusible = dyn_cast<FusibleOpInterface>(op)) total += fusible.getFlops();
  return total;
}

static bool isFlag(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getRank() == 0 && tensor.getElementType().isInteger(1);
}

static LogicalResult verifyRegion(Operation *op, StringRef what, Region &region,
                                  TypeRange arguments, TypeRange results) {
  auto differ = [&](StringRef side, TypeRange have, TypeRange want) -> LogicalResult {
    if (have.size() != want.size())
      return op->emitError() << what << " " << side << " " << have.size() << " values, expected "
                             << want.size();
    for (auto [number, both] : llvm::enumerate(llvm::zip(have, want)))
      if (auto [is, expected] = both; is != expected)
        return op->emitError() << what << " " << side << " " << typeText(is) << " as value "
                               << number << ", expected " << typeText(expected);
    return success();
  };
  if (failed(differ("takes", region.getArgumentTypes(), arguments))) return failure();
  return differ("yields", region.front().getTerminator()->getOperandTypes(), results);
}

LogicalResult CondOp::verifyRegions() {
  if (!isFlag(getCondition().getType()))
    return emitError() << "cond: the condition is " << typeText(getCondition().getType())
                       << ", expected one boolean";
  if (getNumResults() == 0) return emitError() << "cond: the branches yield nothing";
  if (failed(verifyRegion(*this, "cond: the first branch", getThen(), getCaptures().getTypes(),
                          getResultTypes())))
    return failure();
  return verifyRegion(*this, "cond: the second branch", getOtherwise(), getCaptures().getTypes(),
                      getResultTypes());
}

int64_t CondOp::getFlops() { return std::max(flopsOf(getThen()), flopsOf(getOtherwise())); }

LogicalResult WhileOp::verifyRegions() {
  if (getInit().empty() || !isFlag(getInit()[0].getType()))
    return emitError() << "while: the state does not start with one boolean";
  if (getInit().getTypes() != getResultTypes())
    return emitError() << "while: the results are not of the state's types";
  return verifyRegion(*this, "while: the step", getBody(), getOperandTypes(), getResultTypes());
}

int64_t WhileOp::getFlops() { return flopsOf(getBody()); }

static bool isFloating(Value value) { return isa<FloatType>(elementOf(value)); }

/// A branch on the same condition: each side computes its results again, and the gradients of what it read.
void CondOp::buildVjp(Vjp &vjp) {
  OpBuilder &builder = vjp.builder;
  SmallVector<unsigned> wanted, flowing;
  for (unsigned i = 0; i < getCaptures().size(); ++i)
    if (vjp.needs(i + 1) && isFloating(getCaptures()[i])) wanted.push_back(i);
  for (unsigned i = 0; i < getNumResults(); ++i)
    if (isFloating(getResult(i)) && vjp.cotangent(i)) flowing.push_back(i);
  if (wanted.empty()) return;
  SmallVector<Value> captures(getCaptures());
  SmallVector<Type> types;
  for (unsigned i : flowing) captures.push_back(vjp.cotangent(i));
  for (unsigned i : wanted) types.push_back(getCaptures()[i].getType());
  auto made = CondOp::create(builder, vjp.loc, types, getCondition(), captures, nullptr);

  auto fill = [&](Region &from, Region &to) {
    OpBuilder::InsertionGuard guard(builder);
    Block *block = builder.createBlock(&to);
    for (Value capture : captures) block->addArgument(capture.getType(), vjp.loc);
    IRMapping forward;
    for (auto [argument, own] : llvm::zip(from.getArguments(), block->getArguments()))
      forward.map(argument, own);
    for (Operation &each : from.front().without_terminator()) builder.clone(each, forward);
    SmallVector<Value> outputs, wrt;
    for (unsigned i : flowing)
      outputs.push_back(forward.lookup(from.front().getTerminator()->getOperand(i)));
    for (unsigned i : wanted) wrt.push_back(block->getArgument(i));
    auto gradient =
        GradientOp::create(builder, vjp.loc, types, outputs, wrt,
                           ValueRange(block->getArguments()).drop_front(getCaptures().size()));
    YieldOp::create(builder, vjp.loc, gradient.getGradients());
  };
  fill(getThen(), made.getThen());
  fill(getOtherwise(), made.getOtherwise());
  for (auto [number, gradient] : llvm::zip(wanted, made.getOutputs()))
    vjp.set(number + 1, gradient);
}
