#include "sinter/codegen/contraction/WinogradEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

// Sums M at the points go back as A' M A, where
//
//   A' = 1  1  1  0     and, in the weight's gradient,    1  1  1  0
//        0  1 -1 -1                                  A' = 0  1 -1  0
//                                                         0  1  1  1

namespace sinter::codegen {

/// Points are not a multiple of a page apart: all would fall into few sets of the first-level cache.
WinogradEmitter::Panel WinogradEmitter::panel(int64_t lines, int64_t stride) {
  Panel result;
  result.stride = stride;
  result.pointStride = lines * stride + plan.W;
  result.memory = elements->temporary(pointCount * result.pointStride, b.getF32Type());
  return result;
}

LogicalResult WinogradEmitter::run() {
  int64_t W = plan.W, slots = plan.blockSlots();
  patchLines = linesFor(/*places=*/false);
  if (plan.ofWeight) {
    placeLines = linesFor(/*places=*/true);
    rowPanel = panel(plan.unitRows, slots);
    columnPanel = panel(slots, plan.unitChannels);
    sums = panel(plan.unitRows, plan.unitChannels);
    turning = elements->temporary(pointCount * (W * slots + W), b.getF32Type());
    results = elements->temporary(WinogradPlan::taps * plan.unitChannels + W, b.getF32Type());
  } else {
    rowPanel = panel(plan.unitRows, llvm::alignTo(plan.stepChannels, W) + W);
    columnPanel = panel(plan.stepChannels, slots);
    sums = panel(plan.unitRows, (plan.steps == 1 ? 1 : plan.unitBlocks) * slots);
    results = elements->temporary(4 * slots + W, b.getF32Type());
  }
  int64_t units = plan.rowBlocks * (plan.ofWeight ? plan.channelBlocks : plan.blockUnits);
  frame.lowered.range = units;
  frame.lowered.grain = 1;
  clear(patchLines.memory, side * patchLines.partStride);
  if (plan.ofWeight) clear(placeLines.memory, side * placeLines.partStride);
  loop(frame.begin(), frame.end(), 1, units, [&](Value unit) {
    Value rowBlock = affine(d(0) % plan.rowBlocks, unit);
    Value other = affine(d(0).floorDiv(plan.rowBlocks), unit);
    rowBase = affine(d(0) * plan.unitRows, rowBlock);
    rowCount = minimum(constant(plan.unitRows), subtract(constant(plan.rows), rowBase));
    plan.ofWeight ? emitWeightUnit(other) : emitUnit(other);
  });
  return failure(elements->failed());
}

/// `count` is a multiple of W.
void WinogradEmitter::clear(Value memory, int64_t count) {
  Value zero = constantOf(b, frame.loc, vectorType(), 0);
  loop(constant(0), constant(count), plan.W, count, [&](Value at) { store(zero, memory, at); });
}

void WinogradEmitter::emitUnit(Value unit) {
  Value first = affine(d(0) * plan.unitBlocks, unit);
  Value blocks = minimum(constant(plan.unitBlocks), subtract(constant(plan.blocks), first));
  auto overBlocks = [&](llvm::function_ref<void(Value)> body) {
    loop(constant(0), blocks, 1, plan.unitBlocks, [&](Value local) {
      blockBase = add(first, local);
      elements->variable(blockBase, 0, plan.blocks - 1);
      body(plan.steps == 1 ? constant(0) : affine(d(0) * plan.blockSlots(), local));
    });
  };
  loop(plan.steps, [&](Value step) {
    Value channel = affine(d(0) * plan.stepChannels, step);
    Value count = minimum(constant(plan.stepChannels), subtract(constant(plan.channels), channel));
    Value firstStep;
    if (plan.steps > 1) firstStep = compare(arith::CmpIPredicate::eq, step, constant(0));
    packWeights(channel, count);
    overBlocks([&](Value sumBase) {
      packColumns(channel, count);
      products(plan.blockSlots(), sumBase, count, plan.stepChannels, firstStep);
      if (plan.steps == 1) finishBlock(sumBase);
    });
  });
  if (plan.steps > 1) overBlocks([&](Value sumBase) { finishBlock(sumBase); });
}

void WinogradEmitter::emitWeightUnit(Value unit) {
  channelBase = affine(d(0) * plan.unitChannels, unit);
  loop(plan.blocks, [&](Value block) {
    blockBase = block;
    Value first;
    if (plan.blocks > 1) first = compare(arith::CmpIPredicate::eq, block, constant(0));
    packRowsOfSlots();
    packColumnsOfSlots();
    products(plan.unitChannels, constant(0), constant(plan.blockSlots()), plan.blockSlots(), first);
  });
  finishWeights();
}

/// Adds `count` products to each sum, at every point; `first` says whether sums begin here (null: they do).
void WinogradEmitter::products(int64_t columns, Value sumBase, Value count, int64_t most,
                               Value first) {
  int64_t vectors = columns / plan.W, registers = frame.options.registers;
  int64_t tileVectors = vectors % 2 == 0 ? 2 : vectors % 3 == 0 ? 3 : 1;
  int64_t tileRows = std::min<int64_t>((registers - 1 - tileVectors) / tileVectors, 12);
  tileRows = llvm::divideCeil(plan.unitRows, llvm::divideCeil(plan.unitRows, tileRows));
  // Rows beyond the last one are computed from what memory held, and forgotten.
  int64_t whole = plan.unitRows / tileRows, rest = plan.unitRows % tileRows;
  loop(pointCount, [&](Value point) {
    loop(vectors / tileVectors, [&](Value tile) {
      Value column = affine(d(0) * (tileVectors * plan.W), tile);
      loop(whole, [&](Value row) {
        productTile(point, affine(d(0) * tileRows, row), tileRows, column, tileVectors, sumBase,
                    count, most, first);
      });
      if (rest)
        productTile(point, constant(whole * tileRows), rest, column, tileVectors, sumBase, count,
                    most, first);
    });
  });
}

void WinogradEmitter::productTile(Value point, Value row, int64_t rowCount, Value column,
                                  int64_t vectors, Value sumBase, Value count, int64_t most,
                                  Value first) {
  int64_t W = plan.W;
  Value zero = constantOf(b, frame.loc, vectorType(), 0);
  auto sumAt = [&](int64_t r, int64_t v) {
    return affine(d(0) * sums.pointStride + (d(1) + r) * sums.stride + d(2) + d(3) + v * W,
                  {point, row, column, sumBase});
  };
  Indices initial;
  for (int64_t r = 0; r < rowCount; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      initial.push_back(
          first ? arith::SelectOp::create(b, frame.loc, first, zero, load(sums.memory, sumAt(r, v)))
                      .getResult()
                : zero);
  Indices totals =
      emitLoop(b, frame.loc, constant(0), count, constant(1), initial,
               [&](Value k, ValueRange carried) -> Indices {
                 elements->variable(k, 0, most - 1);
                 Indices right, next;
                 for (int64_t v = 0; v < vectors; ++v)
                   right.push_back(
                       load(columnPanel.memory, affine(d(0) * columnPanel.pointStride +
                                                           d(1) * columnPanel.stride + d(2) + v * W,
                                                       {point, k, column})));
                 for (int64_t r = 0; r < rowCount; ++r) {
                   Value left = memref::LoadOp::create(
                       b, frame.loc, rowPanel.memory,
                       affine(d(0) * rowPanel.pointStride + (d(1) + r) * rowPanel.stride + d(2),
                              {point, row, k}));
                   left = vector::BroadcastOp::create(b, frame.loc, vectorType(), left);
                   for (int64_t v = 0; v < vectors; ++v)
                     next.push_back(math::FmaOp::create(b, frame.loc, left, right[v],
                                                        carried[r * vectors + v]));
                 }
                 return next;
               });
  for (int64_t r = 0; r < rowCount; ++r)
    for (int64_t v = 0; v < vectors; ++v) store(totals[r * vectors + v], sums.memory, sumAt(r, v));
}

SmallVector<WinogradEmitter::Indices> WinogradEmitter::sumsAt(Value position) {
  SmallVector<Indices> result(side);
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j)
      result[i].push_back(
          load(sums.memory, affine(d(0) + (i * side + j) * sums.pointStride, position)));
  return result;
}

/// Sums of the block to two lines of places for each line of tiles, and through what follows them to memory.
void WinogradEmitter::finishBlock(Value sumBase) {
  int64_t W = plan.W, slots = plan.blockSlots();
  auto back = [&](Value m0, Value m1, Value m2, Value m3) -> std::array<Value, 2> {
    return {plus(plus(m0, m1), m2), minus(minus(m1, m2), m3)};
  };
  SmallVector<int64_t> low, high; // lanes of two vectors in turn
  for (int64_t lane = 0; lane < W; ++lane) {
    low.push_back(lane / 2 + lane % 2 * W);
    high.push_back(W / 2 + lane / 2 + lane % 2 * W);
  }
  loop(constant(0), rowCount, 1, plan.unitRows, [&](Value local) {
    for (int64_t v = 0; v < plan.blockVectors; ++v) {
      SmallVector<Indices> m = sumsAt(affine(d(0) * sums.stride + d(1) + v * W, {local, sumBase}));
      std::array<std::array<Value, 2>, side> columns;
      for (int64_t j = 0; j < side; ++j) columns[j] = back(m[0][j], m[1][j], m[2][j], m[3][j]);
      for (int64_t i = 0; i < 2; ++i) {
        auto [even, odd] = back(columns[0][i], columns[1][i], columns[2][i], columns[3][i]);
        int64_t at = 2 * (i * slots + v * W);
        store(vector::ShuffleOp::create(b, frame.loc, even, odd, low), results, constant(at));
        store(vector::ShuffleOp::create(b, frame.loc, even, odd, high), results, constant(at + W));
      }
    }
    Value row = add(rowBase, local);
    elements->variable(row, 0, plan.rows - 1);
    loop(plan.blockLines, [&](Value tileLine) {
      Value line = affine(d(0) * plan.blockLines + d(1), {blockBase, tileLine});
      loop(2, [&](Value i) {
        Value index = affine(d(0) % plan.tileLines * 2 + d(1), {line, i});
        auto finish = [&] {
          // Variables of their own, known to be inside.
          Value picture = add(affine(d(0).floorDiv(plan.tileLines), line), constant(0));
          Value at = add(index, constant(0));
          elements->variable(picture, 0, plan.pictures - 1);
          elements->variable(at, 0, plan.outLines - 1);
          fixedRuns(plan.outColumns, [&](Value column) {
            Value from = affine(d(0) * (2 * slots) + d(1) * (2 * plan.lineSlots) + d(2),
                                {i, tileLine, column});
            Value sum = elements->lanes() > 1
                            ? load(results, from)
                            : memref::LoadOp::create(b, frame.loc, results, from).getResult();
            elements->bindValue(points.result(), sum);
            Value zero = constant(0);
            points.store(*elements, {zero, row, picture, at, column, zero, zero, zero});
          });
        };
        Value exists;
        if (plan.allLines() % plan.blockLines)
          exists = compare(arith::CmpIPredicate::ult, line, constant(plan.allLines()));
        if (plan.outLines % 2) {
          Value both = compare(arith::CmpIPredicate::ult, index, constant(plan.outLines));
          exists = exists ? arith::AndIOp::create(b, frame.loc, exists, both).getResult() : both;
        }
        if (exists)
          onlyIf(exists, finish);
        else
          finish();
      });
    });
  });
}

/// Sums of the unit to nine weights for each of its channels, which lie one after the other.
void WinogradEmitter::finishWeights() {
  int64_t W = plan.W, taps = WinogradPlan::taps;
  auto back = [&](Value m0, Value m1, Value m2, Value m3) -> std::array<Value, 3> {
    Value both = plus(m1, m2);
    return {plus(m0, both), minus(m1, m2), plus(both, m3)};
  };
  loop(constant(0), rowCount, 1, plan.unitRows, [&](Value local) {
    loop(constant(0), constant(plan.unitChannels), W, plan.unitChannels, [&](Value group) {
      SmallVector<Indices> m = sumsAt(affine(d(0) * sums.stride + d(1), {local, group}));
      std::array<std::array<Value, 3>, side> columns;
      for (int64_t j = 0; j < side; ++j) columns[j] = back(m[0][j], m[1][j], m[2][j], m[3][j]);
      for (int64_t r = 0; r < 3; ++r)
        for (auto [s, value] :
             llvm::enumerate(back(columns[0][r], columns[1][r], columns[2][r], columns[3][r])))
          for (int64_t lane = 0; lane < W; ++lane)
            store(vector::ExtractOp::create(b, frame.loc, value, lane), results,
                  affine(d(0) * taps + (lane * taps + r * 3 + int64_t(s)), group));
    });
    Value row = add(rowBase, local);
    elements->variable(row, 0, plan.rows - 1);
    Value from = affine(d(0) * taps, channelBase);
    Value to =
        minimum(constant(plan.channels * taps), affine(d(0) + plan.unitChannels * taps, from));
    bool whole = plan.channels % W == 0;
    runs(from, to, plan.channels * taps, whole, [&](Value place) {
      Value at = affine(d(0) - d(1) * taps, {place, channelBase});
      Value sum = elements->lanes() > 1
                      ? load(results, at)
                      : memref::LoadOp::create(b, frame.loc, results, at).getResult();
      elements->bindValue(points.result(), sum);
      Value zero = constant(0);
      points.store(*elements, {zero, row, affine(d(0).floorDiv(taps), place),
                               affine(d(0).floorDiv(3) % 3, place), affine(d(0) % 3, place), zero,
                               zero, zero});
    });
  });
}

} // namespace sinter::codegen
