#pragma once

#include "sinter/codegen/KernelFrame.h"
#include "sinter/ir/KernelKinds.h"

namespace sinter::codegen {

/// The numbers a contraction kernel reads and writes, at points of its loops: those of batch, m, n, k, in
/// this order, each group's dimensions as ContractionOpInterface gives them.
///
/// Several products that the kernel adds up are one contraction, whose k runs through theirs one after another.
class ContractionElements {
public:
  /// Finds the kernel's contraction.
  explicit ContractionElements(KernelFrame &frame);

  /// One of the products that are added up: its terms are [start, start + depth) of k.
  struct Product {
    ir::ContractionOpInterface op;
    int64_t start = 0, depth = 0;
  };
  llvm::ArrayRef<Product> products() const { return all; }
  bool isSum() const { return all.size() > 1; }
  /// The most terms that all products consist of in whole blocks.
  int64_t commonDepth() const;
  /// While `emit` runs, factors are of product `number`, and k counts from its start.
  void ofProduct(unsigned number, llvm::function_ref<void()> emit) const;

  /// A side's factor (0: lhs, 1: rhs) with everything that feeds it, zero where the operand has no
  /// element; a vector in vector mode. In a trial, of all products at once, each with k from its start.
  mlir::Value factor(Elements &in, unsigned side, mlir::ValueRange point) const;
  /// Where a side's factor lies in its operand.
  ir::ElementAddress address(Elements &in, unsigned side, mlir::ValueRange point) const;
  /// Evaluates everything after the contraction, whose result is bound, and stores it. Needs no k. Where
  /// windows end the kernel, the point is one of their results: n is picture, line and column of windows.
  void store(Elements &in, mlir::ValueRange point) const;

  /// Says that the contraction's result, or all that its products add up to, is `sum`, in the type of sums.
  void bindSum(Elements &in, mlir::Value sum) const;

  /// Notes, in a trial, where the contraction's own result is at a point.
  void recordResult(Elements &in, mlir::ValueRange point) const;

  mlir::Value result() const { return all.front().op->getResult(0); }
  mlir::Value operand(unsigned side) const { return op->getOperand(op.getSideOperand(side)); }
  /// What products are added up in.
  mlir::Type accumulatorType() const { return ir::computeType(ir::elementOf(result())); }
  /// Extents of all loops.
  llvm::SmallVector<int64_t> extents() const;
  /// Numbers of loops before group 0 (batch), 1 (m), 2 (n), 3 (k), and of all.
  std::array<unsigned, 5> firsts() const;

  mutable ir::ContractionOpInterface op; // the product that is being emitted, else the first
  ir::ContractionDims dims;
  std::optional<ir::WindowEnd> window; // pooling that the results go through
  /// Lines and columns of windows.
  int64_t windowLines() const { return ir::shapeOf(window->op->getResult(0))[2]; }
  int64_t windowColumns() const { return ir::shapeOf(window->op->getResult(0))[3]; }

private:
  mlir::Value factorOf(Elements &in, unsigned side, mlir::ValueRange point) const;
  mlir::Value factorOfAny(Elements &in, unsigned side, mlir::ValueRange point) const;
  llvm::SmallVector<mlir::Value> placeOf(Elements &in, mlir::ValueRange point) const;
  mlir::ValueRange group(mlir::ValueRange point, unsigned number) const;
  bool isAfter(mlir::Operation *other) const;

  KernelFrame &frame;
  llvm::SmallVector<Product, 1> all;
  mutable bool isChosen = false; // one of several products
};

} // namespace sinter::codegen
