#include "sinter/codegen/BufferArray.h"
#include "sinter/codegen/JoinNeighbours.h"
#include "sinter/codegen/Points.h"

#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t blockElements = 4096;

/// LLVM would make vectors of a loop over what is left of vectors.
void leaveAsItIs(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  loop->setAttr("llvm.loop_annotation",
                LLVM::LoopAnnotationAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {},
                                              {}, {}, {}, {}, {}, {}, {}, {}, {}, {}));
}

/// The segments of one sinter.segments: a function of the body, and a call of it for each segment.
class Segments {
public:
  /// The first segment's units begin at `first`.
  static FailureOr<Segments> make(KernelFrame &frame, SegmentsOp op, int64_t first) {
    Segments made(frame, op, first);
    if (failed(made.findBuffers()) || failed(made.makeFunction())) return failure();
    return made;
  }

  int64_t units() const {
    int64_t units = 0;
    for (const Segment &segment : segments) units += segment.units;
    return units;
  }

  /// Where the frame's builder is: what a segment's units are to do, one segment after the other. `block` is the block's
  /// number on a GPU.
  void emitCalls(Value block) {
    unitSize = frame.constant(blockElements);
    int64_t next = first;
    for (Segment &segment : segments) {
      for (auto [operand, buffer] : llvm::enumerate(segment.buffers))
        if (buffer.use_empty()) buffer.setType(typeOf(unsigned(operand))); // it is the body's alone
      Value start = frame.constant(next), end = frame.constant(next += segment.units);
      emitCall(block, start, end, frame.constant(segment.elements),
               [&](unsigned operand) { return as(segment.buffers[operand], typeOf(operand)); });
    }
  }

  /// The same as a loop over the segments, whose buffers lie in the array `all` that has every one of the kernel's.
  void emitLoopOfCalls(Value all) {
    OpBuilder &b = frame.builder;
    Location loc = frame.loc;
    std::vector<int64_t> starts{first}, elements, places;
    for (const Segment &segment : segments) {
      starts.push_back(starts.back() + segment.units);
      elements.push_back(segment.elements);
      for (Value buffer : segment.buffers)
        places.push_back(cast<BlockArgument>(buffer).getArgNumber());
    }
    int64_t each = int64_t(segments.front().buffers.size());
    unitSize = frame.constant(blockElements);
    Value startOf = table("starts", starts), elementsOf = table("elements", elements),
          placeOf = table("buffers", places);
    emitLoop(b, loc, frame.constant(0), frame.constant(int64_t(segments.size())), frame.constant(1),
             {}, [&](Value segment, ValueRange) {
               auto entry = [&](Value table, Value at) -> Value {
                 return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                                   memref::LoadOp::create(b, loc, table, at));
               };
               Value after = arith::AddIOp::create(b, loc, segment, frame.constant(1));
               Value firstPlace = arith::MulIOp::create(b, loc, segment, frame.constant(each));
               emitCall({}, entry(startOf, segment), entry(startOf, after),
                        entry(elementsOf, segment), [&](unsigned operand) {
                          Value at =
                              arith::AddIOp::create(b, loc, firstPlace, frame.constant(operand));
                          return bufferAt(b, loc, all, entry(placeOf, at), typeOf(operand));
                        });
               return SmallVector<Value>();
             });
  }

private:
  Segments(KernelFrame &frame, SegmentsOp op, int64_t first) : frame(frame), op(op), first(first) {}

  MemRefType typeOf(unsigned operand) {
    return cast<MemRefType>(function.getArgumentTypes()[operand]);
  }

  /// Calls the body for those of the units [start, end), a segment's, that are to be done.
  void emitCall(Value block, Value start, Value end, Value elements,
                function_ref<Value(unsigned)> buffer) {
    OpBuilder &b = frame.builder;
    Location loc = frame.loc;
    Value from, to, mine; // units
    if (frame.options.gpu) {
      from = block;
      mine = arith::AndIOp::create(
          b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, block, start),
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, block, end));
    } else {
      from = arith::MaxUIOp::create(b, loc, frame.begin(), start);
      to = arith::MinUIOp::create(b, loc, frame.end(), end);
      mine = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, from, to);
    }
    auto branch = scf::IfOp::create(b, loc, mine, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    auto element = [&](Value unit) -> Value { // of the segment
      if (!matchPattern(start, m_Zero())) unit = arith::SubIOp::create(b, loc, unit, start);
      return arith::MulIOp::create(b, loc, unit, unitSize);
    };
    SmallVector<Value> arguments;
    for (unsigned operand = 0; operand + 2 < function.getNumArguments(); ++operand)
      arguments.push_back(buffer(operand));
    Value begin = element(from);
    Value past = to ? element(to) : arith::AddIOp::create(b, loc, begin, unitSize).getResult();
    arguments.push_back(begin);
    arguments.push_back(arith::MinUIOp::create(b, loc, past, elements));
    func::CallOp::create(b, loc, function, arguments);
  }

  /// A constant of the module.
  Value table(StringRef what, ArrayRef<int64_t> values) {
    OpBuilder &b = frame.builder;
    Type i64 = b.getI64Type();
    auto type = MemRefType::get(int64_t(values.size()), i64);
    auto tensor = RankedTensorType::get(int64_t(values.size()), i64);
    std::string name = (function.getName() + "_" + what).str();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(frame.lowered.function);
      memref::GlobalOp::create(b, frame.loc, b.getStringAttr(name), b.getStringAttr("private"),
                               TypeAttr::get(type), DenseElementsAttr::get(tensor, values),
                               b.getUnitAttr(), IntegerAttr());
    }
    return memref::GetGlobalOp::create(b, frame.loc, type, name);
  }

  LogicalResult findBuffers() {
    llvm::DenseMap<Value, unsigned> outputs;
    for (auto [number, value] : llvm::enumerate(frame.yield()->getOperands()))
      if (value.getDefiningOp() == op && !outputs.try_emplace(value, unsigned(number)).second)
        return op.emitOpError("has a result that is yielded twice");
    auto input = [&](Value value) {
      return frame.lowered.function.getArgument(cast<BlockArgument>(value).getArgNumber());
    };
    for (unsigned number = 0; number < op.getCount(); ++number) {
      Segment segment;
      segment.elements = tensorType(op.inputsOf(number).front()).getNumElements();
      segment.units = llvm::divideCeil(segment.elements, blockElements);
      longest = std::max(longest, segment.elements);
      for (ValueRange values : {ValueRange(op.getShared()), op.inputsOf(number)})
        for (Value value : values) segment.buffers.push_back(input(value));
      for (Value value : op.outputsOf(number)) {
        auto output = outputs.find(value);
        if (output == outputs.end()) return op.emitOpError("has a result that is not yielded");
        segment.buffers.push_back(frame.outputBuffer(output->second));
      }
      segments.push_back(std::move(segment));
    }
    return success();
  }

  // The body as a kernel on one dimension, of a length that stands for all: its code depends on none. Not a
  // multiple of any vector.
  LogicalResult makeFunction() {
    OpBuilder &b = frame.builder;
    constexpr int64_t narrow = (int64_t(1) << 29) + 1, wide = (int64_t(1) << 45) + 1;
    int64_t length = longest < narrow ? narrow : wide;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(frame.lowered.function);
    OwningOpRef<KernelOp> kernel = bodyKernel(length);
    LoweringOptions options = frame.options;
    options.gpu = false; // with the two arguments that say from where to where
    KernelFrame body(*kernel, b, options);
    function = body.lowered.function;
    function.setPrivate();
    auto elements = body.elements();
    Location loc = frame.loc;
    auto point = [&](Value element) {
      SmallVector<unsigned> all =
          llvm::to_vector(llvm::seq<unsigned>(0, body.yield()->getNumOperands()));
      emitPoint(body, *elements, all, {length}, element);
    };
    auto loop = [&](Value from, Value to, int64_t step, int64_t lanes) {
      emitLoop(b, loc, from, to, body.constant(step), {}, [&](Value element, ValueRange) {
        elements->variable(element, 0, length - 1);
        elements->setRun(element, lanes);
        point(element);
        elements->setRun({}, 1);
        return SmallVector<Value>();
      });
    };
    if (frame.options.gpu) {
      emitThreads(body, *elements, point, length);
    } else {
      // LLVM: of this object alone, and once in it.
      function->setAttr("llvm.linkage",
                        LLVM::LinkageAttr::get(b.getContext(), LLVM::linkage::Linkage::Internal));
      function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
      int64_t lanes = frame.options.vectorLanes;
      Value middle = body.begin(); // a multiple of `lanes`
      if (lanes > 1) {
        Value width = body.constant(lanes);
        middle =
            arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, body.end(), width), width);
        loop(body.begin(), middle, lanes, lanes);
      }
      loop(middle, body.end(), 1, 1);
      if (lanes > 1) leaveAsItIs(cast<scf::ForOp>(std::prev(b.getInsertionPoint())));
    }
    return failure(elements->failed());
  }

  /// A block's elements: a thread takes four that lie side by side; what is left at the end, one by one.
  void emitThreads(KernelFrame &body, Elements &elements, function_ref<void(Value)> point,
                   int64_t length) {
    OpBuilder &b = frame.builder;
    Location loc = frame.loc;
    constexpr int64_t neighbours = 4;
    int64_t threads = std::min<int64_t>(256, frame.options.maxThreads);
    Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
    auto loop = [&](Value from, Value to, int64_t step, LoopBody each) {
      emitLoop(b, loc, from, to, body.constant(step), {}, each);
    };
    Value width = body.constant(neighbours);
    auto words = [&](Value element) -> Value {
      return arith::DivUIOp::create(b, loc, element, width);
    };
    Value end = words(body.end());
    loop(arith::AddIOp::create(b, loc, words(body.begin()), thread), end, threads,
         [&](Value word, ValueRange) {
           elements.variable(word, 0, length / neighbours - 1);
           loop(body.constant(0), width, 1, [&](Value neighbour, ValueRange) {
             elements.variable(neighbour, 0, neighbours - 1);
             point(elements.apply(b.getAffineDimExpr(0) * neighbours + b.getAffineDimExpr(1),
                                  {word, neighbour}));
             return SmallVector<Value>();
           });
           auto each = cast<scf::ForOp>(std::prev(b.getInsertionPoint()));
           each->setAttr(unrollAttr, b.getUnitAttr());
           joinNeighbours(b, elements, each, neighbours);
           return SmallVector<Value>();
         });
    loop(arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, end, width), thread),
         body.end(), threads, [&](Value element, ValueRange) {
           point(elements.variable(element, 0, length - 1));
           return SmallVector<Value>();
         });
  }

  OwningOpRef<KernelOp> bodyKernel(int64_t length) {
    MLIRContext *context = op.getContext();
    OpBuilder detached(context);
    SmallVector<Type> inputs(op.getShared().getTypes()), outputs;
    auto inDomain = [&](Type type) {
      return RankedTensorType::get({length}, cast<RankedTensorType>(type).getElementType());
    };
    for (Value input : op.inputsOf(0)) inputs.push_back(inDomain(input.getType()));
    for (Value output : op.outputsOf(0)) outputs.push_back(inDomain(output.getType()));
    std::string name = (frame.kernel.getSymName() + "_each" + llvm::Twine(first))
                           .str(); // no two begin at one unit
    OwningOpRef<KernelOp> kernel =
        KernelOp::create(detached, op.getLoc(), name, FunctionType::get(context, inputs, outputs),
                         defaultSchedule(KernelKind::Pointwise, context));
    Block &block = kernel->getBody().emplaceBlock();
    for (Type type : inputs) block.addArgument(type, op.getLoc());
    detached.setInsertionPointToEnd(&block);
    size_t shared = op.getShared().size();
    SmallVector<Value> yielded =
        op.instantiate(detached, {length}, ValueRange(block.getArguments().take_front(shared)),
                       ValueRange(block.getArguments().drop_front(shared)));
    YieldOp::create(detached, op.getLoc(), yielded);
    return kernel;
  }

  Value as(Value buffer, MemRefType type) {
    if (buffer.getType() == type) return buffer;
    OpBuilder &b = frame.builder;
    return memref::ReinterpretCastOp::create(b, frame.loc, type, buffer, /*offset=*/int64_t(0),
                                             type.getShape(), ArrayRef<int64_t>{1});
  }

  struct Segment {
    int64_t elements = 0, units = 0;
    SmallVector<Value> buffers;
  };
  KernelFrame &frame;
  SegmentsOp op;
  int64_t first, longest = 0;
  SmallVector<Segment> segments;
  func::FuncOp function;
  Value unitSize; // in elements
};

} // namespace

// Each component is a nest of its own, and so is each segment. A unit is a block of `blockElements` elements (or, where the
// component's dimensions do not merge into one, of its leading dimension's rows); units of one
// component come after those of the other.
LogicalResult lowerUpdate(KernelFrame &frame) {
  OpBuilder &b = frame.builder;
  struct Nest {
    SmallVector<unsigned> outputs;
    SmallVector<int64_t> domain;
    MergedDims merged;
    int64_t first, units;
  };
  std::vector<Nest> nests;
  int64_t units = 0;
  for (const KernelBody &component : componentsOf(KernelBody::of(frame.body()))) {
    if (component.ops.size() == 1 && isa<SegmentsOp>(component.ops.front())) continue;
    Nest nest;
    for (auto [number, value] : llvm::enumerate(frame.yield()->getOperands()))
      if (llvm::is_contained(component.outputs, value)) nest.outputs.push_back(number);
    if (nest.outputs.empty()) continue;
    nest.domain.assign(shapeOf(component.outputs.front()));
    nest.merged = mergedDomain(frame, nest.outputs, nest.domain);
    int64_t elements = tensorType(component.outputs.front()).getNumElements();
    nest.units = llvm::divideCeil(elements, blockElements);
    nest.first = units;
    units += nest.units;
    nests.push_back(std::move(nest));
  }
  // An output that no op computes is an input handed on: a copy.
  for (auto [number, value] : llvm::enumerate(frame.yield()->getOperands()))
    if (isa<BlockArgument>(value)) {
      Nest nest;
      nest.outputs = {unsigned(number)};
      nest.domain.assign(shapeOf(value));
      nest.merged = mergedDomain(frame, nest.outputs, nest.domain);
      nest.units = llvm::divideCeil(tensorType(value).getNumElements(), blockElements);
      nest.first = units;
      units += nest.units;
      nests.push_back(std::move(nest));
    }
  std::vector<Segments> segments;
  for (auto op : frame.body().getOps<SegmentsOp>()) {
    FailureOr<Segments> one = Segments::make(frame, op, units);
    if (failed(one)) return failure();
    units += one->units();
    segments.push_back(std::move(*one));
  }
  auto elements = frame.elements();
  frame.lowered.range = std::max<int64_t>(units, 1);
  frame.lowered.grain = 1;
  frame.lowered.grid = frame.lowered.range;
  Value block, thread;
  if (frame.options.gpu) {
    frame.lowered.block = std::min<int64_t>(256, frame.options.maxThreads);
    block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements->variable(thread, 0, frame.lowered.block - 1);
  }
  for (Nest &nest : nests) {
    int64_t total = 1;
    for (int64_t extent : nest.merged.extents) total *= extent;
    auto point = [&](Value element) {
      SmallVector<Value> merged, original;
      int64_t stride = total;
      for (int64_t extent : nest.merged.extents) {
        stride /= extent;
        merged.push_back(elements->apply(b.getAffineDimExpr(0).floorDiv(stride) % extent, element));
      }
      emitPoint(frame, *elements, nest.outputs, nest.domain,
                originalIndices(*elements, nest.merged, merged));
    };
    auto unit = [&](Value number) { // of this nest
      elements->variable(number, 0, nest.units - 1);
      Value from = elements->apply(b.getAffineDimExpr(0) * blockElements, number);
      Value to = arith::MinUIOp::create(
          b, frame.loc, elements->apply((b.getAffineDimExpr(0) + 1) * blockElements, number),
          frame.constant(total));
      int64_t lanes = frame.options.gpu ? 1 : frame.options.vectorLanes;
      if (frame.options.gpu) {
        Value own = elements->apply(b.getAffineDimExpr(0) + b.getAffineDimExpr(1), {from, thread});
        emitLoop(b, frame.loc, own, to, frame.constant(frame.lowered.block), {},
                 [&](Value element, ValueRange) {
                   elements->variable(element, 0, total - 1);
                   point(element);
                   return SmallVector<Value>();
                 });
        return;
      }
      Value middle = from;
      if (lanes > 1) {
        Value width = frame.constant(lanes);
        middle = arith::MulIOp::create(b, frame.loc,
                                       arith::DivUIOp::create(b, frame.loc, to, width), width);
        emitLoop(b, frame.loc, from, middle, width, {}, [&](Value element, ValueRange) {
          elements->variable(element, 0, total - 1);
          elements->setRun(element, lanes);
          point(element);
          elements->setRun({}, 1);
          return SmallVector<Value>();
        });
      }
      if (lanes == 1 || total % lanes)
        emitLoop(b, frame.loc, middle, to, frame.constant(1), {}, [&](Value element, ValueRange) {
          elements->variable(element, 0, total - 1);
          point(element);
          return SmallVector<Value>();
        });
    };
    Value first = frame.constant(nest.first), last = frame.constant(nest.first + nest.units);
    if (frame.options.gpu) {
      Value mine = arith::AndIOp::create(
          b, frame.loc,
          arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::uge, block, first),
          arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ult, block, last));
      auto branch = scf::IfOp::create(b, frame.loc, mine, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      unit(arith::SubIOp::create(b, frame.loc, block, first));
      continue;
    }
    Value from = arith::MaxUIOp::create(b, frame.loc, frame.begin(), first);
    Value to = arith::MinUIOp::create(b, frame.loc, frame.end(), last);
    emitLoop(b, frame.loc, from, to, frame.constant(1), {}, [&](Value number, ValueRange) {
      unit(arith::SubIOp::create(b, frame.loc, number, first));
      return SmallVector<Value>();
    });
  }
  if (frame.options.gpu || frame.kernel->hasAttr(stageAttr)) {
    for (Segments &one : segments) one.emitCalls(block);
    func::FuncOp function = frame.lowered.function;
    function.setType(b.getFunctionType(function.getBody().getArgumentTypes(), {}));
  } else if (!segments.empty()) {
    Value all = takeBufferArray(frame);
    for (Segments &one : segments) one.emitLoopOfCalls(all);
    leaveOutOtherBuffers(frame);
  }
  return failure(elements->failed());
}

} // namespace sinter::codegen
