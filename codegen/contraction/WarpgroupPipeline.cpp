#include "sinter/codegen/DeviceCall.h"
#include "sinter/codegen/contraction/WarpgroupEmitter.h"
#include "sinter/ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/Support/FormatVariadic.h"

// A thread that sends for tiles, warpgroups that multiply them, and how they wait for each other.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t alongUnit = 16;  // steps of k of one product
constexpr int64_t groupOfRows = 8; // tiles that share their columns' operand in L2
constexpr int64_t givenRegisters = 40, takenRegisters = 232; // 40 + 2 * 232 = 3 * 168

} // namespace

// --- Loops.

SmallVector<Value> WarpgroupEmitter::overSteps(Elements &elements, ValueRange from, Turn body) {
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

/// Blocks of a cluster go together: each tile of theirs is `cluster` neighbours, or one that they have parts of.
void WarpgroupEmitter::overTiles(Elements &elements,
                                 llvm::function_ref<SmallVector<Value>(ValueRange carried)> body) {
  int64_t all = tilesM * tilesN * sizes[0] / (shares() ? cluster : 1);
  Value first = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x),
        stride = gpu::GridDimOp::create(b, frame.loc, gpu::Dimension::x);
  if (cluster > 1) {
    elements.variable(first, 0, frame.lowered.grid - 1);
    member = elements.apply(d(0) % cluster, first);
    first = elements.apply(d(0).floorDiv(cluster), first);
    stride = arith::DivUIOp::create(b, frame.loc, stride, constant(cluster));
  }
  if (sumsInParts) { // a cluster for each tile
    placeTile(elements, first);
    body(SmallVector<Value>{constant(0), constant(0)});
    return;
  }
  emitLoop(b, frame.loc, first, constant(all), stride, {constant(0), constant(0)},
           [&](Value tile, ValueRange carried) {
             placeTile(elements, elements.variable(tile, 0, all - 1));
             return body(carried);
           });
}

/// Tiles in groups of a few rows of them, column by column, so that what is loaded for one serves its neighbours
/// while it is in L2.
void WarpgroupEmitter::placeTile(Elements &elements, Value tile) {
  const int64_t together = shares() ? cluster : 1, perM = alongM ? together : 1,
                perN = alongM ? 1 : together;
  const int64_t all = tilesM / perM, columns = tilesN / perN, most = groupOfRows / perM;
  AffineExpr inBatch = d(0) % (all * columns), perGroup = b.getAffineConstantExpr(most * columns);
  batch = elements.apply(d(0).floorDiv(all * columns), tile);
  if (all <= most || all % most == 0) {
    int64_t rows = std::min(all, most);
    AffineExpr group = inBatch.floorDiv(perGroup), inGroup = inBatch % perGroup;
    if (all <= most) group = b.getAffineConstantExpr(0), inGroup = inBatch;
    blockM = elements.apply(group * rows + inGroup % rows, tile);
    blockN = elements.apply(inGroup.floorDiv(rows), tile);
  } else { // The last group has fewer rows.
    Value group = elements.apply(inBatch.floorDiv(perGroup), tile),
          inGroup = elements.apply(inBatch % perGroup, tile);
    Value first = elements.apply(d(0) * most, group);
    Value left = arith::SubIOp::create(b, frame.loc, constant(all), first);
    Value rows = arith::MinSIOp::create(b, frame.loc, left, constant(most));
    Value row = arith::RemUIOp::create(b, frame.loc, inGroup, rows);
    blockM = elements.variable(arith::AddIOp::create(b, frame.loc, first, row), 0, all - 1);
    blockN = elements.variable(arith::DivUIOp::create(b, frame.loc, inGroup, rows), 0, columns - 1);
  }
  if (!shares()) return;
  Value &own = alongM ? blockM : blockN;
  own = elements.apply(d(0) * cluster + d(1), {own, member});
}

Value WarpgroupEmitter::before(Value slot) {
  Value wraps = equals(slot, 0);
  Value previous = arith::SubIOp::create(b, frame.loc, slot, constant(1));
  return arith::SelectOp::create(b, frame.loc, wraps, constant(stages - 1), previous);
}

// --- The whole.

void WarpgroupEmitter::emit(Elements &elements) {
  frame.lowered.block = blockThreads;
  int64_t all = tilesM * tilesN * sizes[0],
          processors = int64_t(multiprocessorsOf(frame.options.l2Bytes));
  frame.lowered.grid = sumsInParts ? all * cluster : std::min(all, processors / cluster * cluster);
  if (cluster > 1) frame.lowered.function->setAttr(clusterAttr, b.getI64IntegerAttr(cluster));
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
  onlyIf(isFirst, [&] { makeBarriers(elements); });
  syncBlocks();
  onlyIf(
      below(thread, warpgroup),
      [&] {
        barrierCall("giveRegisters<" + std::to_string(givenRegisters) + ">", {});
        onlyIf(isFirst, [&] { produce(elements); });
        if (sumsInParts) syncBlocks();
      },
      [&] {
        barrierCall("takeRegisters<" + std::to_string(takenRegisters) + ">", {});
        consume(elements);
        if (!sumsInParts) return;
        syncBlocks();
        addParts(elements); // by those that have registers
      });
  // The other block may still send to this one's shared memory, and arrive at its barriers.
  if (cluster > 1) syncBlocks();
}

void WarpgroupEmitter::makeBarriers(Elements &elements) {
  unrolled(elements, stages, [&](Value slot) {
    barrierCall("barrierInit", {full, slot, constant(1)});
    barrierCall("barrierInit",
                {empty, slot, constant((shares() ? cluster : 1) * multipliers * warpgroup / 32)});
  });
  barrierCall("barrierFence", {});
}

void WarpgroupEmitter::syncBlocks() {
  if (cluster > 1)
    clusterCall("clusterSync", {});
  else
    gpu::BarrierOp::create(b, frame.loc);
}

void WarpgroupEmitter::produce(Elements &elements) {
  overTiles(elements, [&](ValueRange carried) {
    return overSteps(elements, carried, [&](Value step, Value slot, Value parity) {
      if (shares())
        clusterCall("barrierWaitCluster", {empty, slot, flipped(parity)});
      else
        barrierCall("barrierWait", {empty, slot, flipped(parity)});
      barrierCall("barrierExpect", {full, slot, constant(slotBytes())});
      if (sumsInParts) step = elements.apply(d(0) * stepsPerSplit + d(1), {member, step});
      ofStepsProduct(elements, step, [&](unsigned product, Value own) {
        for (unsigned side : {0u, 1u}) sendFor(elements, side, product, own, slot);
      });
    });
  });
}

/// Of a side that blocks share, each sends for its own part, to all of them.
void WarpgroupEmitter::sendFor(Elements &elements, unsigned side, unsigned product, Value step,
                               Value slot) {
  int64_t blocks = tileElements(side) / blockElements,
          owned = isShared(side) ? blocks / cluster : blocks;
  Value tile = side == 0 ? blockM : blockN;
  std::string everywhere = "bulkLoadTo<" + std::to_string((1 << cluster) - 1) + ">";
  unrolled(elements, owned, [&](Value i) {
    if (isShared(side)) i = elements.apply(d(0) * owned + d(1), {member, i});
    Value to = elements.apply(d(0) * tileElements(side) + d(1) * blockElements, {slot, i});
    Value mn = elements.apply(d(0) * (blocks * edge) + d(1) * edge, {tile, i}),
          k = elements.apply(d(0) * tileK, step);
    bool alongK = sides[side].alongK;
    Value ofBatch = tensors[side][product].batches > 1 ? batch : constant(0);
    SmallVector<Value> operands{
        tiles[side],     to,     maps[side][product], full, slot, alongK ? k : mn,
        alongK ? mn : k, ofBatch};
    if (isShared(side))
      clusterCall(everywhere, operands);
    else
      call("bulkLoad", "sinter/bulk.cuh", operands);
  });
}

/// In a cluster, a lane for each of its blocks.
void WarpgroupEmitter::release(Value slot) {
  onlyIf(releases, [&] {
    if (shares())
      clusterCall("barrierArriveAt", {empty, slot, inWarp});
    else
      barrierCall("barrierArrive", {empty, slot});
  });
}

void WarpgroupEmitter::consume(Elements &elements) {
  inside = arith::SubIOp::create(b, frame.loc, thread, constant(warpgroup));
  elements.variable(inside, 0, multipliers * warpgroup - 1);
  group = elements.apply(d(0).floorDiv(warpgroup), inside);
  own = elements.apply(d(0) % warpgroup, inside);
  inWarp = elements.apply(d(0) % 32, inside);
  releases = shares() ? below(inWarp, cluster) : equals(inWarp, 0);
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
      Value adds = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ne, step, constant(0));
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
    if (sumsInParts) {
      keepSums(elements);
      return after;
    }
    release(before(after[0]));
    overResults(elements, [&](Value sum, const Point &point) {
      finish(elements, sum, point, /*scratch=*/Value());
    });
    return after;
  });
  waitForResults();
}

} // namespace sinter::codegen
