#pragma once

#include "sinter/codegen/attention/BlockAttention.h"

namespace sinter::codegen {

/// Attention of bf16 or f16 by a warp's matrix unit (mma of 16x8x16, fed by ldmatrix): sums and scores are f32, weights
/// and cotangents of scores are rounded to the operands' type where they become factors. A warp has 16 rows of the
/// block's; the lanes' shares of tiles are those of codegen/cuda/device/mma.cuh. What a product leaves in a lane is
/// what the next one wants of it as its left factor, so weights never leave registers.
class MatrixAttention : public BlockAttention {
public:
  MatrixAttention(KernelFrame &frame, mlir::Operation *op)
      : BlockAttention(frame, op), number16(ir::elementOf(f.query)) {}

  /// Whether the target has the unit for this attention's type.
  static bool suits(KernelFrame &frame, const ir::AttentionFacts &facts);

protected:
  static constexpr int64_t unit =
      16; // rows, and steps of k, of a product; its columns are half of that
  static constexpr int64_t word = 8; // elements of the 16 bytes that travel at once

  /// Rows of a head in shared memory. An odd number of words apart: eight rows that ldmatrix reads together lie in
  /// eight different places of the banks. Columns are filled up to whole steps of k, with zeros.
  struct Tile {
    int64_t rows, columns;
    Value memory = {};
    int64_t whole() const { return int64_t(llvm::alignTo(columns, unit)); }
    int64_t stride() const { return whole() + word; }
    int64_t size() const { return rows * stride(); }
  };

  void start(int64_t blocks, int64_t warps);
  void place(llvm::ArrayRef<Tile *> tiles);
  /// Rows [base, base + tile's) of a head of `tensor` [B, H, N, F]; zeros from row N on.
  void fetch(const Tile &to, Value tensor, Value batch, Value head, Value base);

  /// A warp's sums: `columns` columns of its 16 rows, a lane's four of each eight.
  Value sumsOf(int64_t columns) { return array({columns / word}, sumType()); }
  void clear(Value sums, int64_t columns);
  /// sums = rows of `left` (the warp's) times those of `right`, over their columns.
  void multiplyAlong(Value sums, const Tile &left, const Tile &right);
  /// sums += factors, over `right`'s rows, times its columns. `factors` [rows / 8][4] has a lane's share of them.
  void multiplyAcross(Value sums, Value factors, const Tile &right);

  /// sums = rows [16 strip, 16 strip + 16) of what `left` is the transpose of, times `columns` columns of `right` from
  /// `column` on.
  void multiplyTurned(Value sums, const Tile &left, Value strip, const Tile &right, Value column,
                      int64_t columns);

  /// Calls `body(j, place, row, column)` for the four numbers of a lane in each eight columns: `place` says which,
  /// `row` (in the block's tile) and `column` where.
  void overLane(int64_t columns, llvm::function_ref<void(Value, int64_t, Value, Value)> body);
  /// Row of a lane's first two numbers of four, or of its others.
  Value ownRow(int64_t half) { return rowOf(warp, half); }
  Value rowOf(Value strip, int64_t half) {
    return apply(d(0) * unit + d(1).floorDiv(4) + half * 8, {strip, lane});
  }
  Value ownColumn(Value j, int64_t next) {
    return apply(d(0) * word + d(1) % 4 * 2 + next, {j, lane});
  }
  /// Number `place` of four of a sum.
  Value part(Value sum, int64_t place);
  /// A sum of four numbers.
  Value sumFrom(llvm::ArrayRef<Value> parts);
  mlir::VectorType sumType() { return mlir::VectorType::get({2, 2}, type); }

  mlir::Type number16; // of factors
  Value lane, warp;
  int64_t threads = 0;

private:
  Value fragments(const Tile &tile, Value mn, Value k, bool alongK, bool halvesFirst);
  void multiplyStep(Value sums, Value left, Value right, Value pairOfColumns);
};

bool lowerMatrixForward(KernelFrame &frame, mlir::Operation *op, mlir::LogicalResult &result);
bool lowerMatrixBackward(KernelFrame &frame, mlir::Operation *op, mlir::LogicalResult &result);

} // namespace sinter::codegen
