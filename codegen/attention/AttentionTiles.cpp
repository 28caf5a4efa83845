#include "sinter/codegen/attention/AttentionEmitter.h"
#include "sinter/codegen/contraction/TileSteps.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

int64_t AttentionEmitter::oddLines(int64_t elements) const {
  return (int64_t(llvm::divideCeil(elements, tileDepth)) | 1) * tileDepth;
}

AttentionEmitter::Panel AttentionEmitter::turned(int64_t rows, int64_t columns) {
  if (!onTiles) return panel(wholeVectors(columns), rows);
  int64_t stride = oddLines(2 * rows);
  return {elements->temporary(wholeSteps(columns) / 2 * stride, factorType), stride, constant(0)};
}

AttentionEmitter::Panel AttentionEmitter::paired(Panel from, int64_t rows, int64_t columns) {
  if (!onTiles) return from;
  int64_t stride = oddLines(2 * wholeVectors(columns));
  return {elements->temporary(rows / 2 * stride, factorType), stride, constant(0)};
}

AttentionEmitter::Panel AttentionEmitter::acrossRows(int64_t most) {
  return {elements->temporary(most * tileDepth, factorType), tileDepth, constant(0)};
}

void AttentionEmitter::turnOnTiles(Panel from, Panel to, int64_t rows, int64_t columns) {
  int64_t filled = wholeSteps(columns);
  loop(constant(0), constant(rows), tileLines, rows, [&](Value row) {
    loop(constant(0), constant(filled), tileDepth, filled, [&](Value column) {
      turnPairs(
          b, frame.loc, from.memory,
          [&](int64_t line) {
            return affine((d(0) + line) * from.stride + d(1), {row, column});
          },
          to.memory,
          [&](int64_t pair) {
            return affine((d(1).floorDiv(2) + pair) * to.stride + d(0) * 2, {row, column});
          });
    });
  });
}

/// Sixteen columns of rows `row` + `further` and the next one, side by side.
Value AttentionEmitter::pairOfRows(Panel from, Value row, int64_t further, Value column) {
  auto line = VectorType::get(tileLines, factorType);
  Indices lines;
  for (int64_t second : {0, 1})
    lines.push_back(vector::LoadOp::create(
        b, frame.loc, line, from.memory,
        ValueRange(affine((d(0) + further + second) * from.stride + d(1), {row, column}))));
  SmallVector<int64_t> lanes;
  for (int64_t lane = 0; lane < tileLines; ++lane) lanes.append({lane, tileLines + lane});
  return vector::ShuffleOp::create(b, frame.loc, lines[0], lines[1], lanes);
}

void AttentionEmitter::pair(Panel from, Panel to, int64_t rows, int64_t columns) {
  if (!onTiles) return;
  int64_t filled = wholeVectors(columns);
  loop(constant(0), constant(rows), 2, rows, [&](Value row) {
    loop(constant(0), constant(filled), tileLines, filled, [&](Value column) {
      store(pairOfRows(from, row, 0, column), to.memory,
            affine(d(0).floorDiv(2) * to.stride + d(1) * 2, {row, column}));
    });
  });
}

void AttentionEmitter::turnRows(Panel from, Panel to, Value width, int64_t most) {
  loop(constant(0), width, tileLines, most, [&](Value column) {
    Indices lines;
    for (int64_t pair = 0; pair < tileLines; ++pair)
      lines.push_back(pairOfRows(from, constant(0), 2 * pair, column));
    turnPairs(b, frame.loc, lines, to.memory,
              [&](int64_t line) { return affine((d(0) + line) * to.stride, column); });
  });
}

void AttentionEmitter::tilesOfUnit(Panel out, Factor left, Panel right, Value row, int64_t rows,
                                   Value column, int64_t columns, Value depth, int64_t mostDepth,
                                   bool adds) {
  auto sumType = amx::TileType::get({tileLines, tileLines}, type);
  auto factors = amx::TileType::get({tileLines, tileDepth}, factorType);
  Value outStride = constant(out.stride), leftStride = constant(left.rowStep),
        rightStride = constant(right.stride);
  Indices places, sums;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      Value place = affine((d(0) + r * tileLines) * out.stride + d(1) + c * tileLines + d(2),
                           {row, column, out.start});
      places.push_back(place);
      if (adds)
        sums.push_back(amx::TileLoadOp::create(b, frame.loc, sumType, out.memory, ValueRange(place),
                                               outStride));
      else
        sums.push_back(amx::TileZeroOp::create(b, frame.loc, sumType));
    }
  sums = emitLoop(
      b, frame.loc, constant(0), depth, constant(tileDepth), sums,
      [&](Value k, ValueRange carried) {
        elements->variable(k, 0, std::max<int64_t>(mostDepth - 1, 0));
        return multiplyTileStep(
            b, frame.loc, rows, columns, carried,
            [&](int64_t r) -> Value {
              Value at =
                  affine((d(0) + r * tileLines) * left.rowStep + d(1) + d(2), {row, k, left.start});
              return amx::TileLoadOp::create(b, frame.loc, factors, left.memory, ValueRange(at),
                                             leftStride);
            },
            [&](int64_t c) -> Value {
              Value at =
                  affine(d(0).floorDiv(2) * right.stride + (d(1) + c * tileLines) * 2, {k, column});
              return amx::TileLoadOp::create(b, frame.loc, factors, right.memory, ValueRange(at),
                                             rightStride);
            });
      });
  for (auto [place, sum] : llvm::zip_equal(places, sums))
    amx::TileStoreOp::create(b, frame.loc, out.memory, ValueRange(place), sum, outStride);
}

} // namespace sinter::codegen
