#include "../../support/LayerStack.h"
#include "../../support/OnDevice.h"
#include "ProcessorTime.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/runtime/cpu/KernelImage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

// Code generation (lowering with LLVM's, or CUDA's text, and the program) against the number of layers of one structure,
// whose kernels are made once: 48 layers may take 1.3 times what 12 do. CUDA's text does not keep that yet (1.5 to 1.8): it
// is a matter of milliseconds, of which the places of launches and the calls for an update's parameters are much.

namespace sinter::test {
namespace {

double secondsOf(const std::string &text, runtime::TargetKind target) {
  Ir ir;
  auto module = ir.parse(text);
  EXPECT_TRUE(module) << ir.errors;
  if (!module) return 0;
  bool cuda = target == runtime::TargetKind::cuda;
  const std::string isa(runtime::bestHostIsa());
  module.get()->setAttr(ir::targetAttr, cuda ? *codegen::cudaTarget(ir.context)
                                             : *codegen::cpuTarget(ir.context, isa));
  EXPECT_TRUE(succeeded(passes::runPipeline(*module, {}))) << ir.errors;
  codegen::CodegenOptions options;
  options.target = target;
  options.isa = isa;
  options.cache = false;
  options.threads = 1; // where threads meet, what one waits for is no work
  double start = processorSeconds();
  auto program = codegen::compileToProgram(*module, options);
  double seconds = processorSeconds() - start;
  EXPECT_TRUE(succeeded(program)) << ir.errors;
  return seconds;
}

void expectScaling(std::string (*step)(int), runtime::TargetKind target) {
  constexpr double most = 1.3;
  const std::string fewText = step(12), manyText = step(48);
  double few = std::numeric_limits<double>::max(), many = few;
  for (int run = 0; run < 5; ++run) { // by turns: a noisy minute is both's
    few = std::min(few, secondsOf(fewText, target));
    many = std::min(many, secondsOf(manyText, target));
    if (testing::Test::HasFailure()) return;
  }
  printf("%.1f ms for 12 layers, %.1f ms for 48: %.2f\n", 1e3 * few, 1e3 * many, many / few);
  EXPECT_LE(many, most * few);
}

TEST(CodegenScaling, DenseLayersOnCpu) { expectScaling(mlpStep, runtime::TargetKind::cpu); }
TEST(CodegenScaling, DenseLayersAsCuda) { expectScaling(mlpStep, runtime::TargetKind::cuda); }
TEST(CodegenScaling, EncoderBlocksOnCpu) { expectScaling(encoderStep, runtime::TargetKind::cpu); }
TEST(CodegenScaling, EncoderBlocksAsCuda) { expectScaling(encoderStep, runtime::TargetKind::cuda); }

} // namespace
} // namespace sinter::test
