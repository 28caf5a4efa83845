// CUDA contractions under every kind of tile, sums in one and in several parts, on the emulated device against
// the evaluator's bounds.
#include "../../support/OnDevice.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/frontend/detail/CompileModule.h"

#include <gmock/gmock.h>

#include <random>

using namespace sinter;
using namespace sinter::test;
using testing::HasSubstr;

namespace {

struct Tile {
  int64_t m, n, k, splits, threads;
};
// Larger and smaller than the results below, register tiles from 1x4 to 8x8, one to five parts.
const Tile tiles[] = {{64, 64, 16, 1, 256}, {128, 128, 8, 1, 256}, {16, 16, 16, 1, 64},
                      {32, 16, 8, 3, 32},   {16, 64, 4, 5, 64},    {128, 32, 16, 2, 128}};

struct Case {
  const char *name, *types, *result, *body;
};
// All sizes but those of `whole` leave tiles half empty.
const Case cases[] = {
    {"odd", "tensor<37x29xf32>, tensor<29x45xf32>", "tensor<37x45xf32>",
     "%r = sinter.matmul %0, %1 : (tensor<37x29xf32>, tensor<29x45xf32>) -> tensor<37x45xf32>\n"},
    {"whole", "tensor<64x128xf32>, tensor<128x64xf32>, tensor<64xf32>", "tensor<64x64xf32>",
     "%a = sinter.relu %0 : tensor<64x128xf32>\n"
     "%p = sinter.matmul %a, %1 : (tensor<64x128xf32>, tensor<128x64xf32>) -> tensor<64x64xf32>\n"
     "%c = sinter.broadcast %2 : (tensor<64xf32>) -> tensor<64x64xf32>\n"
     "%s = sinter.add %p, %c : tensor<64x64xf32>\n"
     "%r = sinter.tanh %s : tensor<64x64xf32>\n"},
    {"transposed", "tensor<3x40x36xf32>, tensor<3x52x40xf32>", "tensor<3x36x52xf32>",
     "%r = sinter.matmul %0, %1 {transpose_a = true, transpose_b = true} : (tensor<3x40x36xf32>, "
     "tensor<3x52x40xf32>) -> tensor<3x36x52xf32>\n"},
    {"bf16", "tensor<33x70xbf16>, tensor<70x49xbf16>", "tensor<33x49xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<33x70xbf16>, tensor<70x49xbf16>) -> "
     "tensor<33x49xbf16>\n"},
    {"f16", "tensor<20x64xf16>, tensor<64x24xf16>", "tensor<20x24xf16>",
     "%r = sinter.matmul %0, %1 : (tensor<20x64xf16>, tensor<64x24xf16>) -> tensor<20x24xf16>\n"},
    {"f64", "tensor<9x50xf64>, tensor<50x31xf64>", "tensor<9x31xf64>",
     "%r = sinter.matmul %0, %1 : (tensor<9x50xf64>, tensor<50x31xf64>) -> tensor<9x31xf64>\n"},
    {"conv", "tensor<2x4x13x11xf32>, tensor<12x2x3x3xf32>", "tensor<2x12x7x6xf32>",
     "%r = sinter.conv2d %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = "
     "array<i64: 2, 2>} : (tensor<2x4x13x11xf32>, tensor<12x2x3x3xf32>) -> "
     "tensor<2x12x7x6xf32>\n"},
    {"dilated", "tensor<2x3x12x12xf32>, tensor<8x3x3x3xf32>", "tensor<2x8x8x8xf32>",
     "%r = sinter.conv2d %0, %1 {dilation = array<i64: 2, 2>} : (tensor<2x3x12x12xf32>, "
     "tensor<8x3x3x3xf32>) -> tensor<2x8x8x8xf32>\n"},
    {"inputGrad", "tensor<2x12x7x6xf32>, tensor<12x2x3x3xf32>", "tensor<2x4x13x11xf32>",
     "%r = sinter.conv2d_input_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = "
     "array<i64: 2, 2>} : (tensor<2x12x7x6xf32>, tensor<12x2x3x3xf32>) -> "
     "tensor<2x4x13x11xf32>\n"},
    {"weightGrad", "tensor<2x4x13x11xf32>, tensor<2x12x7x6xf32>", "tensor<12x2x3x3xf32>",
     "%r = sinter.conv2d_weight_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride "
     "= "
     "array<i64: 2, 2>} : (tensor<2x4x13x11xf32>, tensor<2x12x7x6xf32>) -> "
     "tensor<12x2x3x3xf32>\n"},
};

std::string textOf(const Case &c) {
  std::string arguments, types = c.types;
  for (size_t number = 0, at = 0; at != std::string::npos; ++number) {
    size_t end = types.find(", ", at);
    arguments += (number ? ", %" : "%") + std::string("x") + std::to_string(number) + ": " +
                 types.substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? end : end + 2;
  }
  std::string body = c.body;
  for (size_t at = 0; (at = body.find('%', at)) != std::string::npos; ++at)
    if (std::isdigit(static_cast<unsigned char>(body[at + 1]))) body.insert(at + 1, "x");
  return "func.func @f(" + arguments + ") -> " + c.result + " {\n" + body +
         "return %r : " + c.result + "\n}\n";
}

class Tiles : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(Tiles, AgreeWithTheEvaluator) {
  const Case &c = cases[std::get<0>(GetParam())];
  const Tile &tile = tiles[std::get<1>(GetParam())];
  Ir ir;
  auto module = ir.parse(textOf(c)), reference = ir.parse(textOf(c));
  ASSERT_TRUE(module) << ir.errors << textOf(c);
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = "sm_90";
  ASSERT_TRUE(succeeded(sinter::detail::planModule(*module, options))) << ir.errors;
  int contractions = 0;
  module->walk([&](ir::KernelOp kernel) {
    if (!isa<ir::ContractionScheduleAttr>(kernel.getSchedule())) return;
    kernel.setScheduleAttr(ir::ContractionScheduleAttr::get(&ir.context, tile.m, tile.n, tile.k,
                                                            tile.splits, tile.threads));
    ++contractions;
  });
  ASSERT_EQ(contractions, 1);
  codegen::CodegenOptions codegenOptions;
  codegenOptions.target = runtime::TargetKind::cuda;
  auto program = codegen::compileToProgram(*module, codegenOptions);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  std::string text;
  for (const runtime::Kernel &kernel : program->kernels) text += kernel.source;
  EXPECT_THAT(text, HasSubstr("SINTER_SHARED_2D"));
  if (tile.splits > 1) { EXPECT_THAT(text, HasSubstr("_parts(")); }

  auto function = Ir::function(*reference, "f");
  std::mt19937 random(7);
  std::vector<HostTensor> inputs;
  for (mlir::Type type : function.getArgumentTypes()) {
    std::vector<double> numbers(llvm::cast<mlir::RankedTensorType>(type).getNumElements());
    for (double &number : numbers) number = std::uniform_real_distribution<double>(-1, 1)(random);
    inputs.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
  }
  auto expected = codegen::evaluate(function, inputs);
  ASSERT_TRUE(succeeded(expected)) << ir.errors;

  auto device = runtime::emulatedCudaDevice({.schedules = 2, .seed = 1});
  if (!device.ok()) GTEST_SKIP() << device.error().message;
  auto executor = runtime::Executor::create(
      std::make_shared<const runtime::Program>(std::move(*program)), *device);
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  std::vector<std::vector<uint8_t>> in;
  std::vector<const void *> addresses;
  for (const HostTensor &input : inputs) in.push_back(codegen::toBytes(input));
  for (const auto &bytes : in) addresses.push_back(bytes.data());
  auto type = resultTypes(*reference, "f")[0];
  std::vector<uint8_t> out(codegen::tensorTypeOf(type).numBytes(), uint8_t(0xA5));
  void *outAddress = out.data();
  runtime::Status status = (*executor)->run(0, addresses, {&outAddress, 1});
  ASSERT_TRUE(status.ok()) << status.error().message << "\n" << text;
  std::vector<HostTensor> results(expected->begin(), expected->end());
  EXPECT_EQ(disagreement(results, {codegen::fromBytes(type, out.data())}), "") << text;
}

INSTANTIATE_TEST_SUITE_P(All, Tiles,
                         testing::Combine(testing::Range<size_t>(0, std::size(cases)),
                                          testing::Range<size_t>(0, std::size(tiles))),
                         [](const auto &info) {
                           const Tile &tile = tiles[std::get<1>(info.param)];
                           return std::string(cases[std::get<0>(info.param)].name) + "_" +
                                  std::to_string(tile.m) + "x" + std::to_string(tile.n) + "x" +
                                  std::to_string(tile.k) + "_parts" + std::to_string(tile.splits);
                         });

} // namespace
