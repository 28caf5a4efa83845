#include "sinter/codegen/contraction/MatrixContraction.h"
#include "sinter/codegen/contraction/ContractionTiles.h"
#include "sinter/codegen/contraction/WarpgroupContraction.h"
#include "sinter/ir/Factors.h"
#include "sinter/ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

// After the sm_80 pipelines of CUTLASS (media/docs, "Efficient GEMM in CUDA"): slots of shared memory hold the
// tiles of several steps. A side that lies in memory as the tile wants it is copied there asynchronously, 16 bytes
// at a time; every other one (im2col, padding, fused producers, odd sizes) goes through registers, element by
// element. Fragments come from shared memory by ldmatrix, whose rows are swizzled so that no two meet in a bank.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t unit = 16;     // rows of a product
constexpr int64_t columns = 8;   // of a product, and results that a thread takes at once
constexpr int64_t sumsExtra = 8; // columns: stores of neighbouring rows then meet in no bank

class MatrixContraction : public ContractionTiles {
public:
  using ContractionTiles::ContractionTiles;

  bool suits() {
    auto schedule = dyn_cast<ContractionScheduleAttr>(frame.kernel.getSchedule());
    if (!frame.options.gpu || frame.options.matrix == "none" || !schedule ||
        schedule.getStages() < 1 || points.window)
      return false;
    number = commonFactor(points.operand(0), points.operand(1));
    if (!number) return false;
    bool isTf32 = number.isF32() && multipliesTf32(frame.options.matrix);
    if (!(number.isBF16() || number.isF16() || isTf32) || !points.accumulatorType().isF32())
      return false;
    bytes = number.getIntOrFloatBitWidth() / 8;
    word = 16 / bytes;
    readSchedule(schedule);
    // What a warpgroup's products cannot have, warps' may.
    if (isWarpgroupSchedule(schedule)) {
      // Smaller tiles where parts of the sums were to make up for their small number.
      tileM = tileN = splits > 1 ? 64 : 128;
      threads = 128, tileK = 32, splits = 1;
    }
    stages = std::max<int64_t>(2, schedule.getStages());
    for (int64_t size : {tileM, tileN, tileK, threads})
      if (!llvm::isPowerOf2_64(uint64_t(size))) return false;
    return std::min({tileM, tileN, tileK}) >= unit && threads % 32 == 0 && splits >= 1 &&
           arrangeWarps() && sharedBytes(stages) <= frame.options.largeSharedBytes;
  }

private:
  int64_t wantedLanes() const override { return word; }

  /// Gives each warp a part of the tile, as square as it gets.
  bool arrangeWarps() {
    int64_t warps = threads / 32;
    for (int64_t count = 1; count <= warps; count *= 2) {
      int64_t ownM = tileM / count, ownN = tileN * count / warps;
      if (ownM < unit || ownN < unit) continue;
      if (warpM && ownM + ownN >= warpM + warpN) continue;
      warpM = ownM, warpN = ownN;
    }
    return warpM != 0;
  }

  int64_t sharedBytes(int64_t slots) const {
    return std::max(slots * (tileM + tileN) * tileK * bytes, tileM * (tileN + sumsExtra) * 4);
  }

  /// The kernel's inputs that a side is copied from, one for each product, or none.
  SmallVector<Value> copiedFrom(unsigned side) {
    size_t count = points.products().size();
    if (sides[side].lanes != word || sides[side].positions.size() != count) return {};
    SmallVector<Value> sources;
    for (unsigned number = 0; number < count; ++number)
      points.ofProduct(number, [&] { sources.push_back(sourceOf(points.operand(side))); });
    return llvm::is_contained(sources, Value()) ? SmallVector<Value>() : sources;
  }
  Value sourceOf(Value source) {
    while (Operation *def =
               source.getDefiningOp()) { // what is only named or widened lies there as it was
      if (!isa<ReshapeOp>(def) && !(isa<CastOp>(def) && elementOf(def->getOperand(0)) == number))
        break;
      source = def->getOperand(0);
    }
    auto argument = dyn_cast<BlockArgument>(source);
    if (!argument || elementOf(argument) != number) return nullptr;
    auto function = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
    return function.getArgument(argument.getArgNumber());
  }

  // --- Shared memory.

  void divideShared() {
    Value whole = dynamicShared();
    sides[0].tile = partOf(whole, 0, slots * tileM * tileK, number);
    sides[1].tile = partOf(whole, slots * tileM * tileK * bytes, slots * tileN * tileK, number);
    // When the tiles are used up.
    finished = partOf(whole, 0, tileM * (tileN + sumsExtra), b.getF32Type());
    frame.lowered.sharedBytes = sharedBytes(slots);
  }

  /// Where word `along` of row `across` of a slot lies. Eight rows that ldmatrix reads together take eight
  /// different places of 16 bytes in 128: the word's number is crossed with the row's.
  Value placeInTile(Elements &elements, const Side &side, Value slot, Value across, Value along) {
    int64_t words = (side.alongK ? tileK : side.rows) / word,
            rows = side.alongK ? side.rows : tileK;
    AffineExpr turn = words >= 8 ? d(0) % 8 : d(0).floorDiv(8 / words) % words;
    Value crossed = arith::XOrIOp::create(b, frame.loc, along, elements.apply(turn, across));
    elements.variable(crossed, 0, words - 1);
    return elements.apply(((d(0) * rows + d(1)) * words + d(2)) * word, {slot, across, crossed});
  }

  void copy(Elements &elements, unsigned side, Value step, Value slot) {
    ofStepsProduct(elements, step, [&](unsigned product, Value own) {
      copyOwn(elements, side, product, own, slot);
    });
  }
  void copyOwn(Elements &elements, unsigned side, unsigned product, Value step, Value slot) {
    const Side &own = sides[side];
    overItems(elements, own, [&](Value, Item item) {
      Place place = placeOf(elements, own, step, item);
      Value mn = elements.apply(d(0) * lanesMn(own), place.mn),
            k = elements.apply(d(0) * lanesK(own), place.k), none = elements.index(0);
      Value from = elements.apply(own.positions[product],
                                  {batch, side == 0 ? mn : none, side == 1 ? mn : none, k});
      Value to = placeInTile(elements, own, slot, item.across, item.along);
      Value count; // beyond the matrix nothing is read, and zeros are written
      if (place.inside)
        count = arith::SelectOp::create(b, frame.loc, place.inside, frame.constant(word),
                                        frame.constant(0));
      nvgpu::DeviceAsyncCopyOp::create(b, frame.loc, tokenType(), own.tile, ValueRange(to),
                                       copied[side][product], ValueRange(from),
                                       b.getIndexAttr(word), count,
                                       /*bypassL1=*/b.getUnitAttr());
    });
  }

  /// Moves what `fetch` read into shared memory.
  void put(Elements &elements, const Side &side, Value slot) {
    overItems(elements, side, [&](Value turn, Item item) {
      Value along = item.along, within;
      if (side.lanes == 1) {
        along = elements.apply(d(0).floorDiv(word), item.along);
        within = elements.apply(d(0) % word, item.along);
      }
      Value start = placeInTile(elements, side, slot, item.across, along);
      scf::ForOp loop = unrolled(elements, side.lanes, [&](Value lane) {
        store(load(side.stage, {turn, lane}), side.tile,
              elements.apply(d(0) + d(1), {start, within ? within : lane}));
      });
      joinNeighbours(elements, loop, side.lanes);
    });
  }

  // --- Products.

  /// Four 8x8 matrices of a side, at `mn` in its tile and step `k` of 16: two along k for each half of 16 rows or
  /// columns. `halvesFirst`: the order of A's fragments (both halves, then along k), else of two of B's.
  Value fragments(Elements &elements, const Side &side, Value slot, Value mn, Value k,
                  bool halvesFirst) {
    // Lanes 0-7, 8-15, ... name the rows of matrices 0, 1, ...: which of them moves along k.
    AffineExpr row = d(0) % 8, low = d(0).floorDiv(8) % 2, high = d(0).floorDiv(16);
    AffineExpr half = halvesFirst ? low : high, further = halvesFirst ? high : low;
    Value across, along;
    if (side.alongK) {
      across = elements.apply(d(1) + half * 8 + row, {lane, mn});
      along = elements.apply(d(1) * 2 + further, {lane, k});
    } else {
      if (word != 8) return scattered(elements, side, slot, mn, k, halvesFirst);
      across = elements.apply(d(1) * 2 * word + further * 8 + row, {lane, k});
      along = elements.apply(d(1).floorDiv(word) + half, {lane, mn});
    }
    Value place = placeInTile(elements, side, slot, across, along);
    return nvgpu::LdMatrixOp::create(b, frame.loc, fragmentType(4), side.tile, ValueRange(place),
                                     /*transpose=*/!side.alongK, /*numTiles=*/4);
  }

  /// The same of words across k, which ldmatrix turns round in halves only: each lane reads its four.
  Value scattered(Elements &elements, const Side &side, Value slot, Value mn, Value k,
                  bool halvesFirst) {
    SmallVector<Value> words;
    for (int64_t number = 0; number < 4; ++number) {
      int64_t half = halvesFirst ? number % 2 : number / 2,
              further = halvesFirst ? number / 2 : number % 2;
      Value across = elements.apply(d(1) * 2 * word + further * word + d(0) % 4, {lane, k}),
            place = elements.apply(d(1) + half * 8 + d(0).floorDiv(4), {lane, mn}),
            along = elements.apply(d(0).floorDiv(word), place);
      Value start = placeInTile(elements, side, slot, across, along);
      words.push_back(load(side.tile, elements.apply(d(0) + d(1) % word, {start, place})));
    }
    return vector::FromElementsOp::create(b, frame.loc, fragmentType(4), words);
  }

  /// `words` of 32 bits of a side, as a lane has them.
  VectorType fragmentType(int64_t words) { return VectorType::get({words, 4 / bytes}, number); }

  void multiply(Elements &elements, Value slot) {
    unrolled(elements, tileK / (2 * word), [&](Value k) {
      unrolled(elements, warpM / unit, [&](Value i) {
        Value m = elements.apply(d(0) * warpM + d(1) * unit, {warpRow, i});
        store(fragments(elements, sides[0], slot, m, k, true), left, i);
      });
      unrolled(elements, warpN / unit, [&](Value j) {
        Value n = elements.apply(d(0) * warpN + d(1) * unit, {warpColumn, j});
        Value right = fragments(elements, sides[1], slot, n, k, false);
        unrolled(elements, warpM / unit, [&](Value i) {
          Value a = load(left, i);
          for (int64_t half : {0, 1}) {
            Value own = vector::ExtractStridedSliceOp::create(
                b, frame.loc, right, ArrayRef<int64_t>{half * 2, 0},
                ArrayRef<int64_t>{2, 4 / bytes}, ArrayRef<int64_t>{1, 1});
            Value column = elements.apply(d(0) * 2 + half, j);
            Value sum = nvgpu::MmaSyncOp::create(b, frame.loc, a, own, load(sums, {i, column}),
                                                 ArrayRef<int64_t>{unit, columns, 2 * word},
                                                 /*tf32Enabled=*/number.isF32());
            store(sum, sums, {i, column});
          }
        });
      });
    });
  }

  // --- The whole.

  Type tokenType() { return nvgpu::DeviceAsyncTokenType::get(b.getContext()); }

  void emitTiles(Elements &elements, Value scratch) override {
    for (unsigned side : {0u, 1u}) copied[side] = copiedFrom(side);
    // What goes through registers travels beside the products: two slots do.
    bool copies = !copied[0].empty() || !copied[1].empty();
    slots = copies ? std::min(stages, std::max<int64_t>(2, stepsPerSplit)) : 2;
    placeBlock(elements);
    int64_t warpsN = tileN / warpN;
    lane = elements.apply(d(0) % 32, thread);
    warpColumn = elements.apply(d(0).floorDiv(32) % warpsN, thread);
    warpRow = elements.apply(d(0).floorDiv(32 * warpsN), thread);
    markAligned();
    divideShared();
    auto sumType = VectorType::get({2, 2}, b.getF32Type());
    sums = array({warpM / unit, warpN / columns}, sumType);
    left = array({warpM / unit}, fragmentType(4));
    for (unsigned side : {0u, 1u})
      if (copied[side].empty())
        sides[side].stage = array(
            {int64_t(llvm::divideCeil(itemsOf(sides[side]), threads)), sides[side].lanes}, number);
    Value nothing = arith::ConstantOp::create(b, frame.loc, b.getZeroAttr(sumType));
    unrolled(elements, warpM / unit, [&](Value i) {
      unrolled(elements, warpN / columns, [&](Value j) { store(nothing, sums, {i, j}); });
    });
    pipeline(elements, copies);
    overResults(elements,
                [&](Value sum, const Point &point) { finish(elements, sum, point, scratch); });
  }

  /// Turn t sends for step t and multiplies step t - (slots - 1). The barrier at its start makes the latter's tiles
  /// visible, and the slot that is filled next free: it was multiplied in the turn before.
  void pipeline(Elements &elements, bool copies) {
    int64_t turns = stepsPerSplit + slots - 1;
    SmallVector<Value> tokens;
    if (copies) tokens.push_back(ub::PoisonOp::create(b, frame.loc, tokenType()));
    emitLoop(b, frame.loc, frame.constant(0), frame.constant(turns), frame.constant(1), tokens,
             [&](Value turn, ValueRange carried) {
               elements.variable(turn, 0, turns - 1);
               if (copies)
                 nvgpu::DeviceAsyncWaitOp::create(b, frame.loc, carried[0],
                                                  b.getI32IntegerAttr(int32_t(slots - 2)));
               gpu::BarrierOp::create(b, frame.loc);
               Value more = below(turn, stepsPerSplit), slot;
               onlyIf(more, [&] {
                 Value inside = known(elements, turn, stepsPerSplit);
                 Value step = elements.apply(d(0) * stepsPerSplit + d(1), {split, inside});
                 slot = elements.apply(d(0) % slots, inside);
                 for (unsigned side : {0u, 1u})
                   if (!copied[side].empty())
                     copy(elements, side, step, slot);
                   else
                     fetch(elements, side, step, number);
               });
               SmallVector<Value> next;
               if (copies)
                 next.push_back(nvgpu::DeviceAsyncCreateGroupOp::create(b, frame.loc, tokenType(),
                                                                        ValueRange()));
               Value started = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::sge, turn,
                                                     frame.constant(slots - 1));
               onlyIf(started,
                      [&] { multiply(elements, elements.apply((d(0) + 1) % slots, turn)); });
               if (copied[0].empty() || copied[1].empty())
                 onlyIf(more, [&] {
                   for (unsigned side : {0u, 1u})
                     if (copied[side].empty())
                       put(elements, sides[side], elements.apply(d(0) % slots, turn));
                 });
               return next;
             });
  }

  /// Calls `body` with each sum that exists, and where it is: through shared memory, so that neighbours along n are
  /// a thread's own and its neighbours'.
  void overResults(Elements &elements, llvm::function_ref<void(Value, const Point &)> body) {
    int64_t stride = tileN + sumsExtra;
    // The last step's tiles are all that may still be read.
    int64_t last = (stepsPerSplit - 1) % slots, all = tileM * stride * 4;
    if (all > last * tileM * tileK * bytes || all > (slots * tileM + last * tileN) * tileK * bytes)
      gpu::BarrierOp::create(b, frame.loc);
    unrolled(elements, warpM / unit, [&](Value i) {
      unrolled(elements, warpN / columns, [&](Value j) {
        Value sum = load(sums, {i, j});
        for (int64_t half : {0, 1}) {
          Value row = elements.apply(d(0) * warpM + d(1) * unit + half * 8 + d(2).floorDiv(4),
                                     {warpRow, i, lane});
          for (int64_t next : {0, 1}) {
            Value column = elements.apply(d(0) * warpN + d(1) * columns + d(2) % 4 * 2 + next,
                                          {warpColumn, j, lane});
            store(vector::ExtractOp::create(b, frame.loc, sum, ArrayRef<int64_t>{half, next}),
                  finished, elements.apply(d(0) * stride + d(1), {row, column}));
          }
        }
      });
    });
    gpu::BarrierOp::create(b, frame.loc);

    int64_t run = columns;
    while (sizes[2] % run) run /= 2; // one condition for the neighbours that share it
    int64_t inRow = tileN / run, items = tileM * inRow;
    bool cutM = sizes[1] % tileM, cutN = sizes[2] % tileN;
    auto oneItem = [&](Value item) {
      Value row = elements.apply(d(0).floorDiv(inRow), item),
            group = elements.apply(d(0) % inRow, item);
      Value m = elements.apply(d(0) * tileM + d(1), {blockM, row}),
            n = elements.apply(d(0) * inRow + d(1), {blockN, group});
      onlyIf(both(cutM ? below(m, sizes[1]) : Value(), cutN ? below(n, sizes[2] / run) : Value()),
             [&] {
               Value mIn = cutM ? known(elements, m, sizes[1]) : m;
               Value nIn = cutN ? known(elements, n, sizes[2] / run) : n;
               scf::ForOp loop = unrolled(elements, run, [&](Value lane) {
                 Value from = elements.apply(d(0) * stride + d(1) * run + d(2), {row, group, lane});
                 body(load(finished, from),
                      {batch, mIn, elements.apply(d(0) * run + d(1), {nIn, lane}), {}});
               });
               joinNeighbours(elements, loop, run);
             });
    };
    int64_t turns = llvm::divideCeil(items, threads);
    auto oneTurn = [&](Value turn) {
      Value item = elements.apply(d(0) * threads + d(1), {turn, thread});
      bool some = items % threads;
      onlyIf(some ? below(item, items) : Value(),
             [&] { oneItem(some ? known(elements, item, items) : item); });
    };
    if (turns == 1) return oneTurn(elements.index(0));
    emitLoop(b, frame.loc, frame.constant(0), frame.constant(turns), frame.constant(1), {},
             [&](Value turn, ValueRange) {
               oneTurn(elements.variable(turn, 0, turns - 1));
               return SmallVector<Value>();
             });
  }

  Type number;                 // of both operands
  int64_t bytes = 2, word = 8; // of a number; numbers in the 16 bytes that travel at once
  int64_t stages = 2, slots = 2;
  int64_t warpM = 0, warpN = 0; // of a warp

  // Of the kernel being emitted.
  SmallVector<Value> copied[2]; // where each product's side is copied from; none: through registers
  Value lane, warpRow, warpColumn, sums, left, finished;
};

} // namespace

bool lowerMatrixContraction(KernelFrame &frame, const ContractionElements &points,
                            LogicalResult &result) {
  MatrixContraction contraction(frame, points);
  if (!contraction.suits()) return false;
  result = contraction.run();
  return true;
}

} // namespace sinter::codegen
