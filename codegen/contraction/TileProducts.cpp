#include "sinter/codegen/contraction/TileEmitter.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter::codegen {

void TileEmitter::registerTile(Value row, int64_t count, Value column, int64_t vectors) {
  if (inPairs())
    multiplyPairs(row, count, column, vectors);
  else
    multiplyTiles(row, count, column, vectors);
  finish(row, count, column, vectors);
}

/// Where rows are read in place: tile after tile of a few rows, which come from far away, by all columns, which do
/// not.
void TileEmitter::tiles() {
  if (!plan.direct) return PackedEmitter::tiles();
  int64_t W = plan.W, tileRows = plan.tileRows, width = plan.tileVectors * W;
  Value vectors =
      arith::DivUIOp::create(b, frame.loc, add(columnCount, constant(W - 1)), constant(W));
  Value whole = arith::DivUIOp::create(b, frame.loc, vectors, constant(plan.tileVectors));
  Value wholeRows = arith::DivUIOp::create(b, frame.loc, rowCount, constant(tileRows));
  int64_t mostRows = plan.rowsPerUnit / tileRows,
          mostColumns = int64_t(llvm::divideCeil(plan.blockColumns, W)) / plan.tileVectors;
  if (mostRows && mostColumns)
    tilesInTurn(
        arith::MulIOp::create(b, frame.loc, wholeRows, whole), mostRows * mostColumns,
        plan.tileVectors,
        [&](Value tile) {
          Value row = arith::DivUIOp::create(b, frame.loc, tile, whole),
                column = arith::RemUIOp::create(b, frame.loc, tile, whole);
          elements->variable(row, 0, mostRows - 1);
          elements->variable(column, 0, mostColumns - 1);
          return std::pair(affine(d(0) * tileRows, row), affine(d(0) * width, column));
        },
        [&](Value row, Value column, Value k) { // the next rows', by each column its part
          int64_t lines = llvm::divideCeil(tileRows, mostColumns);
          Value next =
              minimum(affine(d(0) + tileRows, row), subtract(rowCount, constant(tileRows)));
          elements->variable(next, 0, plan.rowsPerUnit - 1);
          for (int64_t line = 0; line < lines; ++line) {
            Value ahead = minimum(affine(d(0).floorDiv(width) * lines + line, column),
                                  constant(tileRows - 1));
            elements->variable(ahead, 0, tileRows - 1);
            Value at = rowInPlace(affine(d(0) + d(1), {next, ahead}), 0, k);
            memref::PrefetchOp::create(b, frame.loc, rowOperand(), ValueRange(at),
                                       /*isWrite=*/false,
                                       /*localityHint=*/2, /*isDataCache=*/true);
          }
        });
  // A tile of half the rows, and a column of half the width.
  if (plan.rows.size() % tileRows || plan.rowsPerUnit % tileRows)
    onlyIf(compare(arith::CmpIPredicate::ne, mul(wholeRows, tileRows), rowCount), [&] {
      Value row = add(mul(wholeRows, tileRows), constant(0));
      elements->variable(row, 0, plan.rowsPerUnit - 1);
      if (mostColumns)
        loop(constant(0), whole, 1, mostColumns, [&](Value column) {
          registerTile(row, W, affine(d(0) * width, column), plan.tileVectors);
        });
    });
  auto isOdd = [&](int64_t columns) { return llvm::divideCeil(columns, W) % 2 == 1; };
  if (plan.tileVectors == 2 &&
      (isOdd(plan.blockColumns) || isOdd(plan.lines % plan.linesPerBlock * plan.lineSize)))
    onlyIf(compare(arith::CmpIPredicate::ne, mul(whole, 2), vectors), [&] {
      Value column = add(mul(whole, width), constant(0));
      elements->variable(column, 0, plan.blockColumns - 1);
      tileColumn(column, 1);
    });
}

void TileEmitter::wholeTiles(Value count, Value column, int64_t vectors) {
  int64_t tileRows = plan.tileRows, most = llvm::divideCeil(plan.rowsPerUnit, tileRows);
  if (points.window) return PackedEmitter::wholeTiles(count, column, vectors);
  tilesInTurn(
      count, most, vectors,
      [&](Value tile) { return std::pair(affine(d(0) * tileRows, tile), column); },
      [](Value, Value, Value) {});
}

/// What follows a tile's sums is done row by row beside the next tile's products, which it need not wait for, and
/// leaves the lines of the sums in the first-level cache, where the next ones then go. Where the sums of many tiles
/// are kept it comes after those products.
void TileEmitter::tilesInTurn(Value count, int64_t most, int64_t vectors, TilePlace place,
                              llvm::function_ref<void(Value, Value, Value)> fetch) {
  int64_t tileRows = plan.tileRows, steps = kSize() / tileK,
          rowsPerStep = llvm::divideCeil(tileRows, steps);
  if (inPairs()) // vectors of sums fill the registers
    return loop(constant(0), count, 1, most, [&](Value tile) {
      auto [row, column] = place(tile);
      registerTile(row, tileRows, column, vectors);
    });
  if (most == 1) {
    onlyIf(compare(arith::CmpIPredicate::ne, count, constant(0)), [&] {
      auto [row, column] = place(constant(0));
      registerTile(row, tileRows, column, vectors);
    });
    return;
  }
  auto before = [&](Value tile) {
    Value previous = subtract(tile, constant(1));
    elements->variable(previous, 0, most - 1);
    return place(previous);
  };
  loop(constant(0), count, 1, most, [&](Value tile) {
    Value isFirst = compare(arith::CmpIPredicate::eq, tile, constant(0));
    Value rows = arith::SelectOp::create(b, frame.loc, isFirst, constant(0), constant(tileRows));
    auto [lastRow, lastColumn] = before(arith::MaxUIOp::create(b, frame.loc, tile, constant(1)));
    auto [row, column] = place(tile);
    if (!tileAtOnce) {
      multiplyTiles(row, tileRows, column, vectors);
      return onlyIf(compare(arith::CmpIPredicate::ne, tile, constant(0)),
                    [&, lastRow = lastRow, lastColumn = lastColumn] {
                      finish(lastRow, tileRows, lastColumn, vectors);
                    });
    }
    multiplyTiles(
        row, tileRows, column, vectors,
        [&, row = row, column = column, lastRow = lastRow, lastColumn = lastColumn](Value k) {
          fetch(row, column, k);
          Value from = affine(d(0).floorDiv(tileK) * rowsPerStep, k);
          auto finishRow = [&](Value r) {
            runWidth = vectors * plan.W;
            finishTileRow(lastRow, r, lastColumn, vectors);
            runWidth = plan.W;
          };
          if (rowsPerStep > 1)
            return loop(minimum(from, rows), minimum(add(from, constant(rowsPerStep)), rows), 1,
                        tileRows, finishRow);
          onlyIf(compare(arith::CmpIPredicate::ult, from, rows), [&] {
            Value r = add(from, constant(0));
            elements->variable(r, 0, tileRows - 1);
            finishRow(r);
          });
        });
  });
  onlyIf(compare(arith::CmpIPredicate::ne, count, constant(0)), [&] {
    auto [row, column] = before(count);
    finish(row, tileRows, column, vectors);
  });
}

void TileEmitter::finish(Value row, int64_t count, Value column, int64_t vectors) {
  runWidth = vectors * plan.W; // a line of a cache, where the results are bf16, too
  finishTile(row, count, column, vectors);
  runWidth = plan.W;
}

/// Sums of up to two tiles of rows times up to two of columns: with the factors' four, all eight registers.
void TileEmitter::multiplyTiles(Value row, int64_t count, Value column, int64_t vectors,
                                llvm::function_ref<void(Value)> beside) {
  int64_t W = plan.W, width = plan.tileVectors * W, rowTiles = llvm::divideCeil(count, W);
  Type factors = amx::TileType::get({W, tileK}, plan.panelType);
  Type sumType = amx::TileType::get({W, W}, plan.type);
  Value rows = plan.direct ? rowOperand() : rowPanel;
  Value sumStride = constant(ldc), leftStride = constant(rowStride),
        rightStride = constant(plan.tiled ? 2 * width : 2 * ldb);
  SmallVector<Value> places;
  for (int64_t r = 0; r < rowTiles; ++r)
    for (int64_t v = 0; v < vectors; ++v) places.push_back(sumAt(row, r * W, column, v));

  auto zeros = [&] {
    Indices initial;
    for (size_t i = 0; i < places.size(); ++i)
      initial.push_back(amx::TileZeroOp::create(b, frame.loc, sumType));
    return initial;
  };
  Indices initial;
  if (plan.kBlocks == 1) {
    initial = zeros();
  } else {
    auto branch = scf::IfOp::create(b, frame.loc, SmallVector<Type>(places.size(), sumType),
                                    firstOfK, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, frame.loc, zeros());
    b.setInsertionPointToStart(branch.elseBlock());
    Indices before;
    for (Value place : places)
      before.push_back(
          amx::TileLoadOp::create(b, frame.loc, sumType, sums, ValueRange(place), sumStride));
    scf::YieldOp::create(b, frame.loc, before);
    llvm::append_range(initial, branch.getResults());
  }

  Indices totals = emitLoop(
      b, frame.loc, constant(0), kLength(), constant(tileK), initial,
      [&](Value k, ValueRange carried) {
        elements->variable(k, 0, plan.kMost - 1);
        Value first = plan.resident ? affine(d(0) * plan.kInner + d(1), {kBase, k}) : k;
        auto left = [&](int64_t r) -> Value {
          Value at = plan.direct ? rowInPlace(row, r * W, first)
                                 : affine((d(0) + r * W) * rowStride + d(1), {row, first});
          return amx::TileLoadOp::create(b, frame.loc, factors, rows, ValueRange(at), leftStride);
        };
        auto right = [&](int64_t v) -> Value {
          Value at = plan.tiled ? affine(d(1) * kSize() + d(0) * width + v * 2 * W, {k, column})
                                : affine(d(0) * ldb + d(1) * 2 + v * 2 * W, {k, column});
          return amx::TileLoadOp::create(b, frame.loc, factors, columnPanel, ValueRange(at),
                                         rightStride);
        };
        // Each load right before the first product that waits for it.
        Indices next(places.size()), lefts(rowTiles);
        for (int64_t v = 0; v < vectors; ++v) {
          Value column = right(v);
          for (int64_t r = 0; r < rowTiles; ++r) {
            if (v == 0) lefts[r] = left(r);
            next[r * vectors + v] = amx::TileMulFOp::create(b, frame.loc, sumType, lefts[r], column,
                                                            carried[r * vectors + v]);
          }
        }
        if (beside) beside(k);
        return next;
      });
  for (auto [place, total] : llvm::zip_equal(places, totals))
    amx::TileStoreOp::create(b, frame.loc, sums, ValueRange(place), total, sumStride);
}

Value TileEmitter::rowOperand() {
  return frame.lowered.function.getArgument(plan.rowsInPlace->argument);
}

/// Where row `r` after `row` of the unit is in its operand, at element `k` of all.
Value TileEmitter::rowInPlace(Value row, int64_t r, Value k) {
  const OperandInPlace &place = *plan.rowsInPlace;
  AffineExpr at = (d(0) + d(1) + r) * place.strides[plan.rows.first] + d(2) + place.start;
  Indices operands{rowBase, row, k};
  for (auto [number, index] : llvm::enumerate(batchPoint)) {
    at = at + d(operands.size()) * place.strides[plan.groups[0].first + number];
    operands.push_back(index);
  }
  return affine(at, operands);
}

} // namespace sinter::codegen
