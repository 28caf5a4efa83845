#include "Rows.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace sinter::test {

/// A number between `low` and `high` that `dtype` can hold.
static double draw(std::mt19937 &random, double low, double high, const std::string &dtype) {
  if (dtype == "i1") return std::uniform_int_distribution<int>(0, 1)(random);
  if (dtype == "ui8") low = std::max(low, 0.0), high = std::min(std::max(high, low), 255.0);
  if (isFloatName(dtype)) return std::uniform_real_distribution<double>(low, high)(random);
  return std::uniform_int_distribution<int>(int(std::ceil(low)), int(std::floor(high)))(random);
}

Generator uniform(double low, double high) {
  return [=](std::mt19937 &random, int64_t count, const std::string &dtype) {
    std::vector<double> numbers(count);
    for (double &x : numbers) x = draw(random, low, high, dtype);
    return numbers;
  };
}

Generator awayFrom(std::vector<double> kinks, double low, double high) {
  return [=](std::mt19937 &random, int64_t count, const std::string &dtype) {
    std::vector<double> numbers(count);
    for (double &x : numbers) do
        x = draw(random, low, high, dtype);
      while (std::any_of(kinks.begin(), kinks.end(),
                         [&](double kink) { return std::fabs(x - kink) < 0.125; }));
    return numbers;
  };
}

Generator distinct() {
  return [](std::mt19937 &random, int64_t count, const std::string &dtype) {
    std::vector<double> numbers(count);
    // bf16 keeps 16ths below 16 apart, ui8 whole numbers: beyond 250 elements they repeat.
    int64_t ladder = dtype == "f32" || dtype == "f64" ? count : 250;
    for (int64_t i = 0; i < count; ++i)
      numbers[i] = dtype == "i1"    ? double(i % 2)
                   : dtype == "ui8" ? double(i % ladder)
                                    : double(i % ladder - ladder / 2);
    if (isFloatName(dtype))
      for (double &x : numbers) x /= 16;
    std::shuffle(numbers.begin(), numbers.end(), random);
    return numbers;
  };
}

Generator fill(double value) {
  return [=](std::mt19937 &, int64_t count, const std::string &) {
    return std::vector<double>(count, value);
  };
}

Generator ties() {
  return [](std::mt19937 &random, int64_t count, const std::string &dtype) {
    std::vector<double> numbers(count);
    for (double &x : numbers) x = std::round(draw(random, 0, 3, dtype));
    return numbers;
  };
}

OpInput in(const std::string &shape, Generator numbers) {
  return {shape, "T", std::move(numbers), true};
}
OpInput fixed(const std::string &shape, const std::string &element, Generator numbers) {
  return {shape, element, std::move(numbers), false};
}

OpCase call(const std::string &name, const std::string &op, const std::string &attributes,
            std::vector<OpInput> inputs, const std::vector<std::string> &results,
            size_t gradientResults) {
  OpCase made{name, std::move(inputs), "", {}, gradientResults};
  std::vector<std::string> operands, types, resultTypes;
  for (size_t i = 0; i < made.inputs.size(); ++i) {
    operands.push_back(fmt::format("%a{}", i));
    types.push_back(tensorText(made.inputs[i].shape, made.inputs[i].element));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    resultTypes.push_back("tensor<" + results[i] + ">");
    made.results.push_back(
        {results.size() == 1 ? "%r" : fmt::format("%r#{}", i), resultTypes.back()});
  }
  made.body =
      fmt::format("  %r{} = \"sinter.{}\"({}) {} : ({}) -> ({})",
                  results.size() == 1 ? "" : fmt::format(":{}", results.size()), op,
                  fmt::join(operands, ", "), attributes.empty() ? "" : "<{" + attributes + "}>",
                  fmt::join(types, ", "), fmt::join(resultTypes, ", "));
  return made;
}

const std::vector<std::string> &elementwiseShapes() {
  static const std::vector<std::string> shapes{"", "1", "7", "3x5", "2x3x17", "1x4x1", "33x65"};
  return shapes;
}

OpRow unaryRow(const std::string &op, const std::vector<std::string> &dtypes, Generator numbers,
               bool differentiable, const std::string &attributes) {
  OpRow row{op, dtypes, {}};
  for (const std::string &shape : elementwiseShapes())
    row.cases.push_back(call("shape" + shape, op, attributes, {in(shape, numbers)},
                             {shape.empty() ? "T" : shape + "xT"}, differentiable));
  return row;
}

OpRow binaryRow(const std::string &op, const std::vector<std::string> &dtypes, Generator left,
                Generator right, bool differentiable) {
  OpRow row{op, dtypes, {}};
  for (const std::string &shape : elementwiseShapes())
    row.cases.push_back(call("shape" + shape, op, "", {in(shape, left), in(shape, right)},
                             {shape.empty() ? "T" : shape + "xT"}, differentiable));
  return row;
}

} // namespace sinter::test
