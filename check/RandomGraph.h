#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// Random functions of `sinter` ops: valid, over small shapes, with values that stay within reach of f16
/// and away from poles, so that what they compute can be compared.
namespace sinter::check {

struct RandomInput {
  std::string shape, element; // "3x4", "bf16"
  double low, high;           // inclusive for integers
};

struct RandomGraph {
  uint64_t seed;
  std::string text; // a module with one function @f
  std::vector<RandomInput> inputs;
};

struct RandomGraphOptions {
  int minOps = 4, maxOps = 24;
  /// Share of graphs that end in `sinter.gradient` and an update of what it was taken with respect to.
  double gradients = 0.5;
  bool narrowTypes = true; // bf16 and f16 too
};

/// The graph of `seed`: the same on every machine.
RandomGraph makeRandomGraph(uint64_t seed, const RandomGraphOptions &options = {});

/// The part of a graph that result `index` needs, as a graph of that one result with the same inputs; null
/// text when there is no such result.
RandomGraph onlyResult(const RandomGraph &graph, size_t index);

/// How often each op and each shape occurs in graphs.
struct Coverage {
  std::map<std::string, int> ops, shapes, dtypes;

  void add(const RandomGraph &graph);
  std::string text() const;
};

} // namespace sinter::check
