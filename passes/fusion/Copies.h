#pragma once

#include "sinter/passes/fusion/Legality.h"

#include "llvm/ADT/MapVector.h"

namespace sinter::passes::fusion {

/// Work that is cheaper done twice than kept in memory: before the plan is made, its readers get a copy
/// each; copies that no kernel took are undone.
class Copies {
public:
  explicit Copies(mlir::func::FuncOp func) : func(func) {}

  /// Views and iotas with several readers: each reader computes its own.
  void copyFreeOps();
  /// Small pointwise kernels whose every reader is better off computing them: `groups` is a plan.
  /// Returns whether there were any.
  bool copyProducers(const Groups &groups, const CostModel &costs, const Legality &legality);
  /// Undoes the copies that stayed kernels of their own in the plan `groups`, which is stale when it
  /// returns true.
  bool dropUnused(const Groups &groups);

private:
  using Copied =
      llvm::SmallVector<std::pair<mlir::Operation *, mlir::Operation *>>; // copy, original
  struct Producer {
    llvm::SmallVector<mlir::Operation *> ops;
    std::vector<Copied> copies;
  };

  void copyFor(Producer &producer, llvm::ArrayRef<mlir::Operation *> readers);

  mlir::func::FuncOp func;
  llvm::MapVector<mlir::Operation *, mlir::Operation *> freeOps; // copy -> original
  std::vector<Producer> producers;
};

} // namespace sinter::passes::fusion
