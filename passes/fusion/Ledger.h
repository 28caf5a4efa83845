#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The fusion ledger as data: no MLIR here, so that tools read it without a compiler.
namespace sinter::passes {

/// Name of the attribute that carries the ledger on a function (LedgerAttribute.h).
inline constexpr char ledgerAttr[] = "sinter.ledger";

/// An op that computed before fusion (reshapes and barriers compute nothing).
struct LedgerOp {
  std::string value;                // its results in the last IR before fusion: "%12"
  std::string op;                   // "conv2d"
  std::string line;                 // "model.cpp:14", or the location as MLIR prints it
  std::string path;                 // of the module that it belongs to: "conv1"; may be empty
  bool gradient = false;            // made by autodiff
  std::string type;                 // of its first result: "8x32xf32"
  std::vector<std::string> kernels; // that compute it: several where each reader has its own copy
};

/// One producer-consumer edge and what fusion made of it.
struct LedgerEdge {
  unsigned from = 0, to = 0; // places in Ledger::ops
  unsigned result = 0;       // of the producer
  int64_t bytes = 0;         // size of the value that flows
  bool fused = false;
  std::vector<std::string> kernels; // that hold both, when fused
  std::string code, detail;         // why not, otherwise: a name of ir::Refusal, and words
  /// What the cost model says of the two kernels when refused, and of one for both where there could be
  /// one; in units of a byte moved.
  std::optional<double> costApart, costTogether;
};

/// The fusion ledger of one function: every edge between two ops that compute, reshapes and barriers
/// looked through, in program order.
struct Ledger {
  std::string function;
  std::vector<LedgerOp> ops;
  std::vector<LedgerEdge> edges;

  size_t fused() const;
  size_t refused() const { return edges.size() - fused(); }
};

std::string toJson(const std::vector<Ledger> &ledgers);
/// Reads what toJson wrote; nothing, with a reason in `problem`, when the text is something else.
std::optional<std::vector<Ledger>> ledgersFromJson(const std::string &text, std::string &problem);

} // namespace sinter::passes
