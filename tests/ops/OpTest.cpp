// The op table on the evaluator: every op has rows, evaluates within a useful bound, and has the
// gradient that central differences see. Devices are compared in OpDeviceTest.cpp.

#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sinter::test {
namespace {

class OpValues : public testing::TestWithParam<std::string> {};
class OpGradients : public testing::TestWithParam<std::string> {};

/// Largest median of error / size that still tests something.
double usefulBound(const std::string &dtype) {
  if (dtype == "bf16") return 0.05;
  return dtype == "f16" ? 0.01 : 5e-4;
}

void haveUsefulBounds(const std::string &op, const std::string &dtype) {
  for (const OpCase &c : opRow(op).cases) {
    SCOPED_TRACE(c.name);
    Ir ir;
    auto module = ir.parse(functionText(c, dtype, "f"));
    ASSERT_TRUE(module) << ir.errors << functionText(c, dtype, "f");
    auto results = evaluated(ir, *module, "f", inputsOf(ir, c, dtype, false));
    ASSERT_EQ(results.size(), c.results.size());
    for (const HostTensor &result : results) {
      std::string type(runtime::name(codegen::dtypeOf(result.type.getElementType())));
      EXPECT_LE(looseness(result), std::max(usefulBound(type), usefulBound(dtype)));
    }
  }
}

TEST_P(OpValues, HaveUsefulBounds) {
  for (const std::string &dtype : opRow(GetParam()).dtypes) {
    SCOPED_TRACE(dtype);
    haveUsefulBounds(GetParam(), dtype);
  }
}

TEST_P(OpGradients, AreThoseOfCentralDifferences) {
  int checked = 0;
  for (const OpCase &c : opRow(GetParam()).cases) {
    if (c.gradientResults == 0 || !c.differences) continue;
    SCOPED_TRACE(c.name);
    Ir ir;
    std::string text = functionText(c, "f64", "f") + gradientText(c, "f64", "g");
    auto module = ir.parse(text);
    ASSERT_TRUE(module) << ir.errors << text;
    ASSERT_TRUE(runPasses(ir, *module, "func.func(sinter-autodiff)")) << ir.errors << text;
    auto inputs = inputsOf(ir, c, "f64", true);
    auto gradients = evaluated(ir, *module, "g", inputs);
    EXPECT_EQ(gradientError(ir, c, *module, inputs, gradients), "");
    ++checked;
  }
  EXPECT_GT(checked, 0);
}

std::vector<std::string> allValues() {
  std::vector<std::string> all;
  for (const OpRow &row : opTable()) all.push_back(row.op);
  return all;
}
std::vector<std::string> allGradients() {
  std::vector<std::string> all;
  for (const OpRow &row : opTable())
    if (row.differentiable()) all.push_back(row.op);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Table, OpValues, testing::ValuesIn(allValues()),
                         [](const auto &info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Table, OpGradients, testing::ValuesIn(allGradients()),
                         [](const auto &info) { return info.param; });

/// A new op without a row, or with a gradient that no row checks, fails here.
TEST(OpTable, CoversTheDialect) {
  const std::set<std::string> structural{"gradient", "fused",        "kernel",         "launch",
                                         "yield",    "expect_fused", "expect_kernels", "scan",
                                         "cond",     "while",        "segments"};
  std::set<std::string> rows, differentiable;
  for (const OpRow &row : opTable()) {
    EXPECT_TRUE(rows.insert(row.op).second) << row.op << " has two rows";
    if (row.differentiable()) differentiable.insert(row.op);
  }
  Ir ir;
  for (mlir::RegisteredOperationName name : ir.context.getRegisteredOperations()) {
    if (name.getDialectNamespace() != "sinter") continue;
    std::string op = name.stripDialect().str();
    if (structural.contains(op)) continue;
    EXPECT_TRUE(rows.contains(op)) << op << " has no row in the op table";
    EXPECT_EQ(differentiable.contains(op), name.hasInterface<ir::DifferentiableOpInterface>())
        << op << ": a gradient that no row checks, or a row for a gradient that it has not";
  }
}

/// Ops that differ a little from those of the table: what they make must be seen.
struct Mutant {
  const char *op, *caseName, *from, *to;
};
class Mutants : public testing::TestWithParam<Mutant> {};

const OpCase &caseOf(const std::string &op, const std::string &name) {
  for (const OpCase &c : opRow(op).cases)
    if (c.name == name) return c;
  throw std::out_of_range(op + " has no case " + name);
}
std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos) throw std::out_of_range("no '" + from + "' in " + text);
  return text.replace(at, from.size(), to);
}

TEST_P(Mutants, AreSeen) {
  const Mutant &mutant = GetParam();
  OpCase right = caseOf(mutant.op, mutant.caseName), wrong = right;
  wrong.body = replaced(right.body, mutant.from, mutant.to);
  for (const char *dtype : {"f32", "bf16"}) {
    Ir ir;
    auto module = ir.parse(functionText(right, dtype, "f") + functionText(wrong, dtype, "wrong"));
    ASSERT_TRUE(module) << ir.errors << functionText(wrong, dtype, "wrong");
    auto inputs = inputsOf(ir, right, dtype, false);
    auto device = evaluated(ir, *module, "wrong", inputs);
    for (HostTensor &tensor : device) tensor.error.clear();
    auto expected = evaluated(ir, *module, "f", inputs);
    EXPECT_NE(disagreement(expected, device), "") << dtype;
    device = evaluated(ir, *module, "f", inputs);
    for (HostTensor &tensor : device) tensor.error.clear();
    EXPECT_EQ(disagreement(expected, device), "") << dtype;
  }
}

/// The gradient of the mutant, taken for that of the op.
TEST_P(Mutants, HaveAnotherGradient) {
  const Mutant &mutant = GetParam();
  OpCase right = caseOf(mutant.op, mutant.caseName), wrong = right;
  ASSERT_GT(right.gradientResults, 0u);
  wrong.body = replaced(right.body, mutant.from, mutant.to);
  Ir ir;
  auto module = ir.parse(functionText(right, "f64", "f") + gradientText(wrong, "f64", "g"));
  ASSERT_TRUE(module) << ir.errors;
  ASSERT_TRUE(runPasses(ir, *module, "func.func(sinter-autodiff)")) << ir.errors;
  auto inputs = inputsOf(ir, right, "f64", true);
  EXPECT_NE(gradientError(ir, right, *module, inputs, evaluated(ir, *module, "g", inputs)), "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Mutants,
    testing::Values(
        Mutant{"gelu", "shape33x65", "\"none\"", "\"tanh\""},
        Mutant{"sin", "shape7", "sinter.sin", "sinter.tanh"},
        Mutant{"mul", "shape3x5", "sinter.mul", "sinter.add"},
        Mutant{"div", "shape33x65", "sinter.div", "sinter.mul"},
        Mutant{"clamp", "shape2x3x17", "max = 2.0", "max = 1.5"},
        Mutant{"softmax", "4x1_dim1", "dim = 1", "dim = 0"},
        Mutant{"layer_norm", "3x130_over_130", "eps = 1.0e-5", "eps = 1.0e-1"},
        Mutant{"rms_norm", "3x130_over_130", "eps = 1.0e-5", "eps = 1.0e-1"},
        Mutant{"group_norm", "2x6x3x4", "num_groups = 3", "num_groups = 2"},
        Mutant{"cumsum", "3x70_dim1", "reverse = false", "reverse = true"},
        Mutant{"elu", "alpha", "0.3", "0.4"}, Mutant{"softplus", "beta", "2.0", "2.2"},
        Mutant{"batch_norm", "2x3x4", "eps = 1.0e-5", "eps = 1.0e-1"},
        Mutant{"cross_entropy", "smoothing", "0.125", "0.25"},
        Mutant{"cross_entropy", "ignored", "ignore_index = 2", "ignore_index = 3"},
        Mutant{"avg_pool2d", "padded", "count_include_pad = true", "count_include_pad = false"},
        Mutant{"conv2d", "larger", "padding = array<i64: 1, 1>, dilation = array<i64: 1, 1>",
               "padding = array<i64: 2, 2>, dilation = array<i64: 2, 2>"},
        Mutant{"matmul", "64x64_by_64x64", "transpose_b = false", "transpose_b = true"},
        Mutant{"dropout", "shape2x5x33_p0.5", "stream = 14", "stream = 15"},
        Mutant{"l1_loss", "mean_3x7", "l1_loss", "mse_loss"}),
    [](const auto &info) { return std::string(info.param.op) + "_" + std::to_string(info.index); });

} // namespace
} // namespace sinter::test
