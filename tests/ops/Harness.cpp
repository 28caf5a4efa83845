#include "Harness.h"

#include "mlir/AsmParser/AsmParser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sinter::test {

static int64_t elementsOf(const std::string &type) {
  int64_t count = 1;
  for (size_t at = type.find('<') + 1; at < type.size() && std::isdigit(type[at]);) {
    size_t end = type.find('x', at);
    count *= std::stoll(type.substr(at, end - at));
    at = end + 1;
  }
  return count;
}

std::vector<HostTensor> inputsOf(Ir &ir, const OpCase &c, const std::string &dtype, bool gradient) {
  std::vector<HostTensor> tensors;
  std::vector<std::string> types = argumentTypes(c, dtype, gradient);
  for (size_t i = 0; i < types.size(); ++i) {
    auto type = llvm::cast<mlir::RankedTensorType>(mlir::parseType(types[i], &ir.context));
    std::string element(runtime::name(codegen::dtypeOf(type.getElementType())));
    if (element == "u8") element = "ui8";
    std::seed_seq seed{types[i].size(), i, c.body.size(), size_t(elementsOf(types[i]))};
    std::mt19937 random(seed);
    std::vector<double> numbers;
    if (i < c.inputs.size())
      numbers = c.inputs[i].numbers(random, type.getNumElements(), element);
    else // cotangents
      for (int64_t k = 0; k < type.getNumElements(); ++k)
        numbers.push_back(std::uniform_real_distribution<double>(0.25, 1.5)(random) *
                          (random() % 2 ? 1 : -1));
    tensors.push_back(codegen::fromNumbers(type, numbers));
  }
  return tensors;
}

std::vector<HostTensor> evaluated(Ir &ir, mlir::ModuleOp module, const std::string &function,
                                  const std::vector<HostTensor> &inputs) {
  auto results = codegen::evaluate(Ir::function(module, function), inputs);
  if (succeeded(results)) return {results->begin(), results->end()};
  ADD_FAILURE() << "@" << function << ": " << ir.errors;
  return {};
}

std::string gradientError(Ir &ir, const OpCase &c, mlir::ModuleOp module,
                          const std::vector<HostTensor> &inputs,
                          const std::vector<HostTensor> &gradients) {
  // phi(x) = sum of cotangents times results: what the gradients are of.
  auto phi = [&](const std::vector<HostTensor> &at) {
    std::vector<HostTensor> arguments(at.begin(), at.begin() + c.inputs.size());
    auto results = evaluated(ir, module, "f", arguments);
    long double total = 0;
    for (size_t r = 0; r < c.gradientResults && r < results.size(); ++r)
      for (int64_t i = 0; i < results[r].numElements(); ++i)
        total += results[r].at(i) * inputs[c.inputs.size() + r].at(i);
    return static_cast<double>(total);
  };
  constexpr double h = 1e-5;
  std::vector<size_t> wanted = differentiableInputs(c, "f64");
  if (gradients.size() != wanted.size()) return "the number of gradients";
  std::mt19937 random(7);
  for (size_t g = 0; g < wanted.size(); ++g) {
    int64_t count = gradients[g].numElements();
    int64_t directions = std::min<int64_t>(count, 12);
    for (int64_t d = 0; d < directions; ++d) {
      std::vector<double> direction(count);
      if (count <= directions)
        direction[d] = 1;
      else
        for (double &x : direction) x = std::uniform_real_distribution<double>(-1, 1)(random);
      std::vector<HostTensor> above = inputs, below = inputs;
      double slope = 0, size = 0;
      for (int64_t i = 0; i < count; ++i) {
        above[wanted[g]].values[i] += h * direction[i];
        below[wanted[g]].values[i] -= h * direction[i];
        slope += gradients[g].values[i] * direction[i];
        size += std::fabs(gradients[g].values[i] * direction[i]);
      }
      double numeric = (phi(above) - phi(below)) / (2 * h);
      // Truncation is of order h^2, cancellation of 1e-16 / h: both far below.
      if (!(std::fabs(slope - numeric) <= 1e-6 * (1 + size)))
        return fmt::format("gradient {} along direction {}: {}, by central differences {}", g, d,
                           slope, numeric);
    }
  }
  return "";
}

double looseness(const HostTensor &tensor) {
  int64_t count = tensor.numElements();
  if (tensor.error.empty() || count == 0) return 0;
  double mean = 0;
  for (int64_t i = 0; i < count; ++i) mean += std::fabs(tensor.at(i)) / double(count);
  std::vector<double> ratios;
  for (int64_t i = 0; i < count; ++i) {
    ratios.push_back(tensor.errorAt(i) / std::max(std::fabs(tensor.at(i)) + mean, 0.01));
  }
  std::nth_element(ratios.begin(), ratios.begin() + count / 2, ratios.end());
  return ratios[count / 2];
}

} // namespace sinter::test
