#include "sinter/codegen/contraction/TiledContraction.h"
#include "sinter/codegen/contraction/PackedPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

// The blocked product of the CUDA C++ Programming Guide ("Shared Memory") with register tiles: matrices
// are virtual (im2col, padding and fused producers happen where a tile is filled), loads of the next
// step travel while the current one is multiplied, and the sum over k may be cut into parts that a
// second kernel adds up in a fixed order.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Linear positions in the four groups of loops; null stands for 0.
struct Point {
  Value batch, m, n, k;
};

class TiledContraction {
public:
  TiledContraction(KernelFrame &frame, const ContractionElements &points)
      : frame(frame), b(frame.builder), points(points), first(points.firsts()) {}

  bool suits() {
    auto schedule = dyn_cast<ContractionScheduleAttr>(frame.kernel.getSchedule());
    if (!frame.options.gpu || !schedule || points.window) return false;
    tileM = schedule.getTileM(), tileN = schedule.getTileN(), tileK = schedule.getTileK();
    threads = schedule.getThreads(), splits = schedule.getSplitK();
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

  LogicalResult run() {
    analyse();
    if (splits == 1) {
      auto elements = frame.elements();
      emitTiles(*elements, Value());
      return failure(elements->failed());
    }
    return runSplit();
  }

private:
  // --- What is multiplied.

  struct Side {
    MergedDims merged; // loops that this side walks through as one
    bool alongK = false;
    int64_t lanes = 1;          // neighbours that one thread takes at once
    int64_t rows = 0, size = 0; // of the tile and of the whole, along m or n
    Value tile, stage;          // in shared memory, and on the way there
  };

  void analyse() {
    const ContractionDims &dims = points.dims;
    const ArrayRef<int64_t> groups[] = {dims.batch, dims.m, dims.n, dims.k};
    SmallVector<int64_t> extents = points.extents();
    SmallVector<unsigned> groupOf;
    for (unsigned group = 0; group < 4; ++group) {
      sizes[group] = product(groups[group]);
      groupOf.append(groups[group].size(), group);
    }
    auto merge = [&](ArrayRef<AffineExpr> positions) {
      return mergeDims(
          extents, positions, [&](unsigned dim) { return groupOf[dim] == groupOf[dim + 1]; },
          b.getContext());
    };
    tilesM = llvm::divideCeil(sizes[1], tileM), tilesN = llvm::divideCeil(sizes[2], tileN);
    int64_t steps = llvm::divideCeil(sizes[3], tileK);
    stepsPerSplit = llvm::divideCeil(steps, splits);
    splits = llvm::divideCeil(steps, stepsPerSplit);
    for (unsigned side = 0; side < 2; ++side) analyseSide(side, extents, merge);
    end = merge(frame.trial(extents, [&](Elements &trial, ValueRange indices) {
      trial.bindValue(points.result(), zero());
      points.store(trial, indices);
    }));
  }

  void analyseSide(unsigned number, ArrayRef<int64_t> extents,
                   llvm::function_ref<MergedDims(ArrayRef<AffineExpr>)> merge) {
    Side &side = sides[number];
    unsigned own = number + 1; // its group: m or n
    bool guarded = false;
    std::vector<AffineExpr> positions =
        frame.trial(extents, [&](Elements &trial, ValueRange indices) {
          points.factor(trial, number, indices);
          trial.recorder = nullptr; // only to see whether it may be outside
          guarded = bool(points.op
                             .getSideAddress(trial, number, slice(indices, 0), slice(indices, own),
                                             slice(indices, 3))
                             .inBounds);
        });
    side.merged = merge(positions);
    side.rows = number == 0 ? tileM : tileN;
    side.size = sizes[own];
    side.alongK = !isUnitAlong(positions, extents, own) && isUnitAlong(positions, extents, 3);
    if (guarded) return;
    unsigned fast = side.alongK ? 3 : own;
    int64_t items = side.rows * tileK / 4, size = sizes[fast];
    if (items % std::min(items, threads) || (side.alongK ? tileK : side.rows) % 4 || size % 4)
      return;
    SmallVector<std::optional<IndexRange>> ranges, quads;
    for (int64_t size : sizes) ranges.push_back(IndexRange{0, size - 1});
    quads = ranges;
    quads[fast] = IndexRange{0, size / 4 - 1};
    std::vector<AffineExpr> linear = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
      Point point{at[0], number == 0 ? at[1] : Value(), number == 1 ? at[2] : Value(), at[3]};
      element(trial, number, point);
    });
    AffineExpr variable = b.getAffineDimExpr(fast);
    for (AffineExpr position : linear) {
      if (!dependsOn(position, fast)) continue;
      auto offsets = laneOffsets(position, fast, 4, ranges);
      if (!offsets || *offsets != SmallVector<int64_t>{0, 1, 2, 3}) return;
      AffineExpr rest = simplifyIndex(position.replace(variable, variable * 4) % 4, quads);
      if (rest != b.getAffineConstantExpr(0)) return; // not on a word's border
    }
    side.lanes = 4;
  }

  /// Whether all positions that move along the last loop of `group` move by one element.
  bool isUnitAlong(ArrayRef<AffineExpr> positions, ArrayRef<int64_t> extents, unsigned group) {
    unsigned last = first[group + 1];
    while (last > first[group] && extents[last - 1] == 1) --last;
    if (last == first[group]) return false;
    AffineExpr variable = b.getAffineDimExpr(last - 1);
    bool moves = false;
    for (AffineExpr position : positions) {
      if (!position.isFunctionOfDim(last - 1)) continue;
      AffineExpr step = simplifyIndex(position.replace(variable, variable + 1) - position, {});
      if (step != b.getAffineConstantExpr(1)) return false;
      moves = true;
    }
    return moves;
  }

  ValueRange slice(ValueRange all, unsigned group) {
    return all.slice(first[group], first[group + 1] - first[group]);
  }

  /// The indices of all original loops at linear positions.
  SmallVector<Value> originals(Elements &elements, const MergedDims &merged, const Point &point) {
    const Value linear[] = {point.batch, point.m, point.n, point.k};
    SmallVector<Value> inner(merged.extents.size()), all;
    for (unsigned group = 0; group < 4; ++group) {
      if (first[group] == first[group + 1]) continue;
      unsigned from = merged.mergedOf[first[group]], to = merged.mergedOf[first[group + 1] - 1];
      int64_t stride = 1;
      for (unsigned dim = to + 1; dim-- > from;) {
        AffineExpr expr = d(0).floorDiv(stride);
        if (dim != from) expr = expr % merged.extents[dim];
        inner[dim] = linear[group] ? elements.apply(expr, linear[group]) : elements.index(0);
        stride *= merged.extents[dim];
      }
    }
    for (AffineExpr expr : merged.exprs) all.push_back(elements.apply(expr, inner));
    return all;
  }
  Value element(Elements &elements, unsigned number, const Point &point) {
    return points.factor(elements, number, originals(elements, sides[number].merged, point));
  }

  // --- Small words.

  AffineExpr d(unsigned position) { return b.getAffineDimExpr(position); }
  Value zero() { return constantOf(b, frame.loc, points.accumulatorType(), 0); }
  Value array(ArrayRef<int64_t> shape, bool shared) {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.getInsertionBlock();
    while (!isa<func::FuncOp>(block->getParentOp())) block = block->getParentOp()->getBlock();
    b.setInsertionPointToStart(block);
    Attribute space =
        shared ? Attribute(gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup))
               : Attribute();
    return memref::AllocaOp::create(
        b, frame.loc,
        MemRefType::get(shape, points.accumulatorType(), MemRefLayoutAttrInterface(), space));
  }
  /// A loop that the compiler unrolls, so that arrays indexed by it live in registers.
  void unrolled(Elements &elements, int64_t count, llvm::function_ref<void(Value)> body) {
    if (count == 1) return body(elements.index(0));
    auto loop = scf::ForOp::create(b, frame.loc, frame.constant(0), frame.constant(count),
                                   frame.constant(1));
    loop->setAttr(unrollAttr, b.getUnitAttr());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(elements.variable(loop.getInductionVar(), 0, count - 1));
  }
  void onlyIf(Value condition, llvm::function_ref<void()> inside,
              llvm::function_ref<void()> otherwise = nullptr) {
    if (!condition) return inside();
    auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/bool(otherwise));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    inside();
    if (!otherwise) return;
    b.setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }
  Value below(Value index, int64_t limit) {
    return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, index,
                                 frame.constant(limit));
  }
  Value both(Value one, Value other) {
    if (!one || !other) return one ? one : other;
    return arith::AndIOp::create(b, frame.loc, one, other);
  }
  /// `index` under a name of its own, inside a branch where it is known to be less than `count`.
  Value known(Elements &elements, Value index, int64_t count) {
    Value own = arith::AddIOp::create(b, frame.loc, index, frame.constant(0));
    return elements.variable(own, 0, count - 1);
  }
  Value load(Value array, ValueRange at) { return memref::LoadOp::create(b, frame.loc, array, at); }
  void store(Value value, Value array, ValueRange at) {
    memref::StoreOp::create(b, frame.loc, value, array, at);
  }

  // --- Tiles of operands.

  struct Item {
    Value along, across; // in units of lanes along the fast direction; in elements across it
  };
  int64_t fastExtent(const Side &side) { return (side.alongK ? tileK : side.rows) / side.lanes; }
  /// Whether tiles reach beyond the end of k.
  bool checksK() const {
    return stepsPerSplit * splits * tileK != sizes[3] || (splits > 1 && stepsPerSplit > 1);
  }
  int64_t itemsOf(const Side &side) { return side.rows * tileK / side.lanes; }
  /// Calls `body` for each of a thread's items of a side's tile.
  void overItems(Elements &elements, const Side &side,
                 llvm::function_ref<void(Value number, Item item)> body) {
    int64_t items = itemsOf(side), fast = fastExtent(side);
    onlyIf(items < threads ? below(thread, items) : Value(), [&] {
      // Threads beyond the last item are not inside.
      Value mine = items < threads ? known(elements, thread, items) : thread;
      unrolled(elements, llvm::divideCeil(items, threads), [&](Value number) {
        AffineExpr item = d(0) + d(1) * threads;
        body(number, {elements.apply(item % fast, {mine, number}),
                      elements.apply(item.floorDiv(fast), {mine, number})});
      });
    });
  }

  /// Reads a side's tile of step `step` into the threads' own arrays.
  void fetch(Elements &elements, unsigned number, Value step) {
    Side &side = sides[number];
    int64_t lanesMn = side.alongK ? 1 : side.lanes, lanesK = side.alongK ? side.lanes : 1;
    Value block = number == 0 ? blockM : blockN;
    bool cutMn = side.size % side.rows, cutK = checksK();
    overItems(elements, side, [&](Value turn, Item item) {
      Value mn = elements.apply(d(0) * (side.rows / lanesMn) + d(1),
                                {block, side.alongK ? item.across : item.along});
      Value k = elements.apply(d(0) * (tileK / lanesK) + d(1),
                               {step, side.alongK ? item.along : item.across});
      Value inside = both(cutMn ? below(mn, side.size / lanesMn) : Value(),
                          cutK ? below(k, sizes[3] / lanesK) : Value());
      auto fill = [&](llvm::function_ref<Value(Value)> value) {
        unrolled(elements, side.lanes, [&](Value lane) {
          store(value(lane), side.stage, {turn, lane});
        });
      };
      onlyIf(
          inside,
          [&] {
            Value mnIn = cutMn ? known(elements, mn, side.size / lanesMn) : mn;
            Value kIn = cutK ? known(elements, k, sizes[3] / lanesK) : k;
            fill([&](Value lane) {
              auto at = [&](Value index, int64_t lanes) {
                return lanes == 1 ? index : elements.apply(d(0) * lanes + d(1), {index, lane});
              };
              Point point{batch, {}, {}, at(kIn, lanesK)};
              (number == 0 ? point.m : point.n) = at(mnIn, lanesMn);
              return element(elements, number, point);
            });
          },
          [&] { fill([&](Value) { return zero(); }); });
    });
  }

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

  // --- The whole.

  void emitTiles(Elements &elements, Value scratch) {
    frame.lowered.block = threads;
    frame.lowered.grid = tilesM * tilesN * splits * sizes[0];
    Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements.variable(block, 0, frame.lowered.grid - 1);
    elements.variable(thread, 0, threads - 1);
    blockN = elements.apply(d(0) % tilesN, block);
    blockM = elements.apply(d(0).floorDiv(tilesN) % tilesM, block);
    Value split = elements.apply(d(0).floorDiv(tilesN * tilesM) % splits, block);
    batch = elements.apply(d(0).floorDiv(tilesN * tilesM * splits), block);
    threadN = elements.apply(d(0) % (tileN / ownN), thread);
    threadM = elements.apply(d(0).floorDiv(tileN / ownN), thread);
    bool pipelined = stepsPerSplit > 1;
    markAligned();
    sums = array({ownM, ownN}, false);
    left = array({ownM}, false), right = array({ownN}, false);
    for (Side &side : sides) {
      side.stage = array({int64_t(llvm::divideCeil(itemsOf(side), threads)), side.lanes}, false);
      // Four more columns: threads that are neighbours along k then store to different banks.
      side.tile = array({tileK * (pipelined ? 2 : 1), side.rows + (side.alongK ? 4 : 0)}, true);
    }
    unrolled(elements, ownM, [&](Value i) {
      unrolled(elements, ownN, [&](Value j) { store(zero(), sums, {i, j}); });
    });
    if (!pipelined) {
      for (unsigned side : {0u, 1u}) fetch(elements, side, split);
      for (const Side &side : sides) put(elements, side, elements.index(0));
      gpu::BarrierOp::create(b, frame.loc);
      multiply(elements, elements.index(0));
    } else {
      pipeline(elements, split);
    }
    if (scratch)
      storeParts(elements, split, scratch);
    else
      storeTile(elements);
  }

  void markAligned() {
    auto function = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
    for (unsigned number = 0; number < function.getNumArguments(); ++number)
      function.setArgAttr(number, alignedAttr, b.getUnitAttr());
  }

  /// Turn t reads step t, multiplies step t - 1, and hands step t over.
  void pipeline(Elements &elements, Value split) {
    emitLoop(b, frame.loc, frame.constant(0), frame.constant(stepsPerSplit + 1), frame.constant(1),
             {}, [&](Value turn, ValueRange) {
               elements.variable(turn, 0, stepsPerSplit);
               // Where places along k are checked anyway, one turn more costs nothing.
               Value more = checksK() ? Value() : below(turn, stepsPerSplit);
               onlyIf(more, [&] {
                 Value inside = more ? known(elements, turn, stepsPerSplit) : turn;
                 Value step = elements.apply(d(0) * stepsPerSplit + d(1), {split, inside});
                 for (unsigned side : {0u, 1u}) fetch(elements, side, step);
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

  void finish(Elements &elements, Value sum, const Point &point) {
    elements.bindValue(points.result(), elements.rounded(sum, elementOf(points.result())));
    points.store(elements, originals(elements, end, point));
  }
  void storeTile(Elements &elements) {
    overResults(elements, [&](Value sum, const Point &point) { finish(elements, sum, point); });
  }

  // --- Sums in parts.

  int64_t resultSize() { return sizes[0] * sizes[1] * sizes[2]; }
  void storeParts(Elements &elements, Value split, Value scratch) {
    overResults(elements, [&](Value sum, const Point &point) {
      AffineExpr at = ((d(0) * sizes[0] + d(1)) * sizes[1] + d(2)) * sizes[2] + d(3);
      store(sum, scratch, elements.apply(at, {split, point.batch, point.m, point.n}));
    });
  }

  LogicalResult runSplit() {
    LoweredKernel &lowered = frame.lowered;
    func::FuncOp last = lowered.function;
    auto parts = MemRefType::get(splits * resultSize(), points.accumulatorType());
    lowered.scratchBytes = parts.getNumElements() * parts.getElementTypeBitWidth() / 8;
    SmallVector<Type> inputs(last.getArgumentTypes().take_front(frame.body().getNumArguments()));
    inputs.push_back(parts);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(last);
      lowered.first = func::FuncOp::create(b, frame.loc, (last.getName() + "_parts").str(),
                                           b.getFunctionType(inputs, {}));
      Block *entry = lowered.first.addEntryBlock();
      b.setInsertionPointToEnd(entry);
      func::ReturnOp::create(b, frame.loc);
      b.setInsertionPoint(entry->getTerminator());
      Elements elements(b, frame.loc, entry);
      for (auto [argument, buffer] : llvm::zip(frame.body().getArguments(), entry->getArguments()))
        elements.bindMemory(argument, buffer);
      emitTiles(elements, entry->getArguments().back());
      lowered.firstGrid = lowered.grid, lowered.firstBlock = lowered.block;
      if (elements.failed()) return failure();
    }
    if (failed(last.insertArgument(last.getNumArguments(), parts, {}, frame.loc))) return failure();
    Value scratch = last.getArguments().back();
    auto elements = frame.elements();
    emitParallelNest(frame, *elements, ArrayRef(sizes).take_front(3), /*vectorize=*/false, splits,
                     [&](ValueRange at, int64_t) {
                       AffineExpr place = (d(0) * sizes[1] + d(1)) * sizes[2] + d(2);
                       Value sum =
                           emitLoop(b, frame.loc, frame.constant(0), frame.constant(splits),
                                    frame.constant(1), zero(), [&](Value part, ValueRange carried) {
                                      elements->variable(part, 0, splits - 1);
                                      Value from = elements->apply(d(3) * resultSize() + place,
                                                                   {at[0], at[1], at[2], part});
                                      return SmallVector<Value>{arith::AddFOp::create(
                                          b, frame.loc, carried[0], load(scratch, from))};
                                    })[0];
                       finish(*elements, sum, {at[0], at[1], at[2], {}});
                     });
    return failure(elements->failed());
  }

  KernelFrame &frame;
  OpBuilder &b;
  const ContractionElements &points;
  std::array<unsigned, 5> first;          // original loop where batch, m, n, k start, and their end
  SmallVector<int64_t> sizes{1, 1, 1, 1}; // of the groups
  Side sides[2];
  MergedDims end; // loops that the results walk through as one

  int64_t tileM = 0, tileN = 0, tileK = 0, threads = 0, splits = 1;
  int64_t ownM = 1, ownN = 1; // of a thread
  int64_t tilesM = 1, tilesN = 1, stepsPerSplit = 1;

  // Of the kernel being emitted.
  Value thread, threadM, threadN, blockM, blockN, batch, sums, left, right;
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
