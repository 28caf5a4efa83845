#include "../../support/LayerStack.h"
#include "../../support/OnDevice.h"

#include "sinter/codegen/cpu/CpuBackend.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

// Compile time against the number of layers. A stage may take t(4n) <= 5.3 t(n): 4 and what a logarithm and
// caches cost.

namespace sinter::test {
namespace {

using Seconds = std::map<std::string, double>;

/// The fastest of several runs of each stage: what else the machine does only adds.
Seconds stagesOf(const std::string &text, int runs) {
  Seconds best;
  for (int run = 0; run < runs; ++run) {
    Ir ir;
    auto module = ir.parse(text);
    EXPECT_TRUE(module) << ir.errors;
    if (!module) return best;
    module.get()->setAttr(ir::targetAttr, *codegen::cpuTarget(ir.context, "avx512"));
    std::string errors;
    llvm::raw_string_ostream stream(errors);
    auto stages = passes::pipelineStages({}, stream);
    for (passes::Stage &stage : *stages) {
      mlir::PassManager pm(&ir.context, mlir::ModuleOp::getOperationName());
      EXPECT_TRUE(mlir::succeeded(stage.add(pm)));
      pm.enableVerifier(false);
      auto start = std::chrono::steady_clock::now();
      EXPECT_TRUE(mlir::succeeded(pm.run(*module))) << stage.name << ": " << ir.errors;
      double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      auto [known, isNew] = best.try_emplace(stage.name, seconds);
      known->second = std::min(known->second, seconds);
    }
  }
  return best;
}

void expectScaling(std::string (*step)(int)) {
  constexpr double most = 5.3, tooShortToTell = 1e-3;
  Seconds few = stagesOf(step(50), 5), many = stagesOf(step(200), 3);
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
