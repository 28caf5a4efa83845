#include "sinter/check/RandomGraph.h"
#include "sinter/check/GraphWriter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>

namespace sinter::check {

namespace {

/// The sum of all elements in f32, divided by their number: a loss of any graph.
Node meanOf(GraphWriter &w, const Node &x) {
  Shape dims;
  for (size_t dim = 0; dim < x.shape.size(); ++dim) dims.push_back(int64_t(dim));
  Node wide = x.element == "f64" ? x : w.cast(x, "f32");
  if (dims.empty()) return wide;
  return w.one("mean", {wide}, "dim = " + arrayText(dims) + ", keepdim = false", {}, x.low, x.high);
}

/// Whether `name` is an operand somewhere.
bool isRead(const std::string &body, const std::string &name) {
  for (size_t at = body.find(name); at != std::string::npos; at = body.find(name, at + 1)) {
    std::string next = body.substr(at + name.size(), 2);
    if (next != " =" && !std::isdigit(next[0]) && next[0] != '#' && next[0] != ':') return true;
  }
  return false;
}

/// Ends a graph as a training step does: gradients of a scalar, and the update they make.
std::vector<Node> addGradients(GraphWriter &w) {
  std::vector<Node> ends, wrt;
  for (const Node &node : w.pool)
    if (node.differentiable && node.name[1] == 'v') ends.push_back(node);
  for (const Node &node : w.arguments)
    if (node.differentiable) wrt.push_back(node);
  if (ends.empty() || wrt.empty()) return {};
  while (wrt.size() > 4) wrt.erase(wrt.begin() + w.dice.upTo(int64_t(wrt.size())));
  Node loss = meanOf(w, ends.back());
  if (!loss.shape.empty()) return {};
  std::vector<Node> operands{loss}, results;
  operands.insert(operands.end(), wrt.begin(), wrt.end());
  std::vector<std::string> names, types, resultTypes;
  for (const Node &node : wrt) {
    names.push_back(node.name);
    types.push_back(node.type());
  }
  std::string count = wrt.size() == 1 ? "" : fmt::format(":{}", wrt.size());
  w.body += fmt::format("  %grad{} = sinter.gradient {} wrt {} : ({}, {}) -> ({})\n", count,
                        loss.name, fmt::join(names, ", "), loss.type(), fmt::join(types, ", "),
                        fmt::join(types, ", "));
  for (size_t i = 0; i < wrt.size(); ++i) {
    Node gradient = wrt[i];
    gradient.name = wrt.size() == 1 ? "%grad" : fmt::format("%grad#{}", i);
    gradient.low = -100, gradient.high = 100;
    Node step = w.one("mul", {gradient, w.constant(gradient.shape, gradient.element, 0.125)}, "",
                      gradient.shape, -13, 13);
    results.push_back(w.one("sub", {wrt[i], step}, "", wrt[i].shape, -20, 20));
  }
  results.push_back(loss);
  return results;
}

} // namespace

RandomGraph makeRandomGraph(uint64_t seed, const RandomGraphOptions &options) {
  GraphWriter w(seed * 0x9E3779B97F4A7C15ull + 1, options);
  // Two inputs of one shape, so that they meet.
  Shape shape = w.shape(0, 4);
  std::string type = w.floatType();
  w.input(shape, type, -2, 2);
  w.input(w.dice.chance(0.5) ? shape : w.shape(1, 3), w.dice.chance(0.7) ? type : w.floatType(), -2,
          2);

  using Rule = bool (*)(GraphWriter &);
  static const std::vector<Rule> rules{
      addElementwise, addElementwise, addElementwise, addFunction,      addFunction,
      addFunction,    addChoice,      addView,        addView,          addReduction,
      addReduction,   addContraction, addIndexed,     addRandomNumbers, addRowOp,
      addRowOp,       addLoss,        addPool,        addAttention};
  int64_t ops = w.dice.between(options.minOps, options.maxOps);
  for (int64_t made = 0, tries = 0; made < ops && tries < 20 * ops; ++tries)
    made += w.dice.pick(rules)(w);

  std::vector<Node> results;
  if (w.dice.chance(options.gradients)) results = addGradients(w);
  // What nothing reads is an output, and now and then something that is read.
  for (const Node &node : w.pool) {
    if (node.name[1] != 'v') continue;
    bool read = isRead(w.body, node.name);
    bool listed = std::any_of(results.begin(), results.end(),
                              [&](const Node &r) { return r.name == node.name; });
    if (!listed && (!read || w.dice.chance(0.05)) && results.size() < 12) results.push_back(node);
  }
  std::vector<std::string> parameters, names, types;
  for (const Node &argument : w.arguments)
    parameters.push_back(argument.name + ": " + argument.type());
  for (const Node &result : results) {
    names.push_back(result.name);
    types.push_back(result.type());
  }
  return {seed,
          fmt::format("func.func @f({}) -> ({}) {{\n{}  return {} : {}\n}}\n",
                      fmt::join(parameters, ", "), fmt::join(types, ", "), w.body,
                      fmt::join(names, ", "), fmt::join(types, ", ")),
          w.inputs};
}

RandomGraph onlyResult(const RandomGraph &graph, size_t index) {
  std::vector<std::string> lines;
  std::stringstream stream(graph.text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  auto names = [](const std::string &text) {
    static const std::regex name("%[a-z]+[0-9]*");
    return std::set<std::string>(std::sregex_token_iterator(text.begin(), text.end(), name), {});
  };
  // "  return %a, %b : type, type": the index-th of both lists.
  std::string &last = lines[lines.size() - 2];
  size_t colon = last.find(" : ");
  auto part = [&](const std::string &list) {
    std::vector<std::string> parts;
    std::stringstream items(list);
    for (std::string item; std::getline(items, item, ',');)
      parts.push_back(item.substr(item.find_first_not_of(' ')));
    return index < parts.size() ? parts[index] : std::string();
  };
  std::string value = part(last.substr(9, colon - 9)), type = part(last.substr(colon + 3));
  if (value.empty()) return {graph.seed, "", graph.inputs};
  last = "  return " + value + " : " + type;
  lines[0] = lines[0].substr(0, lines[0].find(") -> (")) + ") -> (" + type + ") {";
  std::set<std::string> needed = names(last);
  std::string kept;
  for (size_t i = lines.size() - 2; i-- > 1;) {
    size_t equals = lines[i].find(" = ");
    std::set<std::string> defined = names(lines[i].substr(0, equals));
    if (!needed.contains(*defined.begin())) continue;
    needed.merge(names(lines[i].substr(equals)));
    kept = lines[i] + "\n" + kept;
  }
  return {graph.seed, lines[0] + "\n" + kept + last + "\n}\n", graph.inputs};
}

void Coverage::add(const RandomGraph &graph) {
  static const std::regex op("sinter\\.([a-z_0-9]+)"), tensor("tensor<((?:[0-9]+x)*)([a-z0-9]+)>");
  auto count = [](const std::string &text, const std::regex &pattern, auto each) {
    for (auto at = std::sregex_iterator(text.begin(), text.end(), pattern);
         at != std::sregex_iterator(); ++at)
      each(*at);
  };
  count(graph.text, op, [&](const std::smatch &match) { ++ops[match[1]]; });
  count(graph.text, tensor, [&](const std::smatch &match) {
    ++shapes[match[1]];
    ++dtypes[match[2]];
  });
}

std::string Coverage::text() const {
  std::string out = fmt::format("{} ops:", ops.size());
  for (const auto &[op, count] : ops) out += fmt::format(" {} {}", op, count);
  std::map<size_t, std::pair<size_t, int>> ranks; // shapes, tensors
  for (const auto &[shape, count] : shapes) {
    auto &rank = ranks[size_t(std::count(shape.begin(), shape.end(), 'x'))];
    ++rank.first;
    rank.second += count;
  }
  out += fmt::format("\n{} shapes:", shapes.size());
  for (const auto &[rank, numbers] : ranks)
    out += fmt::format(" rank {}: {} in {} tensors;", rank, numbers.first, numbers.second);
  out += "\ntypes:";
  for (const auto &[dtype, count] : dtypes) out += fmt::format(" {} {}", dtype, count);
  return out + "\n";
}

} // namespace sinter::check
