#include "sinter/codegen/contraction/TiledContraction.h"
#include "sinter/codegen/contraction/ContractionTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

// The blocked product of the CUDA C++ Programming Guide ("Shared Memory") with register tiles: loads of the
// next step travel while the current one is multiplied.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

class TiledContraction : public ContractionTiles {
public:
  using ContractionTiles::ContractionTiles;

  bool suits() {
    auto schedule = dyn_cast<ContractionScheduleAttr>(frame.kernel.getSchedule());
    if (!frame.options.gpu || !schedule || points.window) return false;
    readSchedule(schedule);
    for (int64_t size : {tileM, tileN, tileK, threads})
      if (!llvm::isPowerOf2_64(uint64_t(size))) return false;
    // A thread's rows and columns: at most eight rows, and as many columns or twice as many.
    if (tileM * tileN < threads) return false;
    int64_t own = tileM * tileN / threads;
    for (ownM = 1; ownM * ownM * 4 <= own && ownM < 8;) ownM *= 2;
    while (own / ownM > tileN) ownM *= 2;
    ownN = own / ownM;
    return ownM <= tileM && splits >= 1 && std::min(tileM, tileN) >= 4 && tileK >= 4;
  }

private:
  int64_t wantedLanes() const override { return 4; }

  /// Moves what `fetch` read into shared memory.
  void put(Elements &elements, const Side &side, Value slot) {
    overItems(elements, side, [&](Value turn, Item item) {
      unrolled(elements, side.lanes, [&](Value lane) {
        Value along = elements.apply(d(0) * side.lanes + d(1), {item.along, lane});
        Value k = side.alongK ? along : item.across, mn = side.alongK ? item.across : along;
        store(load(side.stage, {turn, lane}), side.tile,
              {elements.apply(d(0) * tileK + d(1), {slot, k}), mn});
      });
    });
  }

  /// Where a thread's row (column) `own` is in the tile: neighbours in fours, the fours apart.
  Value inTile(Elements &elements, Value lane, Value own, int64_t count, int64_t tile) {
    int64_t run = std::min<int64_t>(4, count);
    return elements.apply(d(1).floorDiv(run) * (tile / count * run) + d(0) * run + d(1) % run,
                          {lane, own});
  }

  void multiply(Elements &elements, Value slot) {
    unrolled(elements, tileK, [&](Value k) {
      Value row = elements.apply(d(0) * tileK + d(1), {slot, k});
      unrolled(elements, ownM, [&](Value i) {
        store(load(sides[0].tile, {row, inTile(elements, threadM, i, ownM, tileM)}), left, i);
      });
      unrolled(elements, ownN, [&](Value j) {
        store(load(sides[1].tile, {row, inTile(elements, threadN, j, ownN, tileN)}), right, j);
      });
      unrolled(elements, ownM, [&](Value i) {
        unrolled(elements, ownN, [&](Value j) {
          // One instruction there: the compiler contracts a product and a sum.
          Value lhs = load(left, i), rhs = load(right, j);
          Value term = arith::MulFOp::create(b, frame.loc, lhs, rhs);
          store(arith::AddFOp::create(b, frame.loc, load(sums, {i, j}), term), sums, {i, j});
        });
      });
    });
  }

  void emitTiles(Elements &elements, Value scratch) override {
    placeBlock(elements);
    threadN = elements.apply(d(0) % (tileN / ownN), thread);
    threadM = elements.apply(d(0).floorDiv(tileN / ownN), thread);
    bool pipelined = stepsPerSplit > 1;
    markAligned();
    Type number = points.accumulatorType();
    sums = array({ownM, ownN}, number);
    left = array({ownM}, number), right = array({ownN}, number);
    for (Side &side : sides) {
      side.stage = array({int64_t(llvm::divideCeil(itemsOf(side), threads)), side.lanes}, number);
      // Four more columns: threads that are neighbours along k then store to different banks.
      side.tile = array({tileK * (pipelined ? 2 : 1), side.rows + (side.alongK ? 4 : 0)}, number,
                        /*shared=*/true);
    }
    unrolled(elements, ownM, [&](Value i) {
      unrolled(elements, ownN, [&](Value j) { store(zero(), sums, {i, j}); });
    });
    if (!pipelined) {
      for (unsigned side : {0u, 1u}) fetch(elements, side, split, number);
      for (const Side &side : sides) put(elements, side, elements.index(0));
      gpu::BarrierOp::create(b, frame.loc);
      multiply(elements, elements.index(0));
    } else {
      pipeline(elements);
    }
    overResults(elements,
                [&](Value sum, const Point &point) { finish(elements, sum, point, scratch); });
  }

  /// Turn t reads step t, multiplies step t - 1, and hands step t over.
  void pipeline(Elements &elements) {
    emitLoop(b, frame.loc, frame.constant(0), frame.constant(stepsPerSplit + 1), frame.constant(1),
             {}, [&](Value turn, ValueRange) {
               elements.variable(turn, 0, stepsPerSplit);
               // Where places along k are checked anyway, one turn more costs nothing.
               Value more = checksK() ? Value() : below(turn, stepsPerSplit);
               onlyIf(more, [&] {
                 Value inside = more ? known(elements, turn, stepsPerSplit) : turn;
                 Value step = elements.apply(d(0) * stepsPerSplit + d(1), {split, inside});
                 for (unsigned side : {0u, 1u})
                   fetch(elements, side, step, points.accumulatorType());
               });
               Value started = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::sgt, turn,
                                                     frame.constant(0));
               onlyIf(started, [&] { multiply(elements, elements.apply((d(0) + 1) % 2, turn)); });
               onlyIf(more, [&] {
                 for (const Side &side : sides) put(elements, side, elements.apply(d(0) % 2, turn));
               });
               gpu::BarrierOp::create(b, frame.loc);
               return SmallVector<Value>();
             });
  }

  /// Calls `body` with each of the thread's sums that exists, and where it is.
  void overResults(Elements &elements, llvm::function_ref<void(Value, const Point &)> body) {
    int64_t run = std::min<int64_t>(4, ownN);
    while (sizes[2] % run) run /= 2; // one condition for the neighbours that share it
    bool cutM = sizes[1] % tileM, cutN = sizes[2] % tileN;
    unrolled(elements, ownM, [&](Value i) {
      Value m =
          elements.apply(d(0) * tileM + d(1), {blockM, inTile(elements, threadM, i, ownM, tileM)});
      unrolled(elements, ownN / run, [&](Value group) {
        Value start = elements.apply(d(0) * run, group);
        Value column = elements.apply(d(0) * tileN + d(1),
                                      {blockN, inTile(elements, threadN, start, ownN, tileN)});
        Value n = elements.apply(d(0).floorDiv(run), column);
        onlyIf(both(cutM ? below(m, sizes[1]) : Value(), cutN ? below(n, sizes[2] / run) : Value()),
               [&] {
                 Value mIn = cutM ? known(elements, m, sizes[1]) : m;
                 Value nIn = cutN ? known(elements, n, sizes[2] / run) : n;
                 unrolled(elements, run, [&](Value lane) {
                   Value j = elements.apply(d(0) * run + d(1), {group, lane});
                   body(load(sums, {i, j}),
                        {batch, mIn, elements.apply(d(0) * run + d(1), {nIn, lane}), {}});
                 });
               });
      });
    });
  }

  int64_t ownM = 1, ownN = 1; // of a thread

  // Of the kernel being emitted.
  Value threadM, threadN, sums, left, right;
};

} // namespace

bool lowerTiledContraction(KernelFrame &frame, const ContractionElements &points,
                           LogicalResult &result) {
  TiledContraction tiled(frame, points);
  if (!tiled.suits()) return false;
  result = tiled.run();
  return true;
}

} // namespace sinter::codegen
