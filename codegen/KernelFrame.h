#pragma once

#include "sinter/codegen/Elements.h"
#include "sinter/codegen/LowerKernel.h"

namespace sinter::codegen {

/// What every kind of kernel's lowering works with: the kernel's region (composite ops opened), the
/// function under construction, and a way to try code out before it is written.
class KernelFrame {
public:
  KernelFrame(ir::KernelOp kernel, mlir::OpBuilder &builder, const LoweringOptions &options);
  ~KernelFrame();

  ir::KernelOp kernel; // a private copy
  mlir::OpBuilder &builder;
  const LoweringOptions &options;
  LoweredKernel lowered;
  mlir::Location loc;

  mlir::Block &body() { return kernel.getBody().front(); }
  mlir::Operation *yield() { return body().getTerminator(); }
  mlir::Value begin() {
    return lowered.function.getArgument(lowered.function.getNumArguments() - 2);
  }
  mlir::Value end() { return lowered.function.getArgument(lowered.function.getNumArguments() - 1); }
  mlir::Value outputBuffer(unsigned result) {
    return lowered.function.getArgument(body().getNumArguments() + result);
  }

  /// An element builder at the end of the function (before its return), with the inputs bound.
  std::unique_ptr<Elements> elements();

  /// Runs `emit` in a function that is thrown away and returns every position it touched. `extents`
  /// are the domain's dimensions, which `emit` gets as index variables 0, 1, ... in this order.
  using TrialBody = llvm::function_ref<void(Elements &, mlir::ValueRange)>;
  std::vector<mlir::AffineExpr> trial(llvm::ArrayRef<int64_t> extents, TrialBody emit);

  mlir::Value constant(int64_t value);
};

/// The loops of a domain: neighbouring dimensions that every access walks through as one are merged.
struct MergedDims {
  llvm::SmallVector<int64_t> extents;
  /// Original dimension i is this expression of the merged ones.
  llvm::SmallVector<mlir::AffineExpr> exprs;
  /// Merged dimension of each original one.
  llvm::SmallVector<unsigned> mergedOf;
};
/// Merges dimensions i and i + 1 where `mayMerge(i)` and every one of `positions` allows it, or `mustMerge(i)`.
MergedDims mergeDims(llvm::ArrayRef<int64_t> extents, llvm::ArrayRef<mlir::AffineExpr> positions,
                     llvm::function_ref<bool(unsigned)> mayMerge, mlir::MLIRContext *context,
                     llvm::function_ref<bool(unsigned)> mustMerge = nullptr);

/// Emits `scf.for` from `lower` to `upper`; `body` gets the counter and the carried values and returns
/// the next ones.
using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
llvm::SmallVector<mlir::Value> emitLoop(mlir::OpBuilder &b, mlir::Location loc, mlir::Value lower,
                                        mlir::Value upper, mlir::Value step,
                                        mlir::ValueRange carried, LoopBody body);

/// Emits the parallel loops over `extents` (outermost first) and calls `body(indices, lanes)` for each
/// point, or for each run of `lanes` points of the last dimension where `vectorize`. Sets the
/// kernel's range, grain and grid. `cost` is about how many element operations a point takes.
/// With `offset` the nest is units [offset, offset + its own range) of a kernel of several nests.
using NestBody = llvm::function_ref<void(mlir::ValueRange, int64_t)>;
void emitParallelNest(KernelFrame &frame, Elements &elements, llvm::ArrayRef<int64_t> extents,
                      bool vectorize, int64_t cost, NestBody body);

mlir::LogicalResult lowerPointwise(KernelFrame &frame);
mlir::LogicalResult lowerRows(KernelFrame &frame);
mlir::LogicalResult lowerContraction(KernelFrame &frame);
mlir::LogicalResult lowerScatter(KernelFrame &frame);
mlir::LogicalResult lowerAttention(KernelFrame &frame);
mlir::LogicalResult lowerUpdate(KernelFrame &frame);
mlir::LogicalResult lowerStaged(KernelFrame &frame);

/// Replaces affine.apply by arithmetic, dividing without signs where it can; then cleans up.
void expandIndexMath(mlir::func::FuncOp function);

} // namespace sinter::codegen
