#pragma once

#include "sinter/codegen/BlockWriter.h"

namespace sinter::codegen {

/// What an attention's kernel and its gradient's are written with on a GPU. A block of threads has a few rows and a
/// few keys in shared memory at once; scores and what becomes of them go through registers and shared memory, never
/// through the device's. A row belongs to eight neighbouring lanes of a warp, of which each has every eighth column.
class BlockAttention : public BlockWriter {
public:
  BlockAttention(KernelFrame &frame, mlir::Operation *op);

protected:
  static constexpr int64_t lanes = 8, groups = 16, threads = lanes * groups;

  /// Rows of numbers in shared memory, an odd number of elements apart: rows that are read together lie in
  /// different banks. Columns are filled up to a multiple of `lanes`; what is there takes part in nothing.
  struct Tile {
    int64_t rows, columns;
    Value memory = {};
    int64_t stride() const { return llvm::divideCeil(columns, lanes) * lanes | 1; }
    int64_t size() const { return rows * stride(); }
  };
  /// A factor of a product: element (own, k) lies at own * step + k * kStep.
  struct Factor {
    Value memory;
    int64_t step, kStep;
  };
  static Factor along(const Tile &tile) { return {tile.memory, tile.stride(), 1}; }
  static Factor across(const Tile &tile) { return {tile.memory, 1, tile.stride()}; }

  /// The most shared memory that a block of ours takes.
  int64_t sharedLimit() const;
  /// Gives tiles their places in shared memory.
  void place(llvm::ArrayRef<Tile *> tiles);
  void start(int64_t blocks);
  void barrier();

  /// Rows [base, base + tile's) of a head of `tensor` [B, H, N, F] times `scale`; zeros from row N on. `base` is a
  /// multiple of the tile's rows.
  void fetch(const Tile &to, Value tensor, Value batch, Value head, Value base, double scale = 1);
  /// sums[i][j] += left(row i, k) * right(column j, k) over k < depth, or = with `fresh`.
  void multiply(Value sums, int64_t rows, int64_t columns, Factor left, Factor right, int64_t depth,
                bool fresh);
  void clear(Value sums, int64_t rows, int64_t columns);

  /// A thread's row (column) `number` in a tile.
  Value ownRow(Value number) { return apply(d(0) + d(1) * groups, {group, number}); }
  Value ownColumn(Value number) { return apply(d(0) + d(1) * lanes, {lane, number}); }
  /// base + own, at most `count` - 1, where `tile` rows or keys reach beyond the end.
  Value clamped(Value base, Value own, int64_t count, int64_t tile);

  /// A row of the head and a key of the block's, both within bounds, and whether the key takes part at all.
  struct Pair {
    Value batch, head, row, key, takesPart;
  };
  Pair pairAt(Value batch, Value head, Value rowBase, int64_t rows, Value i, Value keyBase,
              int64_t keys, Value j);
  /// A raw score with masks; -infinity where the key takes no part.
  Value masked(Value score, const Pair &pair);
  /// What dropping multiplies the pair's weight by.
  Value dropFactor(const Pair &pair);

  /// Of a row's lanes.
  Value acrossLanes(Value value, llvm::function_ref<Value(Value, Value)> combine);
  Value larger(Value lhs, Value rhs);
  Value exp(Value x);
  /// Calls `body(row, column)` for the results of a thread that exist.
  void overResults(int64_t rows, int64_t columns, Value base, int64_t tileRows, int64_t rowCount,
                   int64_t columnCount,
                   llvm::function_ref<void(Value i, Value j, Value row, Value column)> body);
  void write(unsigned number, Value value, mlir::ValueRange place);

  Value apply(mlir::AffineExpr expr, mlir::ValueRange operands) {
    return elements->apply(expr, operands);
  }
  Value number(double value) { return ir::constantOf(b, frame.loc, type, value); }
  void unroll(int64_t count, llvm::function_ref<void(Value)> body) {
    unrolled(*elements, count, body);
  }
  void loop(Value from, Value to, int64_t step, int64_t most, llvm::function_ref<void(Value)> body);
  Value plus(Value lhs, Value rhs);
  Value minus(Value lhs, Value rhs);
  Value times(Value lhs, Value rhs);
  Value choose(Value condition, Value yes, Value no);

  mlir::Operation *op;
  ir::AttentionFacts f;
  mlir::Type type; // of sums
  Value kept;      // factors of weights that may be dropped, or null
  std::unique_ptr<Elements> elements;
  Value block, thread, lane, group;

private:
  Value lefts, rights; // factors of one step of k
  int64_t mostLefts = 0, mostRights = 0;
};

mlir::LogicalResult lowerBlockAttentionForward(KernelFrame &frame, mlir::Operation *op);
mlir::LogicalResult lowerBlockAttentionBackward(KernelFrame &frame, mlir::Operation *op);

} // namespace sinter::codegen
