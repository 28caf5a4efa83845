#pragma once

#include "sinter/ir/KernelKinds.h"

#include <array>

namespace sinter::passes::fusion {

/// What a kernel costs, in units of one byte moved to or from memory. Bytes are those of the kernel's inputs
/// and outputs, once each; splat constants are free. Operations count what is computed again because it is
/// read at several places. On a CPU the cost is the time that `sinter-calibrate` found kernels to take: a sum
/// over what there is to do (Work), each at its rate. On a GPU, until one was measured, it is
///   max(bytes, operations / operationsPerByte) + launch.
class CostModel {
public:
  explicit CostModel(ir::TargetAttr target);

  double costOf(const ir::KernelBody &body, ir::KernelKind kind) const;
  /// How many elements of each op a kernel computes.
  using Evaluated = llvm::SmallDenseMap<mlir::Operation *, double>;
  double costOf(const ir::KernelBody &body, const Evaluated &times) const;

  /// What a kernel has to do.
  struct Work {
    double bytes = 0; // read and written, each once
    double products =
        0; // operations of matrix products and convolutions, columns filled up to whole vectors
    double packed = 0; // elements of their right sides, which are laid out anew
    double vector = 0; // other operations; what is computed again counts again
    double scalar = 0; // those of elements that are visited one by one
    Work &operator+=(const Work &other);
  };
  Work workOf(const ir::KernelBody &body, ir::KernelKind kind) const {
    return workOf(body, evaluations(body, kind));
  }
  Work workOf(const ir::KernelBody &body, const Evaluated &times) const;

  /// Nanoseconds on one thread: of a launch, then of one unit of what `rateNames` says.
  using Rates = std::array<double, 7>;
  static constexpr std::array<const char *, 7> rateNames{
      "a launch",
      "a byte",
      "a byte beyond a second-level cache's megabyte, more",
      "an operation of a product",
      "a packed element",
      "a vector operation",
      "an operation on single elements"};
  /// Those that fusion reckons with.
  static const Rates cpuRates;
  static double nanoseconds(const Work &work, const Rates &rates = cpuRates);
  int64_t bytesOf(const ir::KernelBody &body) const;
  /// Operations for one element of the op's result (for a reduction: of its operand).
  double operationsPerElement(mlir::Operation *op) const;
  /// Readers at the same point share one evaluation; readers through views, windows and loads of a
  /// contraction ask anew. Values of one element, and values of rows in row kernels, are computed once.
  Evaluated evaluations(const ir::KernelBody &body, ir::KernelKind kind) const;
  /// Operations beyond computing every element of every op once.
  double repeatedOperations(const ir::KernelBody &body, const Evaluated &times) const;

  bool isMeasured; // the target's kernels were
  double operationsPerByte;
  double launch;
  double scalarElement; // operations that an element costs where vectors cannot be used
  /// A contraction loads an operand again for each so many rows or columns of the other.
  double contractionTile;
};

int64_t bytesOf(mlir::Value value);

} // namespace sinter::passes::fusion
