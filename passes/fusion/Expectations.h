#pragma once

#include "sinter/passes/fusion/RecordLedger.h"

namespace sinter::passes::fusion {

/// What a function's writer expects of fusion: its sinter.expect_* ops.
class Expectations {
public:
  /// Takes the ops off the function, and what only they needed. Composites have been opened before, so
  /// that what they name is what will be fused.
  explicit Expectations(mlir::func::FuncOp func);

  bool empty() const { return together.empty() && most.empty(); }
  /// Notes which of the ledger's ops are meant; before any op is copied.
  void resolve(const LedgerOps &ops);
  /// Emits an error, at the expectation, for each that the ledger does not fulfil. How many kernels there are
  /// is known later (sinter-check-expectations): what it needs is left in an attribute.
  mlir::LogicalResult check(mlir::func::FuncOp func, const Ledger &ledger) const;

private:
  struct Together {
    mlir::Location loc;
    mlir::SmallVector<mlir::Operation *> makers; // null: nothing of the function's needs it
    mlir::SmallVector<unsigned> ids;
  };
  struct Most {
    mlir::Location loc;
    int64_t kernels;
  };
  mlir::LogicalResult check(const Together &one, const Ledger &ledger) const;

  mlir::SmallVector<Together> together;
  mlir::SmallVector<Most> most;
};

} // namespace sinter::passes::fusion
