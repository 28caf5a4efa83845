// Rows and reductions of every form on a GPU: by threads, warps and blocks, side by side, in parts; extents that no form
// divides. On the emulated device against the evaluator's bounds, and by the shape of their text.
#include "../../support/NvrtcOrSkip.h"
#include "../../support/OnDevice.h"

#include "sinter/runtime/cuda/Nvrtc.h"

#include <gmock/gmock.h>

#include <iterator>
#include <random>
#include <regex>

using namespace sinter;
using namespace sinter::test;
using testing::HasSubstr;

namespace {

struct RowCase {
  const char *name;
  const char *types;  // of %x0, %x1, ...
  const char *result; // of %r
  const char *body;
  std::vector<const char *> has; // of the kernels' text
};

#define SOFTMAX(type) "%r = sinter.softmax %x0 {dim = 1 : i64} : tensor<" type ">\n"
#define SUM(dims, from, to)                                                                        \
  "%r = sinter.sum %x0 {dim = array<i64: " dims ">} : (tensor<" from ">) -> tensor<" to ">\n"

const RowCase cases[] = {
    // A thread a row, a warp a row, with columns that four does and does not divide.
    {"thread", "tensor<40x28xf32>", "tensor<40x28xf32>", SOFTMAX("40x28xf32"), {"loadVec<4>"}},
    {"threadOdd", "tensor<40x27xf32>", "tensor<40x27xf32>", SOFTMAX("40x27xf32"), {"p0["}},
    {"warp", "tensor<6x256xf32>", "tensor<6x256xf32>", SOFTMAX("6x256xf32"), {"loadVec<4>"}},
    {"warpUneven", "tensor<5x300xf32>", "tensor<5x300xf32>", SOFTMAX("5x300xf32"), {"minimum("}},
    {"warpOdd", "tensor<7x101xf32>", "tensor<7x101xf32>", SOFTMAX("7x101xf32"), {"p0["}},
    {"warpHalf",
     "tensor<6x256xbf16>",
     "tensor<6x256xbf16>",
     SOFTMAX("6x256xbf16"),
     {"Vec<bf16, 4>"}},
    // A block a row: all warps, by shared memory; the last size is not unrolled.
    {"block",
     "tensor<3x2048xf32>",
     "tensor<3x2048xf32>",
     SOFTMAX("3x2048xf32"),
     {"__syncthreads", "loadVec<4>"}},
    {"blockOdd",
     "tensor<3x1025xf32>",
     "tensor<3x1025xf32>",
     SOFTMAX("3x1025xf32"),
     {"__syncthreads"}},
    {"blockLong",
     "tensor<2x40000xf32>",
     "tensor<2x40000xf32>",
     SOFTMAX("2x40000xf32"),
     {"__syncthreads"}},
    // Rows side by side.
    {"sideBySide",
     "tensor<100x96xf32>",
     "tensor<96xf32>",
     SUM("0", "100x96xf32", "96xf32"),
     {"__syncthreads"}},
    {"sideBySideOdd",
     "tensor<99x37xbf16>",
     "tensor<37xbf16>",
     SUM("0", "99x37xbf16", "37xbf16"),
     {"minimum("}},
    {"sideBySideMiddle",
     "tensor<3x50x40xf64>",
     "tensor<3x40xf64>",
     SUM("1", "3x50x40xf64", "3x40xf64"),
     {"__syncthreads"}},
    {"columnSoftmax",
     "tensor<70x24xf32>",
     "tensor<70x24xf32>",
     "%r = sinter.softmax %x0 {dim = 0 : i64} : tensor<70x24xf32>\n",
     {"__syncthreads"}},
    // Two launches: few rows side by side, and few rows of many columns.
    {"partsSideBySide",
     "tensor<2050x33xf32>",
     "tensor<33xf32>",
     SUM("0", "2050x33xf32", "33xf32"),
     {"_parts("}},
    {"partsLong",
     "tensor<3x70001xf32>",
     "tensor<3xf32>",
     SUM("1", "3x70001xf32", "3xf32"),
     {"_parts("}},
    {"partsWhole", "tensor<36864xf32>", "tensor<f32>", SUM("0", "36864xf32", "f32"), {"_parts("}},
    {"partsTwoDims",
     "tensor<90x5x440xf32>",
     "tensor<5xf32>",
     SUM("0, 2", "90x5x440xf32", "5xf32"),
     {"_parts("}},
    {"longArgmax",
     "tensor<2x50000xf32>",
     "tensor<2xi64>",
     "%r = sinter.argmax %x0 {dim = array<i64: 1>} : (tensor<2x50000xf32>) -> tensor<2xi64>\n",
     {"__shfl_xor_sync"}},
    {"partsMean",
     "tensor<1500x16xf32>, tensor<16xf32>",
     "tensor<16xf32>",
     "%m = sinter.mean %x0 {dim = array<i64: 0>} : (tensor<1500x16xf32>) -> tensor<16xf32>\n"
     "%r = sinter.mul %m, %x1 : tensor<16xf32>\n",
     {"_parts("}},
};

class RowsOnGpu : public testing::TestWithParam<size_t> {};

TEST_P(RowsOnGpu, AgreeWithTheEvaluator) {
  const RowCase &c = cases[GetParam()];
  std::string arguments, types = c.types;
  for (size_t number = 0, at = 0; at != std::string::npos; ++number) {
    size_t end = types.find(", ", at);
    arguments += (number ? ", %x" : "%x") + std::to_string(number) + ": " +
                 types.substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? end : end + 2;
  }
  std::string text = "func.func @f(" + arguments + ") -> " + c.result + " {\n" + c.body +
                     "return %r : " + c.result + "\n}\n";
  Ir ir;
  auto module = ir.parse(text), printed = ir.parse(text), reference = ir.parse(text);
  ASSERT_TRUE(module) << ir.errors << text;

  std::string problem, kernels;
  auto program = programFor(ir, *printed, "cuda-emulated", problem);
  ASSERT_TRUE(program) << problem;
  for (const runtime::Kernel &kernel : program->kernels) kernels += kernel.source;
  for (const char *part : c.has) EXPECT_THAT(kernels, HasSubstr(part));

  auto function = Ir::function(*reference, "f");
  std::mt19937 random(11);
  std::vector<HostTensor> inputs;
  for (mlir::Type type : function.getArgumentTypes()) {
    std::vector<double> numbers(llvm::cast<mlir::RankedTensorType>(type).getNumElements());
    for (double &number : numbers) number = std::uniform_real_distribution<double>(-2, 2)(random);
    inputs.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
  }
  auto expected = codegen::evaluate(function, inputs);
  ASSERT_TRUE(succeeded(expected)) << ir.errors;
  OnDevice device(ir, *module, "cuda-emulated");
  ASSERT_EQ(device.problem, "");
  auto actual = device.run("f", inputs, resultTypes(*reference, "f"));
  ASSERT_EQ(device.problem, "") << kernels;
  EXPECT_EQ(disagreement({expected->begin(), expected->end()}, actual), "") << kernels;
}

INSTANTIATE_TEST_SUITE_P(All, RowsOnGpu, testing::Range<size_t>(0, std::size(cases)),
                         [](const auto &info) { return std::string(cases[info.param].name); });

int count(const std::string &text, const std::string &pattern) {
  const std::regex regex(pattern);
  return int(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {}));
}

/// PTX of the kernel that the function becomes.
std::string ptxOf(const runtime::cuda::Nvrtc &nvrtc, const std::string &function) {
  Ir ir;
  auto module = ir.parse(function);
  std::string problem;
  auto program = programFor(ir, *module, "cuda-emulated", problem);
  EXPECT_TRUE(program) << problem << ir.errors;
  if (!program || program->kernels.size() != 1) return "";
  auto ptx =
      nvrtc.compile(runtime::cuda::requestFor(*program, program->kernels.front(), "compute_90"));
  EXPECT_TRUE(ptx.ok()) << ptx.error().message;
  return ptx.ok() ? std::string(ptx->image.begin(), ptx->image.end()) : "";
}

// Three passes over a row, one reading of it: 768 columns are 6 words of 16 bytes for each lane of a warp.
TEST(RowsInPtx, SoftmaxReadsItsRowOnce) {
  SINTER_NVRTC_OR_SKIP(nvrtc);
  std::string ptx =
      ptxOf(**nvrtc, "func.func @f(%x0: tensor<64x768xf32>) -> tensor<64x768xf32> {\n" SOFTMAX(
                         "64x768xf32") "return %r : tensor<64x768xf32>\n}\n");
  EXPECT_EQ(count(ptx, "ld\\.global"), 6);
  EXPECT_EQ(count(ptx, "ld\\.global\\.nc\\.v4"), 6);
  EXPECT_EQ(count(ptx, "st\\.global"), 6);
  EXPECT_EQ(count(ptx, "st\\.global\\.v4"), 6);
}

// Four f32 of each side are a word; four bf16 are written as one of 8 bytes.
TEST(RowsInPtx, PointsMoveInWords) {
  SINTER_NVRTC_OR_SKIP(nvrtc);
  std::string ptx = ptxOf(
      **nvrtc, "func.func @f(%x0: tensor<64x96xf32>, %x1: tensor<96xf32>) -> tensor<64x96xbf16> {\n"
               "%b = sinter.broadcast %x1 : (tensor<96xf32>) -> tensor<64x96xf32>\n"
               "%s = sinter.add %x0, %b : tensor<64x96xf32>\n"
               "%r = sinter.cast %s : (tensor<64x96xf32>) -> tensor<64x96xbf16>\n"
               "return %r : tensor<64x96xbf16>\n}\n");
  EXPECT_EQ(count(ptx, "ld\\.global"), 2);
  EXPECT_EQ(count(ptx, "ld\\.global\\.nc\\.v4"), 2);
  EXPECT_EQ(count(ptx, "st\\.global"), 1);
  EXPECT_EQ(count(ptx, "st\\.global\\.v[24]"), 1);
}

} // namespace
