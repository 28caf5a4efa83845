#pragma once

#include "sinter/passes/fusion/Legality.h"

#include "llvm/ADT/MapVector.h"

namespace sinter::passes::fusion {

/// Work that is cheaper done twice than kept in memory: before the plan is made, its readers get a copy
/// each; copies that no kernel took are undone.
class Copies {
public:
  explicit Copies(mlir::func::FuncOp func) : func(func) {}

  /// Views and iotas with several readers, and a little arithmetic on scalars that several kernels spread:
  /// each reader computes its own.
  void copyFreeOps();
  /// Small pointwise kernels whose every reader is better off computing them: `groups` is a plan.
  /// Returns whether there were any.
  bool copyProducers(const Groups &groups, const Legality &legality);
  /// Undoes the copies that stayed kernels of their own in the plan `groups`, which is stale when it
  /// returns true.
  bool dropUnused(const Groups &groups);

  /// What each copy that stayed was made of; never a copy itself.
  const llvm::DenseMap<mlir::Operation *, mlir::Operation *> &origins() const { return originOf; }

private:
  using Copied =
      llvm::SmallVector<std::pair<mlir::Operation *, mlir::Operation *>>; // copy, original
  struct Producer {
    llvm::SmallVector<mlir::Operation *> ops;
    std::vector<Copied> copies;
  };

  void note(mlir::Operation *copy, mlir::Operation *original) {
    auto known = originOf.find(original);
    mlir::Operation *first = known == originOf.end() ? original : known->second;
    originOf[copy] = first;
  }
  bool isSpreadScalar(mlir::Operation *op) const;
  void copyFor(Producer &producer, llvm::ArrayRef<mlir::Operation *> readers);

  mlir::func::FuncOp func;
  llvm::MapVector<mlir::Operation *, mlir::Operation *> freeOps; // copy -> original
  std::vector<Producer> producers;
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> originOf;
};

} // namespace sinter::passes::fusion
