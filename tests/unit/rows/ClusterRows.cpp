// Rows that a block's registers do not hold, by clusters of blocks: two, four and eight of them, extents that no part
// divides, reductions of every width. On the emulated device against the evaluator's bounds.
#include "../../support/NvrtcOrSkip.h"
#include "../../support/OnDevice.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

using namespace sinter;
using namespace sinter::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

struct ClusterCase {
  const char *name;
  const char *types;  // of %x0, %x1
  const char *result; // of %r
  const char *body;
  int blocks; // of a cluster; 1: none
  const char *architecture = "sm_90";
};

#define SOFTMAX(type)                                                                              \
  "tensor<" type ">", "tensor<" type ">",                                                          \
      "%r = sinter.softmax %x0 {dim = 1 : i64} : tensor<" type ">\n"

const ClusterCase cases[] = {
    {"two", SOFTMAX("2x40000xf32"), 2},
    {"fourOdd", SOFTMAX("3x65539xbf16"), 4},
    {"eightReadAgain", SOFTMAX("1x270004xf32"), 8},
    {"sixtyFourBits", SOFTMAX("2x33000xf64"), 2},
    {"statistics", "tensor<2x40000xf32>, tensor<40000xf32>", "tensor<2x40000xf32>",
     "%r = sinter.layer_norm %x0, %x1, %x1 : (tensor<2x40000xf32>, tensor<40000xf32>, "
     "tensor<40000xf32>) -> tensor<2x40000xf32>\n",
     2},
    {"olderGpu", SOFTMAX("2x40000xf32"), 1, "sm_80"},
    {"shorterRow", SOFTMAX("2x32768xf32"), 1},
};

std::optional<runtime::Program> compiled(Ir &ir, mlir::ModuleOp module, const char *architecture) {
  auto target = codegen::cudaTarget(ir.context, architecture);
  if (failed(target)) return std::nullopt;
  module->setAttr(ir::targetAttr, *target);
  if (failed(passes::runPipeline(module, {}, {}, nullptr))) return std::nullopt;
  codegen::CodegenOptions options;
  options.target = runtime::TargetKind::cuda;
  auto program = codegen::compileToProgram(module, options);
  return succeeded(program) ? std::optional(std::move(*program)) : std::nullopt;
}

class ClusterRows : public testing::TestWithParam<size_t> {};

TEST_P(ClusterRows, AgreeWithTheEvaluator) {
  const ClusterCase &c = cases[GetParam()];
  std::string arguments, types = c.types;
  if (size_t comma = types.find(", "); comma == std::string::npos)
    arguments = "%x0: " + types;
  else
    arguments = "%x0: " + types.substr(0, comma) + ", %x1: " + types.substr(comma + 2);
  std::string text = "func.func @f(" + arguments + ") -> " + c.result + " {\n" + c.body +
                     "return %r : " + c.result + "\n}\n";
  Ir ir;
  auto module = ir.parse(text), reference = ir.parse(text);
  ASSERT_TRUE(module) << ir.errors << text;
  auto program = compiled(ir, *module, c.architecture);
  ASSERT_TRUE(program) << ir.errors;
  std::string kernels;
  for (const runtime::Kernel &kernel : program->kernels) kernels += kernel.source;
  if (c.blocks > 1) {
    EXPECT_THAT(kernels, AllOf(HasSubstr(fmt::format("__cluster_dims__({}, 1, 1)", c.blocks)),
                               HasSubstr(fmt::format("clusterGather<{}>(", c.blocks))));
  } else {
    EXPECT_THAT(kernels, Not(HasSubstr("cluster")));
  }

  auto function = Ir::function(*reference, "f");
  std::mt19937 random(11);
  std::vector<HostTensor> inputs;
  for (mlir::Type type : function.getArgumentTypes()) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    std::vector<double> numbers(tensor.getNumElements());
    for (double &number : numbers) number = std::uniform_real_distribution<double>(-2, 2)(random);
    inputs.push_back(codegen::fromNumbers(tensor, numbers));
  }
  auto expected = codegen::evaluate(function, inputs);
  ASSERT_TRUE(succeeded(expected)) << ir.errors;

  auto device = runtime::emulatedCudaDevice({.schedules = 2});
  ASSERT_TRUE(device.ok()) << device.error().message;
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
  ASSERT_TRUE(status.ok()) << status.error().message << "\n" << kernels;
  std::vector<HostTensor> results(expected->begin(), expected->end());
  EXPECT_EQ(disagreement(results, {codegen::fromBytes(type, out.data())}), "") << kernels;
}

INSTANTIATE_TEST_SUITE_P(All, ClusterRows, testing::Range<size_t>(0, std::size(cases)),
                         [](const auto &info) { return std::string(cases[info.param].name); });

// Two blocks of 1024 threads have 65536 columns, eight words of 16 bytes a thread: three passes, one reading of them, and
// no register too many.
TEST(ClusterRowsInPtx, ReadTheirRowOnce) {
  Ir ir;
  auto module = ir.parse("func.func @f(%x0: tensor<64x65536xf32>) -> tensor<64x65536xf32> {\n"
                         "%r = sinter.softmax %x0 {dim = 1 : i64} : tensor<64x65536xf32>\n"
                         "return %r : tensor<64x65536xf32>\n}\n");
  ASSERT_TRUE(module) << ir.errors;
  auto program = compiled(ir, *module, "sm_90");
  ASSERT_TRUE(program) << ir.errors;
  ASSERT_EQ(program->kernels.size(), 1u);
  SINTER_NVRTC_OR_SKIP(nvrtc);
  auto request = runtime::cuda::requestFor(*program, program->kernels[0], "compute_90");
  auto ptx = (*nvrtc)->compile(request);
  ASSERT_TRUE(ptx.ok()) << ptx.error().message;
  std::string text(ptx->image.begin(), ptx->image.end());
  auto count = [&](const std::string &word) {
    int found = 0;
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("ld.global"), 8);
  EXPECT_EQ(count("ld.global.nc.v4"), 8);
  EXPECT_EQ(count("st.global.v4"), 8);
  EXPECT_EQ(count("barrier.cluster.wait"), 3);
  request.arch = "sm_90", request.options.resources = true;
  auto image = (*nvrtc)->compile(request);
  ASSERT_TRUE(image.ok()) << image.error().message;
  ASSERT_EQ(image->resources.size(), 1u);
  EXPECT_EQ(image->resources[0].spillLoads + image->resources[0].spillStores, 0);
  EXPECT_LE(image->resources[0].registers, 64);
}

} // namespace
