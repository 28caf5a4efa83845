#pragma once

#include "sinter/codegen/BlockWriter.h"

namespace sinter::codegen {

/// What an attention's kernel and its gradient's have in common on a GPU, whatever multiplies. A block of threads has
/// a few rows and a few keys in shared memory at once; scores and what becomes of them go through registers and
/// shared memory, never through the device's.
class BlockAttention : public BlockWriter {
public:
  BlockAttention(KernelFrame &frame, mlir::Operation *op);

protected:
  /// The most shared memory that a block of ours takes.
  int64_t sharedLimit() const;
  /// Makes `blocks` blocks of `threads` threads.
  void start(int64_t blocks, int64_t threads);
  void barrier();
  /// Emits the gradient's blocks: the first `rowBlocks` have rows, the `keyBlocks` others keys; each body gets a block's
  /// number among its kind.
  void byKind(int64_t rowBlocks, int64_t keyBlocks, llvm::function_ref<void(Value)> ofRows,
              llvm::function_ref<void(Value)> ofKeys);

  /// A row of the head and a key of the block's, both within bounds, and whether the key takes part at all.
  struct Pair {
    Value batch, head, row, key, takesPart;
  };
  /// Row `ownRow` of a tile of `rows` at `rowBase`, key `ownKey` of one of `keys` at `keyBase`.
  Pair pairAt(Value batch, Value head, Value rowBase, int64_t rows, Value ownRow, Value keyBase,
              int64_t keys, Value ownKey);
  /// A raw score with masks; -infinity where the key takes no part.
  Value masked(Value score, const Pair &pair);
  /// What dropping multiplies the pair's weight by.
  Value dropFactor(const Pair &pair);
  /// An element [B, H, N] of row `row`, `otherwise` from row N on, where tiles of `rows` reach.
  Value ofRow(Value tensor, Value batch, Value head, Value row, int64_t rows, double otherwise);
  /// Tiles of keys that rows up to those of a tile at `rowBase` need: later ones have keys after all of them.
  Value neededKeys(Value rowBase, int64_t rows, int64_t keys);
  /// Calls `body` with `index`, if it is below `count`, which tiles of `tile` may reach beyond.
  void within(Value index, int64_t count, int64_t tile, llvm::function_ref<void(Value)> body);

  /// Combines `count` neighbouring lanes'.
  Value acrossLanes(Value value, int64_t count, llvm::function_ref<Value(Value, Value)> combine);
  Value larger(Value lhs, Value rhs);
  Value exp(Value x);
  /// The largest score of a row becomes what is taken from all of them: with nothing but -infinity so far,
  /// exponentials of it are 0, and their sum says so.
  Value shiftOf(Value highest);
  /// A number that goes along an unrolled loop.
  Value along();
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
  Value block, thread;

private:
  Value clamped(Value base, Value own, int64_t count, int64_t tile);
  Value carried;
};

/// By the target's matrix unit (MatrixAttention); false where that is not what multiplies.
bool lowerMatrixAttention(KernelFrame &frame, mlir::Operation *op, mlir::LogicalResult &result);
/// By ordinary arithmetic (TiledAttention).
mlir::LogicalResult lowerTiledForward(KernelFrame &frame, mlir::Operation *op);
mlir::LogicalResult lowerTiledBackward(KernelFrame &frame, mlir::Operation *op);

mlir::LogicalResult lowerBlockAttention(KernelFrame &frame, mlir::Operation *op);

} // namespace sinter::codegen
