#include "../../support/LayerStack.h"
#include "../../support/OnDevice.h"

#include "sinter/codegen/BuildProgram.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

// Layers of one structure are one set of kernels: lowered, compiled and kept once, launched for each layer.

namespace sinter::test {
namespace {

struct Made {
  runtime::Program program;
  size_t lowered = 0; // kernels that code was generated for
};

Made programOf(const std::string &text) {
  Ir ir;
  auto module = ir.parse(text);
  EXPECT_TRUE(module) << ir.errors;
  std::string problem;
  auto program = programFor(ir, *module, "cpu", problem);
  EXPECT_TRUE(program) << problem;
  Made made;
  if (program) made.program = std::move(*program);
  std::set<std::string> names;
  for (const runtime::Kernel &kernel : made.program.kernels) names.insert(kernel.name);
  made.lowered = names.size();
  return made;
}

const runtime::Entry &stepOf(const Made &made) { return made.program.entries.front(); }

void expectShared(std::string (*step)(int), size_t more) {
  Made few = programOf(step(12)), many = programOf(step(48));
  ASSERT_FALSE(few.program.entries.empty());
  ASSERT_FALSE(many.program.entries.empty());
  EXPECT_GE(stepOf(many).body.size(), 3 * stepOf(few).body.size());
  EXPECT_LE(many.lowered, few.lowered + more);
  EXPECT_EQ(many.lowered, many.program.kernels.size());
  // Each launch still knows its own line.
  std::set<std::string> sources;
  for (const runtime::Instruction &instruction : stepOf(many).body)
    if (auto *launch = std::get_if<runtime::Launch>(&instruction.op))
      sources.insert(launch->source);
  EXPECT_GT(sources.size(), 48u);
}

// An optimiser's kernel takes as many parameters as fit, and the last one the rest: that one differs.
TEST(SharedLayers, DenseLayers) { expectShared(mlpStep, 6); }
TEST(SharedLayers, EncoderBlocks) { expectShared(encoderStep, 6); }

} // namespace
} // namespace sinter::test
