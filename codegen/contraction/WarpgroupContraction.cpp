#include "sinter/codegen/contraction/WarpgroupContraction.h"
#include "sinter/codegen/DeviceCall.h"
#include "sinter/codegen/contraction/BulkTensor.h"
#include "sinter/codegen/contraction/ContractionTiles.h"
#include "sinter/ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

// After the warp-specialised persistent pipelines of CUTLASS (media/docs, "Efficient GEMM in CUDA", "Warp
// Specialization"): one thread of a warpgroup keeps bulk copies of both sides' tiles under way, several steps of k ahead;
// two more warpgroups multiply 64 rows each. Slots of shared memory go back and forth between them by two barriers each:
// `full` counts a slot's bytes, `empty` the warps that are done with it. A block goes on to its next tile while the last
// one's sums are still on their way out. Tiles are blocks of 64x64 elements, swizzled by 128 bytes, which is what both
// bulk copies and products know.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t warpgroup = 128, multipliers = 2; // warpgroups that multiply
constexpr int64_t edge = 64;                        // of a block, in elements; rows of a warpgroup
constexpr int64_t blockElements = edge * edge;
constexpr int64_t alongUnit = 16; // steps of k of one product
constexpr int64_t bulkElements = BulkTensor::pitchElements;
constexpr int64_t chunk = 32;      // columns of the sums that are on their way out together
constexpr int64_t sumsExtra = 8;   // columns: stores of neighbouring rows then meet in few banks
constexpr int64_t groupOfRows = 8; // tiles that share their columns' operand in L2
constexpr int64_t givenRegisters = 40, takenRegisters = 232; // 40 + 2 * 232 = 3 * 168

class WarpgroupContraction : public ContractionTiles {
public:
  using ContractionTiles::ContractionTiles;

  bool suits() {
    auto schedule = dyn_cast<ContractionScheduleAttr>(frame.kernel.getSchedule());
    if (!frame.options.gpu || !warpgroupsMultiply(frame.options.matrix) || frame.options.strict ||
        !schedule || !isWarpgroupSchedule(schedule) || points.window)
      return false;
    number = elementOf(points.operand(0));
    if (number != elementOf(points.operand(1)) || !(number.isBF16() || number.isF16()) ||
        !points.accumulatorType().isF32())
      return false;
    readSchedule(schedule);
    if (tileM != multipliers * edge || (tileN != 64 && tileN != 128 && tileN != 256) ||
        tileK != edge || splits != 1)
      return false;
    threads = multipliers * warpgroup; // those that have items of sides and results
    analyse();
    leavesInBulk = describeResult();
    stages = std::max<int64_t>(2, schedule.getStages());
    while (stages > 2 && sharedBytes() > frame.options.largeSharedBytes) --stages;
    if (sharedBytes() > frame.options.largeSharedBytes) return false;
    return describe(0) && describe(1);
  }

  LogicalResult run() {
    auto elements = frame.elements();
    emit(*elements);
    return failure(elements->failed());
  }

private:
  int64_t wantedLanes() const override { return bulkElements; }
  void emitTiles(Elements &, Value) override { llvm_unreachable("sums are not split"); }

  // --- Operands.

  bool describe(unsigned side) {
    size_t count = points.products().size();
    if (sides[side].lanes != bulkElements || sides[side].positions.size() != count) return false;
    bool all = true;
    for (unsigned number = 0; number < count; ++number)
      points.ofProduct(number, [&] { all &= describe(side, number); });
    return all;
  }
  bool describe(unsigned side, unsigned number) {
    const Side &own = sides[side];
    Value source = points.operand(side);
    while (auto reshape = source.getDefiningOp<ReshapeOp>()) source = reshape.getX();
    auto argument = dyn_cast<BlockArgument>(source);
    if (!argument) return false;
    unsigned mn = side + 1;
    SmallVector<int64_t> extents(sizes);
    extents[3] = points.products()[number].depth;
    auto tensor = BulkTensor::of(own.positions[number], extents, own.alongK ? 3 : mn,
                                 own.alongK ? mn : 3, argument.getArgNumber());
    if (tensor) tensors[side].push_back(*tensor);
    return tensor.has_value();
  }

  /// Results of 16 bits that lie like a matrix leave by bulk copies, too, where there is nothing else to store.
  bool describeResult() {
    if (frame.yield()->getNumOperands() != 1 || sizes[2] % bulkElements) return false;
    Type type = elementOf(frame.yield()->getOperand(0));
    if (!type.isBF16() && !type.isF16()) return false;
    std::vector<AffineExpr> position = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
      points.recordResult(trial, originals(trial, end, {at[0], at[1], at[2], {}}));
    });
    if (position.size() != 1) return false;
    auto tensor = BulkTensor::of(position[0], sizes, 2, 1, frame.body().getNumArguments());
    if (tensor) tensors[2] = {*tensor};
    return tensor.has_value();
  }

  /// Whether anything but the result itself lies along a loop behind the products.
  bool readsAlong(unsigned loop) {
    std::vector<AffineExpr> touched = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
      points.bindSum(trial, zero());
      points.store(trial, originals(trial, end, {at[0], at[1], at[2], {}}));
    });
    return llvm::count_if(touched, [&](AffineExpr place) { return dependsOn(place, loop); }) > 1;
  }

  // --- Shared memory: tiles of both sides, sums on their way out, barriers.

  int64_t slotBytes() const { return (tileM + tileN) * tileK * 2; }
  static constexpr int64_t stagingElements = edge * (chunk + sumsExtra);
  static constexpr int64_t leavingElements = edge * chunk; // of results on their way out
  int64_t stagingBytes() const { return multipliers * stagingElements * 4; }
  int64_t barrierBytes() const { return int64_t(llvm::alignTo(stages * 8, 16)); }
  int64_t sharedBytes() const {
    return stages * slotBytes() + stagingBytes() + 2 * barrierBytes() +
           (leavesInBulk ? multipliers * leavingElements * 2 : 0);
  }

  void divideShared() {
    auto layout = MemRefLayoutAttrInterface();
    Attribute space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
    Value whole = gpu::DynamicSharedMemoryOp::create(
        b, frame.loc, MemRefType::get({ShapedType::kDynamic}, b.getI8Type(), layout, space));
    int64_t offset = 0;
    auto part = [&](int64_t count, Type element) -> Value {
      Value made =
          memref::ViewOp::create(b, frame.loc, MemRefType::get({count}, element, layout, space),
                                 whole, frame.constant(offset), ValueRange());
      offset += int64_t(llvm::alignTo(count * element.getIntOrFloatBitWidth() / 8, 16));
      return made;
    };
    tiles[0] = part(stages * tileM * tileK, number);
    tiles[1] = part(stages * tileN * tileK, number);
    staging = part(multipliers * stagingElements, b.getF32Type());
    if (leavesInBulk)
      leaving = part(multipliers * leavingElements, elementOf(frame.yield()->getOperand(0)));
    full = part(stages, b.getI64Type());
    empty = part(stages, b.getI64Type());
    frame.lowered.sharedBytes = sharedBytes();
  }

  // --- The device library.

  void call(const Twine &spelling, StringRef header, ValueRange operands) {
    emitDeviceCall(b, frame.loc, spelling.str(), header, operands);
  }
  void barrierCall(StringRef name, ValueRange operands) {
    call(name, "sinter/barrier.cuh", operands);
  }
  Value constant(int64_t value) { return frame.constant(value); }
  Value equals(Value index, int64_t value) {
    return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, index, constant(value));
  }
  Value flipped(Value parity) { return arith::XOrIOp::create(b, frame.loc, parity, constant(1)); }

  // --- Loops that producers and consumers run alike.

  /// Where a block is in its slots: which one, and the parity of the phase that it is in.
  using Turn = llvm::function_ref<void(Value step, Value slot, Value parity)>;

  /// Steps of k of one tile, from a slot on; the slot after them.
  SmallVector<Value> overSteps(Elements &elements, ValueRange from, Turn body) {
    int64_t steps = stepsPerSplit;
    return emitLoop(b, frame.loc, constant(0), constant(steps), constant(1), from,
                    [&](Value step, ValueRange carried) {
                      elements.variable(step, 0, steps - 1);
                      Value slot = elements.variable(carried[0], 0, stages - 1);
                      body(step, slot, carried[1]);
                      Value next = arith::AddIOp::create(b, frame.loc, slot, constant(1));
                      Value wraps = equals(next, stages);
                      auto select = [&](Value one, Value other) -> Value {
                        return arith::SelectOp::create(b, frame.loc, wraps, one, other);
                      };
                      return SmallVector<Value>{select(constant(0), next),
                                                select(flipped(carried[1]), carried[1])};
                    });
  }

  /// The tiles of this block: every gridDim-th.
  void overTiles(Elements &elements,
                 llvm::function_ref<SmallVector<Value>(ValueRange carried)> body) {
    int64_t all = tilesM * tilesN * sizes[0];
    Value first = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x),
          stride = gpu::GridDimOp::create(b, frame.loc, gpu::Dimension::x);
    emitLoop(b, frame.loc, first, constant(all), stride, {constant(0), constant(0)},
             [&](Value tile, ValueRange carried) {
               placeTile(elements, elements.variable(tile, 0, all - 1));
               return body(carried);
             });
  }

  /// Tiles in groups of a few rows of them, column by column, so that what is loaded for one serves its neighbours
  /// while it is in L2.
  void placeTile(Elements &elements, Value tile) {
    AffineExpr inBatch = d(0) % (tilesM * tilesN),
               perGroup = b.getAffineConstantExpr(groupOfRows * tilesN);
    batch = elements.apply(d(0).floorDiv(tilesM * tilesN), tile);
    if (tilesM <= groupOfRows || tilesM % groupOfRows == 0) {
      int64_t rows = std::min(tilesM, groupOfRows);
      AffineExpr group = inBatch.floorDiv(perGroup), inGroup = inBatch % perGroup;
      if (tilesM <= groupOfRows) group = b.getAffineConstantExpr(0), inGroup = inBatch;
      blockM = elements.apply(group * rows + inGroup % rows, tile);
      blockN = elements.apply(inGroup.floorDiv(rows), tile);
      return;
    }
    // The last group has fewer rows.
    Value group = elements.apply(inBatch.floorDiv(perGroup), tile),
          inGroup = elements.apply(inBatch % perGroup, tile);
    Value first = elements.apply(d(0) * groupOfRows, group);
    Value left = arith::SubIOp::create(b, frame.loc, constant(tilesM), first);
    Value rows = arith::MinSIOp::create(b, frame.loc, left, constant(groupOfRows));
    Value row = arith::RemUIOp::create(b, frame.loc, inGroup, rows);
    blockM = elements.variable(arith::AddIOp::create(b, frame.loc, first, row), 0, tilesM - 1);
    blockN = elements.variable(arith::DivUIOp::create(b, frame.loc, inGroup, rows), 0, tilesN - 1);
  }

  // --- The whole.

  void emit(Elements &elements) {
    frame.lowered.block = (1 + multipliers) * warpgroup;
    int64_t all = tilesM * tilesN * sizes[0];
    frame.lowered.grid = std::min(all, int64_t(multiprocessorsOf(frame.options.l2Bytes)));
    thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements.variable(thread, 0, frame.lowered.block - 1);
    markAligned();
    for (unsigned side : {0u, 1u})
      for (const BulkTensor &tensor : tensors[side])
        maps[side].push_back(tensor.addMap(frame.lowered.function, edge, edge, /*swizzle=*/3));
    if (leavesInBulk) {
      maps[2] = {tensors[2][0].addMap(frame.lowered.function, edge, chunk, /*swizzle=*/0)};
      frame.lowered.function.setArgAttr(tensors[2][0].argument, writtenAttr, b.getUnitAttr());
    }
    divideShared();
    sums = array({edge * tileN / warpgroup}, b.getF32Type());
    Value isFirst = equals(thread, 0);
    onlyIf(isFirst, [&] {
      unrolled(elements, stages, [&](Value slot) {
        barrierCall("barrierInit", {full, slot, constant(1)});
        barrierCall("barrierInit", {empty, slot, constant(multipliers * warpgroup / 32)});
      });
      barrierCall("barrierFence", {});
    });
    gpu::BarrierOp::create(b, frame.loc);
    onlyIf(
        below(thread, warpgroup),
        [&] {
          barrierCall("giveRegisters<" + std::to_string(givenRegisters) + ">", {});
          onlyIf(isFirst, [&] { produce(elements); });
        },
        [&] {
          barrierCall("takeRegisters<" + std::to_string(takenRegisters) + ">", {});
          consume(elements);
        });
  }

  /// Elements of a side's tile, and blocks.
  int64_t tileElements(unsigned side) const { return (side == 0 ? tileM : tileN) * tileK; }

  void produce(Elements &elements) {
    overTiles(elements, [&](ValueRange carried) {
      return overSteps(elements, carried, [&](Value step, Value slot, Value parity) {
        barrierCall("barrierWait", {empty, slot, flipped(parity)});
        barrierCall("barrierExpect", {full, slot, constant(slotBytes())});
        ofStepsProduct(elements, step, [&](unsigned product, Value own) {
          for (unsigned side : {0u, 1u}) loadTile(elements, side, product, own, slot);
        });
      });
    });
  }
  void loadTile(Elements &elements, unsigned side, unsigned product, Value step, Value slot) {
    Value block = side == 0 ? blockM : blockN;
    int64_t blocks = tileElements(side) / blockElements;
    unrolled(elements, blocks, [&](Value i) {
      Value to = elements.apply(d(0) * tileElements(side) + d(1) * blockElements, {slot, i});
      Value mn = elements.apply(d(0) * (blocks * edge) + d(1) * edge, {block, i}),
            k = elements.apply(d(0) * tileK, step);
      bool alongK = sides[side].alongK;
      Value ofBatch = tensors[side][product].batches > 1 ? batch : constant(0);
      call("bulkLoad", "sinter/bulk.cuh",
           {tiles[side], to, maps[side][product], full, slot, alongK ? k : mn, alongK ? mn : k,
            ofBatch});
    });
  }

  /// Says that this warp is done with a slot.
  void release(Value slot) {
    onlyIf(isLeader, [&] { barrierCall("barrierArrive", {empty, slot}); });
  }

  void consume(Elements &elements) {
    Value inside = arith::SubIOp::create(b, frame.loc, thread, constant(warpgroup));
    elements.variable(inside, 0, multipliers * warpgroup - 1);
    group = elements.apply(d(0).floorDiv(warpgroup), inside);
    own = elements.apply(d(0) % warpgroup, inside);
    isLeader = equals(elements.apply(d(0) % 32, inside), 0);
    StringRef wgmma = "sinter/wgmma.cuh";
    std::string multiply =
        llvm::formatv("multiplyBlocks<{0}, {1}, {2}, {3}>", tileN, number.isBF16() ? "bf16" : "f16",
                      int(!sides[0].alongK), int(!sides[1].alongK));
    overTiles(elements, [&](ValueRange carried) {
      auto after = overSteps(elements, carried, [&](Value step, Value slot, Value parity) {
        barrierCall("barrierWait", {full, slot, parity});
        call("wgmmaFence", wgmma, {});
        Value a = elements.apply(d(0) * tileElements(0) + d(1) * blockElements, {slot, group}),
              c = elements.apply(d(0) * tileElements(1), slot);
        Value adds =
            arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ne, step, constant(0));
        for (int64_t unit = 0; unit < tileK / alongUnit; ++unit)
          call(multiply, wgmma,
               {sums, tiles[0], a, tiles[1], c, constant(unit),
                unit == 0
                    ? adds
                    : arith::ConstantOp::create(b, frame.loc, b.getBoolAttr(true)).getResult()});
        call("wgmmaCommit", wgmma, {});
        // The products of the step before are done; its slot may be filled again.
        call("wgmmaWait<1>", wgmma, {});
        onlyIf(adds, [&] { release(before(slot)); });
      });
      call("wgmmaWait<0>", wgmma, {});
      call("wgmmaSettle", wgmma, {sums});
      release(before(after[0]));
      overResults(elements, [&](Value sum, const Point &point) {
        finish(elements, sum, point, /*scratch=*/Value());
      });
      return after;
    });
    waitForResults();
  }

  /// Until the results that are on their way have left shared memory.
  void waitForResults() {
    if (leavesInBulk)
      onlyIf(equals(own, 0), [&] { call("bulkWaitRead<0>", "sinter/bulk.cuh", {}); });
  }

  /// The slot before one.
  Value before(Value slot) {
    Value wraps = equals(slot, 0);
    Value previous = arith::SubIOp::create(b, frame.loc, slot, constant(1));
    return arith::SelectOp::create(b, frame.loc, wraps, constant(stages - 1), previous);
  }

  /// Calls `body` with each sum that exists, and where it is: some columns at a time through shared memory, so that
  /// neighbours along n are a thread's own and its neighbours'.
  void overResults(Elements &elements, llvm::function_ref<void(Value, const Point &)> body) {
    constexpr int64_t stride = chunk + sumsExtra, perChunk = edge * chunk / warpgroup;
    Value number = elements.apply(d(0) + 1, group);
    auto meet = [&] { barrierCall("syncWarps<" + std::to_string(warpgroup) + ">", {number}); };
    int64_t run = bulkElements;
    while (sizes[2] % run) run /= 2; // one condition for the neighbours that share it
    int64_t inRow = chunk / run, turns = edge * inRow / warpgroup;
    // Bulk copies leave out what lies beyond the result; it is of no use, and does no harm.
    bool cutM = sizes[1] % tileM && (!leavesInBulk || readsAlong(1)),
         cutN = sizes[2] % tileN && (!leavesInBulk || readsAlong(2));
    AffineExpr start = d(0) * stagingElements;
    unrolled(elements, tileN / chunk, [&](Value part) {
      if (!leavesInBulk) meet(); // what was there has been read
      unrolled(elements, perChunk, [&](Value i) {
        Value sum = load(sums, elements.apply(d(0) * perChunk + d(1), {part, i}));
        // As wgmmaRow and wgmmaColumn say.
        AffineExpr row =
                       d(1).floorDiv(32) * 16 + (d(1) % 32).floorDiv(4) + d(2).floorDiv(2) % 2 * 8,
                   column = d(2).floorDiv(4) * 8 + d(1) % 4 * 2 + d(2) % 2;
        store(sum, staging, elements.apply(start + row * stride + column, {group, own, i}));
      });
      waitForResults();
      meet();
      auto oneItem = [&](Value turn) {
        AffineExpr item = d(0) * warpgroup + d(1);
        Value row = elements.apply(item.floorDiv(inRow), {turn, own}),
              word = elements.apply(item % inRow, {turn, own});
        Value m = elements.apply(d(0) * tileM + d(1) * edge + d(2), {blockM, group, row}),
              n = elements.apply(d(0) * (tileN / run) + d(1) * inRow + d(2), {blockN, part, word});
        onlyIf(both(cutM ? below(m, sizes[1]) : Value(), cutN ? below(n, sizes[2] / run) : Value()),
               [&] {
                 Value mIn = cutM ? known(elements, m, sizes[1]) : m;
                 Value nIn = cutN ? known(elements, n, sizes[2] / run) : n;
                 scf::ForOp loop = unrolled(elements, run, [&](Value lane) {
                   Value from = elements.apply(start + d(1) * stride + d(2) * run + d(3),
                                               {group, row, word, lane});
                   body(load(staging, from),
                        {batch, mIn, elements.apply(d(0) * run + d(1), {nIn, lane}), {}});
                 });
                 if (leavesInBulk) divertStores(elements, loop, row, word);
                 joinNeighbours(elements, loop, run);
               });
      };
      emitLoop(b, frame.loc, constant(0), constant(turns), constant(1), {},
               [&](Value turn, ValueRange) {
                 oneItem(elements.variable(turn, 0, turns - 1));
                 return SmallVector<Value>();
               });
      if (!leavesInBulk) return;
      barrierCall("copyFence", {});
      meet();
      onlyIf(equals(own, 0), [&] {
        Value m = elements.apply(d(0) * tileM + d(1) * edge, {blockM, group}),
              n = elements.apply(d(0) * tileN + d(1) * chunk, {blockN, part}),
              from = elements.apply(d(0) * leavingElements, group);
        call("bulkStore", "sinter/bulk.cuh",
             {maps[2][0], leaving, from, n, m, tensors[2][0].batches > 1 ? batch : constant(0)});
        call("bulkCommit", "sinter/bulk.cuh", {});
      });
    });
  }

  /// What the loop over eight neighbours stores goes to where bulk copies take it from.
  void divertStores(Elements &elements, scf::ForOp loop, Value row, Value word) {
    OpBuilder::InsertionGuard guard(b);
    for (auto write : loop.getBody()->getOps<memref::StoreOp>()) {
      if (write.getMemRef() != frame.outputBuffer(0)) continue;
      b.setInsertionPoint(write);
      Value to = elements.apply(d(0) * leavingElements + d(1) * chunk + d(2) * bulkElements + d(3),
                                {group, row, word, loop.getInductionVar()});
      write.getMemrefMutable().assign(leaving);
      write.getIndicesMutable().assign(to);
    }
  }

  Type number; // of both operands
  int64_t stages = 2;
  bool leavesInBulk = false;
  // Of both sides of each product, and of the result where that leaves in bulk.
  SmallVector<BulkTensor, 1> tensors[3];

  // Of the kernel being emitted.
  SmallVector<Value, 1> maps[3];
  Value tiles[2], staging, leaving, full, empty, sums;
  Value group, own, isLeader; // of a thread that multiplies: its warpgroup's number, its own in it
};

} // namespace

bool isWarpgroupSchedule(ContractionScheduleAttr schedule) {
  return schedule.getThreads() == (1 + multipliers) * warpgroup;
}

bool lowerWarpgroupContraction(KernelFrame &frame, const ContractionElements &points,
                               LogicalResult &result) {
  WarpgroupContraction contraction(frame, points);
  if (!contraction.suits()) return false;
  result = contraction.run();
  return true;
}

} // namespace sinter::codegen
