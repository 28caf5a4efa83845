#include "sinter/check/GraphWriter.h"

#include <algorithm>
#include <cmath>

namespace sinter::check {

static bool isFolding(const Node &node) { return !node.shape.empty() && node.size() <= 2048; }

bool addReduction(GraphWriter &w) {
  const Node *found = w.any(isFolding);
  if (!found) return false;
  Node x = *found;
  Shape dims, shape;
  bool keep = w.dice.chance(0.4);
  double count = 1;
  for (int64_t dim = 0; dim < int64_t(x.shape.size()); ++dim) {
    if (w.dice.chance(0.5) || (dims.empty() && dim + 1 == int64_t(x.shape.size()))) {
      dims.push_back(dim);
      count *= double(x.shape[dim]);
      if (keep) shape.push_back(1);
    } else {
      shape.push_back(x.shape[dim]);
    }
  }
  std::string attributes = fmt::format("dim = {}, keepdim = {}", arrayText(dims), keep);
  switch (w.dice.upTo(5)) {
  case 0:
    if (x.element == "i1") return false;
    if (x.isFloat()) x = w.tamed(x, 1000 / count);
    if (x.element == "ui8") return w.one("sum", {x}, attributes, shape, 0, 255), true;
    w.one("sum", {x}, attributes, shape, std::min(x.low * count, x.low),
          std::max(x.high * count, x.high));
    return true;
  case 1:
    if (!x.isFloat()) return false;
    w.one("mean", {x}, attributes, shape, x.low, x.high);
    return true;
  case 2:
  case 3:
    if (x.element == "i1") return false;
    w.one(w.dice.chance(0.5) ? "max" : "min", {x}, attributes, shape, x.low, x.high);
    return true;
  default:
    if (keep && dims.size() == 1) {
      std::string order = fmt::format("dim = {} : i64, descending = {}", dims[0], dims[0] == 0);
      w.typed("argsort", {x}, order, x.shape, "i64", 0, count - 1);
      return true;
    }
    w.typed("argmax", {x}, attributes, shape, "i64", 0, count - 1);
    return true;
  }
}

bool addContraction(GraphWriter &w) {
  if (w.dice.chance(0.3)) {
    const Node *image = w.any([](const Node &node) {
      return node.isFloat() && node.shape.size() == 4 && node.shape[2] >= 3 && node.shape[3] >= 3 &&
             node.size() <= 2048;
    });
    Node x = w.tamed(image ? *image
                           : w.input({w.dice.between(1, 3), w.dice.between(1, 4),
                                      w.dice.between(3, 8), w.dice.between(3, 9)},
                                     w.floatType(), -2, 2),
                     2);
    int64_t out = w.dice.between(1, 5), pad = w.dice.upTo(2), stride = w.dice.between(1, 2),
            size = w.dice.between(1, 3);
    Node weight = w.input({out, x.shape[1], size, size}, x.element, -1, 1);
    auto extent = [&](int64_t n) { return (n + 2 * pad - size) / stride + 1; };
    double bound = 2.0 * double(x.shape[1] * size * size);
    w.one("conv2d", {x, weight},
          fmt::format("stride = array<i64: {0}, {0}>, padding = array<i64: {1}, {1}>, dilation = "
                      "array<i64: 1, 1>, groups = 1 : i64",
                      stride, pad),
          {x.shape[0], out, extent(x.shape[2]), extent(x.shape[3])}, -bound, bound);
    return true;
  }
  const Node *found = w.any([](const Node &node) {
    return node.isFloat() && node.shape.size() >= 2 && node.size() <= 2048;
  });
  if (!found) return false;
  Node a = w.tamed(*found, 2);
  bool transposeA = w.dice.chance(0.3), transposeB = w.dice.chance(0.4);
  size_t rank = a.shape.size();
  int64_t m = a.shape[rank - 2], k = a.shape[rank - 1], n = w.dice.between(1, 9);
  if (transposeA) std::swap(m, k);
  Shape right(a.shape.begin(), a.shape.end() - 2), result = right;
  right.insert(right.end(), {transposeB ? n : k, transposeB ? k : n});
  result.insert(result.end(), {m, n});
  Node b = w.input(right, a.element, -1, 1);
  w.one("matmul", {a, b}, fmt::format("transpose_a = {}, transpose_b = {}", transposeA, transposeB),
        result, -2.0 * double(k), 2.0 * double(k));
  return true;
}

bool addRowOp(GraphWriter &w) {
  const Node *found = w.any([](const Node &node) { return node.isFloat() && isFolding(node); });
  if (!found) return false;
  Node x = w.tamed(*found, 8);
  int64_t rank = int64_t(x.shape.size());
  switch (w.dice.upTo(5)) {
  case 0:
    w.one("softmax", {x}, fmt::format("dim = {} : i64", w.dice.upTo(rank)), x.shape, 0, 1);
    return true;
  case 1:
    w.one("log_softmax", {x}, fmt::format("dim = {} : i64", w.dice.upTo(rank)), x.shape, -25, 0);
    return true;
  case 2: {
    // A row must have some spread, or 1 / sqrt(variance + eps) magnifies what rounding leaves of it.
    Shape trailing(x.shape.begin() + w.dice.upTo(rank), x.shape.end());
    Node weight = w.input(trailing, x.element, 0.5, 1.5),
         bias = w.input(trailing, x.element, -1, 1);
    w.one("layer_norm", {x, weight, bias}, "eps = 1.0e-1 : f64", x.shape, -60, 60);
    return true;
  }
  case 3: {
    if (rank < 2) return false;
    Shape channels{x.shape[1]};
    std::string statistic = x.element == "f64" ? "f64" : "f32";
    Node weight = w.input(channels, x.element, 0.5, 1.5),
         bias = w.input(channels, x.element, -1, 1);
    w.call("batch_norm", {x, weight, bias}, "eps = 1.0e-1 : f64",
           {{"", x.shape, x.element, -60, 60},
            {"", channels, statistic, -8, 8},
            {"", channels, statistic, 0, 64}});
    return true;
  }
  default: {
    if (rank < 2) return false;
    Shape channels{x.shape[1]};
    Node weight = w.input(channels, x.element, 0.5, 1.5),
         bias = w.input(channels, x.element, -1, 1);
    Node mean = w.input(channels, x.element, -1, 1),
         variance = w.input(channels, x.element, 0.5, 2);
    w.one("batch_norm_inference", {x, weight, bias, mean, variance}, "eps = 1.0e-5 : f64", x.shape,
          -25, 25);
    return true;
  }
  }
}

/// Heads that share a key, causal, with a mask of numbers, weights that are dropped; every row takes the first key.
bool addAttention(GraphWriter &w) {
  const Node *found = w.any([](const Node &node) {
    return node.isFloat() && node.shape.size() == 4 && node.size() > 0 && node.size() <= 1024;
  });
  if (!found && w.dice.chance(0.6)) return false;
  static const std::vector<int64_t> headCounts{1, 2, 4};
  Node query = found ? *found
                     : w.input({w.dice.between(1, 2), w.dice.pick(headCounts),
                                w.dice.between(1, 18), w.dice.between(1, 9)},
                               w.floatType(), -2, 2);
  query = w.tamed(query, 2);
  int64_t batch = query.shape[0], heads = query.shape[1], rows = query.shape[2],
          features = query.shape[3], keys = w.dice.between(1, 35), values = w.dice.between(1, 9);
  int64_t groups = heads % 2 == 0 && w.dice.chance(0.5) ? heads / 2 : heads;
  std::vector<Node> operands{query, w.input({batch, groups, keys, features}, query.element, -1, 1),
                             w.input({batch, groups, keys, values}, query.element, -2, 2)};
  bool masked = w.dice.chance(0.3), drops = w.dice.chance(0.2);
  if (masked) {
    Shape mask{batch, heads, rows, keys};
    for (size_t dim = 0; dim < 3; ++dim)
      if (w.dice.chance(0.5)) mask[dim] = 1;
    operands.push_back(w.input(mask, query.element, -1, 1));
  }
  if (drops) {
    operands.push_back(w.input({}, "i64", 1, 1000));
    operands.push_back(w.input({}, "i64", 0, 100));
  }
  std::string attributes =
      fmt::format("scale = {:e} : f64, is_causal = {}, p = {} : f64, stream = {} : i64, "
                  "operandSegmentSizes = array<i32: 1, 1, 1, {}, {}, {}>",
                  1 / std::sqrt(double(features)), w.dice.chance(0.4), drops ? "0.25" : "0.0",
                  w.dice.upTo(1 << 30), masked ? 1 : 0, drops ? 1 : 0, drops ? 1 : 0);
  double most = drops ? 2.0 * double(keys) : 2;
  w.call("attention", operands, attributes,
         {{"", {batch, heads, rows, values}, query.element, -most, most},
          {"", {batch, heads, rows}, query.element == "f64" ? "f64" : "f32", -16, 32}});
  return true;
}

bool addLoss(GraphWriter &w) {
  static const std::vector<std::string> reductions{"mean", "sum", "none"};
  const std::string &reduction = w.dice.pick(reductions);
  if (w.dice.chance(0.4)) {
    const Node *found = w.any([](const Node &node) {
      return node.isFloat() && node.shape.size() >= 2 && node.size() <= 2048;
    });
    if (!found) return false;
    Node x = w.tamed(*found, 8);
    Shape shape = x.shape;
    shape.erase(shape.begin() + 1);
    Node target = w.input(shape, "i64", 0, double(x.shape[1] - 1));
    w.one("cross_entropy", {x, target},
          fmt::format("reduction = \"{}\", label_smoothing = {} : f64, ignore_index = -100 : i64",
                      reduction, w.dice.chance(0.5) ? "0.0" : "0.125"),
          reduction == "none" ? shape : Shape{}, 0,
          reduction == "sum" ? 25.0 * double(target.size()) : 25);
    return true;
  }
  const Node *found = w.anyFloat();
  if (!found || found->size() > 2048) return false;
  Node x = w.tamed(*found, 2), y = w.matching(x);
  y = w.tamed(y, 2);
  static const std::vector<std::string> ops{"mse_loss", "l1_loss", "bce_with_logits"};
  w.one(w.dice.pick(ops), {x, y}, fmt::format("reduction = \"{}\"", reduction),
        reduction == "none" ? x.shape : Shape{},
        reduction == "sum" ? -16.0 * double(x.size()) : -16,
        reduction == "sum" ? 16.0 * double(x.size()) : 16);
  return true;
}

bool addPool(GraphWriter &w) {
  const Node *found = w.any([](const Node &node) {
    return node.isFloat() && node.shape.size() == 4 && node.shape[2] >= 2 && node.shape[3] >= 2 &&
           node.size() <= 2048;
  });
  Node x = found ? *found
                 : w.input({w.dice.between(1, 2), w.dice.between(1, 3), w.dice.between(2, 9),
                            w.dice.between(2, 9)},
                           w.floatType(), -2, 2);
  int64_t size = 2, stride = w.dice.between(1, 2), pad = w.dice.upTo(2);
  auto extent = [&](int64_t n) { return (n + 2 * pad - size) / stride + 1; };
  Shape shape{x.shape[0], x.shape[1], extent(x.shape[2]), extent(x.shape[3])};
  std::string attributes = fmt::format("kernel_size = array<i64: {0}, {0}>, stride = array<i64: "
                                       "{1}, {1}>, padding = array<i64: {2}, {2}>, "
                                       "ceil_mode = false",
                                       size, stride, pad);
  if (w.dice.chance(0.5)) {
    w.call("max_pool2d", {x}, attributes,
           {{"", shape, x.element, x.low, x.high}, {"", shape, "ui8", 0, 3}});
    return true;
  }
  w.one("avg_pool2d", {x}, attributes + fmt::format(", count_include_pad = {}", w.dice.chance(0.5)),
        shape, std::min(x.low, 0.0), std::max(x.high, 0.0));
  return true;
}

} // namespace sinter::check
