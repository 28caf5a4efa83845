#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// PyTorch's vectors, as tests/oracle/README.md describes them.
namespace sinter::test {

struct VectorTensor {
  std::string name, dtype; // "f64", "i64", "i1"
  std::vector<int64_t> shape;
  std::vector<double> data;
};

struct VectorCase {
  std::string op, name;
  nlohmann::json attributes;
  std::vector<VectorTensor> inputs, outputs, cotangents, gradients;

  const VectorTensor *input(const std::string &name) const;
};

/// The cases of one op; of every op that has a file, when `op` is empty.
std::vector<VectorCase> loadVectors(const std::string &op = "");

/// The case as a function @f of `sinter` ops in floating-point type `element` ("f64", "bf16", ...):
/// its arguments are the inputs in order, its results the outputs `resultNames`. With `gradient`, the
/// arguments go on with the cotangents, and the results are the gradients.
struct VectorText {
  std::string text; // empty: the dialect has no such op
  std::vector<std::string> resultNames;
};
VectorText textOf(const VectorCase &vector, const std::string &element, bool gradient = false);

} // namespace sinter::test
