// random_graphs --seed S --count N --mode passes|ledger|budget|cpu|cpu-bf16|emulated|strict|strict-emulated: random functions
// through the pipeline and onto devices, compared with the reference evaluator (strict: with themselves, not
// fused). Prints what it covered; on a failure prints the graph and the seed that makes it again.

#include "CheckGraph.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

using namespace sinter::test;
using namespace sinter::check;

static int usage() {
  fmt::print(stderr,
             "random_graphs [--seed S] [--count N] [--mode "
             "passes|ledger|budget|cpu|cpu-bf16|emulated|strict|strict-emulated] [--keep-going] "
             "[--print]\n");
  return 2;
}

int main(int argc, char **argv) {
  uint64_t seed = 0;
  int64_t count = 100;
  std::string mode = "passes";
  bool keepGoing = false, print = false;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    bool hasValue = i + 1 < argc;
    if (flag == "--keep-going")
      keepGoing = true;
    else if (flag == "--print")
      print = true;
    else if (flag == "--seed" && hasValue)
      seed = std::strtoull(argv[++i], nullptr, 10);
    else if (flag == "--count" && hasValue)
      count = std::strtoll(argv[++i], nullptr, 10);
    else if (flag == "--mode" && hasValue)
      mode = argv[++i];
    else
      return usage();
  }
  auto check = checkOf(mode);
  if (!check) return usage();

  // Where memory is scarce, what counts is what waits for a backward pass.
  RandomGraphOptions options;
  if (mode == "budget") options = {.minOps = 24, .maxOps = 64, .gradients = 1};
  Coverage coverage;
  int64_t failures = 0, elements = 0, unbounded = 0;
  auto start = std::chrono::steady_clock::now();
  for (uint64_t s = seed; s < seed + uint64_t(count); ++s) {
    RandomGraph graph = makeRandomGraph(s, options);
    coverage.add(graph);
    if (print) fmt::print("// seed {}\n{}\n", s, graph.text);
    CheckResult result = check(graph);
    elements += result.elements;
    unbounded += result.unbounded;
    if (result.problem.empty()) continue;
    ++failures;
    // A part that fails alone says more than the whole.
    for (size_t i = 0;; ++i) {
      RandomGraph part = onlyResult(graph, i);
      if (part.text.empty()) break;
      CheckResult smaller = check(part);
      if (smaller.problem.empty()) continue;
      graph = part;
      result = smaller;
      break;
    }
    fmt::print("{}\n// FAILED: {}\n// again: random_graphs --seed {} --count 1 --mode {}\n\n",
               graph.text, result.problem, s, mode);
    if (!keepGoing) break;
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{}", coverage.text());
  if (mode == "ledger") {
    fmt::print("{} graphs from seed {}: {} failed; {} edges = {} fused + {} refused; {:.1f} s\n",
               count, seed, failures, elements, elements - unbounded, unbounded, seconds);
    return failures != 0;
  }
  if (mode == "budget") {
    fmt::print(
        "{} graphs from seed {}: {} failed; {} plans within a budget, {} refused; {:.1f} s\n",
        count, seed, failures, elements, unbounded, seconds);
    return failures != 0;
  }
  fmt::print("{} graphs from seed {}, mode {}: {} failed; {} elements compared, {:.2f}% without a "
             "bound; {:.1f} s\n",
             count, seed, mode, failures, elements,
             elements ? 100.0 * double(unbounded) / double(elements) : 0.0, seconds);
  return failures != 0;
}
