#include "sinter/codegen/LowerStaged.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Each stage is lowered as a kernel of its own, whose blocks come after those of the stages before it. A block does
/// one stage, so barriers stay what they are, and shared memory is used again.
class StagedOnGpu {
public:
  explicit StagedOnGpu(KernelFrame &frame)
      : frame(frame), b(frame.builder), entry(frame.lowered.function.getBody().front()) {}

  LogicalResult run() {
    for (auto [argument, buffer] : llvm::zip(frame.body().getArguments(), entry.getArguments()))
      buffers[argument] = buffer;
    for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
      buffers.try_emplace(stageMemoryOf(output), frame.outputBuffer(number));
    stages = llvm::to_vector(frame.body().getOps<FusedOp>());
    LogicalResult fits = lowerAll();
    if (succeeded(fits)) place();
    for (LoweredKernel &each : lowered) each.function.erase();
    return fits;
  }

private:
  /// All stages, for blocks of one size.
  LogicalResult lowerAll() {
    if (failed(lowerWith(nullptr))) return failure();
    if (sameBlocks()) return success();
    // Where a warpgroup's products suit some of them only: those of warps.
    for (LoweredKernel &each : lowered) each.function.erase();
    auto ofWarps = ContractionScheduleAttr::get(b.getContext(), 128, 128, 32, 1, 128, 4);
    if (failed(lowerWith(ofWarps))) return failure();
    if (sameBlocks()) return success();
    return frame.kernel.emitError("stages of one launch want blocks of different sizes");
  }

  LogicalResult lowerWith(Attribute schedule) {
    lowered.clear();
    for (auto [number, stage] : llvm::enumerate(stages)) {
      FailureOr<LoweredKernel> each = lowerStage(frame, stage, number, schedule);
      if (failed(each)) return failure();
      lowered.push_back(*each);
      if (each->first)
        return stage.emitError("a stage of a launch has parts that a second adds up");
    }
    return success();
  }

  bool sameBlocks() const {
    return llvm::all_of(
        lowered, [&](const LoweredKernel &each) { return each.block == lowered.front().block; });
  }

  void place() {
    LoweredKernel &whole = frame.lowered;
    whole.block = lowered.front().block;
    whole.grid = 0, whole.sharedBytes = 0;
    for (const LoweredKernel &each : lowered)
      whole.sharedBytes = std::max(whole.sharedBytes, each.sharedBytes);
    b.setInsertionPointToStart(&entry);
    if (whole.sharedBytes > 0) {
      Attribute space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
      shared =
          gpu::DynamicSharedMemoryOp::create(b, frame.loc,
                                             MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                                                             MemRefLayoutAttrInterface(), space));
    }
    b.setInsertionPoint(entry.getTerminator());
    Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    for (unsigned number = 0; number < stages.size(); ++number) {
      int64_t first = whole.grid;
      whole.grid += lowered[number].grid;
      bool isLast = number + 1 == stages.size();
      if (!isLast) {
        Value mine = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, block,
                                           frame.constant(whole.grid));
        auto branch = scf::IfOp::create(b, frame.loc, mine, /*withElseRegion=*/true);
        b.setInsertionPointToStart(branch.thenBlock());
        inlineStage(number, block, first);
        b.setInsertionPointToStart(branch.elseBlock());
      } else {
        inlineStage(number, block, first);
      }
    }
  }

  void inlineStage(unsigned number, Value block, int64_t first) {
    func::FuncOp function = lowered[number].function;
    if (first > 0) block = arith::SubIOp::create(b, frame.loc, block, frame.constant(first));
    IRMapping map;
    mapArguments(stages[number], function, map);
    llvm::DenseMap<Type, unsigned> taken; // of the shared arrays of each type
    for (Operation &op : function.getBody().front().without_terminator()) {
      if (auto array = dyn_cast<memref::AllocaOp>(op)) {
        map.map(array.getResult(), arrayFor(array, taken));
        continue;
      }
      Operation *copy = b.clone(op, map);
      copy->walk([&](Operation *inner) {
        Value known;
        if (isa<gpu::BlockIdOp>(inner))
          known = block;
        else if (isa<gpu::DynamicSharedMemoryOp>(inner))
          known = shared;
        else if (isa<gpu::GridDimOp>(inner))
          known = gridOf(inner, lowered[number].grid);
        if (!known) return;
        inner->getResult(0).replaceAllUsesWith(known);
        if (inner == copy) map.map(op.getResult(0), known);
        inner->erase();
      });
    }
  }

  Value gridOf(Operation *asked, int64_t grid) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(asked);
    return arith::ConstantIndexOp::create(b, frame.loc, grid);
  }

  /// A thread's arrays are its own; shared ones are those of the stages before, as far as they have the type.
  Value arrayFor(memref::AllocaOp array, llvm::DenseMap<Type, unsigned> &taken) {
    MemRefType type = array.getType();
    SmallVector<Value> *known = type.getMemorySpace() ? &sharedArrays[type] : nullptr;
    unsigned number = known ? taken[type]++ : 0;
    if (known && number < known->size()) return (*known)[number];
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&entry);
    Value made = b.clone(*array)->getResult(0);
    if (known) known->push_back(made);
    return made;
  }

  /// The stage's buffers, with what its code says of them, and its tensor maps as arguments of the whole.
  void mapArguments(FusedOp stage, func::FuncOp function, IRMapping &map) {
    SmallVector<Value> operands(stage.getInputs());
    llvm::append_range(operands, stage.getOutputs());
    SmallVector<int64_t> places;
    func::FuncOp whole = frame.lowered.function;
    for (auto [number, operand] : llvm::enumerate(operands)) {
      auto buffer = cast<BlockArgument>(buffers.lookup(stageMemoryOf(operand)));
      places.push_back(buffer.getArgNumber());
      map.map(function.getArgument(number), buffer);
      for (StringRef said : {alignedAttr, writtenAttr})
        if (function.getArgAttr(number, said))
          whole.setArgAttr(buffer.getArgNumber(), said, b.getUnitAttr());
    }
    for (unsigned number = operands.size(); number < function.getNumArguments(); ++number) {
      auto described = function.getArgAttrOfType<DictionaryAttr>(number, tensorMapAttr);
      NamedAttrList own(described);
      int64_t param = cast<IntegerAttr>(described.get("param")).getInt();
      own.set("param", b.getI64IntegerAttr(places[size_t(param)]));
      map.map(function.getArgument(number), mapArgument(own.getDictionary(b.getContext())));
    }
  }

  /// The whole's argument for a tensor map, which stages may share.
  Value mapArgument(DictionaryAttr described) {
    func::FuncOp whole = frame.lowered.function;
    unsigned count = whole.getNumArguments();
    for (unsigned number = 0; number < count; ++number)
      if (whole.getArgAttr(number, tensorMapAttr) == described) return whole.getArgument(number);
    (void)whole.insertArgument(count, MemRefType::get({128}, b.getI8Type()),
                               b.getDictionaryAttr(b.getNamedAttr(tensorMapAttr, described)),
                               frame.loc);
    return whole.getArgument(count);
  }

  KernelFrame &frame;
  OpBuilder &b;
  Block &entry;
  SmallVector<FusedOp> stages;
  SmallVector<LoweredKernel> lowered;
  llvm::DenseMap<Value, Value> buffers; // of what is in memory
  llvm::DenseMap<Type, SmallVector<Value>> sharedArrays;
  Value shared; // all that the launch asks for
};

} // namespace

LogicalResult lowerStagedOnGpu(KernelFrame &frame) { return StagedOnGpu(frame).run(); }

} // namespace sinter::codegen
