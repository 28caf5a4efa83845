#pragma once

#include "sinter/passes/fusion/Ledger.h"

/// Answers from a ledger, in sentences. No MLIR here.
namespace sinter::passes::explain {

/// "conv2d (%5, model.cpp:14, conv1)".
std::string describe(const LedgerOp &op);
/// What became of one edge.
std::string sentence(const Ledger &ledger, const LedgerEdge &edge);

/// The ops that a person's name for them stands for.
struct Found {
  std::vector<unsigned> ops; // more than one for a module or a line
  std::string problem;       // why there is none: unknown or ambiguous, with candidates
  bool isKnown = true;
};
/// `name` is a value ("%12"), an op ("relu", "sinter.relu"), a module's path ("conv1": all ops of its
/// forward pass) or a line ("model.cpp:14", with or without folders; the same). An op's name must fit one op
/// of the forward pass, or else one op at all; "gradient:NAME" asks among what autodiff made.
Found find(const Ledger &ledger, const std::string &name);

/// Why two ops are one kernel or are not. Of several ops that a name stands for, those that are nearest to
/// the other name's. For ops that are not neighbours: the first boundaries on the ways from one to the other.
std::string explain(const Ledger &ledger, const std::vector<unsigned> &a,
                    const std::vector<unsigned> &b);

/// Whether a value flows from one of these ops to one of those, or back, or they share a kernel.
bool related(const Ledger &ledger, const std::vector<unsigned> &a, const std::vector<unsigned> &b);

/// The refused edges that cost most bytes, as "PRODUCER -> CONSUMER: code, N bytes", at most `most`.
std::string largestBoundaries(const Ledger &ledger, size_t most);

} // namespace sinter::passes::explain
