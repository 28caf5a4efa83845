#include "sinter/codegen/contraction/TileSteps.h"
#include "sinter/codegen/VectorTranspose.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace sinter::codegen {

SmallVector<Value> multiplyTileStep(OpBuilder &b, Location loc, int64_t rows, int64_t columns,
                                    ValueRange sums, llvm::function_ref<Value(int64_t)> left,
                                    llvm::function_ref<Value(int64_t)> right) {
  SmallVector<Value> next(rows * columns), lefts(rows);
  for (int64_t column = 0; column < columns; ++column) {
    Value factor = right(column);
    for (int64_t row = 0; row < rows; ++row) {
      if (column == 0) lefts[row] = left(row);
      int64_t place = row * columns + column;
      next[place] =
          amx::TileMulFOp::create(b, loc, sums[place].getType(), lefts[row], factor, sums[place]);
    }
  }
  return next;
}

void turnPairs(OpBuilder &b, Location loc, ValueRange lines, Value to,
               llvm::function_ref<Value(int64_t)> toAt) {
  auto pairs = VectorType::get(tileLines, b.getI32Type());
  SmallVector<Value> vectors;
  for (Value line : lines) vectors.push_back(vector::BitCastOp::create(b, loc, pairs, line));
  transposeVectors(b, loc, vectors);
  for (auto [number, value] : llvm::enumerate(vectors))
    vector::StoreOp::create(b, loc,
                            vector::BitCastOp::create(b, loc, lines[number].getType(), value), to,
                            toAt(int64_t(number)));
}

void turnPairs(OpBuilder &b, Location loc, Value from, llvm::function_ref<Value(int64_t)> fromAt,
               Value to, llvm::function_ref<Value(int64_t)> toAt) {
  auto line = VectorType::get(tileDepth, cast<MemRefType>(from.getType()).getElementType());
  SmallVector<Value> lines;
  for (int64_t number = 0; number < tileLines; ++number)
    lines.push_back(vector::LoadOp::create(b, loc, line, from, fromAt(number)));
  turnPairs(b, loc, lines, to, toAt);
}

} // namespace sinter::codegen
