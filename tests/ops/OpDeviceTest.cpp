// The op table on devices: every op and type, its values and its gradients, against the evaluator
// within the evaluator's bounds.

#include "Harness.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sinter::test {
namespace {

struct OpOnDevice {
  std::string op, device;
};
void PrintTo(const OpOnDevice &p, std::ostream *out) { *out << p.op << " on " << p.device; }

class OpDevice : public testing::TestWithParam<OpOnDevice> {};

/// One function of a row: a case's values or its gradient.
struct Entry {
  const OpCase *source;
  std::string name;
  bool gradient;
};

/// All cases of a row in one module: one compilation serves them.
std::vector<Entry> entriesOf(const OpRow &row, const std::string &dtype, std::string &text) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < row.cases.size(); ++i) {
    const OpCase &c = row.cases[i];
    if (!c.runsOnDevices(dtype)) continue;
    entries.push_back({&c, "value" + std::to_string(i), false});
    text += functionText(c, dtype, entries.back().name);
    if (c.gradientResults == 0 || differentiableInputs(c, dtype).empty()) continue;
    entries.push_back({&c, "gradient" + std::to_string(i), true});
    text += gradientText(c, dtype, entries.back().name);
  }
  return entries;
}

void agrees(const std::string &op, const std::string &dtype, const std::string &device) {
  std::string text;
  std::vector<Entry> entries = entriesOf(opRow(op), dtype, text);
  Ir ir;
  auto module = ir.parse(text), reference = ir.parse(text);
  ASSERT_TRUE(module) << ir.errors << text;
  ASSERT_TRUE(runPasses(ir, *reference, "func.func(sinter-autodiff)")) << ir.errors;
  OnDevice compiled(ir, *module, device);
  ASSERT_EQ(compiled.problem, "");
  for (const Entry &entry : entries) {
    SCOPED_TRACE(entry.source->name + (entry.gradient ? ", gradient" : ""));
    auto inputs = inputsOf(ir, *entry.source, dtype, entry.gradient);
    auto expected = evaluated(ir, *reference, entry.name, inputs);
    auto actual = compiled.run(entry.name, inputs, resultTypes(*reference, entry.name));
    ASSERT_EQ(compiled.problem, "");
    EXPECT_EQ(disagreement(expected, actual), "");
  }
}

// All types in one process: starting one takes as long as compiling a row.
TEST_P(OpDevice, AgreesWithTheEvaluator) {
  const auto &[op, device] = GetParam();
  for (const std::string &dtype : opRow(op).dtypes) {
    SCOPED_TRACE(dtype);
    agrees(op, dtype, device);
  }
}

/// Kernels for a matrix unit of tiles, where there may be none: tiles are arrays, what is done with them loops.
class OpOnTiles : public testing::TestWithParam<const char *> {};

TEST_P(OpOnTiles, AgreesWithTheEvaluator) {
  constexpr const char *variable = "SINTER_CPU_ISA";
  const char *known = std::getenv(variable);
  std::string before = known ? known : "";
  setenv(variable, "amx-emulated", /*overwrite=*/1);
  agrees(GetParam(), "bf16", "cpu");
  if (known)
    setenv(variable, before.c_str(), 1);
  else
    unsetenv(variable);
}

INSTANTIATE_TEST_SUITE_P(Table, OpOnTiles,
                         testing::Values("attention", "attention_backward", "matmul", "conv2d",
                                         "conv2d_input_grad", "conv2d_weight_grad"),
                         [](const auto &info) { return std::string(info.param); });

/// A gradient that is wrong by one part in a thousand, as a bug in a rule or in a kernel could make it,
/// taken for the right one.
class WrongGradient : public testing::TestWithParam<OpOnDevice> {};

TEST_P(WrongGradient, Fails) {
  const auto &[op, device] = GetParam();
  const std::string dtype = "f32";
  const OpCase &c = opRow(op).cases.back();
  std::string right = gradientText(c, dtype, "g"), wrong = right,
              type = argumentTypes(c, dtype, true)[differentiableInputs(c, dtype)[0]],
              first = differentiableInputs(c, dtype).size() == 1 ? "%gradients" : "%gradients#0";
  size_t end = wrong.rfind("  return " + first);
  ASSERT_NE(end, std::string::npos) << wrong;
  wrong.replace(end, 9 + first.size(),
                "  %factor = sinter.constant dense<1.001> : " + type + "\n  %wrong = sinter.mul " +
                    first + ", %factor : " + type + "\n  return %wrong");
  Ir ir;
  auto reference = ir.parse(right);
  ASSERT_TRUE(runPasses(ir, *reference, "func.func(sinter-autodiff)")) << ir.errors;
  auto inputs = inputsOf(ir, c, dtype, true);
  auto expected = evaluated(ir, *reference, "g", inputs);
  for (const std::string &text : {right, wrong}) {
    auto module = ir.parse(text);
    ASSERT_TRUE(module) << ir.errors << text;
    OnDevice compiled(ir, *module, device);
    ASSERT_EQ(compiled.problem, "");
    auto actual = compiled.run("g", inputs, resultTypes(*reference, "g"));
    ASSERT_EQ(compiled.problem, "");
    if (text == right)
      EXPECT_EQ(disagreement(expected, actual), "");
    else
      EXPECT_NE(disagreement(expected, actual), "");
  }
}

std::vector<OpOnDevice> wrongOnes() {
  std::vector<OpOnDevice> tests;
  for (const std::string &device : devices())
    for (const char *op : {"tanh", "softmax", "sum", "matmul", "conv2d", "avg_pool2d"})
      tests.push_back({op, device});
  return tests;
}

std::vector<OpOnDevice> all() {
  std::vector<OpOnDevice> tests;
  for (const std::string &device : devices())
    for (const OpRow &row : opTable()) tests.push_back({row.op, device});
  return tests;
}
std::string nameOf(const testing::TestParamInfo<OpOnDevice> &info) {
  std::string name = info.param.op + "_" + info.param.device;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Table, OpDevice, testing::ValuesIn(all()), nameOf);
INSTANTIATE_TEST_SUITE_P(Planted, WrongGradient, testing::ValuesIn(wrongOnes()), nameOf);

} // namespace
} // namespace sinter::test
