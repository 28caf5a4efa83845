#include "sinter/check/GraphWriter.h"

#include <algorithm>
#include <numeric>

namespace sinter::check {

static bool isSmall(const Node &node) { return node.size() <= 2048; }

static Shape regrouped(GraphWriter &w, const Node &x) {
  // Prime factors dealt out to a new number of dimensions.
  Shape made(w.dice.between(1, 4), 1);
  int64_t rest = x.size();
  for (int64_t factor = 2; rest > 1; ++factor)
    for (; rest % factor == 0; rest /= factor) made[w.dice.upTo(int64_t(made.size()))] *= factor;
  return made;
}

bool addView(GraphWriter &w) {
  const Node *found = w.any(isSmall);
  if (!found) return false;
  Node x = *found;
  int64_t rank = int64_t(x.shape.size());
  switch (w.dice.upTo(8)) {
  case 0:
    w.reshape(x, x.size() == 1 && w.dice.chance(0.5) ? Shape{} : regrouped(w, x));
    return true;
  case 1: {
    Shape permutation(rank), shape;
    std::iota(permutation.begin(), permutation.end(), 0);
    for (int64_t i = rank; i-- > 1;) std::swap(permutation[i], permutation[w.dice.upTo(i + 1)]);
    for (int64_t dim : permutation) shape.push_back(x.shape[dim]);
    w.one("transpose", {x}, "permutation = " + arrayText(permutation), shape, x.low, x.high);
    return true;
  }
  case 2: {
    Shape shape = x.shape;
    for (int64_t &size : shape)
      if (size == 1 && w.dice.chance(0.7)) size = w.dice.between(2, 5);
    if (shape.size() < 4 && w.dice.chance(0.7)) shape.insert(shape.begin(), w.dice.between(1, 4));
    if (shape == x.shape) return false;
    w.broadcast(x, shape);
    return true;
  }
  case 3: {
    Shape start, limit, step, shape;
    for (int64_t size : x.shape) {
      start.push_back(w.dice.upTo(size));
      limit.push_back(w.dice.between(start.back() + 1, size));
      step.push_back(w.dice.between(1, 3));
      shape.push_back((limit.back() - start.back() + step.back() - 1) / step.back());
    }
    if (shape.empty()) return false;
    w.one("slice", {x},
          fmt::format("start = {}, limit = {}, step = {}", arrayText(start), arrayText(limit),
                      arrayText(step)),
          shape, x.low, x.high);
    return true;
  }
  case 4: {
    Shape low, high, interior, shape;
    for (int64_t size : x.shape) {
      low.push_back(w.dice.upTo(3));
      high.push_back(w.dice.upTo(3));
      interior.push_back(w.dice.chance(0.3));
      shape.push_back(low.back() + size + (size - 1) * interior.back() + high.back());
    }
    if (shape.empty()) return false;
    w.one("pad", {x},
          fmt::format("low = {}, high = {}, interior = {}, value = 1.0 : f64", arrayText(low),
                      arrayText(high), arrayText(interior)),
          shape, std::min(x.low, 1.0), std::max(x.high, 1.0));
    return true;
  }
  case 5: {
    if (rank == 0) return false;
    int64_t dim = w.dice.upTo(rank);
    std::vector<Node> parts{x};
    Shape shape = x.shape;
    double low = x.low, high = x.high;
    for (int64_t more = w.dice.between(1, 2); more-- > 0;) {
      Node part = w.matching(x);
      shape[dim] += part.shape[dim];
      low = std::min(low, part.low);
      high = std::max(high, part.high);
      parts.push_back(part);
    }
    w.one("concat", parts, fmt::format("dim = {} : i64", dim), shape, low, high);
    return true;
  }
  case 6: {
    Shape shape = w.shape(1, 3);
    std::string type = w.dice.chance(0.5) ? "i64" : "f32";
    w.typed("iota", {}, fmt::format("dim = {} : i64", w.dice.upTo(int64_t(shape.size()))), shape,
            type, 0, 17);
    return true;
  }
  default:
    w.constant(w.shape(0, 3), w.dice.chance(0.3) ? "i64" : w.floatType(),
               double(w.dice.between(-3, 3)));
    return true;
  }
}

bool addIndexed(GraphWriter &w) {
  const Node *found = w.any([](const Node &node) {
    return !node.shape.empty() && node.size() <= 2048 && node.element != "i1";
  });
  if (!found) return false;
  Node x = *found;
  int64_t rank = int64_t(x.shape.size()), dim = w.dice.upTo(rank);
  std::string indexType = w.dice.chance(0.5) ? "i64" : "i32";
  switch (w.dice.upTo(4)) {
  case 0: {
    if (!x.isFloat() || rank != 2) return false;
    Shape shape = w.shape(1, 2);
    Node index = w.input(shape, indexType, 0, double(x.shape[0] - 1));
    shape.push_back(x.shape[1]);
    w.one("embedding", {x, index}, "", shape, x.low, x.high);
    return true;
  }
  case 1: {
    Shape shape = x.shape;
    shape[dim] = w.dice.between(1, 9);
    Node index = w.input(shape, indexType, 0, double(x.shape[dim] - 1));
    w.one("gather", {x, index}, fmt::format("dim = {} : i64", dim), shape, x.low, x.high);
    return true;
  }
  case 2: {
    Shape shape = x.shape;
    shape[dim] = w.dice.between(1, 9);
    Node index = w.input(shape, indexType, 0, double(x.shape[dim] - 1));
    bool wraps = x.element == "ui8";
    Node source = w.input(shape, x.element, x.isFloat() ? -1.0 : 0.0, wraps ? 5 : 1);
    w.one("scatter_add", {x, index, source}, fmt::format("dim = {} : i64", dim), x.shape,
          wraps ? 0 : x.low - 9, wraps ? 255 : x.high + 9);
    return true;
  }
  default: {
    Shape shape = w.shape(1, 2);
    Node index = w.input(shape, indexType, -1, 6);
    shape.push_back(6);
    w.typed("one_hot", {index}, "", shape, w.dice.chance(0.5) ? "i64" : w.floatType(), 0, 1);
    return true;
  }
  }
}

bool addRandomNumbers(GraphWriter &w) {
  Node seed = w.input({}, "i64", 1, 1000), step = w.input({}, "i64", 0, 100);
  int64_t stream = w.dice.upTo(1 << 30);
  switch (w.dice.upTo(4)) {
  case 0:
    w.typed("random_uniform", {seed, step},
            fmt::format("stream = {} : i64, low = -1.0 : f64, high = 2.0 : f64", stream), w.shape(),
            w.floatType(), -1, 2);
    return true;
  case 1:
    w.typed("random_normal", {seed, step}, fmt::format("stream = {} : i64", stream), w.shape(),
            w.floatType(), -6, 6);
    return true;
  case 2:
    w.typed("random_bernoulli", {seed, step},
            fmt::format("stream = {} : i64, p = 0.25 : f64", stream), w.shape(), w.floatType(), 0,
            1);
    return true;
  default: {
    Node x = *w.anyFloat();
    w.one("dropout", {x, seed, step}, fmt::format("stream = {} : i64, p = 0.5 : f64", stream),
          x.shape, std::min(2 * x.low, 0.0), std::max(2 * x.high, 0.0));
    return true;
  }
  }
}

} // namespace sinter::check
