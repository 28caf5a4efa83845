#include "Rows.h"

#include <cmath>

namespace sinter::test {

static OpRow castRow() {
  OpRow row{"cast", elements, {}};
  // Floats stay away from whole numbers, where truncation jumps.
  Generator numbers = [](std::mt19937 &random, int64_t count, const std::string &dtype) {
    Generator drawn =
        isFloatName(dtype) ? awayFrom({-2, -1, 0, 1, 2, 3}, -1.8, 2.8) : uniform(-3, 3);
    return drawn(random, count, dtype);
  };
  for (const std::string &to : elements) {
    row.cases.push_back(
        call("to_" + to, "cast", "", {in("5x7", numbers)}, {"5x7x" + to}, isFloatName(to)));
    row.cases.back().differences = to == "f64";
  }
  return row;
}

/// Quotients stay away from whole numbers in some cases, where there is a gradient, and roam in others.
static OpRow remainderRow() {
  OpRow row = binaryRow("remainder", numbers, uniform(-9, 9), awayFrom({0}, -3, 3), false);
  Generator floatsOnly = uniform(6.5, 7), divisors = uniform(4, 4.8);
  for (const char *shape : {"7", "3x5"})
    row.cases.push_back(call(std::string("smooth") + shape, "remainder", "",
                             {in(shape, floatsOnly), in(shape, divisors)},
                             {std::string(shape) + "xT"}, 1));
  return row;
}

static OpRow compareRow() {
  OpRow row{"compare", elements, {}};
  for (const char *predicate : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    OpCase made =
        call(predicate, "compare", "", {in("4x9", ties()), in("4x9", ties())}, {"4x9xi1"});
    made.body = fmt::format(
        "  %r = sinter.compare {} %a0, %a1 : (tensor<4x9xT>, tensor<4x9xT>) -> tensor<4x9xi1>",
        predicate);
    row.cases.push_back(made);
  }
  return row;
}

static OpRow selectRow() {
  OpRow row{"select", elements, {}};
  for (const std::string &shape : elementwiseShapes()) {
    std::string x = shape.empty() ? "" : shape + "x";
    row.cases.push_back(call(
        "shape" + shape, "select", "",
        {fixed(shape, "i1", uniform(0, 1)), in(shape, uniform(-3, 3)), in(shape, uniform(-3, 3))},
        {x + "T"}, 1));
  }
  return row;
}

static OpRow isFiniteRow() {
  OpRow row{"is_finite", floats, {}};
  Generator special = [](std::mt19937 &, int64_t count, const std::string &) {
    const double cycle[] = {1, HUGE_VAL, -0.0, -HUGE_VAL, std::nan(""), 1e-3, -7};
    std::vector<double> numbers;
    for (int64_t i = 0; i < count; ++i) numbers.push_back(cycle[i % 7]);
    return numbers;
  };
  row.cases.push_back(call("special", "is_finite", "", {in("5x7", special)}, {"5x7xi1"}));
  row.cases.push_back(call("scalar", "is_finite", "", {in("", special)}, {"i1"}));
  return row;
}

void addElementwiseRows(std::vector<OpRow> &table) {
  Generator any = uniform(-3, 3), positive = uniform(0.25, 4), nonZero = awayFrom({0}, -3, 3);
  table.push_back(binaryRow("add", numbers, any, any, true));
  table.push_back(binaryRow("sub", numbers, any, any, true));
  table.push_back(binaryRow("mul", numbers, any, any, true));
  table.push_back(binaryRow("div", floats, any, nonZero, true));
  table.push_back(binaryRow("floor_divide", numbers, uniform(-9, 9), awayFrom({0}, -3, 3), false));
  table.push_back(remainderRow());
  table.push_back(binaryRow("pow", floats, positive, uniform(-2, 2), true));
  table.push_back(binaryRow("maximum", numbers, any, uniform(-3, 3), true));
  table.push_back(binaryRow("minimum", numbers, any, uniform(-3, 3), true));
  table.push_back(unaryRow("neg", numbers, any, true));
  table.push_back(unaryRow("abs", numbers, nonZero, true));
  table.push_back(unaryRow("sign", numbers, nonZero, false));
  table.push_back(unaryRow("floor", floats, awayFrom({-3, -2, -1, 0, 1, 2, 3}, -3, 3), false));
  table.push_back(unaryRow("ceil", floats, awayFrom({-3, -2, -1, 0, 1, 2, 3}, -3, 3), false));
  table.push_back(unaryRow("exp", floats, any, true));
  table.push_back(unaryRow("log", floats, positive, true));
  table.push_back(unaryRow("log1p", floats, uniform(-0.75, 4), true));
  table.push_back(unaryRow("sqrt", floats, positive, true));
  table.push_back(unaryRow("rsqrt", floats, positive, true));
  table.push_back(unaryRow("sin", floats, any, true));
  table.push_back(unaryRow("cos", floats, any, true));
  table.push_back(unaryRow("tanh", floats, any, true));
  table.push_back(unaryRow("sigmoid", floats, uniform(-8, 8), true));
  table.push_back(unaryRow("erf", floats, any, true));
  table.push_back(unaryRow("relu", numbers, nonZero, true));
  table.push_back(unaryRow("gelu", floats, uniform(-5, 5), true, "approximate = \"none\""));
  for (const OpCase &c :
       unaryRow("gelu", floats, uniform(-5, 5), true, "approximate = \"tanh\"").cases) {
    table.back().cases.push_back(c);
    table.back().cases.back().name += "_tanh";
  }
  table.push_back(unaryRow("silu", floats, uniform(-8, 8), true));
  table.push_back(unaryRow("elu", floats, awayFrom({0}, -5, 5), true, "alpha = 1.0 : f64"));
  table.back().cases.push_back(
      call("alpha", "elu", "alpha = 0.3 : f64", {in("17", awayFrom({0}, -3, 3))}, {"17xT"}, 1));
  table.back().cases.push_back(
      call("large", "elu", "", {in("17", awayFrom({0}, -90, 90))}, {"17xT"}, 1));
  table.push_back(unaryRow("softplus", floats, uniform(-8, 8), true));
  // Beyond the threshold it is x itself.
  table.back().cases.push_back(call("beta", "softplus", "beta = 2.0 : f64, threshold = 3.0 : f64",
                                    {in("33", awayFrom({1.5}, -5, 5))}, {"33xT"}, 1));
  table.push_back(unaryRow("clamp", numbers, awayFrom({-1, 2}, -3, 4), true,
                           "min = -1.0 : f64, max = 2.0 : f64"));
  table.back().cases.push_back(
      call("min_only", "clamp", "min = 1.0 : f64", {in("17", awayFrom({1}, -3, 3))}, {"17xT"}, 1));
  table.back().cases.push_back(
      call("max_only", "clamp", "max = 1.0 : f64", {in("17", awayFrom({1}, -3, 3))}, {"17xT"}, 1));
  table.push_back(compareRow());
  table.push_back(binaryRow("logical_and", {"i1"}, uniform(0, 1), uniform(0, 1), false));
  table.push_back(binaryRow("logical_or", {"i1"}, uniform(0, 1), uniform(0, 1), false));
  table.push_back(unaryRow("logical_not", {"i1"}, uniform(0, 1), false));
  table.push_back(isFiniteRow());
  table.push_back(selectRow());
  table.push_back(castRow());
}

} // namespace sinter::test
