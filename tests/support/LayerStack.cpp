#include "LayerStack.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <vector>

namespace sinter::test {
namespace {

using Shape = std::vector<int>;

std::string typeOf(const Shape &shape) {
  return fmt::format("tensor<{}{}f32>", fmt::join(shape, "x"), shape.empty() ? "" : "x");
}

/// Writes a function line by line; each op has a line of its own as its location.
class Writer {
public:
  /// An op whose operands and result are of one shape.
  std::string same(const std::string &op, const std::string &operands, const Shape &shape,
                   const std::string &attributes = "") {
    return line(fmt::format("sinter.{} {} {} : {}", op, operands, attributes, typeOf(shape)));
  }
  std::string to(const std::string &op, const std::string &operands, const std::vector<Shape> &from,
                 const Shape &shape, const std::string &attributes = "") {
    std::vector<std::string> types;
    for (const Shape &each : from) types.push_back(typeOf(each));
    return line(fmt::format("sinter.{} {} {} : ({}) -> {}", op, operands, attributes,
                            fmt::join(types, ", "), typeOf(shape)));
  }
  std::string constant(double value, const Shape &shape) {
    return line(fmt::format("sinter.constant dense<{:e}> : {}", value, typeOf(shape)));
  }
  std::string parameter(const std::string &name, const Shape &shape) {
    parameters.push_back({name, shape});
    return fmt::format("%p{}", parameters.size() - 1);
  }
  std::string dense(const std::string &x, int rows, int in, int out, const std::string &name) {
    std::string weight = parameter(name + ".weight", {out, in}),
                bias = parameter(name + ".bias", {out});
    std::string y = to("matmul", x + ", " + weight, {{rows, in}, {out, in}}, {rows, out},
                       "{transpose_b = true}");
    std::string wide = to("broadcast", bias, {{out}}, {rows, out});
    return same("add", y + ", " + wide, {rows, out});
  }
  /// Loss, gradients and Adam; the whole module.
  std::string finish(const std::string &logits, const Shape &input, int rows, int classes) {
    std::string labels = fmt::format("tensor<{}xi64>", rows);
    std::string loss = line(fmt::format("sinter.cross_entropy {}, %labels : ({}, {}) -> {}", logits,
                                        typeOf({rows, classes}), labels, typeOf({})));
    std::vector<std::string> names, types, arguments, results{loss}, resultTypes{typeOf({})};
    for (size_t i = 0; i < parameters.size(); ++i) {
      names.push_back(fmt::format("%p{}", i));
      types.push_back(typeOf(parameters[i].shape));
    }
    body += fmt::format("  %g:{} = sinter.gradient {} wrt {} : ({}, {}) -> ({}) {}\n", names.size(),
                        loss, fmt::join(names, ", "), typeOf({}), fmt::join(types, ", "),
                        fmt::join(types, ", "), place());
    arguments = {"%x: " + typeOf(input), "%labels: " + labels};
    for (size_t i = 0; i < parameters.size(); ++i) {
      adam(fmt::format("%g#{}", i), names[i], parameters[i].shape, results);
      for (auto [role, name, suffix] :
           {std::tuple("parameter", "", ""), {"state", ".m", "m"}, {"state", ".v", "v"}}) {
        arguments.push_back(fmt::format("{}{}: {} {{sinter.role = \"{}\", sinter.name = \"{}{}\", "
                                        "sinter.donated = {} : i64}}",
                                        names[i], suffix, types[i], role, parameters[i].name, name,
                                        resultTypes.size()));
        resultTypes.push_back(types[i]);
      }
    }
    return fmt::format("func.func @train_step({}) -> ({}) {{\n{}  return {} : {}\n}}\n",
                       fmt::join(arguments, ", "), fmt::join(resultTypes, ", "), body,
                       fmt::join(results, ", "), fmt::join(resultTypes, ", "));
  }

private:
  std::string place() { return fmt::format("loc(\"model.cpp\":{}:1)", ++lines); }
  std::string line(const std::string &text) {
    std::string name = fmt::format("%v{}", values++);
    body += fmt::format("  {} = {} {}\n", name, text, place());
    return name;
  }
  void adam(const std::string &g, const std::string &p, const Shape &shape,
            std::vector<std::string> &results) {
    auto two = [&](const char *op, const std::string &a, const std::string &b) {
      return same(op, a + ", " + b, shape);
    };
    std::string m =
        two("add", two("mul", p + "m", constant(0.9, shape)), two("mul", g, constant(0.1, shape)));
    std::string v = two("add", two("mul", p + "v", constant(0.999, shape)),
                        two("mul", two("mul", g, g), constant(0.001, shape)));
    std::string root = two("add", same("sqrt", v, shape), constant(1e-8, shape));
    std::string step = two("mul", two("div", m, root), constant(0.001, shape));
    for (const std::string &result : {two("sub", p, step), m, v}) results.push_back(result);
  }

  struct Parameter {
    std::string name;
    Shape shape;
  };
  std::vector<Parameter> parameters;
  std::string body;
  int values = 0, lines = 0;
};

} // namespace

std::string mlpStep(int layers) {
  constexpr int rows = 32, width = 64, classes = 10;
  Writer w;
  std::string h = "%x";
  for (int layer = 0; layer < layers; ++layer)
    h = w.same("relu", w.dense(h, rows, width, width, fmt::format("fc{}", layer)), {rows, width});
  return w.finish(w.dense(h, rows, width, classes, "head"), {rows, width}, rows, classes);
}

std::string encoderStep(int layers) { return encoderStep(layers, {}); }

std::string encoderStep(int layers, const EncoderSize &size) {
  const auto [batch, tokens, width, heads, hidden] = size;
  const int depth = width / heads, classes = 10, rows = batch * tokens;
  Writer w;
  std::string h = "%x";
  const Shape flat{rows, width}, wide{rows, hidden}, beside{batch, tokens, heads, depth},
      apart{batch, heads, tokens, depth}, scores{batch, heads, tokens, tokens};
  const Shape features{width};
  auto norm = [&, width = width](const std::string &x, const std::string &name) {
    std::string weight = w.parameter(name + ".weight", {width}),
                bias = w.parameter(name + ".bias", {width});
    return w.to("layer_norm", x + ", " + weight + ", " + bias, {flat, features, features}, flat);
  };
  auto split = [&](const std::string &x) {
    std::string r = w.to("reshape", x, {flat}, beside);
    return w.to("transpose", r, {beside}, apart, "{permutation = array<i64: 0, 2, 1, 3>}");
  };
  for (int layer = 0; layer < layers; ++layer) {
    std::string own = fmt::format("layer{}.", layer), n = norm(h, own + "norm1");
    std::vector<std::string> qkv;
    for (const char *name : {"q", "k", "v"})
      qkv.push_back(split(w.dense(n, rows, width, width, own + name)));
    std::string s =
        w.to("matmul", qkv[0] + ", " + qkv[1], {apart, apart}, scores, "{transpose_b = true}");
    s = w.same("mul", s + ", " + w.constant(1 / std::sqrt(double(depth)), scores), scores);
    s = w.same("softmax", s, scores, "{dim = 3 : i64}");
    s = w.to("matmul", s + ", " + qkv[2], {scores, apart}, apart);
    s = w.to("transpose", s, {apart}, beside, "{permutation = array<i64: 0, 2, 1, 3>}");
    s = w.to("reshape", s, {beside}, flat);
    h = w.same("add", h + ", " + w.dense(s, rows, width, width, own + "out"), flat);
    n = w.dense(norm(h, own + "norm2"), rows, width, hidden, own + "up");
    n = w.same("gelu", n, wide);
    h = w.same("add", h + ", " + w.dense(n, rows, hidden, width, own + "down"), flat);
  }
  h = w.to("reshape", h, {flat}, {batch, tokens, width});
  h = w.to("mean", h, {{batch, tokens, width}}, {batch, width}, "{dim = array<i64: 1>}");
  return w.finish(w.dense(h, batch, width, classes, "head"), {rows, width}, batch, classes);
}

} // namespace sinter::test
