#pragma once

#include "sinter/check/RandomGraph.h"

#include <fmt/format.h>

#include <random>

namespace sinter::check {

using Shape = std::vector<int64_t>;

/// A value of the graph under construction and the interval its elements lie in.
struct Node {
  std::string name;
  Shape shape;
  std::string element;
  double low, high;
  bool differentiable = false; // depends on a floating-point input

  int64_t size() const;
  bool isFloat() const { return element[0] == 'f' || element[0] == 'b'; }
  std::string type() const;
};

/// Draws without the standard library's distributions, whose results differ between libraries.
class Dice {
public:
  explicit Dice(uint64_t seed) : random(seed) {}
  int64_t upTo(int64_t count) { return int64_t(random() % uint64_t(count)); } // [0, count)
  int64_t between(int64_t low, int64_t high) { return low + upTo(high - low + 1); }
  double uniform(double low, double high) {
    return low + (high - low) * double(random() >> 11) * 0x1p-53;
  }
  bool chance(double p) { return uniform(0, 1) < p; }
  template <class T> const T &pick(const std::vector<T> &from) {
    return from[upTo(int64_t(from.size()))];
  }

private:
  std::mt19937_64 random;
};

std::string shapeText(const Shape &shape);
std::string arrayText(const Shape &values);

/// Writes a function op by op and keeps the pool of values that further ops draw from.
class GraphWriter {
public:
  GraphWriter(uint64_t seed, const RandomGraphOptions &options) : dice(seed), options(options) {}

  Dice dice;
  const RandomGraphOptions &options;
  std::vector<Node> pool;
  std::vector<RandomInput> inputs;
  std::vector<Node> arguments;
  std::string body;

  Node input(const Shape &shape, const std::string &element, double low, double high);
  /// An op in generic form.
  std::vector<Node> call(const std::string &op, const std::vector<Node> &operands,
                         const std::string &attributes, const std::vector<Node> &results);
  /// With one result, of the given shape and interval and the type of the first operand.
  Node one(const std::string &op, const std::vector<Node> &operands, const std::string &attributes,
           const Shape &shape, double low, double high);
  Node typed(const std::string &op, const std::vector<Node> &operands,
             const std::string &attributes, const Shape &shape, const std::string &element,
             double low, double high);
  Node compare(const std::string &predicate, const Node &a, const Node &b);
  Node constant(const Shape &shape, const std::string &element, double value);

  /// A value of the pool, or null. Valid until the next op is added.
  const Node *any(bool (*accepts)(const Node &));
  const Node *anyFloat();
  /// A value like `like` in shape and type, made with casts, broadcasts and new inputs if need be.
  Node matching(Node like);
  /// `x` moved away from zero (at least 1/4, positive), so that it may be divided by or rooted.
  Node positive(Node x);
  /// `x`, scaled down if its interval is wide.
  Node tamed(Node x, double limit = 4);
  Node cast(Node x, const std::string &element);
  Node broadcast(Node x, const Shape &shape);
  Node reshape(Node x, const Shape &shape);

  std::string floatType();
  Shape shape(int minRank = 0, int maxRank = 4);

private:
  int count = 0;
};

/// Appends one random op (with what it needs) to the graph; false when nothing in the pool suits it.
bool addElementwise(GraphWriter &w);
bool addFunction(GraphWriter &w);
bool addChoice(GraphWriter &w);
bool addView(GraphWriter &w);
bool addReduction(GraphWriter &w);
bool addContraction(GraphWriter &w);
bool addIndexed(GraphWriter &w);
bool addRandomNumbers(GraphWriter &w);
bool addRowOp(GraphWriter &w);
bool addAttention(GraphWriter &w);
bool addLoss(GraphWriter &w);
bool addPool(GraphWriter &w);

} // namespace sinter::check
