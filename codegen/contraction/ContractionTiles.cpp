#include "sinter/codegen/contraction/ContractionTiles.h"
#include "sinter/codegen/contraction/PackedPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

void ContractionTiles::readSchedule(ContractionScheduleAttr schedule) {
  tileM = schedule.getTileM(), tileN = schedule.getTileN(), tileK = schedule.getTileK();
  threads = schedule.getThreads(), splits = schedule.getSplitK();
}

LogicalResult ContractionTiles::run() {
  analyse();
  if (splits > 1) return runSplit();
  auto elements = frame.elements();
  emitTiles(*elements, Value());
  return failure(elements->failed());
}

// --- What is multiplied.

void ContractionTiles::analyse() {
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
  depth = sizes[3];
  tilesM = llvm::divideCeil(sizes[1], tileM), tilesN = llvm::divideCeil(sizes[2], tileN);
  int64_t steps = llvm::divideCeil(sizes[3], tileK);
  stepsPerSplit = llvm::divideCeil(steps, splits);
  splits = llvm::divideCeil(steps, stepsPerSplit);
  for (unsigned side = 0; side < 2; ++side) analyseSide(side, extents, merge);
  end = merge(frame.trial(extents, [&](Elements &trial, ValueRange indices) {
    points.bindSum(trial, zero());
    points.store(trial, indices);
  }));
}

void ContractionTiles::analyseSide(unsigned number, ArrayRef<int64_t> extents,
                                   llvm::function_ref<MergedDims(ArrayRef<AffineExpr>)> merge) {
  Side &side = sides[number];
  unsigned own = number + 1; // its group: m or n
  std::vector<AffineExpr> positions =
      frame.trial(extents, [&](Elements &trial, ValueRange indices) {
        points.factor(trial, number, indices);
        trial.recorder = nullptr; // only to see whether it may be outside
        side.guarded = bool(points.op
                                .getSideAddress(trial, number, slice(indices, 0),
                                                slice(indices, own), slice(indices, 3))
                                .inBounds);
      });
  side.merged = merge(positions);
  side.rows = number == 0 ? tileM : tileN;
  side.size = sizes[own];
  side.alongK = !isUnitAlong(positions, extents, own) && isUnitAlong(positions, extents, 3);
  if (side.guarded) return;
  unsigned fast = side.alongK ? 3 : own;
  int64_t lanes = wantedLanes(), items = side.rows * tileK / lanes, size = sizes[fast];
  if (items == 0 || items % std::min(items, threads) || (side.alongK ? tileK : side.rows) % lanes ||
      size % lanes)
    return;
  SmallVector<std::optional<IndexRange>> ranges, words;
  for (int64_t size : sizes) ranges.push_back(IndexRange{0, size - 1});
  words = ranges;
  words[fast] = IndexRange{0, size / lanes - 1};
  std::vector<AffineExpr> linear = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
    Point point{at[0], number == 0 ? at[1] : Value(), number == 1 ? at[2] : Value(), at[3]};
    element(trial, number, point);
  });
  AffineExpr variable = b.getAffineDimExpr(fast);
  SmallVector<int64_t> neighbours;
  for (int64_t lane = 0; lane < lanes; ++lane) neighbours.push_back(lane);
  for (AffineExpr position : linear) {
    if (!dependsOn(position, fast)) continue;
    auto offsets = laneOffsets(position, fast, lanes, ranges);
    if (!offsets || *offsets != neighbours) return;
    AffineExpr rest = simplifyIndex(position.replace(variable, variable * lanes) % lanes, words);
    if (rest != b.getAffineConstantExpr(0)) return; // not on a word's border
  }
  side.lanes = lanes;
  side.positions = linear;
}

/// Whether all positions that move along the last loop of `group` move by one element.
bool ContractionTiles::isUnitAlong(ArrayRef<AffineExpr> positions, ArrayRef<int64_t> extents,
                                   unsigned group) {
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

SmallVector<Value> ContractionTiles::originals(Elements &elements, const MergedDims &merged,
                                               const Point &point) {
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

// --- Tiles of operands.

void ContractionTiles::placeBlock(Elements &elements) {
  frame.lowered.block = threads;
  frame.lowered.grid = tilesM * tilesN * splits * sizes[0];
  Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
  thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
  elements.variable(block, 0, frame.lowered.grid - 1);
  elements.variable(thread, 0, threads - 1);
  blockN = elements.apply(d(0) % tilesN, block);
  blockM = elements.apply(d(0).floorDiv(tilesN) % tilesM, block);
  split = elements.apply(d(0).floorDiv(tilesN * tilesM) % splits, block);
  batch = elements.apply(d(0).floorDiv(tilesN * tilesM * splits), block);
}

void ContractionTiles::overItems(Elements &elements, const Side &side,
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

ContractionTiles::Place ContractionTiles::placeOf(Elements &elements, const Side &side, Value step,
                                                  Item item) {
  Value block = &side == &sides[0] ? blockM : blockN;
  Place place;
  place.cutMn = side.size % side.rows, place.cutK = checksK();
  place.mn = elements.apply(d(0) * (side.rows / lanesMn(side)) + d(1),
                            {block, side.alongK ? item.across : item.along});
  place.k = elements.apply(d(0) * (tileK / lanesK(side)) + d(1),
                           {step, side.alongK ? item.along : item.across});
  place.inside = both(place.cutMn ? below(place.mn, side.size / lanesMn(side)) : Value(),
                      place.cutK ? below(place.k, depth / lanesK(side)) : Value());
  return place;
}

/// Steps of different products have nothing in common but their number.
void ContractionTiles::ofStepsProduct(Elements &elements, Value step,
                                      llvm::function_ref<void(unsigned, Value)> emit) {
  if (!points.isSum()) return emit(0, step);
  ArrayRef<ContractionElements::Product> products = points.products();
  auto from = [&](auto &self, unsigned number) -> void {
    int64_t first = products[number].start / tileK;
    bool isLast = number + 1 == products.size();
    auto own = [&] {
      int64_t steps = stepsPerSplit * splits - first; // of the last, also those beyond its end
      if (!isLast) steps = products[number].depth / tileK;
      Value inside = arith::SubIOp::create(b, frame.loc, step, frame.constant(first));
      elements.variable(inside, 0, steps - 1);
      depth = products[number].depth;
      points.ofProduct(number, [&] { emit(number, inside); });
      depth = sizes[3];
    };
    if (isLast) return own();
    onlyIf(below(step, products[number + 1].start / tileK), own, [&] { self(self, number + 1); });
  };
  from(from, 0);
}

void ContractionTiles::fetch(Elements &elements, unsigned number, Value step, Type stored) {
  ofStepsProduct(elements, step,
                 [&](unsigned, Value own) { fetchOwn(elements, number, own, stored); });
}

void ContractionTiles::fetchOwn(Elements &elements, unsigned number, Value step, Type stored) {
  Side &side = sides[number];
  overItems(elements, side, [&](Value turn, Item item) {
    Place place = placeOf(elements, side, step, item);
    auto fill = [&](llvm::function_ref<Value(Value)> value) {
      scf::ForOp loop = unrolled(elements, side.lanes, [&](Value lane) {
        store(narrowed(value(lane), stored), side.stage, {turn, lane});
      });
      joinNeighbours(elements, loop, side.lanes);
    };
    onlyIf(
        place.inside,
        [&] {
          Value mnIn =
              place.cutMn ? known(elements, place.mn, side.size / lanesMn(side)) : place.mn;
          Value kIn = place.cutK ? known(elements, place.k, depth / lanesK(side)) : place.k;
          fill([&](Value lane) {
            auto at = [&](Value index, int64_t lanes) {
              return lanes == 1 ? index : elements.apply(d(0) * lanes + d(1), {index, lane});
            };
            Point point{batch, {}, {}, at(kIn, lanesK(side))};
            (number == 0 ? point.m : point.n) = at(mnIn, lanesMn(side));
            return element(elements, number, point);
          });
        },
        [&] { fill([&](Value) { return zero(); }); });
  });
}

// --- Sums.

void ContractionTiles::finish(Elements &elements, Value sum, const Point &point, Value scratch) {
  if (scratch) {
    AffineExpr at = ((d(0) * sizes[0] + d(1)) * sizes[1] + d(2)) * sizes[2] + d(3);
    return store(sum, scratch, elements.apply(at, {split, point.batch, point.m, point.n}));
  }
  points.bindSum(elements, sum);
  points.store(elements, originals(elements, end, point));
}

LogicalResult ContractionTiles::runSplit() {
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
    lowered.firstSharedBytes = std::exchange(lowered.sharedBytes, 0);
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
                     finish(*elements, sum, {at[0], at[1], at[2], {}}, Value());
                   });
  return failure(elements->failed());
}

} // namespace sinter::codegen
