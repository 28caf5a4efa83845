#include "sinter/codegen/contraction/TileEmitter.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter::codegen {

void TileEmitter::registerTile(Value row, int64_t count, Value column, int64_t vectors) {
  multiplyTiles(row, count, column, vectors);
  finish(row, count, column, vectors);
}

/// What follows a tile's sums comes after the next tile's products: it need not wait for them, nor for its own
/// sums to reach the cache.
void TileEmitter::wholeTiles(Value count, Value column, int64_t vectors) {
  int64_t tileRows = plan.tileRows, most = llvm::divideCeil(plan.rowsPerUnit, tileRows);
  if (points.window || most < 2) return PackedEmitter::wholeTiles(count, column, vectors);
  auto sumsOf = [&](Value tile) {
    if (tileAtOnce) tileBase = affine((d(0) % 2) * (tileRows * ldc), tile);
  };
  auto finishBefore = [&](Value next) {
    onlyIf(compare(arith::CmpIPredicate::ne, next, constant(0)), [&] {
      Value tile = subtract(next, constant(1));
      elements->variable(tile, 0, most - 1);
      sumsOf(tile);
      finish(affine(d(0) * tileRows, tile), tileRows, column, vectors);
    });
  };
  loop(constant(0), count, 1, most, [&](Value tile) {
    sumsOf(tile);
    multiplyTiles(affine(d(0) * tileRows, tile), tileRows, column, vectors);
    finishBefore(tile);
  });
  finishBefore(count);
  tileBase = constant(0);
}

void TileEmitter::finish(Value row, int64_t count, Value column, int64_t vectors) {
  runWidth = vectors * plan.W; // a line of a cache, where the results are bf16, too
  finishTile(row, count, column, vectors);
  runWidth = plan.W;
}

/// Sums of up to two tiles of rows times up to two of columns: with the factors' four, all eight registers.
void TileEmitter::multiplyTiles(Value row, int64_t count, Value column, int64_t vectors) {
  int64_t W = plan.W, width = plan.tileVectors * W, rowTiles = llvm::divideCeil(count, W);
  Type factors = amx::TileType::get({W, tileK}, plan.panelType);
  Type sumType = amx::TileType::get({W, W}, plan.type);
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
          Value at = affine((d(0) + r * W) * rowStride + d(1), {row, first});
          return amx::TileLoadOp::create(b, frame.loc, factors, rowPanel, ValueRange(at),
                                         leftStride);
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
        return next;
      });
  for (auto [place, total] : llvm::zip_equal(places, totals))
    amx::TileStoreOp::create(b, frame.loc, sums, ValueRange(place), total, sumStride);
}

} // namespace sinter::codegen
