#pragma once

#include "sinter/codegen/IndexMath.h"
#include "sinter/ir/Sinter.h"

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace sinter::codegen {

/// The type that elements of `element` have in a kernel's buffers: i8 for i1 and ui8, else itself.
mlir::Type storageType(mlir::Type element);

/// Computes elements of the tensors inside one kernel: reads buffers, follows ops through
/// ElementOpInterface, remembers what it has computed, and rounds each result to its declared type
/// ("rounding is semantics").
///
/// Index values are affine expressions of *variables* (loop counters and the like), whose ranges
/// are declared. In vector mode one variable stands for a run of `lanes` neighbours: elements are then
/// vectors, and each access becomes a vector load, a shuffle of two, a broadcast, or single loads.
class Elements final : public ir::ElementBuilder {
public:
  /// `entry` is the kernel function's block: small temporaries are allocated at its top.
  Elements(mlir::OpBuilder &builder, mlir::Location loc, mlir::Block *entry);

  /// `tensor` lies, row-major, in rank-1 memref `buffer`.
  void bindMemory(mlir::Value tensor, mlir::Value buffer) { memory[tensor] = buffer; }
  /// `tensor`, wherever it is read from now on, is `value`: a reduction's result in its row.
  void bindValue(mlir::Value tensor, mlir::Value value) { bound[tensor] = value; }
  void unbind(mlir::Value tensor) { bound.erase(tensor); }
  /// `make` computes elements of `tensor`, at any indices and for runs, too: what a kernel keeps in memory
  /// of its own, or makes by loops.
  using Maker = std::function<mlir::Value(mlir::ValueRange)>;
  void bindMaker(mlir::Value tensor, Maker make) { makers[tensor] = std::move(make); }

  /// Makes an index value a variable with values in [least, most].
  mlir::Value variable(mlir::Value index, int64_t least, int64_t most);
  mlir::AffineExpr exprOf(mlir::Value index);
  /// The variable that stands for dimension `dim` of such expressions.
  mlir::Value variableOf(unsigned dim) const { return variables[dim]; }
  /// An index value for an expression of variables.
  mlir::Value indexOf(mlir::AffineExpr expr);
  mlir::AffineExpr simplify(mlir::AffineExpr expr) const { return simplifyIndex(expr, ranges); }

  /// Vector mode: `variable`, a multiple of `lanes`, stands for `lanes` values from its own on. Null ends it.
  void setRun(mlir::Value variable, int64_t lanes);
  int64_t lanes() const { return run ? runLanes : 1; }
  /// The value of the run's variable, where code for this one run is emitted; none ends that.
  void setRunStart(std::optional<int64_t> start) { runStart = start; }

  /// In vector mode: only lanes where `lanes` (a vector of i1) holds exist, the first among them; null ends it.
  void setMask(mlir::Value lanes) { mask = lanes; }
  /// The first `count` lanes, as a mask.
  mlir::Value firstLanes(mlir::Value count);
  /// `value` where the mask holds, `otherwise` elsewhere; `value` without a mask.
  mlir::Value masked(mlir::Value value, mlir::Value otherwise);
  /// Runs `emit`; takes back what it emitted and returns false if it cannot be done for a run of
  /// neighbours (under a mask, or at data-dependent places).
  bool attempt(llvm::function_ref<void()> emit);
  /// Makes the innermost attempt one that cannot be done.
  void giveUp() { runFailed = true; }
  /// How far apart `position` is in each of `count` turns of `lane`, a variable with the values [0, count), from where
  /// it is in the first; nothing where that is not constant.
  std::optional<llvm::SmallVector<int64_t>> offsetsOf(mlir::AffineExpr position, mlir::Value lane,
                                                      int64_t count) const {
    return laneOffsets(position, dimOf.lookup(lane), count, ranges);
  }
  /// What `emit(indices)` makes, a `scalar` in compute type for each lane of a run: all lanes at once
  /// where that can be done, else one after the other (under a mask the enclosing attempt fails).
  using ValueAt = llvm::function_ref<mlir::Value(mlir::ValueRange)>;
  mlir::Value forRun(mlir::Type scalar, mlir::ValueRange indices, ValueAt emit);

  mlir::Value element(mlir::Value tensor, mlir::ValueRange indices) override;
  mlir::Value apply(mlir::AffineExpr expr, mlir::ValueRange operands) override;
  mlir::Value asData(mlir::Value index, mlir::Type type) override;
  mlir::Value asIndex(mlir::Value data) override;
  mlir::Value guarded(mlir::Value condition, mlir::Value otherwise,
                      llvm::function_ref<mlir::Value()> inside) override;
  mlir::Type valueType(mlir::Type scalar) override;

  /// Element at row-major position `position` of a buffer of `type`'s elements, in compute type.
  mlir::Value load(mlir::Value buffer, mlir::Type element, mlir::AffineExpr position);
  /// Stores a value of compute type at row-major position `position`.
  void store(mlir::Value value, mlir::Value buffer, mlir::Type element, mlir::AffineExpr position);
  /// `value`, in compute type, rounded to what `declared` can hold.
  mlir::Value rounded(mlir::Value value, mlir::Type declared);
  /// A scalar as a vector in vector mode.
  mlir::Value spread(mlir::Value value);

  /// A rank-1 buffer on the stack, allocated once at the top of the kernel.
  mlir::Value temporary(int64_t count, mlir::Type element);

  /// Where set, every position that is read, and every index that becomes data, is noted here.
  std::vector<mlir::AffineExpr> *recorder = nullptr;
  void record(mlir::AffineExpr position);
  /// Whether something could not be computed, or not for a run outside of any attempt; an error has
  /// been emitted.
  bool failed();

private:
  using Key = std::vector<const void *>;

  mlir::Value compute(mlir::Value tensor, mlir::ValueRange indices);
  mlir::Value laneByLane(mlir::Type scalar, mlir::ValueRange indices, ValueAt emit);
  mlir::Value uniformOf(mlir::Value value);
  mlir::Value knownData(mlir::AffineExpr expr, mlir::Type type);
  mlir::Value constantMemory(ir::ConstantOp op);
  mlir::Value positionValue(mlir::AffineExpr position) { return indexOf(position); }
  mlir::Value maskedShuffle(mlir::Value buffer, mlir::VectorType vector, mlir::AffineExpr position,
                            const std::optional<llvm::SmallVector<int64_t>> &offsets);
  mlir::Value fromStorage(mlir::Value value, mlir::Type element);
  bool reaches(mlir::Value value);
  bool usesBoundRun(mlir::Value tensor);
  void rollBack(mlir::Operation *last, size_t logged, size_t loggedExprs);
  llvm::SmallVector<mlir::AffineExpr> exprsOf(mlir::ValueRange indices);
  std::optional<llvm::SmallVector<int64_t>> offsetsOf(mlir::AffineExpr position);

  mlir::Block *entry;
  llvm::DenseMap<mlir::Value, mlir::Value> memory, bound;
  llvm::DenseMap<mlir::Value, Maker> makers;
  llvm::DenseMap<mlir::Value, unsigned> dimOf;
  llvm::DenseMap<mlir::Value, mlir::AffineExpr> exprs;
  std::vector<mlir::Value> variables;
  llvm::SmallVector<std::optional<IndexRange>> ranges;
  std::map<Key, mlir::Value> memo;
  std::vector<Key> memoLog; // what to forget when emitted code is taken back
  std::vector<mlir::Value> exprLog;

  mlir::Value run;
  int64_t runLanes = 1;
  std::optional<int64_t> runStart;
  mlir::Value mask;       // vector mode, at a line's end or inside a guard: the lanes that exist
  bool inGuard = false;   // of the mask's lanes perhaps none exists
  bool runFailed = false; // the code being emitted does not work for a run
  bool broken = false;
};

} // namespace sinter::codegen
