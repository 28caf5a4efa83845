#include "sinter/codegen/VectorTranspose.h"
#include "sinter/codegen/contraction/WinogradEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

// Patches d of four by four elements go to B' d B, weights g to G g G', where
//
//        1  0 -1  0          1    0    0             and, in the weight's gradient,      1    0
//   B' = 0  1  1  0     G = 1/2  1/2  1/2            a tile of two by two               1/2  1/2
//        0 -1  1  0         1/2 -1/2  1/2            to G g G' with                G =  1/2 -1/2
//        0  1  0 -1          0    0    1                                                 0   -1

namespace sinter::codegen {

Value WinogradEmitter::load(Value memory, Value at) {
  return vector::LoadOp::create(b, frame.loc, vectorType(), memory, at);
}
void WinogradEmitter::store(Value value, Value memory, Value at) {
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(b, frame.loc, value, memory, at);
  else
    memref::StoreOp::create(b, frame.loc, value, memory, at);
}

/// Four combinations of a patch's four elements in a line, or of a tile's two places.
WinogradEmitter::Indices WinogradEmitter::combined(ArrayRef<Value> d, bool places) {
  if (!places) return {minus(d[0], d[2]), plus(d[1], d[2]), minus(d[2], d[1]), minus(d[1], d[3])};
  Value half = constantOf(b, frame.loc, d[0].getType(), 0.5);
  Value first = arith::MulFOp::create(b, frame.loc, d[0], half);
  Value second = arith::MulFOp::create(b, frame.loc, d[1], half);
  return {d[0], plus(first, second), minus(first, second),
          arith::NegFOp::create(b, frame.loc, d[1])};
}

WinogradEmitter::Lines WinogradEmitter::linesFor(bool places) {
  Lines result;
  result.pitch = 2 * plan.lineSlots + (places ? 0 : 2);
  // Vectors reach beyond the last line, in writing it and in reading the last slots.
  int64_t width = places ? plan.outColumns : plan.left + plan.width;
  result.partStride = llvm::alignTo(plan.blockLines * result.pitch +
                                        std::max<int64_t>(0, width - result.pitch) + 3 * plan.W,
                                    plan.W);
  result.memory = elements->temporary(side * result.partStride, b.getF32Type());
  return result;
}

/// The block's lines of tiles: from an operand's lines above each other, four combinations. Columns beyond the
/// operand's stay zeros.
void WinogradEmitter::combineLines(const Lines &to, bool places, Value channel) {
  Value operand = points.operand(places ? 0 : 1);
  int64_t height = places ? plan.outLines : plan.lines;
  int64_t width = places ? plan.outColumns : plan.width;
  int64_t top = places ? 0 : plan.top, left = places ? 0 : plan.left, patch = places ? 2 : side;
  loop(plan.blockLines, [&](Value local) {
    Value line = affine(d(0) * plan.blockLines + d(1), {blockBase, local});
    Value picture = affine(d(0).floorDiv(plan.tileLines), line);
    Value tile = affine(d(0) % plan.tileLines, line);
    Value inside; // of the last block perhaps only some lines are
    if (plan.allLines() % plan.blockLines)
      inside = compare(arith::CmpIPredicate::ult, line, constant(plan.allLines()));
    auto combine = [&](Value column) {
      Indices above;
      Value zero = constantOf(b, frame.loc, elements->valueType(b.getF32Type()), 0);
      for (int64_t i = 0; i < patch; ++i) {
        Value index = affine(d(0) * 2 + (i - top), tile);
        Value exists = inside;
        if (i < top || 2 * (plan.tileLines - 1) + i - top >= height) {
          // Negative ones are large as unsigned.
          Value both = compare(arith::CmpIPredicate::ult, index, constant(height));
          exists = inside ? arith::AndIOp::create(b, frame.loc, inside, both).getResult() : both;
        }
        auto element = [&] {
          // Variables of their own, known to be inside.
          Value own = add(picture, constant(0)), at = add(index, constant(0));
          elements->variable(own, 0, plan.pictures - 1);
          elements->variable(at, 0, height - 1);
          Value value = elements->spread(elements->element(operand, {own, channel, at, column}));
          return elements->masked(value, zero);
        };
        above.push_back(exists ? elements->guarded(exists, zero, element) : element());
      }
      for (auto [part, value] : llvm::enumerate(combined(above, places)))
        store(value, to.memory,
              affine(d(0) * to.pitch + d(1) + (left + int64_t(part) * to.partStride),
                     {local, column}));
    };
    fixedRuns(width, combine);
  });
}

/// Lanes of several vectors, taken as one row of elements.
Value WinogradEmitter::lanesOf(ArrayRef<Value> sources, ArrayRef<int64_t> lanes) {
  Value result;
  SmallVector<bool> have(plan.W, false);
  for (auto [number, source] : llvm::enumerate(sources)) {
    auto from = int64_t(number) * plan.W;
    auto isHere = [&](int64_t lane) { return lane >= from && lane < from + plan.W; };
    if (llvm::none_of(lanes, isHere)) continue;
    SmallVector<int64_t> choice;
    for (int64_t i = 0; i < plan.W; ++i)
      choice.push_back(isHere(lanes[i]) ? (result ? plan.W : 0) + lanes[i] - from : i);
    result = vector::ShuffleOp::create(b, frame.loc, result ? result : source, source, choice);
  }
  return result;
}

/// One channel's patches (or tiles of places) of the block, at all points: `store(point, vector, value)`.
void WinogradEmitter::transformPatches(const Lines &from, bool places, Value channel,
                                       llvm::function_ref<void(Value, int64_t, Value)> store) {
  combineLines(from, places, channel);
  int64_t W = plan.W, patch = places ? 2 : side;
  loop(side, [&](Value part) {
    for (int64_t v = 0; v < plan.blockVectors; ++v) {
      int64_t slot = v * W, line = slot / plan.lineSlots;
      int64_t start = line * from.pitch + 2 * (slot % plan.lineSlots);
      auto laneAt = [&](int64_t lane, int64_t i) {
        return (slot % plan.lineSlots + lane) / plan.lineSlots * from.pitch +
               2 * ((slot + lane) % plan.lineSlots) - 2 * (slot % plan.lineSlots) + i;
      };
      SmallVector<Value> sources;
      for (int64_t at = 0; at <= laneAt(W - 1, patch - 1); at += W)
        sources.push_back(load(from.memory, affine(d(0) * from.partStride + (start + at), part)));
      Indices beside;
      for (int64_t i = 0; i < patch; ++i) {
        SmallVector<int64_t> lanes;
        for (int64_t lane = 0; lane < W; ++lane) lanes.push_back(laneAt(lane, i));
        beside.push_back(lanesOf(sources, lanes));
      }
      for (auto [i, value] : llvm::enumerate(combined(beside, places)))
        store(affine(d(0) * side + int64_t(i), part), v, value);
    }
  });
}

/// The block's patches of `count` channels: columns are slots.
void WinogradEmitter::packColumns(Value first, Value count) {
  loop(constant(0), count, 1, plan.stepChannels, [&](Value local) {
    Value channel = add(first, local);
    elements->variable(channel, 0, plan.channels - 1);
    transformPatches(patchLines, false, channel, [&](Value point, int64_t v, Value value) {
      store(value, columnPanel.memory,
            affine(d(0) * columnPanel.pointStride + d(1) * columnPanel.stride + v * plan.W,
                   {point, local}));
    });
  });
}

/// The block's tiles of the gradient: k is slots.
void WinogradEmitter::packRowsOfSlots() {
  loop(constant(0), rowCount, 1, plan.unitRows, [&](Value local) {
    Value row = add(rowBase, local);
    elements->variable(row, 0, plan.rows - 1);
    transformPatches(placeLines, true, row, [&](Value point, int64_t v, Value value) {
      store(value, rowPanel.memory,
            affine(d(0) * rowPanel.pointStride + d(1) * rowPanel.stride + v * plan.W,
                   {point, local}));
    });
  });
}

/// The block's patches, k is slots: W channels at a time, turned round in registers. Channels beyond the last one
/// repeat it.
void WinogradEmitter::packColumnsOfSlots() {
  int64_t W = plan.W, slots = plan.blockSlots();
  loop(constant(0), constant(plan.unitChannels), W, plan.unitChannels, [&](Value group) {
    loop(W, [&](Value lane) {
      Value channel = minimum(affine(d(0) + d(1) + d(2), {channelBase, group, lane}),
                              constant(plan.channels - 1));
      elements->variable(channel, 0, plan.channels - 1);
      transformPatches(patchLines, false, channel, [&](Value point, int64_t v, Value value) {
        store(value, turning, affine(d(0) * (W * slots + W) + d(1) * slots + v * W, {point, lane}));
      });
    });
    loop(pointCount, [&](Value point) {
      loop(constant(0), constant(slots), W, slots, [&](Value slot) {
        Indices vectors;
        for (int64_t lane = 0; lane < W; ++lane)
          vectors.push_back(
              load(turning, affine(d(0) * (W * slots + W) + d(1) + lane * slots, {point, slot})));
        transposeVectors(b, frame.loc, vectors);
        for (auto [number, value] : llvm::enumerate(vectors))
          store(value, columnPanel.memory,
                affine(d(0) * columnPanel.pointStride +
                           (d(1) + int64_t(number)) * columnPanel.stride + d(2),
                       {point, slot, group}));
      });
    });
  });
}

/// A row's weights to W channels: one vector a tap, read whole and turned round in registers.
WinogradEmitter::Indices WinogradEmitter::weightsAt(Value row, Value first) {
  int64_t W = plan.W, taps = WinogradPlan::taps, atOnce = std::min(W, taps);
  auto argument = cast<BlockArgument>(points.operand(0)).getArgNumber();
  Value memory = frame.lowered.function.getArgument(argument);
  SmallVector<bool> whole;
  for (int64_t lane = 0; lane < W; ++lane) whole.push_back(lane < taps);
  Value mask = arith::ConstantOp::create(
      b, frame.loc, DenseElementsAttr::get(VectorType::get(W, b.getI1Type()), ArrayRef(whole)));
  Value zero = constantOf(b, frame.loc, vectorType(), 0);
  Indices result, last;
  for (int64_t lane = 0; lane < W; ++lane) {
    // Lanes beyond the last channel repeat it.
    Value channel = minimum(affine(d(0) + lane, first), constant(plan.channels - 1));
    Value at = plan.turned ? affine(d(0) * (plan.rows * taps) + d(1) * taps, {channel, row})
                           : affine(d(0) * (plan.channels * taps) + d(1) * taps, {row, channel});
    result.push_back(
        vector::MaskedLoadOp::create(b, frame.loc, vectorType(), memory, at, mask, zero));
    for (int64_t tap = atOnce; tap < taps; ++tap)
      last.push_back(memref::LoadOp::create(b, frame.loc, memory, affine(d(0) + tap, at)));
  }
  transposeVectors(b, frame.loc, result);
  result.resize(atOnce);
  if (!last.empty()) // one tap
    result.push_back(vector::FromElementsOp::create(b, frame.loc, vectorType(), last));
  if (plan.turned) std::reverse(result.begin(), result.end());
  return result;
}

/// Weights of the unit's rows to `count` channels: k is channels.
void WinogradEmitter::packWeights(Value first, Value count) {
  Value half = constantOf(b, frame.loc, vectorType(), 0.5);
  auto spreadOut = [&](Value g0, Value g1, Value g2) -> Indices {
    Value outer = arith::MulFOp::create(b, frame.loc, plus(g0, g2), half);
    Value middle = arith::MulFOp::create(b, frame.loc, g1, half);
    return {g0, plus(outer, middle), minus(outer, middle), g2};
  };
  loop(constant(0), count, plan.W, plan.stepChannels, [&](Value local) {
    Value channel = affine(d(0) + d(1), {first, local});
    loop(constant(0), rowCount, 1, plan.unitRows, [&](Value row) {
      Indices g = weightsAt(affine(d(0) + d(1), {rowBase, row}), channel);
      std::array<Indices, 3> columns;
      for (int64_t s = 0; s < 3; ++s) columns[s] = spreadOut(g[s], g[3 + s], g[6 + s]);
      for (int64_t r = 0; r < side; ++r)
        for (auto [s, value] :
             llvm::enumerate(spreadOut(columns[0][r], columns[1][r], columns[2][r])))
          store(
              value, rowPanel.memory,
              affine(d(0) * rowPanel.stride + d(1) + (r * side + int64_t(s)) * rowPanel.pointStride,
                     {row, local}));
    });
  });
}

} // namespace sinter::codegen
