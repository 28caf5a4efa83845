#include "sinter/codegen/attention/AttentionEmitter.h"
#include "sinter/codegen/VectorTranspose.h"
#include "sinter/codegen/attention/AttentionOperands.h"
#include "sinter/codegen/attention/BlockAttention.h"
#include "sinter/codegen/contraction/TileSteps.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

AttentionEmitter::AttentionEmitter(KernelFrame &frame, Operation *op)
    : frame(frame), b(frame.builder), op(op), f(*attentionFactsOf(op)),
      type(computeType(elementOf(f.query))), W(frame.options.vectorLanes),
      onTiles(frame.options.tiles && frame.options.matrix != "pairs" && !frame.options.strict &&
              elementOf(f.query).isBF16()),
      factorType(onTiles ? elementOf(f.query) : type), packedScale(f.scale), laterScale(1) {
  if (frame.options.registers < 32) tileRows = 4;
  if (onTiles) {
    frame.lowered.function->setAttr(tilesAttr, b.getUnitAttr());
    tileRows = tileLines;
    // Only powers of two leave a factor what it was.
    int exponent;
    if (std::fabs(std::frexp(f.scale, &exponent)) != 0.5) std::swap(packedScale, laterScale);
  }
  kept = keptFactors(frame, op, f);
  elements = frame.elements();
}

AttentionEmitter::Panel AttentionEmitter::panel(int64_t rows, int64_t columns) {
  // Lines apart by a power of two would meet in a few sets of a cache.
  int64_t stride = columns % (4 * W) == 0 ? columns + W : columns;
  return {elements->temporary(rows * stride, type), stride, constant(0)};
}

AttentionEmitter::Panel AttentionEmitter::factorRows(int64_t rows, int64_t columns) {
  if (!onTiles) return panel(rows, wholeVectors(columns));
  int64_t stride = oddLines(wholeSteps(columns));
  return {elements->temporary(rows * stride, factorType), stride, constant(0)};
}

int64_t AttentionEmitter::wholeSteps(int64_t columns) const {
  return onTiles ? int64_t(llvm::alignTo(columns, tileDepth)) : wholeVectors(columns);
}

void AttentionEmitter::loop(Value from, Value to, int64_t step, int64_t most,
                            function_ref<void(Value)> body) {
  emitLoop(b, frame.loc, from, to, constant(step), {}, [&](Value counter, ValueRange) {
    elements->variable(counter, 0, std::max<int64_t>(most - 1, 0));
    body(counter);
    return Indices();
  });
}

void AttentionEmitter::loop(int64_t extent, function_ref<void(Value)> body) {
  loop(constant(0), constant(extent), 1, extent, body);
}

void AttentionEmitter::onlyIf(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void AttentionEmitter::runs(Value count, int64_t most, function_ref<void(Value)> body) {
  APInt known;
  bool fixed = matchPattern(count, m_ConstantInt(&known));
  Value width = constant(W);
  Value middle =
      fixed ? constant(known.getSExtValue() / W * W)
            : arith::MulIOp::create(b, frame.loc,
                                    arith::DivUIOp::create(b, frame.loc, count, width), width)
                  .getResult();
  if (most >= W)
    loop(constant(0), middle, W, most, [&](Value counter) {
      elements->setRun(counter, W);
      body(counter);
      elements->setRun({}, 1);
    });
  if (fixed && known.getSExtValue() % W == 0) return;
  auto rest = [&] {
    Value start = add(middle, constant(0));
    elements->variable(start, 0, most - 1);
    bool masked = elements->attempt([&] {
      elements->setRun(start, W);
      if (fixed) elements->setRunStart(known.getSExtValue() / W * W);
      elements->setMask(elements->firstLanes(fixed ? constant(known.getSExtValue() % W)
                                                   : subtract(count, start)));
      body(start);
      elements->setMask({});
      elements->setRunStart({});
      elements->setRun({}, 1);
    });
    if (!masked) loop(start, count, 1, most, body);
  };
  if (fixed) return rest();
  onlyIf(arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, middle, count), rest);
}

Value AttentionEmitter::spread(Value value) {
  if (isa<VectorType>(value.getType())) return value;
  return vector::BroadcastOp::create(b, frame.loc, vectorType(), value);
}

Value AttentionEmitter::loadVector(Value memory, Value at) {
  return vector::LoadOp::create(b, frame.loc, vectorType(), memory, at);
}

Value AttentionEmitter::loadScalar(Value memory, Value at) {
  return memref::LoadOp::create(b, frame.loc, memory, at);
}

void AttentionEmitter::store(Value value, Value memory, Value at) {
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(b, frame.loc, value, memory, at);
  else
    memref::StoreOp::create(b, frame.loc, value, memory, at);
}

Value AttentionEmitter::narrowed(Value value) {
  if (getElementTypeOrSelf(value) == factorType) return value;
  if (auto wide = value.getDefiningOp<arith::ExtFOp>();
      wide && getElementTypeOrSelf(wide.getIn()) == factorType)
    return wide.getIn();
  Type narrow = factorType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    narrow = vector.cloneWith(std::nullopt, factorType);
  return arith::TruncFOp::create(b, frame.loc, narrow, value);
}

// A NaN on either side may be lost: it comes back with the exponentials.
Value AttentionEmitter::larger(Value lhs, Value rhs) {
  Value less = arith::CmpFOp::create(b, frame.loc, arith::CmpFPredicate::OGT, lhs, rhs);
  return arith::SelectOp::create(b, frame.loc, less, lhs, rhs);
}

Value AttentionEmitter::exp(Value x) { return math::ExpOp::create(b, frame.loc, x); }

Value AttentionEmitter::multiplyAdd(Value lhs, Value rhs, Value sum) {
  if (frame.options.fma) return math::FmaOp::create(b, frame.loc, lhs, rhs, sum);
  return plus(sum, times(lhs, rhs));
}

Value AttentionEmitter::acrossLanes(Value vector, Combine combine) {
  for (int64_t lanes = W / 2; lanes >= 1; lanes /= 2) {
    SmallVector<int64_t> upper;
    for (int64_t lane = 0; lane < W; ++lane) upper.push_back((lane + lanes) % W);
    vector = combine(vector, vector::ShuffleOp::create(b, frame.loc, vector, vector, upper));
  }
  return vector::ExtractOp::create(b, frame.loc, vector, int64_t(0));
}

AttentionEmitter::Indices AttentionEmitter::overVectors(Value width, ValueRange carried,
                                                        VectorBody body) {
  return emitLoop(b, frame.loc, constant(0), width, constant(W), carried,
                  [&](Value column, ValueRange values) { return body(column, values); });
}

void AttentionEmitter::pack(Panel panel, Value tensor, Value batch, Value head, Value base,
                            Value count, int64_t most, double scale) {
  int64_t columns = shapeOf(tensor)[3], length = shapeOf(tensor)[2];
  int64_t lastVector = columns / W * W, filled = wholeSteps(columns);
  Value zeros = constantOf(b, frame.loc, VectorType::get(W, factorType), 0);
  auto at = [&](Value row, Value column) {
    return affine(d(0) * panel.stride + d(1), {row, column});
  };
  loop(constant(0), count, 1, std::min(most, length), [&](Value local) {
    Value row = affine(d(0) + d(1), {base, local});
    // Known to be inside, whatever the two are.
    row = add(row, constant(0));
    elements->variable(row, 0, length - 1);
    for (int64_t column = lastVector; column < filled; column += W)
      store(zeros, panel.memory, at(local, constant(column)));
    runs(constant(columns), columns, [&](Value column) {
      Value value = elements->spread(elements->element(tensor, {batch, head, row, column}));
      if (scale != 1) value = times(value, constantOf(b, frame.loc, value.getType(), scale));
      value = narrowed(value);
      if (elements->lanes() > 1)
        value = elements->masked(value, constantOf(b, frame.loc, value.getType(), 0));
      store(value, panel.memory, at(local, column));
    });
  });
  loop(count, constant(most), 1, most, [&](Value local) {
    for (int64_t column = 0; column < filled; column += W)
      store(zeros, panel.memory, at(local, constant(column)));
  });
}

void AttentionEmitter::turn(Panel from, Panel to, int64_t rows, int64_t columns) {
  if (onTiles) return turnOnTiles(from, to, rows, columns);
  columns = wholeVectors(columns);
  loop(constant(0), constant(rows), W, rows, [&](Value row) {
    loop(constant(0), constant(columns), W, columns, [&](Value column) {
      Indices vectors;
      for (int64_t lane = 0; lane < W; ++lane)
        vectors.push_back(
            loadVector(from.memory, affine((d(0) + lane) * from.stride + d(1), {row, column})));
      transposeVectors(b, frame.loc, vectors);
      for (int64_t lane = 0; lane < W; ++lane)
        store(vectors[lane], to.memory, affine((d(0) + lane) * to.stride + d(1), {column, row}));
    });
  });
}

void AttentionEmitter::multiply(Panel out, Factor left, Panel right, Value rowTiles,
                                int64_t mostRowTiles, Value columnTiles, int64_t vectors,
                                Value depth, int64_t mostDepth, bool adds) {
  auto column = [&](Value first, int64_t count) {
    int64_t rows = onTiles && mostRowTiles % 2 == 0 ? 2 : 1;
    loop(constant(0), rowTiles, rows, mostRowTiles, [&](Value number) {
      Value row = affine(d(0) * tileRows, number);
      if (onTiles)
        tilesOfUnit(out, left, right, row, rows, first, count, depth, mostDepth, adds);
      else
        tile(out, left, right, row, first, count, depth, mostDepth, adds);
    });
  };
  int64_t whole = vectors / tileVectors;
  if (whole || columnTiles)
    loop(constant(0), columnTiles ? columnTiles : constant(whole), 1, std::max<int64_t>(whole, 1),
         [&](Value number) { column(affine(d(0) * tileColumns(), number), tileVectors); });
  if (!columnTiles && vectors % tileVectors)
    column(constant(whole * tileColumns()), vectors % tileVectors);
}

void AttentionEmitter::tile(Panel out, Factor left, Panel right, Value row, Value column,
                            int64_t vectors, Value depth, int64_t mostDepth, bool adds) {
  auto place = [&](int64_t r, int64_t v) {
    return affine((d(0) + r) * out.stride + d(1) + v * W + d(2), {row, column, out.start});
  };
  Indices sums;
  for (int64_t r = 0; r < tileRows; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(adds ? loadVector(out.memory, place(r, v)) : number(0));
  sums = emitLoop(
      b, frame.loc, constant(0), depth, constant(1), sums, [&](Value k, ValueRange carried) {
        elements->variable(k, 0, std::max<int64_t>(mostDepth - 1, 0));
        Indices factors, next;
        for (int64_t v = 0; v < vectors; ++v)
          factors.push_back(
              loadVector(right.memory, affine(d(0) * right.stride + d(1) + v * W, {k, column})));
        for (int64_t r = 0; r < tileRows; ++r) {
          Value one = spread(
              loadScalar(left.memory, affine((d(0) + r) * left.rowStep + d(1) * left.kStep + d(2),
                                             {row, k, left.start})));
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(multiplyAdd(one, factors[v], carried[r * vectors + v]));
        }
        return next;
      });
  for (int64_t r = 0; r < tileRows; ++r)
    for (int64_t v = 0; v < vectors; ++v) store(sums[r * vectors + v], out.memory, place(r, v));
}

Value AttentionEmitter::tilesFor(Value lastRow, Value keyBase, Value keyCount) {
  int64_t columns = tileColumns();
  if (!f.isCausal)
    return arith::DivUIOp::create(b, frame.loc, add(keyCount, constant(columns - 1)),
                                  constant(columns));
  Value needed = minimum(keyCount, add(subtract(lastRow, keyBase), constant(1)));
  needed = arith::MaxSIOp::create(b, frame.loc, needed, constant(0));
  return arith::DivUIOp::create(b, frame.loc, add(needed, constant(columns - 1)),
                                constant(columns));
}

void AttentionEmitter::maskScores(Value at, Value batch, Value head, Value row, Value keyBase,
                                  Value keyCount, int64_t mostKeys, Value width) {
  Value none = number(-HUGE_VAL);
  if (f.mask) {
    ArrayRef<int64_t> shape = shapeOf(f.mask);
    bool boolean = elementOf(f.mask).isInteger(1);
    Value known = minimum(keyCount, width);
    runs(known, mostKeys, [&](Value column) {
      Value key = affine(d(0) + d(1), {keyBase, column});
      Indices place{batch, head, row, key};
      for (unsigned dim = 0; dim < 4; ++dim)
        if (shape[dim] == 1) place[dim] = constant(0);
      Value own = elements->spread(elements->element(f.mask, place));
      Value position = add(at, column);
      bool isVector = isa<VectorType>(own.getType());
      Value score = isVector ? loadVector(scores, position) : loadScalar(scores, position);
      Value masked = boolean ? arith::SelectOp::create(b, frame.loc, own, score,
                                                       isVector ? none : scalar(-HUGE_VAL))
                                   .getResult()
                             : plus(score, own);
      store(masked, scores, position);
    });
  }
  if (!f.isCausal && f.keys % tileColumns() == 0) return;
  Value limit = keyCount;
  if (f.isCausal) limit = minimum(limit, add(subtract(row, keyBase), constant(1)));
  // Whole vectors that take part stay as they are.
  Value first = arith::MaxSIOp::create(b, frame.loc, limit, constant(0));
  first = arith::MulIOp::create(
      b, frame.loc, arith::DivUIOp::create(b, frame.loc, first, constant(W)), constant(W));
  emitLoop(b, frame.loc, first, width, constant(W), {}, [&](Value column, ValueRange) {
    SmallVector<int32_t> lanes;
    for (int64_t lane = 0; lane < W; ++lane) lanes.push_back(int32_t(lane));
    auto numbers = VectorType::get(W, b.getI32Type());
    Value iota = arith::ConstantOp::create(
        b, frame.loc, DenseElementsAttr::get(numbers, ArrayRef<int32_t>(lanes)));
    Value count = arith::IndexCastOp::create(b, frame.loc, b.getI32Type(), subtract(limit, column));
    Value inside = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, iota,
                                         vector::BroadcastOp::create(b, frame.loc, numbers, count));
    Value position = add(at, column);
    store(arith::SelectOp::create(b, frame.loc, inside, loadVector(scores, position), none), scores,
          position);
    return Indices();
  });
}

void AttentionEmitter::scaleScores(Value at, Value width) {
  if (laterScale == 1) return;
  overVectors(width, {}, [&](Value column, ValueRange) {
    Value position = add(at, column);
    store(times(loadVector(scores, position), number(laterScale)), scores, position);
    return Indices();
  });
}

void AttentionEmitter::clearFactors(int64_t keys) {
  if (!kept) return;
  loop(constant(0), constant(keys), W, keys,
       [&](Value column) { store(number(0), factors, column); });
}

void AttentionEmitter::drawFactors(Value batch, Value head, Value row, Value keyBase,
                                   Value keyCount, int64_t mostKeys) {
  runs(keyCount, mostKeys, [&](Value column) {
    Value key = affine(d(0) + d(1), {keyBase, column});
    store(elements->spread(elements->element(kept, {batch, head, row, key})), factors, column);
  });
}

Value AttentionEmitter::written(unsigned number, ValueRange place) {
  for (auto [i, output] : llvm::enumerate(frame.yield()->getOperands()))
    if (output == op->getResult(number))
      return elements->load(frame.outputBuffer(i), elementOf(output),
                            positionIn(*elements, output, place));
  return constantOf(b, frame.loc, elements->valueType(type), 0);
}

void AttentionEmitter::write(unsigned number, Value value, ValueRange place) {
  writeResult(frame, *elements, op, number, value, place);
}

LogicalResult lowerAttention(KernelFrame &frame) {
  for (Operation &op : frame.body())
    if (attentionFactsOf(&op) && frame.options.gpu)
      return lowerBlockAttention(frame, &op);
    else if (attentionFactsOf(&op))
      return isa<AttentionOp>(op) ? lowerAttentionForward(frame, &op)
                                  : lowerAttentionBackward(frame, &op);
  return frame.kernel.emitOpError("has no attention");
}

} // namespace sinter::codegen
