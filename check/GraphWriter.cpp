#include "sinter/check/GraphWriter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace sinter::check {

int64_t Node::size() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}
std::string Node::type() const {
  return "tensor<" + shapeText(shape) + (shape.empty() ? "" : "x") + element + ">";
}

std::string shapeText(const Shape &shape) { return fmt::format("{}", fmt::join(shape, "x")); }
std::string arrayText(const Shape &values) {
  return values.empty() ? "array<i64>" : fmt::format("array<i64: {}>", fmt::join(values, ", "));
}

Node GraphWriter::input(const Shape &shape, const std::string &element, double low, double high) {
  Node made{fmt::format("%in{}", inputs.size()), shape, element, low, high};
  made.differentiable = made.isFloat();
  inputs.push_back({shapeText(shape), element, low, high});
  arguments.push_back(made);
  pool.push_back(made);
  return made;
}

std::vector<Node> GraphWriter::call(const std::string &op, const std::vector<Node> &operands,
                                    const std::string &attributes,
                                    const std::vector<Node> &results) {
  std::vector<std::string> names, types, resultTypes;
  bool differentiable = false;
  for (const Node &operand : operands) {
    names.push_back(operand.name);
    types.push_back(operand.type());
    differentiable |= operand.differentiable;
  }
  std::string name = fmt::format("%v{}", count++);
  std::vector<Node> made = results;
  for (size_t i = 0; i < made.size(); ++i) {
    made[i].name = made.size() == 1 ? name : fmt::format("{}#{}", name, i);
    made[i].differentiable = differentiable && made[i].isFloat();
    resultTypes.push_back(made[i].type());
  }
  body += fmt::format("  {}{} = \"sinter.{}\"({}) {} : ({}) -> ({})\n", name,
                      made.size() == 1 ? "" : fmt::format(":{}", made.size()), op,
                      fmt::join(names, ", "), attributes.empty() ? "" : "<{" + attributes + "}>",
                      fmt::join(types, ", "), fmt::join(resultTypes, ", "));
  pool.insert(pool.end(), made.begin(), made.end());
  return made;
}

Node GraphWriter::one(const std::string &op, const std::vector<Node> &operands,
                      const std::string &attributes, const Shape &shape, double low, double high) {
  return typed(op, operands, attributes, shape, operands[0].element, low, high);
}
Node GraphWriter::typed(const std::string &op, const std::vector<Node> &operands,
                        const std::string &attributes, const Shape &shape,
                        const std::string &element, double low, double high) {
  return call(op, operands, attributes, {{"", shape, element, low, high}})[0];
}

Node GraphWriter::compare(const std::string &predicate, const Node &a, const Node &b) {
  Node made{fmt::format("%v{}", count++), a.shape, "i1", 0, 1};
  body += fmt::format("  {} = sinter.compare {} {}, {} : ({}, {}) -> {}\n", made.name, predicate,
                      a.name, b.name, a.type(), b.type(), made.type());
  pool.push_back(made);
  return made;
}

Node GraphWriter::constant(const Shape &shape, const std::string &element, double value) {
  Node made{fmt::format("%v{}", count++), shape, element, value, value};
  std::string literal = element == "i1"  ? (value != 0 ? "true" : "false")
                        : made.isFloat() ? fmt::format("{:e}", value)
                                         : fmt::format("{}", int64_t(value));
  body += fmt::format("  {} = sinter.constant dense<{}> : {}\n", made.name, literal, made.type());
  pool.push_back(made);
  return made;
}

const Node *GraphWriter::any(bool (*accepts)(const Node &)) {
  std::vector<const Node *> suited;
  for (const Node &node : pool)
    if (accepts(node)) suited.push_back(&node);
  if (suited.empty()) return nullptr;
  // Recent values are likelier, so that graphs grow deep.
  size_t a = dice.upTo(suited.size()), b = dice.upTo(suited.size());
  return suited[std::max(a, b)];
}
const Node *GraphWriter::anyFloat() {
  return any([](const Node &node) { return node.isFloat(); });
}

Node GraphWriter::cast(Node x, const std::string &element) {
  if (x.element == element) return x;
  double low = x.low, high = x.high;
  if (element == "i1") low = 0, high = 1;
  if (element == "ui8") low = std::clamp(low, 0.0, 255.0), high = std::clamp(high, 0.0, 255.0);
  // From floats the conversion saturates; from integers it wraps, out of any interval but the type's.
  if (element == "ui8" && !x.isFloat() && (x.low < 0 || x.high > 255)) low = 0, high = 255;
  return typed("cast", {x}, "", x.shape, element, low, high);
}
Node GraphWriter::broadcast(Node x, const Shape &shape) {
  return x.shape == shape ? x : one("broadcast", {x}, "", shape, x.low, x.high);
}
Node GraphWriter::reshape(Node x, const Shape &shape) {
  return x.shape == shape ? x : one("reshape", {x}, "", shape, x.low, x.high);
}

static bool stretches(const Shape &from, const Shape &to) {
  if (from.size() > to.size()) return false;
  for (size_t i = 0; i < from.size(); ++i) {
    int64_t size = from[from.size() - 1 - i];
    if (size != 1 && size != to[to.size() - 1 - i]) return false;
  }
  return true;
}

Node GraphWriter::matching(Node like) {
  std::vector<Node> suited;
  for (const Node &node : pool)
    if (node.isFloat() == like.isFloat() && (node.element == "i1") == (like.element == "i1") &&
        stretches(node.shape, like.shape) && (node.isFloat() || node.element == like.element))
      suited.push_back(node);
  if (!suited.empty() && dice.chance(0.8))
    return broadcast(cast(dice.pick(suited), like.element), like.shape);
  Shape shape = like.shape;
  for (int64_t &size : shape)
    if (dice.chance(0.25)) size = 1;
  if (!shape.empty() && dice.chance(0.3)) shape.erase(shape.begin());
  double low = like.element == "i1" || like.element == "ui8" ? 0 : like.isFloat() ? -2 : -5;
  return broadcast(input(shape, like.element, low,
                         like.element == "i1" ? 1
                         : like.isFloat()     ? 2
                                              : 5),
                   like.shape);
}

Node GraphWriter::positive(Node x) {
  if (x.low >= 0.25 && x.high <= 16) return x;
  Node tame = tamed(x);
  Node size =
      one("abs", {tame}, "", tame.shape, 0, std::max(std::fabs(tame.low), std::fabs(tame.high)));
  return one("add", {size, constant(x.shape, x.element, 0.5)}, "", x.shape, 0.5, size.high + 0.5);
}

Node GraphWriter::tamed(Node x, double limit) {
  double size = std::max(std::fabs(x.low), std::fabs(x.high));
  if (size <= limit) return x;
  if (dice.chance(0.3)) return one("tanh", {x}, "", x.shape, -1, 1);
  double factor = std::exp2(-std::ceil(std::log2(size / limit)));
  return one("mul", {x, constant(x.shape, x.element, factor)}, "", x.shape, x.low * factor,
             x.high * factor);
}

std::string GraphWriter::floatType() {
  static const std::vector<std::string> wide{"f32", "f32", "f32", "f64"};
  static const std::vector<std::string> all{"f32", "f32", "f32", "bf16", "f16", "f64"};
  return dice.pick(options.narrowTypes ? all : wide);
}
Shape GraphWriter::shape(int minRank, int maxRank) {
  static const std::vector<int64_t> sizes{1, 2, 3, 4, 5, 7, 8, 9, 16, 17};
  Shape made(dice.between(minRank, maxRank));
  int64_t size = 1;
  for (int64_t &extent : made) {
    extent = dice.pick(sizes);
    if (size * extent > 1024) extent = 2;
    size *= extent;
  }
  return made;
}

} // namespace sinter::check
