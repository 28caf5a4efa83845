#pragma once

#include "sinter/codegen/KernelFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sinter::codegen {

/// What an attention's kernel and its gradient's are written with on the CPU: panels on the stack, products of
/// panels, and what a row of scores goes through. Scores and sums are f32. Factors are, too, and their products
/// register tiles; where the machine has a matrix unit (AMX) for what is declared bf16, factors are bf16, in the
/// layouts of contraction/TileSteps.h, and products are its tiles (AttentionTiles.cpp).
class AttentionEmitter {
public:
  AttentionEmitter(KernelFrame &frame, mlir::Operation *op);
  virtual ~AttentionEmitter() = default;

protected:
  using Value = mlir::Value;
  using Indices = llvm::SmallVector<Value>;

  /// Keys up to which a head's are one block, and keys of a block beyond.
  static constexpr int64_t mostKeysInOneBlock = 512, keysOfBlock = 256;

  /// Rows of `stride` elements each, from element `start` on.
  struct Panel {
    Value memory;
    int64_t stride = 0;
    Value start = {};
  };
  /// The left factor of a product: element (row, k) lies at start + row * rowStep + k * kStep.
  struct Factor {
    Value memory;
    int64_t rowStep, kStep;
    Value start;
  };

  Panel panel(int64_t rows, int64_t columns);
  /// A panel of factors, row after row: what `pack` fills, and left factors with k along their rows.
  Panel factorRows(int64_t rows, int64_t columns);
  /// Right factors made of such rows. `turned`: k is along the rows; `paired`: k goes from row to row, which in f32
  /// is the rows themselves.
  Panel turned(int64_t rows, int64_t columns);
  Panel paired(Panel from, int64_t rows, int64_t columns);
  /// Rows [base, base + count) of head `head` of a batch of `tensor` [B, H, N, F], times `scale`; zeros up to
  /// `most` rows and in the lanes beyond F, up to a whole step of k.
  void pack(Panel panel, Value tensor, Value batch, Value head, Value base, Value count,
            int64_t most, double scale = 1);
  /// Fills a `turned` panel from `rows` rows, whole tiles, of `columns` elements.
  void turn(Panel from, Panel to, int64_t rows, int64_t columns);
  /// Fills a `paired` panel.
  void pair(Panel from, Panel to, int64_t rows, int64_t columns);
  /// On tiles: left factors with k along the `tileDepth` rows of a panel of `most` columns, and filling them from its
  /// first `width` columns.
  Panel acrossRows(int64_t most);
  void turnRows(Panel from, Panel to, Value width, int64_t most);
  /// `rowTiles` tiles of rows of out = left right (or += with `adds`), sums over k < `depth`. Columns are
  /// `columnTiles` tiles of tileColumns(), or, when that is null, all `vectors` vectors.
  void multiply(Panel out, Factor left, Panel right, Value rowTiles, int64_t mostRowTiles,
                Value columnTiles, int64_t vectors, Value depth, int64_t mostDepth, bool adds);

  /// Calls `body(column, vectors)` for runs of the first `count` of `most` columns of a row: in vector mode, with the
  /// lanes beyond under a mask, or one after the other.
  void runs(Value count, int64_t most, llvm::function_ref<void(Value)> body);
  /// A row of raw scores: what is left out becomes -infinity, up to `width` columns; masks are added.
  /// `row` is the row in its head, `keyBase` the first column's key.
  void maskScores(Value at, Value batch, Value head, Value row, Value keyBase, Value keyCount,
                  int64_t mostKeys, Value width);
  /// A row of products of packed factors becomes scores.
  void scaleScores(Value at, Value width);
  /// What dropping multiplies the weights of `row` by, into `factors`.
  void drawFactors(Value batch, Value head, Value row, Value keyBase, Value keyCount,
                   int64_t mostKeys);
  /// Zeros for all keys: on tiles what is beyond the last key is multiplied, too.
  void clearFactors(int64_t keys);
  /// Folds a row's vectors and then its lanes.
  using Combine = llvm::function_ref<Value(Value, Value)>;
  Value acrossLanes(Value vector, Combine combine);
  /// Calls `body(position, carried)` for each vector of `width` columns.
  using VectorBody = llvm::function_ref<Indices(Value, mlir::ValueRange)>;
  Indices overVectors(Value width, mlir::ValueRange carried, VectorBody body);

  /// Columns of a block of keys that rows up to `lastRow` need, in tiles; all of them without is_causal.
  Value tilesFor(Value lastRow, Value keyBase, Value keyCount);

  void loop(Value from, Value to, int64_t step, int64_t most, llvm::function_ref<void(Value)> body);
  void loop(int64_t extent, llvm::function_ref<void(Value)> body);
  void onlyIf(Value condition, llvm::function_ref<void()> body);
  Value constant(int64_t value) { return frame.constant(value); }
  Value affine(mlir::AffineExpr expr, mlir::ValueRange operands) {
    return elements->apply(expr, operands);
  }
  mlir::AffineExpr d(unsigned position) { return b.getAffineDimExpr(position); }
  Value add(Value lhs, Value rhs) { return mlir::arith::AddIOp::create(b, frame.loc, lhs, rhs); }
  Value subtract(Value lhs, Value rhs) {
    return mlir::arith::SubIOp::create(b, frame.loc, lhs, rhs);
  }
  Value minimum(Value lhs, Value rhs) {
    return b.createOrFold<mlir::arith::MinSIOp>(frame.loc, lhs, rhs);
  }
  /// A number as a vector, and one read from or written to `at` in memory.
  Value number(double value) { return ir::constantOf(b, frame.loc, vectorType(), value); }
  Value scalar(double value) { return ir::constantOf(b, frame.loc, type, value); }
  Value spread(Value value);
  /// Writes an element of result `number` of the op, if the kernel yields it.
  void write(unsigned number, Value value, mlir::ValueRange place);
  /// What was written there, in compute type.
  Value written(unsigned number, mlir::ValueRange place);
  Value loadVector(Value memory, Value at);
  Value loadScalar(Value memory, Value at);
  void store(Value value, Value memory, Value at);
  /// A factor of compute type as panels have it.
  Value narrowed(Value value);
  Value larger(Value lhs, Value rhs);
  Value exp(Value x);
  Value plus(Value lhs, Value rhs) { return mlir::arith::AddFOp::create(b, frame.loc, lhs, rhs); }
  Value minus(Value lhs, Value rhs) { return mlir::arith::SubFOp::create(b, frame.loc, lhs, rhs); }
  Value times(Value lhs, Value rhs) { return mlir::arith::MulFOp::create(b, frame.loc, lhs, rhs); }
  mlir::VectorType vectorType() { return mlir::VectorType::get(W, type); }
  int64_t tileColumns() const { return tileVectors * W; }
  int64_t wholeVectors(int64_t columns) const { return llvm::divideCeil(columns, W) * W; }
  int64_t wholeTiles(int64_t columns) const {
    return llvm::divideCeil(columns, tileColumns()) * tileColumns();
  }
  /// Elements along k, filled up to whole steps of a product.
  int64_t wholeSteps(int64_t columns) const;
  /// An odd number of cache lines that hold `elements` factors: neighbours in a tile then lie in different sets.
  int64_t oddLines(int64_t elements) const;

  KernelFrame &frame;
  mlir::OpBuilder &b;
  mlir::Operation *op;
  ir::AttentionFacts f;
  std::unique_ptr<Elements> elements;
  mlir::Type type;
  int64_t W;                      // lanes of a vector
  bool onTiles;                   // factors are bf16, products the matrix unit's
  mlir::Type factorType;          // of panels of factors
  double packedScale, laterScale; // of scores: of the query's factors, and what is left of it
  int64_t tileRows = 8, tileVectors = 2; // of a product's tile in registers
  Value scores;                          // the memory that maskScores works on
  Value factors;                         // of a row's weights
  Value kept;                            // what dropping multiplies weights by; null without

private:
  void tile(Panel out, Factor left, Panel right, Value row, Value column, int64_t vectors,
            Value depth, int64_t mostDepth, bool adds);
  Value multiplyAdd(Value lhs, Value rhs, Value sum);
  void tilesOfUnit(Panel out, Factor left, Panel right, Value row, int64_t rows, Value column,
                   int64_t columns, Value depth, int64_t mostDepth, bool adds);
  void turnOnTiles(Panel from, Panel to, int64_t rows, int64_t columns);
  Value pairOfRows(Panel from, Value row, int64_t further, Value column);
};

mlir::LogicalResult lowerAttentionForward(KernelFrame &frame, mlir::Operation *op);
mlir::LogicalResult lowerAttentionBackward(KernelFrame &frame, mlir::Operation *op);

} // namespace sinter::codegen
