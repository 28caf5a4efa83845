// cuda_compile [--layers N] [--tiny] [--most-cold S] [--most-warm S]: how long it takes until the kernels of an encoder's
// train step, of BERT-base's shapes, can be launched: passes and text, then NVRTC on all cores, then again from the
// kernel cache. Fails where a time is more than allowed.

#include "../support/Ir.h"
#include "../support/LayerStack.h"

#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace sinter;
using namespace sinter::test;
namespace fs = std::filesystem;

namespace {

double secondsOf(const std::function<void()> &work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char **argv) {
  int layers = 12;
  bool tiny = false;
  double mostCold = 0, mostWarm = 0;
  std::string precision = "bf16", architecture = "sm_90";
  CLI::App app("Times the compilation of an encoder's train step for a GPU.");
  app.add_option("--layers", layers);
  app.add_flag("--tiny", tiny, "Small shapes");
  app.add_option("--precision", precision);
  app.add_option("--arch", architecture);
  app.add_option("--most-cold", mostCold, "Seconds that all may take at first; 0: any");
  app.add_option("--most-warm", mostWarm,
                 "Seconds that NVRTC's part may take from the cache; 0: any");
  CLI11_PARSE(app, argc, argv);

  auto nvrtc = runtime::cuda::Nvrtc::open();
  if (!nvrtc.ok()) {
    std::puts(nvrtc.error().message.c_str());
    return 77;
  }
  const fs::path cache = fs::temp_directory_path() / fmt::format("cuda_compile.{}", getpid());
  setenv("SINTER_CACHE_DIR", cache.c_str(), 1);

  EncoderSize size;
  if (!tiny) size = {8, 128, 768, 12, 3072};
  Ir ir;
  auto module = ir.parse(encoderStep(layers, size));
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.precision = precision;
  options.architecture = architecture;
  options.early = true;
  mlir::FailureOr<runtime::Program> program = mlir::failure();
  double text = secondsOf([&] {
    if (module) program = sinter::detail::compileModule(*module, options);
  });
  if (failed(program)) {
    fmt::print(stderr, "{}\n", ir.errors);
    return 1;
  }
  std::vector<runtime::cuda::NvrtcRequest> requests;
  for (const runtime::Kernel &kernel : program->kernels)
    requests.push_back(runtime::cuda::requestFor(*program, kernel, architecture));
  bool made = true;
  auto compile = [&] {
    auto images = (*nvrtc)->compileAll(requests);
    if (!images.ok()) {
      fmt::print(stderr, "{}\n", images.error().message);
      made = false;
    }
  };
  double cold = secondsOf(compile), warm = secondsOf(compile);
  fs::remove_all(cache);
  fmt::print(
      "{} layers, {} launches, {} kernels, {} threads: passes and text {:.2f} s, NVRTC {:.2f} s, "
      "from the cache {:.3f} s\n",
      layers, program->entries[0].body.size(), requests.size(), std::thread::hardware_concurrency(),
      text, cold, warm);
  int byWarps = 0, byWarpgroups = 0;
  for (const runtime::Instruction &instruction : program->entries[0].body)
    if (auto *launch = std::get_if<runtime::Launch>(&instruction.op)) {
      const std::string &source = program->kernels[launch->kernel].source;
      byWarpgroups += source.find("multiplyBlocks<") != std::string::npos;
      byWarps += source.find("mma<") != std::string::npos;
    }
  fmt::print("{} products by warpgroups, {} by warps\n", byWarpgroups, byWarps);
  bool slow = (mostCold > 0 && text + cold > mostCold) || (mostWarm > 0 && warm > mostWarm);
  if (slow) fmt::print("that is more than {} s cold or {} s warm\n", mostCold, mostWarm);
  return made && !slow ? 0 : 1;
}
