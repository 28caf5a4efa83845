#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

/// Every op of the dialect with shapes, types and inputs to try it on.
namespace sinter::test {

/// Numbers for an input of `count` elements in element type `dtype` ("f32", "ui8", ...).
using Generator = std::function<std::vector<double>(std::mt19937 &random, int64_t count,
                                                    const std::string &dtype)>;

struct OpInput {
  std::string shape;   // "4x5"; "" is rank 0
  std::string element; // "T" is the element type being tried, else a type of its own
  Generator numbers;
  bool differentiable = true; // where the element is T
};

/// One function: a body over %0, %1, ... that defines the results.
struct OpCase {
  std::string name;
  std::vector<OpInput> inputs;
  std::string body;                                         // T stands for the element type
  std::vector<std::pair<std::string, std::string>> results; // value, type ("tensor<4xT>")
  /// The results that gradients flow back from: the first so many.
  size_t gradientResults = 0;
  /// Whether central differences see the gradient: not through a rounding, nor where it is zero by
  /// decree.
  bool differences = true;
  /// The types that devices are tried with, where those are not all of the row's: of large cases, whose kernels
  /// differ between some types in the name of the type alone, or are another row's, too.
  std::optional<std::vector<std::string>> onDevices{};

  bool runsOnDevices(const std::string &dtype) const;
};

/// The cases of one op.
struct OpRow {
  std::string op; // mnemonic
  std::vector<std::string> dtypes;
  std::vector<OpCase> cases;

  bool differentiable() const;
};

const std::vector<OpRow> &opTable();
const OpRow &opRow(const std::string &op);

/// `function` of a case as MLIR: its inputs, its results.
std::string functionText(const OpCase &c, const std::string &dtype, const std::string &function);
/// The function of its gradient: the case's inputs and one cotangent for each of its first
/// `gradientResults` results, and the gradients of the inputs that have one.
std::string gradientText(const OpCase &c, const std::string &dtype, const std::string &function);
/// Types of a case's arguments, with `gradient` those of the cotangents after them.
std::vector<std::string> argumentTypes(const OpCase &c, const std::string &dtype, bool gradient);
/// Which arguments have a gradient.
std::vector<size_t> differentiableInputs(const OpCase &c, const std::string &dtype);

std::string tensorText(const std::string &shape, const std::string &element);
bool isFloatName(const std::string &dtype);

} // namespace sinter::test
