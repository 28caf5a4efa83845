#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <set>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// All register tiles of the panels: column after column, so that a column of tiles stays in L1.
void PackedEmitter::tiles() {
  int64_t W = plan.W, tileVectors = plan.tileVectors, blockColumns = plan.blockColumns;
  Value perTile = constant(tileVectors);
  Value vectors =
      arith::DivUIOp::create(b, frame.loc, add(columnCount, constant(W - 1)), constant(W));
  Value whole = arith::DivUIOp::create(b, frame.loc, vectors, perTile);
  int64_t most = llvm::divideCeil(blockColumns, W);
  // What is left of whole tiles in a full unit, and in the last one.
  std::set<int64_t> rests;
  rests.insert(most % tileVectors);
  if (plan.lines % plan.linesPerBlock)
    rests.insert(int64_t(llvm::divideCeil(plan.lines % plan.linesPerBlock * plan.lineSize, W)) %
                 tileVectors);
  rests.erase(0);
  if (most >= tileVectors)
    loop(constant(0), whole, 1, llvm::divideCeil(most, tileVectors),
         [&](Value tile) { tileColumn(affine(d(0) * (tileVectors * W), tile), tileVectors); });
  Value rest = arith::RemUIOp::create(b, frame.loc, vectors, perTile);
  for (int64_t count : rests)
    onlyIf(compare(arith::CmpIPredicate::eq, rest, constant(count)), [&] {
      Value column = add(mul(whole, tileVectors * W), constant(0));
      elements->variable(column, 0, blockColumns - 1);
      tileColumn(column, count);
    });
}

void PackedEmitter::tileColumn(Value column, int64_t vectors) {
  int64_t tileRows = plan.tileRows;
  Value whole = arith::DivUIOp::create(b, frame.loc, rowCount, constant(tileRows));
  wholeTiles(whole, column, vectors);
  // What is left in a full unit, and in the last one.
  std::set<int64_t> rests{plan.rowsPerUnit % tileRows,
                          plan.rows.size() % plan.rowsPerUnit % tileRows};
  rests.erase(0);
  Value left = arith::RemUIOp::create(b, frame.loc, rowCount, constant(tileRows));
  for (int64_t rest : rests) {
    auto last = [&] {
      Value row = add(mul(whole, tileRows), constant(0));
      elements->variable(row, 0, plan.rowsPerUnit - 1);
      registerTile(row, rest, column, vectors);
    };
    if (plan.rowBlocks == 1)
      last();
    else
      onlyIf(compare(arith::CmpIPredicate::eq, left, constant(rest)), last);
  }
}

void PackedEmitter::wholeTiles(Value count, Value column, int64_t vectors) {
  int64_t tileRows = plan.tileRows;
  loop(constant(0), count, 1, llvm::divideCeil(plan.rowsPerUnit, tileRows), [&](Value tile) {
    fetchAhead(column, tile);
    registerTile(affine(d(0) * tileRows, tile), tileRows, column, vectors);
  });
}

/// Element `k` of the block (at `indices` of the box), in row `r` of the tile that starts at `start` in the unit.
Value PackedEmitter::rowElement(Value start, int64_t r, Value k, ArrayRef<Value> indices) {
  Value row = affine(d(0) + r, start);
  if (plan.rowBox) {
    const OperandBox &box = *plan.rowBox;
    Indices place = delinearized(row, plan.rows.extents);
    AffineExpr at = b.getAffineConstantExpr(box.start);
    for (unsigned i = 0; i < place.size(); ++i)
      at = at + d(i) * box.loopStrides[plan.rows.first + i];
    unsigned cut = plan.kInnerFirst > 0 ? plan.kInnerFirst - 1 : 0;
    for (unsigned i = 0; i < indices.size(); ++i)
      at = at + d(place.size() + i) * box.loopStrides[plan.groups[3].first + cut + i];
    llvm::append_range(place, indices);
    return memref::LoadOp::create(b, frame.loc, rowPanel, affine(at, place));
  }
  if (plan.direct) {
    Value linear = affine(d(0) * plan.kInner + d(1), {kBase, k});
    return factor(plan.rowSide,
                  point(rowIndices(row), {}, delinearized(linear, plan.groups[3].extents)));
  }
  Value inPanel = plan.resident ? affine(d(0) * plan.kInner + d(1), {kBase, k}) : k;
  return memref::LoadOp::create(b, frame.loc, rowPanel, rowPanelAt(start, r, inPanel));
}

/// Sums of `count` rows times `vectors` vectors of columns, in registers.
void PackedEmitter::registerTile(Value row, int64_t count, Value column, int64_t vectors) {
  int64_t W = plan.W, width = plan.tileVectors * W;
  Indices initial;
  Value zero = constantOf(b, frame.loc, vectorType(), 0);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      if (plan.kBlocks == 1) {
        initial.push_back(zero);
        continue;
      }
      Value before =
          vector::LoadOp::create(b, frame.loc, vectorType(), sums, sumAt(row, r, column, v));
      initial.push_back(arith::SelectOp::create(b, frame.loc, firstOfK, zero, before));
    }
  auto step = [&](Value k, ArrayRef<Value> indices, ValueRange carried) {
    Indices right, next;
    for (int64_t v = 0; v < vectors; ++v)
      right.push_back(vector::LoadOp::create(
          b, frame.loc, vectorType(), columnPanel,
          plan.tiled ? affine(d(1) * (plan.kMost + W) + d(0) * width + v * W, {k, column})
                     : affine(d(0) * ldb + d(1) + v * W, {k, column})));
    for (int64_t r = 0; r < count; ++r) {
      Value left = rowElement(row, r, k, indices);
      left = vector::BroadcastOp::create(b, frame.loc, vectorType(), left);
      for (int64_t v = 0; v < vectors; ++v)
        next.push_back(multiplyAdd(left, right[v], carried[r * vectors + v]));
    }
    return next;
  };
  Indices totals = sumOverK(initial, step);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      vector::StoreOp::create(b, frame.loc, totals[r * vectors + v], sums,
                              sumAt(row, r, column, v));
  finishTile(row, count, column, vectors);
}

/// What follows a tile's sums once they are complete, while they are near.
void PackedEmitter::finishTile(Value row, int64_t count, Value column, int64_t vectors) {
  if (points.window) return;
  auto finish = [&] {
    loop(constant(0), constant(count), 1, count,
         [&](Value r) { finishTileRow(row, r, column, vectors); });
  };
  if (plan.kBlocks == 1)
    finish();
  else
    onlyIf(lastOfK, finish);
}

void PackedEmitter::finishTileRow(Value row, Value r, Value column, int64_t vectors) {
  Value end = minimum(columnCount, add(column, constant(vectors * plan.W)));
  Value base = tileAtOnce ? affine(d(0) * ldc - d(1), {r, column})
                          : affine((d(0) + d(1)) * ldc + d(2), {row, r, sumBase});
  finishRow(affine(d(0) + d(1), {row, r}), base, column, end, plan.blockColumns);
}

Value PackedEmitter::sumAt(Value row, int64_t r, Value column, int64_t v) {
  if (tileAtOnce) return constant(r * ldc + v * plan.W);
  return affine((d(0) + r) * ldc + d(1) + v * plan.W + d(2), {row, column, sumBase});
}

Value PackedEmitter::multiplyAdd(Value lhs, Value rhs, Value sum) {
  if (frame.options.fma) return math::FmaOp::create(b, frame.loc, lhs, rhs, sum);
  return arith::AddFOp::create(b, frame.loc, sum, arith::MulFOp::create(b, frame.loc, lhs, rhs));
}

/// Columns [from, to) of a row of sums go through the epilogue to memory; column c is at `base` + c.
void PackedEmitter::finishRow(Value row, Value base, Value from, Value to, int64_t most) {
  Indices rowPoint = rowIndices(row);
  bool whole = plan.blockColumns % runWidth == 0 && plan.lines % plan.linesPerBlock == 0;
  auto finish = [&](Value at, Indices columnPoint) {
    Value sum = elements->lanes() > 1
                    ? Value(vector::LoadOp::create(b, frame.loc,
                                                   VectorType::get(runWidth, plan.type), sums, at))
                    : Value(memref::LoadOp::create(b, frame.loc, sums, at));
    points.bindSum(*elements, sum);
    points.store(*elements, point(rowPoint, columnPoint, {}));
  };
  if (plan.columnBlocks == 1 || plan.blockColumns % runWidth)
    return runs(from, to, most, whole, [&](Value column) {
      finish(affine(d(0) + d(1), {base, column}), columnIndices(column));
    });
  // Counted among all columns, none is known to lie beyond the last one: a block's start and a place in it
  // together might, and what is read through a reshape would be looked for lane by lane.
  Value first = mul(lineBase, plan.lineSize);
  runs(add(first, from), add(first, to), plan.lines * plan.lineSize, whole, [&](Value column) {
    Indices columnPoint(outerPoint);
    llvm::append_range(columnPoint, suffixIndices(column));
    finish(affine(d(0) + d(1) - d(2), {base, column, first}), columnPoint);
  });
}

/// Pools a unit's sums, line after line of windows, and stores what follows.
void PackedEmitter::finishWindows() {
  const WindowEnd &window = *points.window;
  int64_t columns = points.windowColumns();
  Value firstLine = affine(d(0).floorDiv(window.rowStride), lineBase);
  Value count = affine((d(0) + window.rowStride - 1).floorDiv(window.rowStride), lineCount);
  int64_t most = llvm::divideCeil(plan.linesPerBlock, window.rowStride);
  loop(constant(0), rowCount, 1, plan.rowsPerUnit, [&](Value row) {
    Indices rowPoint = rowIndices(row);
    elements->bindMaker(points.result(), [&, row](ValueRange place) {
      AffineExpr line = elements->exprOf(place[2]) - elements->exprOf(lineBase);
      AffineExpr at =
          elements->exprOf(row) * ldc + line * plan.lineSize + elements->exprOf(place[3]);
      return elements->rounded(elements->load(sums, plan.type, at), elementOf(points.result()));
    });
    loop(constant(0), count, 1, most, [&](Value local) {
      Value line = affine(d(0) + d(1), {firstLine, local});
      auto store = [&](Value column) {
        Indices place(outerPoint);
        place.append({line, column});
        points.store(*elements, point(rowPoint, place, {}));
      };
      fixedRuns(columns, store);
    });
  });
}

} // namespace sinter::codegen
