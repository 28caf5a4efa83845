#include "../../support/LayerStack.h"
#include "../../support/NvrtcOrSkip.h"
#include "../../support/OnDevice.h"
#include "ProcessorTime.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/runtime/cpu/KernelImage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

// Code generation against the number of layers of one structure, whose kernels are made once: 48 layers may take 1.3 times
// what 12 do, from planned kernels to machine code: lowering and LLVM, or lowering, CUDA's text and NVRTC. CUDA does not
// keep that yet (1.35 and 1.55): the update's kernel grows by a parameter of its own for each of the model's. Printed beside
// it, what of that is CUDA's text and the program alone, milliseconds.

namespace sinter::test {
namespace {

struct Seconds {
  double program = std::numeric_limits<double>::max(), all = program;
};

using Nvrtc = runtime::cuda::Nvrtc;

/// `nvrtc`: null for the CPU.
Seconds secondsOf(const std::string &text, const Nvrtc *nvrtc) {
  Ir ir;
  auto module = ir.parse(text);
  EXPECT_TRUE(module) << ir.errors;
  if (!module) return {};
  const std::string isa(runtime::bestHostIsa()), gpu = "sm_90";
  module.get()->setAttr(ir::targetAttr, nvrtc ? *codegen::cudaTarget(ir.context, gpu)
                                              : *codegen::cpuTarget(ir.context, isa));
  EXPECT_TRUE(succeeded(passes::runPipeline(*module, {}))) << ir.errors;
  codegen::CodegenOptions options;
  options.target = nvrtc ? runtime::TargetKind::cuda : runtime::TargetKind::cpu;
  options.isa = isa;
  options.cache = false;
  options.threads = 1; // where threads meet, what one waits for is no work
  Seconds seconds;
  double start = processorSeconds();
  auto program = codegen::compileToProgram(*module, options);
  seconds.program = processorSeconds() - start;
  EXPECT_TRUE(succeeded(program)) << ir.errors;
  if (failed(program)) return {};
  for (size_t i = 0; nvrtc && i < program->kernels.size(); ++i) {
    auto request = runtime::cuda::requestFor(*program, program->kernels[i], gpu);
    request.options.noCache = true;
    auto image = nvrtc->compile(request);
    EXPECT_TRUE(image.ok()) << image.error().message;
  }
  seconds.all = processorSeconds() - start;
  return seconds;
}

void expectScaling(std::string (*step)(int), const Nvrtc *nvrtc, int runs) {
  constexpr double most = 1.3;
  const std::string fewText = step(12), manyText = step(48);
  Seconds few, many;
  auto run = [&](const std::string &text, Seconds &least) {
    Seconds now = secondsOf(text, nvrtc);
    least = {std::min(least.program, now.program), std::min(least.all, now.all)};
  };
  for (; runs > 0; --runs) { // by turns: a noisy minute is both's
    run(fewText, few);
    run(manyText, many);
    if (testing::Test::HasFailure()) return;
  }
  printf("%.1f ms for 12 layers, %.1f ms for 48: %.2f\n", 1e3 * few.all, 1e3 * many.all,
         many.all / few.all);
  if (nvrtc)
    printf("of that text and program %.1f ms and %.1f ms: %.2f\n", 1e3 * few.program,
           1e3 * many.program, many.program / few.program);
  EXPECT_LE(many.all, most * few.all);
}

TEST(CodegenScaling, DenseLayersOnCpu) { expectScaling(mlpStep, nullptr, 5); }
TEST(CodegenScaling, EncoderBlocksOnCpu) { expectScaling(encoderStep, nullptr, 5); }
TEST(CodegenScaling, DenseLayersAsCuda) {
  SINTER_NVRTC_OR_SKIP(nvrtc);
  expectScaling(mlpStep, nvrtc->get(), 3);
}
TEST(CodegenScaling, EncoderBlocksAsCuda) {
  SINTER_NVRTC_OR_SKIP(nvrtc);
  expectScaling(encoderStep, nvrtc->get(), 3);
}

} // namespace
} // namespace sinter::test
