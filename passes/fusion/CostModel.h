#pragma once

#include "sinter/ir/KernelKinds.h"

namespace sinter::passes::fusion {

/// What a kernel costs, in units of one byte moved to or from memory:
///   max(bytes, operations / operationsPerByte) + launch.
/// Bytes are those of the kernel's inputs and outputs, once each; splat constants are free.
/// Operations count what is computed again because it is read at several places.
class CostModel {
public:
  explicit CostModel(ir::TargetAttr target);

  double costOf(const ir::KernelBody &body, ir::KernelKind kind) const;
  int64_t bytesOf(const ir::KernelBody &body) const;
  /// Operations for one element of the op's result (for a reduction: of its operand).
  double operationsPerElement(mlir::Operation *op) const;
  /// How many elements of each op the kernel computes. Readers at the same point share one evaluation;
  /// readers through views, windows and loads of a contraction ask anew. Values of one element, and
  /// values of rows in row kernels, are computed once.
  llvm::SmallDenseMap<mlir::Operation *, double> evaluations(const ir::KernelBody &body,
                                                             ir::KernelKind kind) const;
  /// Operations beyond computing every element of every op once.
  double repeatedOperations(const ir::KernelBody &body, ir::KernelKind kind) const;

  double operationsPerByte;
  double launch;
  double scalarElement; // operations that an element costs where vectors cannot be used
  /// A contraction loads an operand again for each so many rows or columns of the other.
  double contractionTile;
};

int64_t bytesOf(mlir::Value value);

} // namespace sinter::passes::fusion
