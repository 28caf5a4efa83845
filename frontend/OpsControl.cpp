#include "sinter/frontend/detail/Emitter.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SetVector.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

using detail::Emitter;

namespace {

using Step = std::function<std::vector<Tensor>(const std::vector<Tensor> &arguments)>;

/// A region of a scan, a loop or a branch on its way into a trace.
class RegionTrace {
public:
  /// `part`: what the user calls the region.
  RegionTrace(Emitter &e, std::string part)
      : e(e), trace(e.inTrace()), part(std::move(part)), block(new Block) {
    region.push_back(block);
  }

  /// Traces `step`, called on new arguments of the types, into the region.
  void run(ArrayRef<RankedTensorType> types, const Step &step, const char *op, Where where) {
    OpBuilder &b = trace.builder();
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(block);
    std::vector<Tensor> arguments;
    for (RankedTensorType type : types)
      arguments.push_back(trace.tensor(block->addArgument(type, e.location())));
    std::vector<Tensor> left = step(arguments);
    SmallVector<const Tensor *> tensors;
    for (const Tensor &tensor : left) tensors.push_back(&tensor);
    Emitter inner(op, where, tensors);
    SmallVector<Value> yielded;
    for (const Tensor *tensor : tensors) yielded.push_back(inner[*tensor]);
    if (yielded.empty()) e.fail(fmt::format("{} leaves no tensors", part));
    for (const detail::VariablePtr &variable : trace.writtenVariables())
      if (trace.read(variable).getParentRegion() == &region)
        e.fail(fmt::format("{} updates '{}', which only the whole graph can do", part,
                           variable->name));
    ir::YieldOp::create(b, e.location(), yielded);
  }

  ValueRange yielded() { return block->getTerminator()->getOperands(); }

  /// Adds to `outside` what the region uses from outside, constants apart, which become its own.
  void findCaptures(llvm::SetVector<Value> &outside) {
    llvm::DenseMap<Value, Value> own;
    OpBuilder atStart(&detail::context());
    atStart.setInsertionPointToStart(block);
    for (Operation &op : *block)
      for (OpOperand &operand : op.getOpOperands()) {
        Value value = operand.get();
        if (value.getParentRegion() == &region) continue;
        auto constant = value.getDefiningOp<ir::ConstantOp>();
        if (!constant) {
          outside.insert(value);
          continue;
        }
        Value &copy = own[value];
        if (!copy) copy = atStart.clone(*constant)->getResult(0);
        operand.set(copy);
      }
  }
  /// Makes arguments of `captures`.
  void capture(ArrayRef<Value> captures) {
    for (Value value : captures) {
      Value argument = block->addArgument(value.getType(), value.getLoc());
      value.replaceUsesWithIf(
          argument, [&](OpOperand &use) { return use.getOwner()->getParentRegion() == &region; });
    }
  }

  /// Moves the region to where it belongs.
  void moveTo(Region &target) { target.takeBody(region); }

private:
  Emitter &e;
  detail::Trace &trace;
  std::string part;
  Region region; // an op's in the end
  Block *block;
};

SmallVector<RankedTensorType> typesOf(ArrayRef<Value> values) {
  SmallVector<RankedTensorType> types;
  for (Value value : values) types.push_back(ir::tensorType(value));
  return types;
}

void expectStates(Emitter &e, ArrayRef<Value> init, ValueRange left) {
  for (auto [number, start, next] : llvm::enumerate(init, left.take_front(init.size())))
    if (next.getType() != start.getType())
      e.fail(fmt::format("state {} starts as {}, the step leaves {}", number,
                         detail::specOf(start.getType()).text(),
                         detail::specOf(next.getType()).text()));
}

/// Verifies a new op; its results.
std::vector<Tensor> finished(Emitter &e, Operation *op) {
  detail::Diagnostics diagnostics;
  if (failed(verify(op))) {
    op->erase();
    e.fail(diagnostics.text());
  }
  std::vector<Tensor> results;
  for (Value value : op->getResults()) results.push_back(e.inTrace().tensor(value));
  return results;
}

SmallVector<Value> valuesOf(Emitter &e, const std::vector<Tensor> &tensors) {
  SmallVector<Value> values;
  for (const Tensor &tensor : tensors) values.push_back(e[tensor]);
  return values;
}

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

  SmallVector<Value> states = valuesOf(e, init), slices = valuesOf(e, xs);
  SmallVector<RankedTensorType> types = typesOf(states);
  for (RankedTensorType type : typesOf(slices))
    types.push_back(type.clone(type.getShape().drop_front()));
  RegionTrace region(e, "the step");
  region.run(
      types,
      [&](const std::vector<Tensor> &arguments) {
        auto middle = arguments.begin() + int64_t(init.size());
        ScanValues left = step({arguments.begin(), middle}, {middle, arguments.end()});
        if (left.state.size() != init.size())
          e.fail(fmt::format("the step leaves {} tensors of state, it was given {}",
                             left.state.size(), init.size()));
        if (left.state.empty() && left.outputs.empty())
          e.fail("the step leaves neither state nor outputs");
        left.state.insert(left.state.end(), left.outputs.begin(), left.outputs.end());
        return left.state;
      },
      "scan", where);
  expectStates(e, states, region.yielded());
  llvm::SetVector<Value> captures;
  region.findCaptures(captures);
  region.capture(captures.getArrayRef());
  SmallVector<Type> results;
  for (auto [number, value] : llvm::enumerate(region.yielded())) {
    RankedTensorType type = ir::tensorType(value);
    if (number >= states.size()) {
      SmallVector<int64_t> shape{*count};
      llvm::append_range(shape, type.getShape());
      type = type.clone(shape);
    }
    results.push_back(type);
  }
  auto op = ir::ScanOp::create(e.inTrace().builder(), e.location(), results, states, slices,
                               captures.getArrayRef(), uint64_t(*count), options.reverse,
                               /*saved=*/0, /*step=*/nullptr);
  region.moveTo(op.getBody());
  std::vector<Tensor> made = finished(e, op);
  auto middle = made.begin() + int64_t(init.size());
  return {{made.begin(), middle}, {middle, made.end()}};
}

/// One boolean, or the user's mistake.
static Value conditionOf(Emitter &e, const Tensor &tensor) {
  if (tensor.dtype() != i1 || tensor.rank() != 0)
    e.fail(fmt::format("the condition is {}, expected one boolean", tensor.spec().text()));
  return e[tensor];
}

std::vector<Tensor> cond(const Tensor &pred, const Step &true_fn, const Step &false_fn,
                         const std::vector<Tensor> &operands, Where where) {
  SmallVector<const Tensor *> tensors{&pred};
  for (const Tensor &tensor : operands) tensors.push_back(&tensor);
  Emitter e("cond", where, tensors);
  Value condition = conditionOf(e, pred);
  SmallVector<Value> given = valuesOf(e, operands);
  RegionTrace first(e, "the true branch"), second(e, "the false branch");
  first.run(typesOf(given), true_fn, "cond", where);
  second.run(typesOf(given), false_fn, "cond", where);
  ValueRange left = first.yielded(), right = second.yielded();
  if (left.size() != right.size())
    e.fail(fmt::format("the true branch leaves {} tensors, the false branch {}", left.size(),
                       right.size()));
  for (auto [number, a, b] : llvm::enumerate(left, right))
    if (a.getType() != b.getType())
      e.fail(fmt::format("the true branch leaves {} as tensor {}, the false branch {}",
                         detail::specOf(a.getType()).text(), number,
                         detail::specOf(b.getType()).text()));
  llvm::SetVector<Value> outside;
  first.findCaptures(outside);
  second.findCaptures(outside);
  first.capture(outside.getArrayRef());
  second.capture(outside.getArrayRef());
  llvm::append_range(given, outside);
  auto op = ir::CondOp::create(e.inTrace().builder(), e.location(), left.getTypes(), condition,
                               given, /*branches=*/nullptr);
  first.moveTo(op.getThen());
  second.moveTo(op.getOtherwise());
  return finished(e, op);
}

std::vector<Tensor> while_loop(const std::function<Tensor(const std::vector<Tensor> &)> &cond_fn,
                               const Step &body_fn, const std::vector<Tensor> &carried_inputs,
                               Where where) {
  SmallVector<const Tensor *> tensors;
  for (const Tensor &tensor : carried_inputs) tensors.push_back(&tensor);
  Emitter e("while_loop", where, tensors);
  // Whether a step follows is the first value of the state: each step says so of the next.
  SmallVector<Value> init{conditionOf(e, cond_fn(carried_inputs))};
  llvm::append_range(init, valuesOf(e, carried_inputs));
  RegionTrace region(e, "the step");
  region.run(
      typesOf(init),
      [&](const std::vector<Tensor> &arguments) {
        std::vector<Tensor> next = body_fn({arguments.begin() + 1, arguments.end()});
        if (next.size() != carried_inputs.size())
          e.fail(fmt::format("the step leaves {} tensors of state, it was given {}", next.size(),
                             carried_inputs.size()));
        for (size_t i = 0; i < next.size(); ++i)
          if (next[i].spec() != carried_inputs[i].spec())
            e.fail(fmt::format("state {} starts as {}, the step leaves {}", i,
                               carried_inputs[i].spec().text(), next[i].spec().text()));
        Tensor goesOn = cond_fn(next);
        conditionOf(e, goesOn);
        next.insert(next.begin(), goesOn);
        return next;
      },
      "while_loop", where);
  llvm::SetVector<Value> captures;
  region.findCaptures(captures);
  region.capture(captures.getArrayRef());
  auto op = ir::WhileOp::create(e.inTrace().builder(), e.location(), ValueRange(init).getTypes(),
                                init, captures.getArrayRef(), /*step=*/nullptr);
  region.moveTo(op.getBody());
  std::vector<Tensor> made = finished(e, op);
  return {made.begin() + 1, made.end()};
}

} // namespace sinter
