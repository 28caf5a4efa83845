// matrix_tiles [--nvrtc VERSION]: every tile of the matrix units, compiled by NVRTC for each architecture, with what
// ptxas says it needs: of a product whose sides are copied, and of a convolution whose input goes through registers. Then
// the tiles of warpgroups for sm_90a, of a product with sides along k and across it and of one with both the other way,
// with what their PTX holds. Fails where one spills, or holds no products of warpgroups or no bulk copies. matrix_tiles --choices: what the model chooses for some shapes, and predicts.

#include "../support/Ir.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/passes/fusion/ContractionSchedule.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <fmt/format.h>

using namespace sinter;
using namespace sinter::test;

namespace {

const std::vector<std::string> architectures{"sm_80", "sm_90", "sm_100"};

const char *product = R"(
func.func @f(%x: tensor<1024x1024xbf16>, %w: tensor<1024x1024xbf16>, %b: tensor<1024xbf16>) -> tensor<1024x1024xbf16> {
  %0 = sinter.matmul %x, %w : (tensor<1024x1024xbf16>, tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16>
  %1 = sinter.broadcast %b : (tensor<1024xbf16>) -> tensor<1024x1024xbf16>
  %2 = sinter.add %0, %1 : tensor<1024x1024xbf16>
  %r = sinter.relu %2 : tensor<1024x1024xbf16>
  return %r : tensor<1024x1024xbf16>
}
)";
const char *convolution = R"(
func.func @f(%x: tensor<32x64x56x56xbf16>, %w: tensor<128x64x3x3xbf16>) -> tensor<32x128x56x56xbf16> {
  %0 = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<32x64x56x56xbf16>, tensor<128x64x3x3xbf16>) -> tensor<32x128x56x56xbf16>
  %r = sinter.relu %0 : tensor<32x128x56x56xbf16>
  return %r : tensor<32x128x56x56xbf16>
}
)";

const char *turned = R"(
func.func @f(%x: tensor<1024x1024xbf16>, %w: tensor<1024x1024xbf16>, %y: tensor<1024x1024xbf16>) -> tensor<1024x1024xf32> {
  %0 = sinter.matmul %x, %w {transpose_a = true, transpose_b = true} : (tensor<1024x1024xbf16>, tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16>
  %1 = sinter.gelu %0 : tensor<1024x1024xbf16>
  %2 = sinter.add %1, %y : tensor<1024x1024xbf16>
  %r = sinter.cast %2 : (tensor<1024x1024xbf16>) -> tensor<1024x1024xf32>
  return %r : tensor<1024x1024xf32>
}
)";

struct Needs {
  std::vector<int> registers; // for each architecture
  uint32_t sharedBytes = 0;
  int spills = 0;
  int products = 0, bulkCopies = 0, shared = 0; // in PTX for sm_90a, of a warpgroup's kernel
};

int countOf(const std::string &word, const std::string &text) {
  int count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
  return count;
}

std::optional<Needs> needsOf(const runtime::cuda::Nvrtc &nvrtc, const char *text,
                             const passes::fusion::MatrixTile &tile,
                             const std::vector<std::string> &architectures, bool tf32 = false,
                             int64_t splitK = 1) {
  Ir ir;
  std::string all = text;
  for (size_t at; tf32 && (at = all.find("bf16")) != std::string::npos;) all.replace(at, 4, "f32");
  auto module = ir.parse(all);
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.tf32 = tf32;
  options.architecture = architectures[0];
  if (!module || failed(sinter::detail::planModule(*module, options))) {
    fmt::print(stderr, "{}\n", ir.errors);
    return std::nullopt;
  }
  module->walk([&](ir::KernelOp kernel) {
    if (isa<ir::ContractionScheduleAttr>(kernel.getSchedule()))
      kernel.setScheduleAttr(ir::ContractionScheduleAttr::get(&ir.context, tile.m, tile.n, tile.k,
                                                              splitK, tile.threads,
                                                              passes::fusion::mostMatrixStages));
  });
  codegen::CodegenOptions codegenOptions;
  codegenOptions.target = runtime::TargetKind::cuda;
  auto program = codegen::compileToProgram(*module, codegenOptions);
  if (failed(program) || program->kernels.size() != 1) {
    fmt::print(stderr, "not one kernel\n{}", ir.errors);
    return std::nullopt;
  }
  Needs needs;
  const runtime::Kernel &kernel = program->kernels[0];
  needs.sharedBytes = std::get<runtime::Launch>(program->entries[0].body[0].op).shape.sharedBytes;
  std::vector<runtime::cuda::NvrtcRequest> requests;
  for (const std::string &arch : architectures) {
    runtime::cuda::NvrtcRequest request{kernel.name, kernel.source, {}, arch, {}};
    for (uint32_t header : kernel.headers)
      request.headers.emplace_back(program->headers[header].name, program->headers[header].text);
    request.options.resources = true;
    requests.push_back(request);
  }
  if (architectures[0] == "sm_90a") {
    runtime::cuda::NvrtcRequest request = requests[0];
    request.arch = "compute_90a";
    request.options.resources = false;
    auto ptx = nvrtc.compile(request);
    if (ptx.ok()) {
      std::string text(ptx->image.begin(), ptx->image.end());
      needs.products = countOf("wgmma.mma_async", text);
      needs.bulkCopies = countOf("cp.async.bulk.tensor", text);
      needs.shared = countOf(".multicast::cluster", text);
    }
  }
  auto images = nvrtc.compileAll(requests);
  if (!images.ok()) {
    fmt::print(stderr, "{}\n", images.error().message);
    return std::nullopt;
  }
  for (const auto &image : *images)
    for (const auto &resources : image.resources) {
      needs.registers.push_back(resources.registers);
      needs.spills += resources.spillLoads + resources.spillStores;
    }
  return needs;
}

/// The model's choice for a function of one contraction.
bool printChoice(const std::string &name, const std::string &text) {
  for (const char *arch : {"sm_80", "sm_90", "sm_90a"}) {
    Ir ir;
    auto module = ir.parse(text);
    sinter::detail::ModuleOptions options;
    options.device = "cuda";
    options.architecture = arch;
    if (!module || failed(sinter::detail::planModule(*module, options))) {
      fmt::print(stderr, "{}\n", ir.errors);
      return false;
    }
    module->walk([&](ir::KernelOp kernel) {
      auto schedule = dyn_cast<ir::ContractionScheduleAttr>(kernel.getSchedule());
      if (!schedule) return;
      kernel.walk([&](ir::ContractionOpInterface op) {
        auto prediction = passes::fusion::predictMatrix(op, schedule, ir::targetOf(kernel));
        fmt::print("{:<34} {:>6} {:>13} {:>6} {:>10.1f} {:>8.0f}%\n", name, arch,
                   fmt::format("{}{}x{}x{}", schedule.getThreads() > 384 ? "2x" : "",
                               schedule.getTileM(), schedule.getTileN(), schedule.getTileK()),
                   schedule.getSplitK(), prediction.cycles / 1000, 100 * prediction.share);
      });
    });
  }
  return true;
}

int printChoices() {
  fmt::print("{:<34} {:>6} {:>13} {:>6} {:>10} {:>9}\n", "", "", "tile", "parts", "kcycles",
             "of units");
  auto product = [](int64_t m, int64_t n, int64_t k) {
    std::string types = fmt::format("tensor<{}x{}xbf16>, tensor<{}x{}xbf16>", m, k, k, n),
                result = fmt::format("tensor<{}x{}xbf16>", m, n);
    return printChoice(
        fmt::format("matmul {}x{}x{}", m, n, k),
        fmt::format("func.func @f(%x: tensor<{0}x{2}xbf16>, %w: tensor<{2}x{1}xbf16>) -> {4} {{\n"
                    "  %r = sinter.matmul %x, %w : ({3}) -> {4}\n  return %r : {4}\n}}\n",
                    m, n, k, types, result));
  };
  bool fine = product(4096, 4096, 4096) && product(1024, 3072, 768) && product(512, 512, 512) &&
              product(32, 4096, 4096) && product(64, 10, 1600) && product(128, 128, 25088);
  return fine && printChoice("conv2d 64 to 128 channels, 56x56", convolution) ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 2 && std::string(argv[1]) == "--choices") return printChoices();
  auto nvrtc = runtime::cuda::Nvrtc::open();
  if (!nvrtc.ok()) {
    fmt::print("{}\n", nvrtc.error().message);
    return 77;
  }
  std::string version = fmt::format("{}.{}", (*nvrtc)->major(), (*nvrtc)->minor());
  if (argc == 3 && std::string(argv[1]) == "--nvrtc" && version != argv[2]) {
    fmt::print("this is NVRTC {}, whose ptxas may count otherwise than {}'s\n", version, argv[2]);
    return 77;
  }
  int spills = 0;
  for (bool tf32 : {false, true}) {
    fmt::print("{}{:>11} {:>8} {:>8}   {}\n{:>11} {:>8} {:>8}", tf32 ? "\n" : "",
               tf32 ? "tf32" : "", "", "shared", "registers: product, convolution", "tile",
               "threads", "bytes");
    for (const std::string &arch : architectures) fmt::print(" {:>9}", arch);
    fmt::print("\n");
    for (const passes::fusion::MatrixTile &tile : passes::fusion::matrixTiles()) {
      auto one = needsOf(**nvrtc, product, tile, architectures, tf32),
           other = needsOf(**nvrtc, convolution, tile, architectures, tf32);
      if (!one || !other) return 1;
      spills += one->spills + other->spills;
      fmt::print("{:>11} {:>8} {:>8}", fmt::format("{}x{}x{}", tile.m, tile.n, tile.k),
                 tile.threads, one->sharedBytes);
      for (size_t i = 0; i < architectures.size(); ++i)
        fmt::print(" {:>9}", fmt::format("{}, {}", one->registers[i], other->registers[i]));
      fmt::print("\n");
    }
  }
  fmt::print("\n{:>11} {:>8} {:>8}   {}\n", "warpgroups", "", "shared",
             "sm_90a, registers; in PTX: products,");
  fmt::print("{:>11} {:>8} {:>8}   {}\n", "tile", "threads", "bytes",
             "bulk copies, of them to all blocks of a cluster");
  bool whole = true;
  auto printTile = [&](const passes::fusion::MatrixTile &tile, int64_t parts) {
    auto one = needsOf(**nvrtc, product, tile, {"sm_90a"}, false, parts),
         other = needsOf(**nvrtc, turned, tile, {"sm_90a"}, false, parts);
    if (!one || !other) return false;
    spills += one->spills + other->spills;
    bool isCluster = tile.threads > 384, shares = isCluster && parts == 1; // of two blocks
    whole &= one->products && one->bulkCopies && other->products && other->bulkCopies &&
             shares == (one->shared > 0) && shares == (other->shared > 0);
    fmt::print("{:>11} {:>8} {:>8}   {}, {}; {}, {}, {}{}\n",
               fmt::format("{}x{}x{}", tile.m, tile.n, tile.k), isCluster ? "2 x 384" : "384",
               one->sharedBytes, one->registers[0], other->registers[0], one->products,
               one->bulkCopies, one->shared, parts > 1 ? "; sums in two parts" : "");
    return true;
  };
  for (const passes::fusion::MatrixTile &tile : passes::fusion::warpgroupTiles())
    if (!printTile(tile, 1)) return 1;
  if (!printTile({128, 128, 64, 2 * 384}, 2)) return 1;
  fmt::print("{} bytes of spills\n", spills);
  return spills || !whole ? 1 : 0;
}
