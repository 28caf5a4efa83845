#pragma once

#include "sinter/passes/fusion/LedgerAttribute.h"
#include "sinter/passes/fusion/Plan.h"

namespace sinter::passes::fusion {

/// The ops of a function that the ledger speaks of: numbered before fusion copies any, under the names that
/// the IR has where fusion begins (so that "%12" is found in the dump before it).
class LedgerOps {
public:
  explicit LedgerOps(mlir::func::FuncOp func);
  /// `part` was made when `whole` was opened, and answers to its name.
  void inherit(mlir::Operation *part, mlir::Operation *whole);
  /// Numbers what computes, in program order. Afterwards names of ops that are gone mean nothing.
  void number(mlir::func::FuncOp func);

  const std::vector<LedgerOp> &ops() const { return all; }
  mlir::Location locationOf(unsigned id) const { return locations[id]; }
  /// The number of an op; -1 for what does not compute.
  int idOf(mlir::Operation *op) const;
  /// What computes `value`, looked at through reshapes and barriers; null for arguments. `barrier`, if
  /// given, becomes the first barrier that was passed.
  static mlir::Value sourceOf(mlir::Value value, mlir::Operation **barrier = nullptr);

private:
  llvm::DenseMap<mlir::Operation *, std::string> names;
  llvm::DenseMap<mlir::Operation *, unsigned> ids;
  std::vector<LedgerOp> all;
  std::vector<mlir::Location> locations;
};

/// The fate of every edge. `origins` says which op each copy was made of; an edge of an op that was copied is
/// fused when each copy has what it reads in its kernel.
Ledger recordLedger(const Groups &groups, const Legality &legality, const LedgerOps &ops,
                    const llvm::DenseMap<mlir::Operation *, mlir::Operation *> &origins,
                    const llvm::DenseMap<unsigned, std::string> &kernelNames);

/// Each edge as a remark at its consumer's location, named after the refusal: what was fused has passed, what
/// was refused is missed. Category sinter-fusion. Nothing where the context has no remark engine.
void emitRemarks(const Ledger &ledger, const LedgerOps &ops);

} // namespace sinter::passes::fusion
