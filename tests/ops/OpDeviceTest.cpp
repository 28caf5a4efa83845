// The op table on devices: every op and type, its values and its gradients, against the evaluator
// within the evaluator's bounds.

#include "Harness.h"

#include <gtest/gtest.h>

namespace sinter::test {
namespace {

struct OpOnDevice {
  std::string op, dtype, device;
};
void PrintTo(const OpOnDevice &p, std::ostream *out) {
  *out << p.op << " in " << p.dtype << " on " << p.device;
}

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
    entries.push_back({&c, "value" + std::to_string(i), false});
    text += functionText(c, dtype, entries.back().name);
    if (c.gradientResults == 0 || differentiableInputs(c, dtype).empty()) continue;
    entries.push_back({&c, "gradient" + std::to_string(i), true});
    text += gradientText(c, dtype, entries.back().name);
  }
  return entries;
}

TEST_P(OpDevice, AgreesWithTheEvaluator) {
  const auto &[op, dtype, device] = GetParam();
  std::string text;
  std::vector<Entry> entries = entriesOf(opRow(op), dtype, text);
  Ir ir;
  auto module = ir.parse(text), reference = ir.parse(text);
  ASSERT_TRUE(module) << ir.errors << text;
  ASSERT_TRUE(runPasses(ir, *reference, "func.func(sinter-autodiff)")) << ir.errors;
  OnDevice compiled(ir, *module, device);
  if (!compiled.absent.empty()) GTEST_SKIP() << compiled.absent;
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

std::vector<OpOnDevice> all() {
  std::vector<OpOnDevice> tests;
  for (const std::string &device : devices())
    for (const OpRow &row : opTable())
      for (const std::string &dtype : row.dtypes) tests.push_back({row.op, dtype, device});
  return tests;
}
INSTANTIATE_TEST_SUITE_P(Table, OpDevice, testing::ValuesIn(all()), [](const auto &info) {
  std::string name = info.param.op + "_" + info.param.dtype + "_" + info.param.device;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

} // namespace
} // namespace sinter::test
