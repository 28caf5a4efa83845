#include "Vectors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace sinter::test {
namespace {

using Shape = std::vector<int64_t>;

struct Node {
  std::string name;
  Shape shape;
  std::string type; // element type
};

std::string tensorText(const Shape &shape, const std::string &type) {
  std::string text = "tensor<";
  for (int64_t size : shape) text += std::to_string(size) + "x";
  return text + type + ">";
}
std::string typeText(const Node &node) { return tensorText(node.shape, node.type); }

/// Writes ops as text.
class Writer {
public:
  Writer(const VectorCase &vector, std::string element)
      : vector(vector), element(std::move(element)) {}

  const VectorCase &vector;
  const std::string element;
  std::string body;

  Node input(const std::string &name) const {
    const VectorTensor *tensor = vector.input(name);
    return {"%" + identifier(name), tensor->shape, elementOf(*tensor)};
  }
  std::vector<Node> inputs() const {
    std::vector<Node> nodes;
    for (const VectorTensor &tensor : vector.inputs) nodes.push_back(input(tensor.name));
    return nodes;
  }
  const Shape &outputShape(size_t i = 0) const { return vector.outputs[i].shape; }
  std::string elementOf(const VectorTensor &tensor) const {
    return tensor.dtype == "f64" ? element : tensor.dtype;
  }
  static std::string identifier(std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  }

  /// `%k:n = sinter.OP operands {attributes} : (types) -> (types)`.
  std::vector<Node> call(const std::string &op, const std::vector<Node> &operands,
                         const std::string &attributes,
                         const std::vector<std::pair<Shape, std::string>> &results) {
    std::vector<Node> made;
    std::vector<std::string> names, types, resultTypes;
    for (const Node &operand : operands) {
      names.push_back(operand.name);
      types.push_back(typeText(operand));
    }
    std::string name = fmt::format("%v{}", count++);
    for (const auto &[shape, type] : results) {
      made.push_back(
          {results.size() == 1 ? name : fmt::format("{}#{}", name, made.size()), shape, type});
      resultTypes.push_back(tensorText(shape, type));
    }
    body += fmt::format("    {}{} = sinter.{} {} {{{}}} : ({}) -> ({})\n", name,
                        results.size() == 1 ? "" : fmt::format(":{}", results.size()), op,
                        fmt::join(names, ", "), attributes, fmt::join(types, ", "),
                        fmt::join(resultTypes, ", "));
    return made;
  }
  Node one(const std::string &op, const std::vector<Node> &operands, const std::string &attributes,
           const Shape &shape) {
    return call(op, operands, attributes, {{shape, operands[0].type}})[0];
  }
  /// An op that prints its result type alone.
  Node simple(const std::string &op, const std::vector<Node> &operands,
              const std::string &attributes = "") {
    std::vector<std::string> names;
    for (const Node &operand : operands) names.push_back(operand.name);
    Node made{fmt::format("%v{}", count++), operands[0].shape, operands[0].type};
    body += fmt::format("    {} = sinter.{} {} {{{}}} : {}\n", made.name, op,
                        fmt::join(names, ", "), attributes, typeText(made));
    return made;
  }
  Node constant(const std::string &value, const Shape &shape) {
    Node made{fmt::format("%v{}", count++), shape, element};
    body +=
        fmt::format("    {} = sinter.constant dense<{}> : {}\n", made.name, value, typeText(made));
    return made;
  }
  Node broadcast(const Node &node, const Shape &shape) {
    return node.shape == shape ? node : one("broadcast", {node}, "", shape);
  }
  Node reshape(const Node &node, const Shape &shape) {
    return node.shape == shape ? node : one("reshape", {node}, "", shape);
  }
  std::string attribute(const std::string &key) const {
    const nlohmann::json &value = vector.attributes.at(key);
    if (value.is_boolean()) return fmt::format("{} = {}", key, value.get<bool>());
    if (value.is_string()) return fmt::format("{} = \"{}\"", key, value.get<std::string>());
    if (value.is_array()) return fmt::format("{} = {}", key, arrayText(value.get<Shape>()));
    if (value.is_number_integer()) return fmt::format("{} = {} : i64", key, value.get<int64_t>());
    return fmt::format("{} = {:e} : f64", key, value.get<double>());
  }
  std::string attributes(const std::vector<std::string> &keys) const {
    std::vector<std::string> texts;
    for (const std::string &key : keys)
      if (vector.attributes.contains(key)) texts.push_back(attribute(key));
    return fmt::format("{}", fmt::join(texts, ", "));
  }
  static std::string arrayText(const Shape &values) {
    return values.empty() ? "array<i64>" : fmt::format("array<i64: {}>", fmt::join(values, ", "));
  }

private:
  int count = 0;
};

using Nodes = std::vector<Node>;
using Rule = std::function<std::optional<Nodes>(Writer &)>;

Rule unary(const std::string &op) {
  return [=](Writer &w) {
    return Nodes{w.simple(
        op, w.inputs(), w.attributes({"alpha", "approximate", "beta", "max", "min", "threshold"}))};
  };
}
Rule binary(const std::string &op) {
  return [=](Writer &w) {
    const Shape &shape = w.outputShape();
    Nodes in = w.inputs();
    Node right =
        in.size() > 1
            ? w.broadcast(in[1], shape)
            : w.constant(fmt::format("{:e}", w.vector.attributes["exponent"].get<double>()), shape);
    return Nodes{w.simple(op, {w.broadcast(in[0], shape), right})};
  };
}
Rule comparison(const std::string &predicate) {
  return [=](Writer &w) {
    const Shape &shape = w.outputShape();
    Node a = w.broadcast(w.input("input"), shape), b = w.broadcast(w.input("other"), shape);
    return w.call("compare " + predicate, {a, b}, "", {{shape, "i1"}});
  };
}
Rule reduction(const std::string &op) {
  return [=](Writer &w) -> std::optional<Nodes> {
    Node x = w.input("input");
    const nlohmann::json &dim = w.vector.attributes["dim"];
    Shape dims = dim.is_array() ? dim.get<Shape>() : Shape{dim.get<int64_t>()};
    for (int64_t &d : dims)
      if (d < 0) d += int64_t(x.shape.size());
    std::string type = op == "argmax" ? "i64" : x.type;
    return w.call(op, {x}, "dim = " + Writer::arrayText(dims) + ", " + w.attribute("keepdim"),
                  {{w.outputShape(), type}});
  };
}
Rule loss(const std::string &op) {
  return [=](Writer &w) -> std::optional<Nodes> {
    if (w.vector.inputs.size() != 2) return std::nullopt; // pos_weight
    return Nodes{w.one(op, w.inputs(), w.attribute("reduction"), w.outputShape())};
  };
}
Rule reshaped() {
  return [](Writer &w) { return Nodes{w.reshape(w.input("input"), w.outputShape())}; };
}
Rule indexed(const std::string &op) {
  return
      [=](Writer &w) { return Nodes{w.one(op, w.inputs(), w.attribute("dim"), w.outputShape())}; };
}

std::optional<Nodes> matmul(Writer &w) {
  Node a = w.input("input"), b = w.input("other");
  if (a.shape.size() == 1) a = w.reshape(a, {1, a.shape[0]});
  if (b.shape.size() == 1) b = w.reshape(b, {b.shape[0], 1});
  // Batches: aligned right, 1 stretches.
  Shape batch;
  for (size_t i = 0; i < std::max(a.shape.size(), b.shape.size()) - 2; ++i) {
    auto size = [&](const Shape &s) { return i + 2 < s.size() ? s[s.size() - 3 - i] : 1; };
    batch.insert(batch.begin(), std::max(size(a.shape), size(b.shape)));
  }
  auto stretched = [&](Node node) {
    Shape shape = batch;
    shape.insert(shape.end(), node.shape.end() - 2, node.shape.end());
    return w.broadcast(node, shape);
  };
  Shape result = batch;
  result.insert(result.end(), {a.shape[a.shape.size() - 2], b.shape.back()});
  Node product = w.one("matmul", {stretched(a), stretched(b)}, "", result);
  return Nodes{w.reshape(product, w.outputShape())};
}

std::optional<Nodes> linear(Writer &w) {
  Node x = w.input("input"), weight = w.input("weight");
  int64_t in = x.shape.back(), rows = 1;
  for (int64_t size : x.shape) rows *= size;
  Node y = w.one("matmul", {w.reshape(x, {rows / in, in}), weight}, "transpose_b = true",
                 {rows / in, weight.shape[0]});
  if (w.vector.input("bias")) y = w.simple("add", {y, w.broadcast(w.input("bias"), y.shape)});
  return Nodes{w.reshape(y, w.outputShape())};
}

std::optional<Nodes> conv2d(Writer &w) {
  Node y = w.one("conv2d", {w.input("input"), w.input("weight")},
                 w.attributes({"stride", "padding", "dilation", "groups"}), w.outputShape());
  if (!w.vector.input("bias")) return Nodes{y};
  Node bias = w.reshape(w.input("bias"), {y.shape[1], 1, 1});
  return Nodes{w.simple("add", {y, w.broadcast(bias, y.shape)})};
}

std::optional<Nodes> maxPool2d(Writer &w) {
  if (w.vector.attributes["dilation"] != nlohmann::json({1, 1})) return std::nullopt;
  return Nodes{w.call("max_pool2d", {w.input("input")},
                      w.attributes({"kernel_size", "stride", "padding", "ceil_mode"}),
                      {{w.outputShape(), w.element}, {w.outputShape(), "ui8"}})[0]};
}
std::optional<Nodes> avgPool2d(Writer &w) {
  return Nodes{
      w.one("avg_pool2d", {w.input("input")},
            w.attributes({"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"}),
            w.outputShape())};
}

std::optional<Nodes> batchNorm(Writer &w) {
  Node x = w.input("input"), weight = w.input("weight"), bias = w.input("bias");
  if (!w.vector.attributes["training"].get<bool>())
    return Nodes{w.one("batch_norm_inference",
                       {x, weight, bias, w.input("running_mean"), w.input("running_var")},
                       w.attribute("eps"), x.shape)};
  std::string statistic = w.element == "f64" ? "f64" : "f32";
  Nodes made = w.call("batch_norm", {x, weight, bias}, w.attribute("eps"),
                      {{x.shape, x.type}, {weight.shape, statistic}, {weight.shape, statistic}});
  return made;
}
std::optional<Nodes> layerNorm(Writer &w) {
  Node x = w.input("input");
  Shape shape = w.vector.attributes["normalized_shape"];
  Node weight = w.vector.input("weight") ? w.input("weight") : w.constant("1.0", shape);
  Node bias = w.vector.input("bias") ? w.input("bias") : w.constant("0.0", shape);
  return Nodes{w.one("layer_norm", {x, weight, bias}, w.attribute("eps"), x.shape)};
}

std::optional<Nodes> rmsNorm(Writer &w) {
  return Nodes{w.one("rms_norm", w.inputs(), w.attribute("eps"), w.outputShape())};
}
std::optional<Nodes> groupNorm(Writer &w) {
  return Nodes{
      w.one("group_norm", w.inputs(), w.attributes({"num_groups", "eps"}), w.outputShape())};
}

std::optional<Nodes> crossEntropy(Writer &w) {
  if (w.vector.input("target")->dtype != "i64") return std::nullopt; // probabilities
  return Nodes{w.one("cross_entropy", w.inputs(),
                     w.attributes({"reduction", "label_smoothing", "ignore_index"}),
                     w.outputShape())};
}

std::optional<Nodes> embedding(Writer &w) {
  return Nodes{w.one("embedding", {w.input("weight"), w.input("input")},
                     w.attributes({"padding_idx"}), w.outputShape())};
}
std::optional<Nodes> where(Writer &w) {
  Nodes in;
  for (const Node &node : w.inputs()) in.push_back(w.broadcast(node, w.outputShape()));
  return w.call("select", in, "", {{w.outputShape(), w.element}});
}
std::optional<Nodes> oneHot(Writer &w) {
  return Nodes{w.one("one_hot", w.inputs(), "", w.outputShape())};
}
std::optional<Nodes> softmaxLike(Writer &w, const std::string &op) {
  return Nodes{w.simple(op, w.inputs(), w.attribute("dim"))};
}
std::optional<Nodes> argsort(Writer &w) {
  return w.call("argsort", w.inputs(), w.attributes({"dim", "descending"}),
                {{w.outputShape(), "i64"}});
}
/// The first `k` of the sorted elements (all of them without), and where they come from.
std::optional<Nodes> sorted(Writer &w) {
  Node x = w.input("input");
  bool isTop = w.vector.attributes.contains("k");
  bool descending = w.vector.attributes[isTop ? "largest" : "descending"];
  Node order =
      w.call("argsort", {x}, w.attribute("dim") + fmt::format(", descending = {}", descending),
             {{x.shape, "i64"}})[0];
  if (isTop)
    order = w.one("slice", {order},
                  fmt::format("start = {}, limit = {}, step = {}",
                              Writer::arrayText(Shape(x.shape.size(), 0)),
                              Writer::arrayText(w.outputShape()),
                              Writer::arrayText(Shape(x.shape.size(), 1))),
                  w.outputShape());
  return Nodes{w.one("gather", {x, order}, w.attribute("dim"), w.outputShape()), order};
}
std::optional<Nodes> cat(Writer &w) {
  return Nodes{w.one("concat", w.inputs(), w.attribute("dim"), w.outputShape())};
}
std::optional<Nodes> stack(Writer &w) {
  int64_t dim = w.vector.attributes["dim"];
  if (dim < 0) dim += int64_t(w.outputShape().size());
  Nodes parts;
  for (const Node &node : w.inputs()) {
    Shape shape = node.shape;
    shape.insert(shape.begin() + dim, 1);
    parts.push_back(w.reshape(node, shape));
  }
  return Nodes{w.one("concat", parts, fmt::format("dim = {}", dim), w.outputShape())};
}
std::optional<Nodes> permuted(Writer &w, Shape permutation) {
  return Nodes{w.one("transpose", w.inputs(), "permutation = " + Writer::arrayText(permutation),
                     w.outputShape())};
}
std::optional<Nodes> slice(Writer &w) {
  Node x = w.input("input");
  const nlohmann::json &a = w.vector.attributes;
  Shape start(x.shape.size(), 0), limit = x.shape, step(x.shape.size(), 1);
  size_t dim = a["dim"];
  start[dim] = a["start"];
  limit[dim] = a["end"];
  step[dim] = a["step"];
  return Nodes{w.one("slice", {x},
                     fmt::format("start = {}, limit = {}, step = {}", Writer::arrayText(start),
                                 Writer::arrayText(limit), Writer::arrayText(step)),
                     w.outputShape())};
}
std::optional<Nodes> pad(Writer &w) {
  Node x = w.input("input");
  Shape amounts = w.vector.attributes["pad"]; // last dimension first, low and high
  if (*std::min_element(amounts.begin(), amounts.end()) < 0) return std::nullopt;
  const nlohmann::json &value = w.vector.attributes["value"];
  Shape low(x.shape.size(), 0), high = low, interior = low;
  for (size_t i = 0; i < amounts.size(); i += 2) {
    low[x.shape.size() - 1 - i / 2] = amounts[i];
    high[x.shape.size() - 1 - i / 2] = amounts[i + 1];
  }
  return Nodes{w.one("pad", {x},
                     fmt::format("low = {}, high = {}, interior = {}, value = {} : f64",
                                 Writer::arrayText(low), Writer::arrayText(high),
                                 Writer::arrayText(interior),
                                 value.is_string() ? "0xFFF0000000000000"
                                                   : fmt::format("{:e}", value.get<double>())),
                     w.outputShape())};
}
std::optional<Nodes> globalPool(Writer &w) {
  Node x = w.input("input");
  if (w.vector.name != "global") return std::nullopt;
  Shape window{x.shape[2], x.shape[3]};
  return Nodes{w.one("avg_pool2d", {x},
                     fmt::format("kernel_size = {0}, stride = {0}", Writer::arrayText(window)),
                     w.outputShape())};
}

const std::map<std::string, Rule> &rules() {
  static const std::map<std::string, Rule> table = {
      {"abs", unary("abs")},
      {"neg", unary("neg")},
      {"sign", unary("sign")},
      {"floor", unary("floor")},
      {"ceil", unary("ceil")},
      {"exp", unary("exp")},
      {"log", unary("log")},
      {"log1p", unary("log1p")},
      {"sqrt", unary("sqrt")},
      {"rsqrt", unary("rsqrt")},
      {"sin", unary("sin")},
      {"cos", unary("cos")},
      {"tanh", unary("tanh")},
      {"sigmoid", unary("sigmoid")},
      {"erf", unary("erf")},
      {"relu", unary("relu")},
      {"gelu", unary("gelu")},
      {"clamp", unary("clamp")},
      {"silu", unary("silu")},
      {"elu", unary("elu")},
      {"softplus", unary("softplus")},
      {"argsort", argsort},
      {"sort", sorted},
      {"topk", sorted},
      {"cumsum", [](Writer &w) { return softmaxLike(w, "cumsum"); }},
      {"binary_cross_entropy", loss("binary_cross_entropy")},
      {"rms_norm", rmsNorm},
      {"group_norm", groupNorm},
      {"add", binary("add")},
      {"sub", binary("sub")},
      {"mul", binary("mul")},
      {"div", binary("div")},
      {"maximum", binary("maximum")},
      {"minimum", binary("minimum")},
      {"pow", binary("pow")},
      {"floor_divide", binary("floor_divide")},
      {"remainder", binary("remainder")},
      {"eq", comparison("eq")},
      {"ne", comparison("ne")},
      {"lt", comparison("lt")},
      {"le", comparison("le")},
      {"gt", comparison("gt")},
      {"ge", comparison("ge")},
      {"sum", reduction("sum")},
      {"mean", reduction("mean")},
      {"amax", reduction("max")},
      {"amin", reduction("min")},
      {"argmax", reduction("argmax")},
      {"mse_loss", loss("mse_loss")},
      {"l1_loss", loss("l1_loss")},
      {"binary_cross_entropy_with_logits", loss("bce_with_logits")},
      {"cross_entropy", crossEntropy},
      {"flatten", reshaped()},
      {"reshape", reshaped()},
      {"broadcast_to",
       [](Writer &w) { return Nodes{w.broadcast(w.input("input"), w.outputShape())}; }},
      {"gather", indexed("gather")},
      {"scatter_add", indexed("scatter_add")},
      {"matmul", matmul},
      {"linear", linear},
      {"conv2d", conv2d},
      {"max_pool2d", maxPool2d},
      {"avg_pool2d", avgPool2d},
      {"adaptive_avg_pool2d", globalPool},
      {"batch_norm", batchNorm},
      {"layer_norm", layerNorm},
      {"embedding", embedding},
      {"where", where},
      {"one_hot", oneHot},
      {"cat", cat},
      {"stack", stack},
      {"slice", slice},
      {"pad", pad},
      {"softmax", [](Writer &w) { return softmaxLike(w, "softmax"); }},
      {"log_softmax", [](Writer &w) { return softmaxLike(w, "log_softmax"); }},
      {"permute", [](Writer &w) { return permuted(w, w.vector.attributes["dims"]); }},
      {"transpose",
       [](Writer &w) {
         return permuted(w, {2, 1, 0});
       }},
  };
  return table;
}

} // namespace

VectorText textOf(const VectorCase &vector, const std::string &element, bool gradient) {
  auto rule = rules().find(vector.op);
  if (rule == rules().end()) return {};
  Writer writer(vector, element);
  std::optional<Nodes> made = rule->second(writer);
  if (!made) return {};

  VectorText text;
  text.resultNames = {vector.outputs[0].name};
  Nodes results = *made;
  if (results.size() == 2) text.resultNames.push_back(vector.outputs[1].name);
  if (results.size() == 3) text.resultNames = {"output", "batch_mean", "batch_var"};
  Nodes arguments = writer.inputs();
  if (gradient) {
    std::vector<std::string> wrt, cotangents, types, gradientTypes;
    types.push_back(typeText(results[0]));
    text.resultNames.clear();
    Nodes gradients;
    for (const VectorTensor &wanted : vector.gradients) {
      Node node = writer.input(wanted.name);
      wrt.push_back(node.name);
      types.push_back(typeText(node));
      gradientTypes.push_back(typeText(node));
      text.resultNames.push_back(wanted.name);
      gradients.push_back({fmt::format("%grad#{}", gradients.size()), node.shape, node.type});
    }
    if (gradients.size() == 1) gradients[0].name = "%grad";
    arguments.push_back({"%cotangent", vector.cotangents[0].shape, element});
    types.push_back(typeText(arguments.back()));
    writer.body += fmt::format(
        "    %grad{} = sinter.gradient {} wrt {} cotangents %cotangent : ({}) -> ({})\n",
        gradients.size() == 1 ? "" : fmt::format(":{}", gradients.size()), results[0].name,
        fmt::join(wrt, ", "), fmt::join(types, ", "), fmt::join(gradientTypes, ", "));
    results = gradients;
  }
  std::vector<std::string> parameters, names, types;
  for (const Node &argument : arguments)
    parameters.push_back(argument.name + ": " + typeText(argument));
  for (const Node &result : results) {
    names.push_back(result.name);
    types.push_back(typeText(result));
  }
  text.text = fmt::format("func.func @f({}) -> ({}) {{\n{}    return {} : {}\n}}\n",
                          fmt::join(parameters, ", "), fmt::join(types, ", "), writer.body,
                          fmt::join(names, ", "), fmt::join(types, ", "));
  return text;
}

} // namespace sinter::test
