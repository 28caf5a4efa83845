#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sinter::codegen {

/// Loops, runs of neighbours and index arithmetic, for what writes a contraction's code.
class ContractionLoops {
protected:
  using Value = mlir::Value;
  using Indices = llvm::SmallVector<Value>;

  /// Runs have `lanes`.
  ContractionLoops(KernelFrame &frame, const ContractionElements &points, int64_t lanes)
      : frame(frame), points(points), b(frame.builder), elements(frame.elements()),
        runWidth(lanes) {}

  void loop(Value from, Value to, int64_t step, int64_t most, llvm::function_ref<void(Value)> body);
  void loop(int64_t extent, llvm::function_ref<void(Value)> body);
  void onlyIf(Value condition, llvm::function_ref<void()> body);
  void runs(Value from, Value to, int64_t most, bool whole, llvm::function_ref<void(Value)> body);
  void fixedRuns(int64_t end, llvm::function_ref<void(Value)> body);
  Indices delinearized(Value linear, llvm::ArrayRef<int64_t> extents);

  Value constant(int64_t value) { return frame.constant(value); }
  Value add(Value lhs, Value rhs) { return mlir::arith::AddIOp::create(b, frame.loc, lhs, rhs); }
  Value subtract(Value lhs, Value rhs) {
    return mlir::arith::SubIOp::create(b, frame.loc, lhs, rhs);
  }
  Value minimum(Value lhs, Value rhs) {
    return mlir::arith::MinUIOp::create(b, frame.loc, lhs, rhs);
  }
  Value mul(Value lhs, int64_t rhs);
  Value compare(mlir::arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return mlir::arith::CmpIOp::create(b, frame.loc, predicate, lhs, rhs);
  }
  Value affine(mlir::AffineExpr expr, mlir::ValueRange operands) {
    return elements->apply(expr, operands);
  }
  mlir::AffineExpr d(unsigned position) { return b.getAffineDimExpr(position); }

  KernelFrame &frame;
  const ContractionElements &points;
  mlir::OpBuilder &b;
  std::unique_ptr<Elements> elements;
  int64_t runWidth; // lanes of runs
};

} // namespace sinter::codegen
