#include "sinter/check/GraphWriter.h"

#include <algorithm>
#include <cmath>

namespace sinter::check {

static bool isNumber(const Node &node) { return node.element != "i1"; }
static double sizeOf(const Node &node) {
  return std::max(std::fabs(node.low), std::fabs(node.high));
}

bool addElementwise(GraphWriter &w) {
  const Node *found = w.any(isNumber);
  if (!found) return false;
  Node x = *found;
  // Integers grow within i32; ui8 wraps at will.
  if (x.isFloat())
    x = w.tamed(x, 16);
  else if (sizeOf(x) > 1e4)
    return false;
  Node y = w.matching(x);
  if (x.isFloat()) y = w.tamed(y, 16);
  if (!x.isFloat() && sizeOf(y) > 1e4) return false;
  double bound = sizeOf(x) * sizeOf(y);
  bool wraps = x.element == "ui8";
  auto emit = [&](const char *op, double low, double high) {
    w.one(op, {x, y}, "", x.shape, wraps ? 0 : low, wraps ? 255 : high);
    return true;
  };
  switch (w.dice.upTo(x.isFloat() ? 9 : 7)) {
  case 0:
    return emit("add", x.low + y.low, x.high + y.high);
  case 1:
    return emit("sub", x.low - y.high, x.high - y.low);
  case 2:
    return emit("mul", -bound, bound);
  case 3:
    return emit("maximum", std::max(x.low, y.low), std::max(x.high, y.high));
  case 4:
    return emit("minimum", std::min(x.low, y.low), std::min(x.high, y.high));
  case 5:
  case 6: {
    // Divisors of integers are made odd multiples away from 0 by their range, those of floats positive.
    if (!x.isFloat()) {
      y = w.input(x.shape, x.element, 1, 5);
      if (w.dice.chance(0.5)) return emit("floor_divide", -sizeOf(x), sizeOf(x));
      return emit("remainder", 0, 5);
    }
    y = w.positive(y);
    if (w.dice.chance(0.5))
      return emit("floor_divide", -sizeOf(x) / y.low - 1, sizeOf(x) / y.low + 1);
    return emit("remainder", 0, y.high);
  }
  case 7:
    y = w.positive(y);
    return emit("div", -sizeOf(x) / y.low, sizeOf(x) / y.low);
  default:
    x = w.positive(x);
    y = w.tamed(y, 2);
    bound = std::exp(2 * std::max(std::fabs(std::log(x.low)), std::fabs(std::log(x.high))));
    return emit("pow", 0, bound);
  }
}

bool addFunction(GraphWriter &w) {
  const Node *found = w.anyFloat();
  if (!found) return false;
  Node x = w.tamed(*found);
  double size = sizeOf(x);
  auto emit = [&](const std::string &op, double low, double high,
                  const std::string &attributes = "") {
    w.one(op, {x}, attributes, x.shape, low, high);
    return true;
  };
  switch (w.dice.upTo(19)) {
  case 0:
    return emit("neg", -x.high, -x.low);
  case 1:
    return emit("abs", 0, size);
  case 2:
    return emit("exp", 0, std::exp(x.high));
  case 3:
    return emit("sin", -1, 1);
  case 4:
    return emit("cos", -1, 1);
  case 5:
    return emit("tanh", -1, 1);
  case 6:
    return emit("sigmoid", 0, 1);
  case 7:
    return emit("erf", -1, 1);
  case 8:
    return emit("relu", 0, size);
  case 9:
    return emit("gelu", -0.2, size,
                w.dice.chance(0.5) ? "approximate = \"none\"" : "approximate = \"tanh\"");
  case 10:
    return emit("clamp", -1, 1.5, "min = -1.0 : f64, max = 1.5 : f64");
  case 11:
    return emit("sign", -1, 1);
  case 12:
    return emit("floor", std::floor(x.low), x.high);
  case 13:
    return emit("ceil", x.low, std::ceil(x.high));
  case 14:
    return emit(w.dice.chance(0.5) ? "stop_gradient" : "fusion_barrier", x.low, x.high);
  default:
    break;
  }
  x = w.positive(x);
  switch (w.dice.upTo(4)) {
  case 0:
    return emit("log", std::log(x.low), std::log(x.high));
  case 1:
    return emit("sqrt", 0, std::sqrt(x.high));
  case 2:
    return emit("rsqrt", 0, 1 / std::sqrt(x.low));
  default:
    return emit("log1p", 0, std::log1p(x.high));
  }
}

bool addChoice(GraphWriter &w) {
  static const std::vector<std::string> predicates{"eq", "ne", "lt", "le", "gt", "ge"};
  static const std::vector<std::string> types{"f32", "f64", "i32", "i64", "ui8", "i1"};
  const Node *mask = w.any([](const Node &node) { return node.element == "i1"; });
  switch (w.dice.upTo(6)) {
  case 0:
  case 1: {
    const Node *x = w.any(isNumber);
    if (!x) return false;
    Node left = *x;
    w.compare(w.dice.pick(predicates), left, w.matching(left));
    return true;
  }
  case 2: {
    const Node *x = w.any([](const Node &) { return true; });
    Node left = *x, right = w.matching(left);
    Node condition = w.compare(w.dice.pick(predicates), left, right);
    w.typed("select", {condition, left, right}, "", left.shape, left.element,
            std::min(left.low, right.low), std::max(left.high, right.high));
    return true;
  }
  case 3: {
    if (!mask) return false;
    Node a = *mask;
    if (w.dice.chance(0.3)) return w.one("logical_not", {a}, "", a.shape, 0, 1), true;
    w.one(w.dice.chance(0.5) ? "logical_and" : "logical_or", {a, w.matching(a)}, "", a.shape, 0, 1);
    return true;
  }
  case 4: {
    const Node *x = w.anyFloat();
    if (!x) return false;
    w.typed("is_finite", {*x}, "", x->shape, "i1", 0, 1);
    return true;
  }
  default: {
    Node x = *w.any([](const Node &node) { return sizeOf(node) < 1000; });
    w.cast(x, x.isFloat() && w.dice.chance(0.5) ? w.floatType() : w.dice.pick(types));
    return true;
  }
  }
}

} // namespace sinter::check
