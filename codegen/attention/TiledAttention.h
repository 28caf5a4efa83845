#pragma once

#include "sinter/codegen/attention/BlockAttention.h"

namespace sinter::codegen {

/// Attention by ordinary arithmetic. A row belongs to eight neighbouring lanes of a warp, of which each has every
/// eighth column.
class TiledAttention : public BlockAttention {
public:
  using BlockAttention::BlockAttention;

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
  static Factor alongRows(const Tile &tile) { return {tile.memory, tile.stride(), 1}; }
  static Factor acrossRows(const Tile &tile) { return {tile.memory, 1, tile.stride()}; }

  void start(int64_t blocks);
  /// Gives tiles their places in shared memory.
  void place(llvm::ArrayRef<Tile *> tiles);

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
  /// Calls `body(i, j, row, column)` for the results of a thread that exist, of a tile of rows at `base`.
  void overResults(int64_t rows, int64_t columns, Value base, int64_t rowCount, int64_t columnCount,
                   llvm::function_ref<void(Value, Value, Value, Value)> body);

  Value lane, group;

private:
  Value lefts, rights; // factors of one step of k
  int64_t mostLefts = 0, mostRights = 0;
};

} // namespace sinter::codegen
