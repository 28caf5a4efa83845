#include "sinter/codegen/LowerStaged.h"
#include "sinter/codegen/BufferArray.h"
#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Each stage is lowered as a kernel of its own, whose code is then put into this one's function. Stages
/// that run in order do so on one thread, and what only they read lies on the stack. Else the chunks of
/// one come after those of the other, and any thread takes any.
class StagedLowering {
public:
  explicit StagedLowering(KernelFrame &frame)
      : frame(frame), b(frame.builder), entry(frame.lowered.function.getBody().front()),
        inOrder(runInOrder(frame.body())) {}

  LogicalResult run() {
    for (auto [argument, buffer] : llvm::zip(frame.body().getArguments(), entry.getArguments()))
      buffers[argument] = buffer;
    for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
      buffers.try_emplace(stageMemoryOf(output), frame.outputBuffer(number));
    for (FusedOp stage : frame.body().getOps<FusedOp>()) // reshapes are the same memory
      if (failed(placeStage(stage))) return failure();
    frame.lowered.range = inOrder ? 1 : chunks;
    frame.lowered.grain = 1;
    return success();
  }

private:
  Value bufferOf(Value value) {
    Value &buffer = buffers[stageMemoryOf(value)];
    if (!buffer) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&entry);
      auto type =
          MemRefType::get(tensorType(value).getNumElements(), storageType(elementOf(value)));
      buffer = memref::AllocaOp::create(b, frame.loc, type, b.getI64IntegerAttr(64));
    }
    return buffer;
  }

  LogicalResult placeStage(FusedOp stage) {
    FailureOr<LoweredKernel> lowered = lowerStage(frame, stage, number++);
    if (failed(lowered)) return failure();
    SmallVector<Value> arguments;
    for (Value input : stage.getInputs()) arguments.push_back(bufferOf(input));
    for (Value output : stage.getOutputs()) arguments.push_back(bufferOf(output));
    b.setInsertionPoint(entry.getTerminator());
    int64_t first = chunks, range = lowered->range, grain = std::max<int64_t>(lowered->grain, 1);
    chunks += llvm::divideCeil(range, grain);
    if (inOrder) {
      arguments.append({frame.constant(0), frame.constant(range)});
      inlineStage(lowered->function, arguments);
    } else {
      // This call's chunks of the stage, if there are any.
      Value from = clamped(frame.begin(), first, chunks), to = clamped(frame.end(), first, chunks);
      Value any = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ult, from, to);
      Value size = frame.constant(grain), whole = frame.constant(range);
      arguments.push_back(arith::MulIOp::create(b, frame.loc, from, size));
      arguments.push_back(arith::MinUIOp::create(
          b, frame.loc, arith::MulIOp::create(b, frame.loc, to, size), whole));
      auto branch = scf::IfOp::create(b, frame.loc, any, /*withElseRegion=*/false);
      b.setInsertionPointToStart(branch.thenBlock());
      inlineStage(lowered->function, arguments);
    }
    lowered->function.erase();
    return success();
  }

  /// `chunk` within [first, end), counted from `first`.
  Value clamped(Value chunk, int64_t first, int64_t end) {
    Value inside = arith::MaxUIOp::create(b, frame.loc, chunk, frame.constant(first));
    inside = arith::MinUIOp::create(b, frame.loc, inside, frame.constant(end));
    return arith::SubIOp::create(b, frame.loc, inside, frame.constant(first));
  }

  void inlineStage(func::FuncOp stage, ArrayRef<Value> arguments) {
    IRMapping map;
    if (stage->hasAttr(tilesAttr)) frame.lowered.function->setAttr(tilesAttr, b.getUnitAttr());
    Block &block = stage.getBody().front();
    for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
      map.map(argument, value);
    for (Operation &op : block.without_terminator()) {
      OpBuilder::InsertionGuard guard(b);
      if (isa<memref::AllocaOp>(op)) b.setInsertionPointToStart(&entry);
      b.clone(op, map);
    }
  }

  KernelFrame &frame;
  OpBuilder &b;
  Block &entry;
  DenseMap<Value, Value> buffers; // of what is in memory
  unsigned number = 0;
  int64_t chunks = 0;
  bool inOrder;
};

} // namespace

FailureOr<LoweredKernel> lowerStage(KernelFrame &frame, FusedOp stage, unsigned number,
                                    Attribute schedule) {
  OpBuilder &b = frame.builder;
  std::string name = (frame.kernel.getSymName() + "_stage" + llvm::Twine(number)).str();
  OpBuilder detached(b.getContext());
  auto kernel = KernelOp::create(detached, stage.getLoc(), name,
                                 FunctionType::get(b.getContext(), stage.getInputs().getTypes(),
                                                   stage.getOutputs().getTypes()),
                                 schedule ? schedule : stage.getSchedule());
  IRMapping map;
  stage.getBody().cloneInto(&kernel.getBody(), map);
  kernel->setAttr(stageAttr, detached.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(frame.lowered.function);
  FailureOr<LoweredKernel> lowered = lowerKernel(kernel, b, frame.options);
  kernel->erase();
  return lowered;
}

Value stageMemoryOf(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
  return value;
}

LogicalResult lowerStaged(KernelFrame &frame) {
  return frame.options.gpu ? lowerStagedOnGpu(frame) : StagedLowering(frame).run();
}

} // namespace sinter::codegen
