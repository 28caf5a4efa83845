#pragma once

#include "sinter/ir/KernelKinds.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace sinter::passes {

/// One producer-consumer edge of a function and what fusion made of it.
struct LedgerEdge {
  std::string producer, consumer;         // op names: "conv2d"
  std::string producerLine, consumerLine; // "model.cpp:14", or the location as MLIR prints it
  int64_t bytes = 0;                      // size of the value that flows
  bool fused = false;
  std::string kernel;       // where both are, when fused
  std::string code, detail; // why not, otherwise: a name of ir::Refusal, and words
};

/// The fusion ledger of one function: every edge between two ops that compute (reshapes are looked
/// through), in program order.
struct Ledger {
  std::string function;
  std::vector<LedgerEdge> edges;

  size_t fused() const;
  size_t refused() const { return edges.size() - fused(); }
};

/// Name of the attribute that carries the ledger on a function.
inline constexpr llvm::StringLiteral ledgerAttr = "sinter.ledger";

mlir::Attribute toAttribute(const Ledger &ledger, mlir::MLIRContext *context);
/// The ledgers of a module's functions, in order; functions without one are left out.
std::vector<Ledger> ledgersOf(mlir::ModuleOp module);
/// The same, taken off the functions.
std::vector<Ledger> takeLedgers(mlir::ModuleOp module);
std::string toJson(const std::vector<Ledger> &ledgers);

/// "model.cpp:14" of the first file location inside `loc`, else what MLIR prints for it.
std::string sourceLine(mlir::Location loc);

} // namespace sinter::passes
