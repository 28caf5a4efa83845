// The run-time compiler, and every device header through it for every architecture we support.
#include "../../support/NvrtcOrSkip.h"
#include "KernelTest.h"

#include "sinter/runtime/cuda/Nvrtc.h"

#include <gmock/gmock.h>

using namespace sinter::test;
using namespace sinter::runtime::cuda;
using testing::AllOf;
using testing::HasSubstr;

namespace {

class NvrtcTest : public testing::Test {
protected:
  void SetUp() override {
    SINTER_NVRTC_OR_SKIP(opened);
    nvrtc = *opened;
  }
  static NvrtcRequest request(const std::string &name, const std::string &source,
                              const std::string &arch) {
    NvrtcRequest request{name, source, {}, arch, {}};
    for (const auto &header : sinter::codegen::deviceHeaders())
      request.headers.emplace_back(header.name, header.text);
    return request;
  }
  std::shared_ptr<const Nvrtc> nvrtc;
};

/// Uses at least one instance of everything in the library.
const char *kitchenSink = R"(
extern "C" __global__ void __launch_bounds__(256)
sink(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL_CONST(bf16) in1, SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(f16) out1, SINTER_GLOBAL(i64) out2, i64 n) {
  awaitEarlierKernels();
  i64 i = i64(blockIdx.x) * 256 + threadIdx.x;
  SINTER_SHARED(bf16, tile, 512);
  SINTER_SHARED_2D(f32, rows, 32, 33);
  SINTER_DYNAMIC_SHARED(f32, dynamic);
  Vec<f32, 4> v = loadVec<4>(in0, i * 4);
  Vec<bf16, 8> w = loadVecOr<8>(in1, i * 8, i < n, bf16(0.0f));
  tile[threadIdx.x] = w[3], rows[threadIdx.x / 32][threadIdx.x % 32] = v[1], dynamic[threadIdx.x] = v[2];
  copyAsync<16>(tile + 8, in1 + 16);
  copyAsyncOrZero<4>(tile + 2, in1 + 2, i < n);
  copyAsyncFirst<8>(tile + 4, in1 + 4, n < 4 ? n : 4);
  copyAsyncCommit();
  copyAsyncWait<0>();
  __syncthreads();
  f32 s = blockReduce<256>(v[0] + f32(w[0]), Sum{}) + blockReduce<256>(v[0], Maximum{}) + blockReduce<256>(v[0], Minimum{});
  s += rows[threadIdx.x % 32][threadIdx.x / 32] + castPtr<f32>(dynamic + 4)[1] + warpReduce<8>(v[1], Product{});
  auto best = blockReduce<256>(ValueIndex<f32>{v[1], i}, ArgMax{}), worst = blockReduce<256>(ValueIndex<f32>{v[1], i}, ArgMin{});
  auto moments = blockReduce<256>(Moments<f32>{1.0f, v[2], 0.0f}, WelfordMerge{});
  i32 bits = blockReduce<256>(i32(n), BitAnd{}) + blockReduce<256>(i32(n), BitOr{}) + blockReduce<256>(i32(n), BitXor{});
  i1 all = blockReduce<256>(v[0] > 0.0f, LogicalAnd{}), any = blockReduce<256>(v[0] > 0.0f, LogicalOr{});
  MmaC c = mma<bf16>(loadFragmentA(tile, 16), loadFragmentB(tile + 256, 8), MmaC{});
  Fragment<4> four = loadMatrices<4>(tile + threadIdx.x % 32 * 8), flipped = loadMatricesTransposed<4>(tile + threadIdx.x % 32 * 8);
  Fragment<2> two = loadMatrices<2>(tile + threadIdx.x % 16 * 8), twoFlipped = loadMatricesTransposed<2>(tile + threadIdx.x % 16 * 8);
  Fragment<1> one = loadMatrices<1>(tile + threadIdx.x % 8 * 8), oneFlipped = loadMatricesTransposed<1>(tile + threadIdx.x % 8 * 8);
  c = mma<bf16>(four, fragmentPart<2, 2>(flipped), c);
  c = mma<f16>(flipped, two, mma<f16>(four, twoFlipped, c));
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  c = mmaTf32(MmaA{{tf32BitsOf(s), one.r[0], oneFlipped.r[0], 0u}}, MmaB{{tf32BitsOf(v[0]), 0u}}, c);
#endif
  c = mma<f16>(loadFragmentA(castPtr<f16>(tile), 16), loadFragmentBTransposed(castPtr<f16>(tile), 16), c);
  s += blockScan<256>(v[3], Sum{}) + loadOnce(in0, i) + loadOr(in0, i, i < n, 0.0f) + randomUniform(1, i, 2, 3);
  storeOnce(out0, i, s + moments.mean + c.v[0] + randomNormal(1, i, 2, 3) + castTo<f32>(castTo<i64>(v[1])));
  storeIf(out0, i, i < n && all && !any, 1.0f);
  out1[i] = maximum(castTo<f16>(s), minimum(castTo<f16>(in1[i]), out1[i]));
  out2[i] = best.index + worst.index + floorDiv<i64>(i, n) + floorRem<i64>(i, n) + ceilDiv<i64>(i, n) + castTo<u8>(s) + castTo<i1>(s) +
            castTo<i32>(in1[i]) + truncDiv<i32>(3, i32(n)) + truncRem<i32>(3, i32(n)) + addWrap(bits, 1) + mulWrap(bits, 3) + subWrap(bits, 1) +
            shiftLeft(bits, 3) + shiftRight(bits, 3) + shiftRightLogical(bits, 40);
  storeVec(out0, i * 4, v);
  atomicAdd(out0 + i, 1.0f);
  if (isNan(in1[i]) || isInf(s) || !isFinite(s))
    out0[1] = sigmoid(absolute(s)) + signOf(s) + erfinvf(s) + rsqrtf(s) + tanhf(s) + f32(sigmoid(f64(s))) + floorRem(s, 2.0f);
}
)";

TEST_F(NvrtcTest, theLibraryCompilesForEveryArchitecture) {
  std::string all;
  for (const auto &header : sinter::codegen::deviceHeaders())
    all += "#include \"" + header.name + "\"\n";
  std::vector<NvrtcRequest> requests;
  for (const char *arch :
       {"sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_120"}) {
    requests.push_back(request("sink", all + kitchenSink, arch));
    for (const auto &header :
         sinter::codegen::deviceHeaders()) // alone: each includes what it needs
      if (std::string(arch) == "sm_75" || std::string(arch) == "sm_100")
        requests.push_back(request("alone",
                                   "#include \"" + header.name +
                                       "\"\nextern \"C\" __global__ void alone(int *x) { *x = 1; }",
                                   arch));
  }
  auto images = nvrtc->compileAll(requests);
  ASSERT_TRUE(images.ok()) << images.error().message;
  for (const CompiledImage &image : *images)
    EXPECT_EQ(std::string(image.image.begin() + 1, image.image.begin() + 4), "ELF");
}

TEST_F(NvrtcTest, vectorLoadsAreOneInstruction) {
  auto ptx = nvrtc->compile(request("vec", R"(#include "sinter/memory.cuh"
extern "C" __global__ void vec(SINTER_GLOBAL_CONST(bf16) in0, SINTER_GLOBAL(bf16) out0) {
  storeVec(out0, i64(threadIdx.x) * 8, loadVec<8>(in0, i64(threadIdx.x) * 8));
})",
                                    "compute_80"));
  ASSERT_TRUE(ptx.ok()) << ptx.error().message;
  const std::string text(ptx->image.begin(), ptx->image.end());
  EXPECT_THAT(text, AllOf(testing::ContainsRegex("ld.global.nc.v4.[ubsf]32"),
                          testing::ContainsRegex("st.global.v4.[ubsf]32")));
}

TEST_F(NvrtcTest, kernelsWaitForEarlierOnesWhereTheGpuLetsThemStart) {
  for (const char *arch : {"compute_80", "compute_90"}) {
    auto ptx = nvrtc->compile(request("k", R"(#include "sinter/launch.cuh"
extern "C" __global__ void k(SINTER_GLOBAL(f32) out0) {
  awaitEarlierKernels();
  out0[threadIdx.x] = 1.0f;
})",
                                      arch));
    ASSERT_TRUE(ptx.ok()) << ptx.error().message;
    const std::string text(ptx->image.begin(), ptx->image.end());
    const size_t wait = text.find("griddepcontrol.wait");
    EXPECT_EQ(wait != std::string::npos, std::string(arch) == "compute_90");
    if (wait == std::string::npos) continue;
    EXPECT_LT(text.find("griddepcontrol.launch_dependents"), wait);
    EXPECT_LT(wait, text.find("st.global"));
  }
}

TEST_F(NvrtcTest, anErrorShowsKernelAndLog) {
  auto failed = nvrtc->compile(
      request("broken", "extern \"C\" __global__ void broken() {\n  nonsense();\n}", "sm_90"));
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().message, AllOf(HasSubstr("kernel 'broken'"), HasSubstr("sm_90"),
                                            HasSubstr("broken.cu(2)"), HasSubstr("nonsense")));
}

TEST_F(NvrtcTest, resourcesAreRead) {
  NvrtcRequest asked = request("res", R"(#include "sinter/reduce.cuh"
extern "C" __global__ void __launch_bounds__(256) res(SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 512);
  tile[threadIdx.x] = out0[threadIdx.x];
  __syncthreads();
  out0[threadIdx.x] = tile[threadIdx.x ^ 255];
})",
                               "sm_90");
  asked.options.resources = true;
  auto compiled = nvrtc->compile(asked);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  ASSERT_EQ(compiled->resources.size(), 1u) << compiled->log;
  EXPECT_GT(compiled->resources[0].registers, 0);
  EXPECT_LT(compiled->resources[0].registers, 64);
  EXPECT_EQ(compiled->resources[0].sharedBytes, 2048) << compiled->log;
  EXPECT_EQ(compiled->resources[0].spillStores, 0);
}

TEST(NvrtcLog, spillsAreParsed) {
  auto all = parseResources(
      "ptxas info    : Function properties for k\n"
      "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 1024 bytes smem, 368 bytes cmem[0]\n"
      "ptxas info    : Used 18 registers, 368 bytes cmem[0]\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].registers, 255);
  EXPECT_EQ(all[0].spillStores, 12);
  EXPECT_EQ(all[0].spillLoads, 8);
  EXPECT_EQ(all[0].sharedBytes, 1024);
  EXPECT_EQ(all[1].registers, 18);
  EXPECT_EQ(all[1].spillStores, 0);
}

TEST_F(NvrtcTest, architecturesFallBackToPtx) {
  EXPECT_EQ(nvrtc->archFor(80), "sm_80");
  EXPECT_EQ(nvrtc->archFor(90), "sm_90a");
  EXPECT_THAT(nvrtc->archFor(990),
              testing::MatchesRegex("compute_[0-9]+")); // no 'a': that is one GPU's
  EXPECT_EQ(nvrtc->archFor(91), "compute_90");
  EXPECT_THAT(nvrtc->suits(35).error().message,
              AllOf(HasSubstr("compiles for sm_"), HasSubstr("this GPU is sm_35"),
                    HasSubstr("SINTER_NVRTC_LIB")));
  ASSERT_TRUE(nvrtc->suits(90).ok());
  auto ptx = nvrtc->compile(
      request("k", "extern \"C\" __global__ void k(int *x) { *x = 1; }", nvrtc->archFor(990)));
  ASSERT_TRUE(ptx.ok()) << ptx.error().message;
  EXPECT_THAT(std::string(ptx->image.begin(), ptx->image.end()), HasSubstr(".visible .entry k"));
}

} // namespace
