#include "sinter/ir/InferSupport.h"

#include "mlir/IR/IRMapping.h"

// What a scan's region must be, and its gradient: a scan the other way.

using namespace mlir;
using namespace sinter::ir;

/// A slice of `stacked` along its first dimension.
static RankedTensorType sliceType(Type stacked) {
  auto type = cast<RankedTensorType>(stacked);
  return tensorOf(type.getShape().drop_front(), type.getElementType());
}
static RankedTensorType stackedType(int64_t count, Type slice) {
  auto type = cast<RankedTensorType>(slice);
  SmallVector<int64_t> shape{count};
  llvm::append_range(shape, type.getShape());
  return tensorOf(shape, type.getElementType());
}

LogicalResult ScanOp::verifyRegions() {
  if (getBody().getNumArguments() != getNumOperands())
    return emitError() << "scan: the region has " << getBody().getNumArguments()
                       << " arguments, expected " << getNumOperands();
  for (Value x : getXs())
    if (shapeOf(x).empty() || shapeOf(x)[0] != int64_t(getCount()))
      return emitError() << "scan: " << typeText(x.getType()) << " has not the " << getCount()
                         << " slices of the steps";
  for (auto [number, argument] : llvm::enumerate(getBody().getArguments())) {
    Type expected = getOperand(number).getType();
    if (number >= getInit().size() && number < getInit().size() + getXs().size())
      expected = sliceType(expected);
    if (argument.getType() != expected)
      return emitError() << "scan: argument " << number << " of the region is "
                         << typeText(argument.getType()) << ", expected " << typeText(expected);
  }
  ValueRange yielded = getBody().front().getTerminator()->getOperands();
  if (yielded.size() != getNumResults() || yielded.size() < getInit().size() || yielded.empty())
    return emitError() << "scan: the region yields " << yielded.size() << " values for "
                       << getInit().size() << " of state and " << getNumResults() << " results";
  for (auto [number, value] : llvm::enumerate(yielded)) {
    bool isState = number < getInit().size();
    if (isState && value.getType() != getInit()[number].getType())
      return emitError() << "scan: state " << number << " starts as "
                         << typeText(getInit()[number].getType()) << ", a step leaves "
                         << typeText(value.getType());
    Type expected = isState ? value.getType() : stackedType(getCount(), value.getType());
    if (getResult(number).getType() != expected)
      return emitError() << "scan: result " << number << " is "
                         << typeText(getResult(number).getType()) << ", expected "
                         << typeText(expected);
  }
  if (int64_t(getSaved()) < 0 || getSaved() > getStacked().size())
    return emitError() << "scan: saved is " << int64_t(getSaved()) << ", there are "
                       << getStacked().size() << " outputs of steps";
  return success();
}

int64_t ScanOp::getFlops() {
  int64_t step = 0;
  for (Operation &op : getBody().front())
    if (auto fusible = dyn_cast<FusibleOpInterface>(op)) step += fusible.getFlops();
  return step * int64_t(getCount());
}

static bool isFloating(Value value) { return isa<FloatType>(elementOf(value)); }

static SmallVector<Operation *> contractionsOf(ScanOp op) {
  SmallVector<Operation *> found;
  for (Operation &each : op.getBody().front())
    if (isa<ContractionOpInterface>(each)) found.push_back(&each);
  return found;
}

bool ScanOp::prepareVjp() {
  if (getSaved() > 0) return false;
  OpBuilder builder(*this);
  SmallVector<Value> kept(getStateArguments());
  for (Operation *contraction : contractionsOf(*this)) kept.push_back(contraction->getResult(0));
  if (kept.empty()) return false;
  SmallVector<Type> types(getResultTypes());
  for (Value value : kept) types.push_back(stackedType(getCount(), value.getType()));
  auto saving = ScanOp::create(builder, getLoc(), types, getInit(), getXs(), getCaptures(),
                               getCount(), getReverse(), kept.size(), nullptr);
  saving.getBody().takeBody(getBody());
  Operation *yield = saving.getBody().front().getTerminator();
  yield->insertOperands(yield->getNumOperands(), kept);
  getOperation()->replaceAllUsesWith(saving->getResults().take_front(getNumResults()));
  getOperation()->erase();
  return true;
}

namespace {
/// The scan that goes back over the steps of another. Its state is the gradient of the other's, and the sums
/// so far of those of the captures; its slices are what the other kept and read, and the cotangents of what
/// it put out. Each step computes the other's again and asks for its gradient.
class ReverseScan {
public:
  ReverseScan(ScanOp op, Vjp &vjp) : op(op), vjp(vjp) {
    unsigned states = op.getInit().size(), slices = op.getXs().size();
    for (unsigned i = 0; i < op.getNumOperands(); ++i) {
      bool isState = i < states, isSlice = !isState && i < states + slices;
      if (!isFloating(op.getOperand(i))) continue;
      // A state passes gradients on although nobody wants that of its start.
      if (isState) stateNumbers.push_back(i);
      if (isSlice && vjp.needs(i)) sliceNumbers.push_back(i);
      if (!isState && !isSlice && vjp.needs(i)) captureNumbers.push_back(i);
    }
    for (unsigned i = states; i < op.getNumResults(); ++i)
      if (isFloating(op.getResult(i)) && vjp.cotangent(i)) outputNumbers.push_back(i);
  }

  void build() {
    collectOperands();
    SmallVector<Type> types(ValueRange(init).getTypes());
    for (unsigned number : sliceNumbers) types.push_back(op.getOperand(number).getType());
    made = ScanOp::create(vjp.builder, vjp.loc, types, init, xs, op.getCaptures(), op.getCount(),
                          !op.getReverse(), 0, nullptr);
    OpBuilder::InsertionGuard guard(vjp.builder);
    addArguments();
    step();
  }

  void setGradients() {
    ValueRange last = made.getLast(), stacked = made.getStacked();
    for (auto [i, number] : llvm::enumerate(stateNumbers))
      if (vjp.needs(number)) vjp.set(number, last[i]);
    for (auto [i, number] : llvm::enumerate(captureNumbers))
      vjp.set(number, last[stateNumbers.size() + i]);
    for (auto [i, number] : llvm::enumerate(sliceNumbers)) vjp.set(number, stacked[i]);
  }

private:
  void collectOperands() {
    for (unsigned number : stateNumbers) {
      Value cotangent = vjp.cotangent(number);
      init.push_back(cotangent ? cotangent
                               : splat(vjp.builder, vjp.loc, tensorType(op.getOperand(number)), 0));
    }
    for (unsigned number : captureNumbers)
      init.push_back(splat(vjp.builder, vjp.loc, tensorType(op.getOperand(number)), 0));
    llvm::append_range(xs, op->getResults().take_back(op.getSaved()));
    llvm::append_range(xs, op.getXs());
    for (unsigned number : outputNumbers) xs.push_back(vjp.cotangent(number));
  }

  void addArguments() {
    Block *block = vjp.builder.createBlock(&made.getBody());
    for (Value value : init) block->addArgument(value.getType(), vjp.loc);
    for (Value value : xs) block->addArgument(sliceType(value.getType()), vjp.loc);
    for (Value value : op.getCaptures()) block->addArgument(value.getType(), vjp.loc);
  }

  /// The forward step again, on what was kept, and the gradients through it.
  void step() {
    OpBuilder &builder = vjp.builder;
    ValueRange slices = made.getSliceArguments(), state = made.getStateArguments();
    unsigned states = op.getInit().size(), saved = op.getSaved();
    IRMapping forward;
    for (auto [argument, kept] : llvm::zip(op.getStateArguments(), slices))
      forward.map(argument, kept);
    for (auto [argument, x] : llvm::zip(op.getSliceArguments(), slices.drop_front(saved)))
      forward.map(argument, x);
    for (auto [argument, same] : llvm::zip(op.getCaptureArguments(), made.getCaptureArguments()))
      forward.map(argument, same);
    unsigned nextKept = states;
    for (Operation &each : op.getBody().front().without_terminator()) {
      Operation *copy = builder.clone(each, forward);
      if (isa<ContractionOpInterface>(each) && nextKept < saved) {
        unsigned argument = cast<BlockArgument>(slices[nextKept++]).getArgNumber();
        copy->setAttr(knownAttr, builder.getI64IntegerAttr(argument));
      }
    }
    Operation *yield = op.getBody().front().getTerminator();
    SmallVector<Value> outputs, wrt, cotangents;
    for (auto [i, number] : llvm::enumerate(stateNumbers)) {
      outputs.push_back(forward.lookup(yield->getOperand(number)));
      cotangents.push_back(state[i]);
    }
    ValueRange outputCotangents = slices.drop_front(saved + op.getXs().size());
    for (auto [i, number] : llvm::enumerate(outputNumbers)) {
      outputs.push_back(forward.lookup(yield->getOperand(number)));
      cotangents.push_back(outputCotangents[i]);
    }
    for (const auto *numbers : {&stateNumbers, &captureNumbers, &sliceNumbers})
      for (unsigned number : *numbers)
        wrt.push_back(forward.lookup(op.getBody().getArgument(number)));
    SmallVector<Type> types(ValueRange(wrt).getTypes());
    SmallVector<Value> yielded(
        GradientOp::create(builder, vjp.loc, types, outputs, wrt, cotangents).getGradients());
    for (size_t i = 0; i < captureNumbers.size(); ++i) {
      Value &sum = yielded[stateNumbers.size() + i];
      sum = AddOp::create(builder, vjp.loc, state[stateNumbers.size() + i], sum);
    }
    YieldOp::create(builder, vjp.loc, yielded);
  }

  ScanOp op, made;
  Vjp &vjp;
  /// Numbers of the operands and results that are floating and take part.
  SmallVector<unsigned> stateNumbers, sliceNumbers, captureNumbers, outputNumbers;
  SmallVector<Value> init, xs;
};
} // namespace

void ScanOp::buildVjp(Vjp &vjp) {
  ReverseScan reverse(*this, vjp);
  reverse.build();
  reverse.setGradients();
}
