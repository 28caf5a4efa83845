#pragma once

#include "../support/OnDevice.h"

#include "sinter/check/Inputs.h"

#include <string>

namespace sinter::test {

using check::RandomGraph;

/// How a check of one graph ended.
struct CheckResult {
  std::string problem; // empty: none
  /// Elements compared, and how many of them had no bound (nothing could be said of those).
  int64_t elements = 0, unbounded = 0;
};

/// Evaluates the graph after autodiff and again after every stage of the pipeline: each result must
/// stay within both evaluations' errors. The problem names the stage.
CheckResult checkPasses(const RandomGraph &graph);

/// Fuses the graph and compares its ledger with the edges counted in the IR before fusion: each is there
/// once, fused into a kernel that exists or refused with a known code, and, where refused, costs bytes.
CheckResult checkLedger(const RandomGraph &graph);

/// Compiles the graph within shares of the working memory that it needs, until that is refused: each plan
/// keeps its budget, and the results are those without one, bit for bit. `elements` counts the plans,
/// `unbounded` the refusals.
CheckResult checkBudget(const RandomGraph &graph);

/// Runs the graph on a device and compares each result with the evaluator's bound. The problem says where.
/// With another precision than f32 the evaluator has what the policy of mixed precision makes of the graph.
CheckResult checkOnDevice(const RandomGraph &graph, const std::string &device,
                          const std::string &precision = "f32");

/// Under strict numerics, runs the graph as it is fused and with a kernel for each op: the same bits.
CheckResult checkStrict(const RandomGraph &graph, const std::string &device);

using Check = CheckResult (*)(const RandomGraph &);
/// The check of a mode ("passes", "ledger", "budget", "cpu", "cpu-bf16", "emulated", "strict",
/// "strict-emulated"), or null.
Check checkOf(const std::string &mode);

} // namespace sinter::test
