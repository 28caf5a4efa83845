#include "OpTable.h"
#include "Rows.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

namespace sinter::test {

bool OpCase::runsOnDevices(const std::string &dtype) const {
  return !onDevices || std::count(onDevices->begin(), onDevices->end(), dtype) > 0;
}

bool OpRow::differentiable() const {
  return std::any_of(cases.begin(), cases.end(),
                     [](const OpCase &c) { return c.gradientResults > 0; });
}

const std::vector<OpRow> &opTable() {
  static const std::vector<OpRow> table = [] {
    std::vector<OpRow> rows;
    addElementwiseRows(rows);
    addShapeRows(rows);
    addReductionRows(rows);
    addContractionRows(rows);
    addRandomRows(rows);
    addNnRows(rows);
    addAttentionRows(rows);
    return rows;
  }();
  return table;
}

const OpRow &opRow(const std::string &op) {
  for (const OpRow &row : opTable())
    if (row.op == op) return row;
  throw std::out_of_range("the op table has no row " + op);
}

bool isFloatName(const std::string &dtype) { return dtype.find('f') != std::string::npos; }

std::string tensorText(const std::string &shape, const std::string &element) {
  return "tensor<" + (shape.empty() ? "" : shape + "x") + element + ">";
}

/// The type of batch statistics for elements of `dtype`.
static std::string statisticOf(const std::string &dtype) { return dtype == "f64" ? "f64" : "f32"; }

/// A literal of `dtype`.
static std::string literalOf(const std::string &dtype) {
  return dtype == "i1" ? "true" : isFloatName(dtype) ? "1.5" : "3";
}

/// `text` with its placeholders filled in: T the element type, S that of statistics, VALUE a literal.
static std::string withElement(std::string text, const std::string &dtype) {
  const std::pair<std::string, std::string> placeholders[] = {
      {"VALUE", literalOf(dtype)}, {"T", dtype}, {"S", statisticOf(dtype)}};
  for (const auto &[placeholder, value] : placeholders)
    for (size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; at += value.size())
      text.replace(at, placeholder.size(), value);
  return text;
}

std::vector<size_t> differentiableInputs(const OpCase &c, const std::string &dtype) {
  std::vector<size_t> wanted;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (c.inputs[i].element == "T" && c.inputs[i].differentiable && isFloatName(dtype))
      wanted.push_back(i);
  return wanted;
}

std::vector<std::string> argumentTypes(const OpCase &c, const std::string &dtype, bool gradient) {
  std::vector<std::string> types;
  for (const OpInput &input : c.inputs)
    types.push_back(withElement(tensorText(input.shape, input.element), dtype));
  if (gradient)
    for (size_t i = 0; i < c.gradientResults; ++i)
      types.push_back(withElement(c.results[i].second, dtype));
  return types;
}

static std::string assemble(const OpCase &c, const std::string &dtype, const std::string &function,
                            bool gradient, const std::string &tail,
                            const std::vector<std::string> &values,
                            const std::vector<std::string> &types) {
  std::vector<std::string> parameters;
  std::vector<std::string> arguments = argumentTypes(c, dtype, gradient);
  for (size_t i = 0; i < arguments.size(); ++i)
    parameters.push_back(fmt::format("%a{}: {}", i, arguments[i]));
  return fmt::format("func.func @{}({}) -> ({}) {{\n{}\n{}  return {} : {}\n}}\n", function,
                     fmt::join(parameters, ", "), fmt::join(types, ", "),
                     withElement(c.body, dtype), tail, fmt::join(values, ", "),
                     fmt::join(types, ", "));
}

std::string functionText(const OpCase &c, const std::string &dtype, const std::string &function) {
  std::vector<std::string> values, types;
  for (const auto &[value, type] : c.results) {
    values.push_back(value);
    types.push_back(withElement(type, dtype));
  }
  return assemble(c, dtype, function, false, "", values, types);
}

std::string gradientText(const OpCase &c, const std::string &dtype, const std::string &function) {
  std::vector<std::string> arguments = argumentTypes(c, dtype, true), outputs, outputTypes, wrt,
                           wrtTypes, cotangents;
  for (size_t i = 0; i < c.gradientResults; ++i) {
    outputs.push_back(c.results[i].first);
    outputTypes.push_back(withElement(c.results[i].second, dtype));
    cotangents.push_back(fmt::format("%a{}", c.inputs.size() + i));
  }
  std::vector<std::string> values;
  std::vector<size_t> inputs = differentiableInputs(c, dtype);
  for (size_t i : inputs) {
    wrt.push_back(fmt::format("%a{}", i));
    wrtTypes.push_back(arguments[i]);
    values.push_back(inputs.size() == 1 ? "%gradients"
                                        : fmt::format("%gradients#{}", values.size()));
  }
  std::string count = inputs.size() == 1 ? "" : fmt::format(":{}", inputs.size());
  std::string tail = fmt::format(
      "  %gradients{} = sinter.gradient {} wrt {} cotangents {} : ({}, {}, {}) -> ({})\n", count,
      fmt::join(outputs, ", "), fmt::join(wrt, ", "), fmt::join(cotangents, ", "),
      fmt::join(outputTypes, ", "), fmt::join(wrtTypes, ", "), fmt::join(outputTypes, ", "),
      fmt::join(wrtTypes, ", "));
  return assemble(c, dtype, function, true, tail, values, wrtTypes);
}

} // namespace sinter::test
