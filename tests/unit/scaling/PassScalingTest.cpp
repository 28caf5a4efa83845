#include "../../support/LayerStack.h"
#include "../../support/OnDevice.h"
#include "ProcessorTime.h"

#include "sinter/codegen/cpu/CpuBackend.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

// Compile time against the number of layers. A stage may take t(4n) <= 5.3 t(n): 4 and what a logarithm and
// caches cost.

namespace sinter::test {
namespace {

using Seconds = std::map<std::string, double>;

/// Runs each stage, and keeps its time where that is the least so far: what caches are taken away only adds.
void runStages(const std::string &text, Seconds &least) {
  Ir ir;
  auto module = ir.parse(text);
  ASSERT_TRUE(module) << ir.errors;
  module.get()->setAttr(ir::targetAttr, *codegen::cpuTarget(ir.context, "avx512"));
  std::string errors;
  llvm::raw_string_ostream stream(errors);
  auto stages = passes::pipelineStages({}, stream);
  for (passes::Stage &stage : *stages) {
    mlir::PassManager pm(&ir.context, mlir::ModuleOp::getOperationName());
    ASSERT_TRUE(mlir::succeeded(stage.add(pm)));
    pm.enableVerifier(false);
    coolCaches();
    double start = processorSeconds();
    ASSERT_TRUE(mlir::succeeded(pm.run(*module))) << stage.name << ": " << ir.errors;
    double seconds = processorSeconds() - start;
    auto [known, isNew] = least.try_emplace(stage.name, seconds);
    known->second = std::min(known->second, seconds);
  }
}

void expectScaling(std::string (*step)(int)) {
  constexpr double most = 5.3, tooShortToTell = 1e-3;
  Seconds few, many;
  const std::string fewText = step(50), manyText = step(200);
  for (int run = 0; run < 5; ++run) { // by turns: a noisy minute is everyone's
    runStages(fewText, few);
    runStages(manyText, many);
    if (testing::Test::HasFatalFailure()) return;
  }
  ASSERT_FALSE(few.empty());
  for (const auto &[stage, seconds] : few) {
    double ratio = many[stage] / std::max(seconds, tooShortToTell);
    printf("%-10s %8.1f ms for 50 layers, %8.1f ms for 200: %.2f\n", stage.c_str(), 1e3 * seconds,
           1e3 * many[stage], ratio);
    EXPECT_LE(ratio, most) << stage;
  }
}

TEST(PassScaling, DenseLayers) { expectScaling(mlpStep); }
TEST(PassScaling, EncoderBlocks) { expectScaling(encoderStep); }

} // namespace
} // namespace sinter::test
