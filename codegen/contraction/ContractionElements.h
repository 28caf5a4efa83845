#pragma once

#include "sinter/codegen/KernelFrame.h"
#include "sinter/ir/KernelKinds.h"

namespace sinter::codegen {

/// The numbers a contraction kernel reads and writes, at points of its loops: those of batch, m, n, k, in
/// this order, each group's dimensions as ContractionOpInterface gives them.
class ContractionElements {
public:
  /// Finds the kernel's contraction.
  explicit ContractionElements(KernelFrame &frame);

  /// A side's factor (0: lhs, 1: rhs) with everything that feeds it, zero where the operand has no
  /// element; a vector in vector mode.
  mlir::Value factor(Elements &in, unsigned side, mlir::ValueRange point) const;
  /// Where a side's factor lies in its operand.
  ir::ElementAddress address(Elements &in, unsigned side, mlir::ValueRange point) const;
  /// Evaluates everything after the contraction, whose result is bound, and stores it. Needs no k. Where
  /// windows end the kernel, the point is one of their results: n is picture, line and column of windows.
  void store(Elements &in, mlir::ValueRange point) const;

  /// Notes, in a trial, where the contraction's own result is at a point.
  void recordResult(Elements &in, mlir::ValueRange point) const;

  mlir::Value result() const { return op->getResult(0); }
  mlir::Value operand(unsigned side) const { return op->getOperand(op.getSideOperand(side)); }
  /// What products are added up in.
  mlir::Type accumulatorType() const { return ir::computeType(ir::elementOf(result())); }
  /// Extents of all loops.
  llvm::SmallVector<int64_t> extents() const;
  /// Numbers of loops before group 0 (batch), 1 (m), 2 (n), 3 (k), and of all.
  std::array<unsigned, 5> firsts() const;

  mutable ir::ContractionOpInterface op;
  ir::ContractionDims dims;
  std::optional<ir::WindowEnd> window; // pooling that the results go through
  /// Lines and columns of windows.
  int64_t windowLines() const { return ir::shapeOf(window->op->getResult(0))[2]; }
  int64_t windowColumns() const { return ir::shapeOf(window->op->getResult(0))[3]; }

private:
  llvm::SmallVector<mlir::Value> placeOf(Elements &in, mlir::ValueRange point) const;
  mlir::ValueRange group(mlir::ValueRange point, unsigned number) const;
  bool isAfter(mlir::Operation *other) const;

  KernelFrame &frame;
};

} // namespace sinter::codegen
