#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/codegen/reference/OpEvaluation.h"
#include "sinter/ir/Segments.h"

#include "mlir/IR/SymbolTable.h"

#include <cmath>
#include <limits>
#include <memory>

using namespace mlir;
using namespace sinter::codegen;
using namespace sinter::codegen::reference;
namespace ir = sinter::ir;

namespace {

const Handlers &handlers() {
  static const Handlers table = [] {
    Handlers made;
    addElementwise(made);
    addCasts(made);
    addShapes(made);
    addIndexed(made);
    addReductions(made);
    addContractions(made);
    addRandom(made);
    addLosses(made);
    addNorms(made);
    addAttention(made);
    addPools(made);
    return made;
  }();
  return table;
}

/// Ops that hold or call other ops, or only speak to the compiler.
constexpr StringLiteral structural[] = {
    "sinter.fused",        "sinter.kernel",         "sinter.launch", "sinter.yield",
    "sinter.expect_fused", "sinter.expect_kernels", "sinter.scan",   "sinter.cond",
    "sinter.while",        "sinter.segments"};

class Interpreter {
public:
  explicit Interpreter(const EvaluatorOptions &options) : options(options) {}

  using Tensors = SmallVector<std::shared_ptr<const HostTensor>>;

  /// Runs a block of straight-line code; returns the operands of its terminator.
  FailureOr<Tensors> run(Block &block, const Tensors &arguments) {
    // Each value lives until its last user in the block has run.
    DenseMap<Value, std::shared_ptr<const HostTensor>> values;
    DenseMap<Value, int64_t> uses;
    auto define = [&](Value value, std::shared_ptr<const HostTensor> tensor) {
      int64_t count = std::distance(value.use_begin(), value.use_end());
      if (count == 0) return;
      uses[value] = count;
      values[value] = std::move(tensor);
    };
    for (auto [argument, tensor] : llvm::zip_equal(block.getArguments(), arguments))
      define(argument, tensor);

    for (Operation &op : block) {
      Tensors operands;
      for (Value operand : op.getOperands()) operands.push_back(values.lookup(operand));
      if (op.hasTrait<OpTrait::IsTerminator>()) return operands;
      FailureOr<Tensors> results = runOp(&op, operands);
      if (failed(results)) return failure();
      for (auto [number, result] : llvm::enumerate(op.getResults())) {
        if (options.onResult) options.onResult(&op, number, *(*results)[number]);
        define(result, (*results)[number]);
      }
      for (Value operand : op.getOperands())
        if (--uses[operand] == 0) values.erase(operand);
    }
    return block.getParentOp()->emitOpError("cannot be evaluated: it has no terminator"), failure();
  }

private:
  FailureOr<Tensors> runOp(Operation *op, const Tensors &operands) {
    if (auto fused = dyn_cast<ir::FusedOp>(op)) return run(fused.getBody().front(), operands);
    if (auto launch = dyn_cast<ir::LaunchOp>(op)) {
      auto kernel = SymbolTable::lookupNearestSymbolFrom<ir::KernelOp>(op, launch.getKernelAttr());
      if (!kernel) return op->emitOpError("launches no kernel of this module"), failure();
      return run(kernel.getBody().front(), operands);
    }
    if (auto scan = dyn_cast<ir::ScanOp>(op)) return runScan(scan, operands);
    if (auto branch = dyn_cast<ir::CondOp>(op)) return runCond(branch, operands);
    if (auto loop = dyn_cast<ir::WhileOp>(op)) return runWhile(loop, operands);
    if (auto segments = dyn_cast<ir::SegmentsOp>(op)) return runSegments(segments, operands);
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, call.getCalleeAttr());
      if (!callee || callee.isExternal())
        return op->emitOpError("cannot be evaluated: its callee has no body here"), failure();
      if (++depth > 64)
        return op->emitOpError("cannot be evaluated: functions call one another without end"),
               failure();
      FailureOr<Tensors> results = run(callee.getBody().front(), operands);
      --depth;
      return results;
    }
    if (isa<ir::ExpectFusedOp, ir::ExpectKernelsOp>(op)) return Tensors();
    if (isa<ir::GradientOp>(op))
      return op->emitOpError("cannot be evaluated: run the autodiff pass, which opens it, before"),
             failure();
    auto handler = handlers().find(op->getName().getStringRef());
    if (handler == handlers().end())
      return op->emitOpError("is not an op that the reference evaluator knows"), failure();

    SmallVector<const HostTensor *> pointers;
    for (const auto &operand : operands) pointers.push_back(operand.get());
    OpEvaluation evaluation(op, options, pointers);
    if (failed(handler->second(evaluation))) return failure();
    Tensors results;
    for (HostTensor &result : evaluation.results)
      results.push_back(std::make_shared<const HostTensor>(std::move(result)));
    return results;
  }

  /// The branch that the condition chooses; where errors leave that in doubt, nothing is known of the results.
  FailureOr<Tensors> runCond(ir::CondOp branch, const Tensors &operands) {
    Region &chosen = operands[0]->integers[0] != 0 ? branch.getThen() : branch.getOtherwise();
    FailureOr<Tensors> results = run(chosen.front(), Tensors(ArrayRef(operands).drop_front()));
    if (succeeded(results) && operands[0]->errorAt(0) != 0) makeUnknown(*results);
    return results;
  }
  FailureOr<Tensors> runWhile(ir::WhileOp loop, const Tensors &operands) {
    size_t states = loop.getInit().size();
    Tensors state(operands.begin(), operands.begin() + states);
    bool inDoubt = state[0]->errorAt(0) != 0;
    while (state[0]->integers[0] != 0) {
      Tensors arguments = state;
      arguments.append(operands.begin() + states, operands.end());
      FailureOr<Tensors> next = run(loop.getBody().front(), arguments);
      if (failed(next)) return failure();
      state = std::move(*next);
      inDoubt |= state[0]->errorAt(0) != 0;
    }
    if (inDoubt) makeUnknown(state);
    return state;
  }
  static void makeUnknown(Tensors &tensors) {
    for (auto &tensor : tensors) {
      HostTensor copy = *tensor;
      copy.error.assign(size_t(copy.numElements()), std::numeric_limits<double>::infinity());
      tensor = std::make_shared<const HostTensor>(std::move(copy));
    }
  }

  /// The region once for each segment, on the segment's shape.
  FailureOr<Tensors> runSegments(ir::SegmentsOp segments, const Tensors &operands) {
    size_t shared = segments.getShared().size(), each = segments.getInputsEach();
    Tensors results;
    for (unsigned segment = 0; segment < segments.getCount(); ++segment) {
      OpBuilder builder(segments.getContext());
      OwningOpRef<ir::FusedOp> instance = ir::FusedOp::create(
          builder, segments.getLoc(), segments.outputsOf(segment).getTypes(), ValueRange(),
          ir::defaultSchedule(ir::KernelKind::Update, segments.getContext()));
      Block &block = instance->getBody().emplaceBlock();
      for (ValueRange values : {ValueRange(segments.getShared()), segments.inputsOf(segment)})
        for (Value value : values) block.addArgument(value.getType(), segments.getLoc());
      builder.setInsertionPointToEnd(&block);
      SmallVector<Value> yielded =
          ir::segmentAlone(segments, segment, builder, block.getArguments().take_front(shared),
                           block.getArguments().drop_front(shared));
      ir::YieldOp::create(builder, segments.getLoc(), yielded);
      Tensors arguments(operands.begin(), operands.begin() + shared);
      auto *first = operands.begin() + shared + segment * each;
      arguments.append(first, first + each);
      FailureOr<Tensors> made = run(block, arguments);
      if (failed(made)) return failure();
      results.append(*made);
    }
    return results;
  }

  /// Step after step, as the op says.
  FailureOr<Tensors> runScan(ir::ScanOp scan, const Tensors &operands) {
    size_t states = scan.getInit().size(), slices = scan.getXs().size();
    int64_t count = int64_t(scan.getCount());
    Block &body = scan.getBody().front();
    Tensors state(operands.begin(), operands.begin() + states);
    SmallVector<HostTensor> stacked;
    for (Value output : scan.getStacked())
      stacked.emplace_back(cast<RankedTensorType>(output.getType()));
    for (int64_t turn = 0; turn < count; ++turn) {
      int64_t place = scan.getReverse() ? count - 1 - turn : turn;
      Tensors arguments = state;
      for (size_t i = 0; i < slices; ++i) {
        auto type = cast<RankedTensorType>(body.getArgument(states + i).getType());
        arguments.push_back(std::make_shared<const HostTensor>(
            sliceOf(*operands[states + i], type, place * type.getNumElements())));
      }
      arguments.append(operands.begin() + states + slices, operands.end());
      FailureOr<Tensors> yielded = run(body, arguments);
      if (failed(yielded)) return failure();
      state.assign(yielded->begin(), yielded->begin() + states);
      for (auto [output, step] : llvm::zip(stacked, ArrayRef(*yielded).drop_front(states)))
        putSlice(output, *step, place * step->numElements());
    }
    for (HostTensor &output : stacked)
      state.push_back(std::make_shared<const HostTensor>(std::move(output)));
    return state;
  }

  static HostTensor sliceOf(const HostTensor &whole, RankedTensorType type, int64_t start) {
    HostTensor slice(type);
    int64_t count = type.getNumElements();
    auto part = [&](const auto &from, auto &to) {
      if (!from.empty()) to.assign(from.begin() + start, from.begin() + start + count);
    };
    part(whole.values, slice.values);
    part(whole.integers, slice.integers);
    part(whole.error, slice.error);
    return slice;
  }
  static void putSlice(HostTensor &whole, const HostTensor &slice, int64_t start) {
    llvm::copy(slice.values, whole.values.begin() + start);
    llvm::copy(slice.integers, whole.integers.begin() + start);
    if (slice.error.empty()) return;
    whole.error.resize(whole.numElements());
    llvm::copy(slice.error, whole.error.begin() + start);
  }

  const EvaluatorOptions &options;
  int depth = 0;
};

} // namespace

FailureOr<SmallVector<HostTensor>> sinter::codegen::evaluate(func::FuncOp function,
                                                             ArrayRef<HostTensor> inputs,
                                                             const EvaluatorOptions &options) {
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return function.emitOpError("cannot be evaluated: its body is not one block"), failure();
  if (inputs.size() != function.getNumArguments())
    return function.emitOpError("has ") << function.getNumArguments() << " arguments and was given "
                                        << inputs.size() << " tensors",
           failure();
  Interpreter::Tensors arguments;
  for (auto [number, input] : llvm::enumerate(inputs)) {
    auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[number]);
    if (!type || type.getShape() != input.type.getShape() ||
        type.getElementType() != input.type.getElementType())
      return function.emitOpError("argument ")
                 << number << " is " << function.getArgumentTypes()[number] << " and was given "
                 << input.type,
             failure();
    arguments.push_back(std::make_shared<const HostTensor>(input));
  }
  FailureOr<Interpreter::Tensors> results =
      Interpreter(options).run(function.getBody().front(), arguments);
  if (failed(results)) return failure();
  SmallVector<HostTensor> outputs;
  for (const auto &result : *results) outputs.push_back(*result);
  return outputs;
}

bool sinter::codegen::isEvaluable(StringRef name) {
  return handlers().contains(name) || llvm::is_contained(structural, name);
}

bool sinter::codegen::agrees(const HostTensor &expected, int64_t i, double actual) {
  double value = expected.at(i), error = expected.errorAt(i);
  if (std::isinf(error)) return true;
  if (std::isnan(value)) return std::isnan(actual);
  if (value == actual) return true;
  return std::fabs(value - actual) <= error;
}

int64_t sinter::codegen::firstDisagreement(const HostTensor &expected, const HostTensor &actual) {
  assert(expected.type.getShape() == actual.type.getShape() && "tensors of one shape");
  HostTensor widened;
  const HostTensor *bound = &expected;
  if (!actual.error.empty()) {
    widened = expected;
    widened.error.resize(expected.numElements());
    for (int64_t i = 0; i < expected.numElements(); ++i) widened.error[i] += actual.error[i];
    bound = &widened;
  }
  for (int64_t i = 0; i < expected.numElements(); ++i) {
    // Whole numbers beyond 2^53 are compared as such.
    bool same = expected.isFloat()
                    ? agrees(*bound, i, actual.at(i))
                    : expected.integers[i] == actual.integers[i] ||
                          (bound->errorAt(i) != 0 && agrees(*bound, i, actual.at(i)));
    if (!same) return i;
  }
  return -1;
}
