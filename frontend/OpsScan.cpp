#include "sinter/frontend/detail/Emitter.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/MapVector.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

using detail::Emitter;

namespace {

/// A scan on its way into a trace.
class ScanTrace {
public:
  ScanTrace(Emitter &e, const std::vector<Tensor> &init, const std::vector<Tensor> &xs)
      : e(e), trace(e.inTrace()) {
    for (const Tensor &tensor : init) operands.push_back(e[tensor]);
    states = operands.size();
    for (const Tensor &tensor : xs) operands.push_back(e[tensor]);
    block = new Block;
    region.push_back(block);
    for (auto [number, value] : llvm::enumerate(operands)) {
      RankedTensorType type = ir::tensorType(value);
      if (number >= states) type = type.clone(type.getShape().drop_front());
      block->addArgument(type, value.getLoc());
    }
  }

  /// Traces the step into the region.
  void run(const std::function<ScanValues(const std::vector<Tensor> &, const std::vector<Tensor> &)>
               &step,
           Where where) {
    OpBuilder &b = trace.builder();
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(block);
    std::vector<Tensor> state, slices;
    for (auto [number, argument] : llvm::enumerate(block->getArguments()))
      (number < states ? state : slices).push_back(trace.tensor(argument));
    ScanValues left = step(state, slices);
    if (left.state.size() != states)
      e.fail(fmt::format("the step leaves {} tensors of state, it was given {}", left.state.size(),
                         states));
    SmallVector<const Tensor *> tensors;
    for (const auto *list : {&left.state, &left.outputs})
      for (const Tensor &tensor : *list) tensors.push_back(&tensor);
    Emitter inner("scan", where, tensors);
    SmallVector<Value> yielded;
    for (const Tensor *tensor : tensors) yielded.push_back(inner[*tensor]);
    for (size_t i = 0; i < states; ++i)
      if (yielded[i].getType() != operands[i].getType())
        e.fail(fmt::format("state {} starts as {}, the step leaves {}", i,
                           detail::specOf(operands[i].getType()).text(),
                           detail::specOf(yielded[i].getType()).text()));
    if (yielded.empty()) e.fail("the step leaves neither state nor outputs");
    for (const detail::VariablePtr &variable : trace.writtenVariables())
      if (trace.read(variable).getParentRegion() == &region)
        e.fail(fmt::format("the step updates '{}', which only the whole graph can do",
                           variable->name));
    ir::YieldOp::create(b, e.location(), yielded);
  }

  /// What the region uses from outside becomes an argument; constants become its own.
  void capture() {
    llvm::MapVector<Value, Value> inside;
    SmallVector<Value> captured;
    OpBuilder atStart(&detail::context());
    atStart.setInsertionPointToStart(block);
    for (Operation &op : *block)
      for (OpOperand &operand : op.getOpOperands()) {
        Value value = operand.get();
        if (value.getParentRegion() == &region) continue;
        Value &own = inside[value];
        if (!own) {
          if (auto constant = value.getDefiningOp<ir::ConstantOp>()) {
            own = atStart.clone(*constant)->getResult(0);
          } else {
            own = block->addArgument(value.getType(), value.getLoc());
            captured.push_back(value);
          }
        }
        operand.set(own);
      }
    numCaptures = captured.size();
    llvm::append_range(operands, captured);
  }

  ScanValues finish(int64_t count, bool reverse) {
    SmallVector<Type> types;
    for (auto [number, value] : llvm::enumerate(block->getTerminator()->getOperands())) {
      RankedTensorType type = ir::tensorType(value);
      if (number >= states) {
        SmallVector<int64_t> shape{count};
        llvm::append_range(shape, type.getShape());
        type = type.clone(shape);
      }
      types.push_back(type);
    }
    ArrayRef<Value> all(operands);
    auto scan = ir::ScanOp::create(trace.builder(), e.location(), types, all.take_front(states),
                                   all.drop_front(states).drop_back(numCaptures),
                                   all.take_back(numCaptures), uint64_t(count), reverse,
                                   /*saved=*/0, /*step=*/nullptr);
    scan.getBody().takeBody(region);
    detail::Diagnostics diagnostics;
    if (failed(verify(scan))) {
      scan.erase();
      e.fail(diagnostics.text());
    }
    ScanValues made;
    for (Value value : scan.getLast()) made.state.push_back(trace.tensor(value));
    for (Value value : scan.getStacked()) made.outputs.push_back(trace.tensor(value));
    return made;
  }

private:
  Emitter &e;
  detail::Trace &trace;
  SmallVector<Value> operands;
  size_t states = 0, numCaptures = 0;
  Region region; // an op's in the end
  Block *block;
};

} // namespace

ScanValues scan(
    const std::function<ScanValues(const std::vector<Tensor> &, const std::vector<Tensor> &)> &step,
    const std::vector<Tensor> &init, const std::vector<Tensor> &xs, ScanOptions options,
    Where where) {
  SmallVector<const Tensor *> tensors;
  for (const auto *list : {&init, &xs})
    for (const Tensor &tensor : *list) tensors.push_back(&tensor);
  Emitter e("scan", where, tensors);
  std::optional<int64_t> count = options.length;
  if (count && *count < 0) e.fail(fmt::format("length is {}", *count));
  for (const Tensor &x : xs) {
    if (x.rank() == 0) e.fail("a scalar has no slices");
    if (!count) count = x.shape()[0];
    if (x.shape()[0] != *count)
      e.fail(fmt::format("{} has not {} slices", x.spec().text(), *count));
  }
  if (!count) e.fail("without slices the length must be given");
  ScanTrace traced(e, init, xs);
  traced.run(step, where);
  traced.capture();
  return traced.finish(*count, options.reverse);
}

} // namespace sinter
