#include "sinter/check/Corpus.h"

#include "sinter/check/FirstChange.h"
#include "sinter/check/GraphWriter.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/ir/Sinter.h"

#include "mlir/IR/IRMapping.h"

#include <fmt/ranges.h>

using namespace mlir;

namespace sinter::check {
namespace {

/// The function that `w` has written, with its last values as results.
Specimen finish(GraphWriter &w, std::string name, uint64_t seed, std::vector<Node> results,
                const std::vector<std::string> &attributes = {}) {
  std::vector<std::string> parameters, names, types;
  for (size_t i = 0; i < w.arguments.size(); ++i)
    parameters.push_back(w.arguments[i].name + ": " + w.arguments[i].type() +
                         (i < attributes.size() ? attributes[i] : ""));
  for (const Node &result : results) {
    names.push_back(result.name);
    types.push_back(result.type());
  }
  return {std::move(name),
          fmt::format("func.func @f({}) -> ({}) {{\n{}  return {} : {}\n}}\n",
                      fmt::join(parameters, ", "), fmt::join(types, ", "), w.body,
                      fmt::join(names, ", "), fmt::join(types, ", ")),
          w.inputs, seed};
}

Node matmul(GraphWriter &w, const Node &x, const Node &weight, bool transposed = true) {
  Shape shape = x.shape;
  shape.back() = weight.shape[weight.shape.size() - (transposed ? 2 : 1)];
  return w.one("matmul", {x, weight},
               fmt::format("transpose_a = false, transpose_b = {}", transposed), shape, -8, 8);
}
Node unary(GraphWriter &w, const char *op, const Node &x) {
  return w.one(op, {x}, "", x.shape, -8, 8);
}
Node binary(GraphWriter &w, const char *op, const Node &a, const Node &b) {
  return w.one(op, {a, b}, "", a.shape, -8, 8);
}
int64_t size(GraphWriter &w) {
  static const std::vector<int64_t> sizes{1, 2, 3, 4, 5, 8, 9, 16, 17, 20};
  return w.dice.pick(sizes);
}

/// silu(x a) * (x b), as in gated feed-forward layers.
Specimen swiglu(GraphWriter &w, uint64_t seed) {
  int64_t n = size(w), k = size(w), m = size(w);
  Node x = w.input({n, k}, "f32", -1, 1), a = w.input({m, k}, "f32", -1, 1),
       b = w.input({m, k}, "f32", -1, 1);
  Node gate = matmul(w, x, a), value = matmul(w, x, b);
  Node silu = binary(w, "mul", gate, unary(w, "sigmoid", gate));
  return finish(w, "gated layer", seed, {binary(w, "mul", silu, value)});
}

Specimen convNormRelu(GraphWriter &w, uint64_t seed) {
  int64_t n = w.dice.between(1, 3), c = w.dice.between(1, 4), o = size(w),
          side = w.dice.between(3, 7);
  Node x = w.input({n, c, side, side}, "f32", -1, 1), k = w.input({o, c, 3, 3}, "f32", -1, 1);
  std::vector<Node> channel;
  for (int i = 0; i < 4; ++i) channel.push_back(w.input({o}, "f32", i == 3 ? 0.25 : -1, 1));
  Node y = w.one("conv2d", {x, k}, "padding = array<i64: 1, 1>", {n, o, side, side}, -8, 8);
  Node normal = w.one("batch_norm_inference", {y, channel[0], channel[1], channel[2], channel[3]},
                      "", y.shape, -8, 8);
  return finish(w, "convolution and normalisation", seed, {unary(w, "relu", normal)});
}

Specimen attention(GraphWriter &w, uint64_t seed) {
  int64_t heads = w.dice.between(1, 3), t = size(w), d = w.dice.between(1, 8);
  Node q = w.input({heads, t, d}, "f32", -1, 1), k = w.input({heads, t, d}, "f32", -1, 1),
       v = w.input({heads, t, d}, "f32", -1, 1);
  Node scores = matmul(w, q, k);
  Node scaled = binary(w, "mul", scores, w.constant(scores.shape, "f32", 0.5));
  Node p = w.one("softmax", {scaled}, "dim = 2 : i64", scaled.shape, 0, 1);
  return finish(w, "attention", seed, {matmul(w, p, v, false)});
}

Specimen layers(GraphWriter &w, uint64_t seed) {
  int64_t n = size(w), width = size(w);
  Node x = w.input({n, width}, "f32", -1, 1);
  static const std::vector<const char *> ends{"relu", "tanh", "gelu", "sigmoid"};
  int64_t count = w.dice.between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    int64_t next = size(w);
    Node weight = w.input({next, x.shape[1]}, "f32", -1, 1), bias = w.input({next}, "f32", -1, 1);
    Node y = matmul(w, x, weight);
    Node sum = binary(w, "add", y, w.broadcast(bias, y.shape));
    const char *end = w.dice.pick(ends);
    x = w.one(end, {sum}, std::string_view(end) == "gelu" ? "approximate = \"none\"" : "",
              sum.shape, -8, 8);
  }
  return finish(w, "layers", seed, {x});
}

/// A step that learns: state with roles, donated to its successor.
Specimen trainingStep(GraphWriter &w, uint64_t seed) {
  int64_t n = size(w), k = size(w), m = size(w);
  Node x = w.input({n, k}, "f32", -1, 1), target = w.input({n, m}, "f32", -1, 1);
  Node weight = w.input({m, k}, "f32", -1, 1), momentum = w.input({m, k}, "f32", -1, 1);
  Node error = binary(w, "sub", unary(w, "relu", matmul(w, x, weight)), target);
  Node square = binary(w, "mul", error, error);
  Node loss = w.one("mean", {square}, "dim = array<i64: 0, 1>, keepdim = false", {}, 0, 8);
  w.body += fmt::format("  %grad = sinter.gradient {} wrt {} : (tensor<f32>, {}) -> {}\n",
                        loss.name, weight.name, weight.type(), weight.type());
  Node gradient = weight;
  gradient.name = "%grad";
  Node kept = binary(w, "mul", momentum, w.constant(momentum.shape, "f32", 0.875));
  Node moved = binary(w, "add", kept, gradient);
  Node step = binary(w, "mul", moved, w.constant(moved.shape, "f32", 0.125));
  Node next = binary(w, "sub", weight, step);
  return finish(
      w, "training step", seed, {loss, next, moved},
      {"", "", " {sinter.role = \"parameter\", sinter.name = \"weight\", sinter.donated = 1 : i64}",
       " {sinter.role = \"state\", sinter.name = \"momentum\", sinter.donated = 2 : i64}"});
}

} // namespace

Specimen makeSpecimen(uint64_t index) {
  if (index % 3 == 0) {
    static const RandomGraphOptions options;
    GraphWriter w(index * 0x9E3779B97F4A7C15ull + 3, options);
    using Pattern = Specimen (*)(GraphWriter &, uint64_t);
    static const std::vector<Pattern> patterns{swiglu, convNormRelu, attention, layers,
                                               trainingStep};
    return patterns[index / 3 % patterns.size()](w, index);
  }
  RandomGraph graph = makeRandomGraph(index);
  return {"random graph", graph.text, graph.inputs, index};
}

std::optional<Rounds> roundsOf(ModuleOp module, const Specimen &specimen, std::string &problem) {
  if (specimen.inputs.empty()) return drawRounds(module, specimen.seed, 2, true, problem);
  Errors errors(module.getContext());
  OwningOpRef<ModuleOp> copy = evaluable(module, {});
  auto function = *(copy ? *copy : module).getOps<func::FuncOp>().begin();
  RandomGraph graph{specimen.seed, specimen.text, specimen.inputs};
  std::vector<Round> drawn;
  for (uint64_t round = 0; round < 2; ++round)
    drawn.push_back({fmt::format("plain inputs, round {}", round),
                     inputsOf(module.getContext(), graph, round)});
  for (Draw draw : {Draw::nan, Draw::infinity}) {
    Round special{fmt::format("{} among the inputs", nameOf(draw)), drawn[0].inputs};
    plantSpecial(special.inputs, draw, specimen.seed,
                 std::vector<bool>(special.inputs.size(), true));
    drawn.push_back(std::move(special));
  }
  std::vector<Round> usable;
  for (Round &round : drawn)
    if (succeeded(
            codegen::evaluate(function, round.inputs, {.trackErrors = false, .onResult = {}})))
      usable.push_back(std::move(round));
  if (usable.empty()) {
    problem = errors.take();
    return std::nullopt;
  }
  return Rounds{{function.getName().str(), std::move(usable)}};
}

OwningOpRef<ModuleOp> repeated(ModuleOp module, int64_t copies) {
  auto function = *module.getOps<func::FuncOp>().begin();
  bool differentiates = false;
  function.walk([&](ir::GradientOp) { differentiates = true; });
  OwningOpRef<ModuleOp> made = ModuleOp::create(module.getLoc());
  (*made)->setAttrs(module->getAttrs());
  OpBuilder b = OpBuilder::atBlockEnd(made->getBody());
  for (Operation &op : *module.getBody())
    if (!isa<func::FuncOp>(op)) b.clone(op); // kernels
  auto whole =
      func::FuncOp::create(b, function.getLoc(), function.getName(), b.getFunctionType({}, {}));
  Block *body = whole.addEntryBlock();
  b.setInsertionPointToEnd(body);
  SmallVector<Value> results, last;
  for (int64_t i = 0; i < copies; ++i) {
    IRMapping mapping;
    SmallVector<Value> free = last;
    for (BlockArgument argument : function.getArguments()) {
      auto fits =
          llvm::find_if(free, [&](Value value) { return value.getType() == argument.getType(); });
      if (fits != free.end() && !differentiates) {
        mapping.map(argument, *fits);
        free.erase(fits);
      } else {
        mapping.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
      }
    }
    for (Operation &op : function.getBody().front().without_terminator()) b.clone(op, mapping);
    last.clear();
    for (Value result : function.getBody().front().getTerminator()->getOperands())
      last.push_back(mapping.lookup(result));
    llvm::append_range(results, last);
  }
  func::ReturnOp::create(b, function.getLoc(), results);
  whole.setFunctionType(
      b.getFunctionType(body->getArgumentTypes(), TypeRange(ValueRange(results))));
  return made;
}

} // namespace sinter::check
