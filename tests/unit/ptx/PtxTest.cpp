// Each primitive of the device headers twice: its plain body on the emulated device, and its inline assembly as
// NVRTC's PTX, executed by the words of the PTX ISA manual. Both write the same bytes.
#include "../cuda/KernelTest.h"
#include "PtxMachine.h"

#include "sinter/runtime/cuda/Nvrtc.h"

#include <gmock/gmock.h>

#include <random>

using namespace sinter::test;
using namespace sinter::runtime::cuda;
using testing::HasSubstr;

namespace {

using Bytes = std::vector<uint8_t>;

enum class Content { halves, bfloats, floats, anything };

/// Small integers of a type, whose products and sums are exact; or any bits.
Bytes fill(Content content, size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  Bytes result(bytes);
  size_t size = content == Content::floats ? 4 : content == Content::anything ? 1 : 2;
  for (size_t at = 0; at < bytes; at += size) {
    float x = float(int(random() % 17) - 8);
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (content == Content::anything) bits = random();
    if (content == Content::bfloats) bits >>= 16;
    if (content == Content::halves) // f32's exponent has bias 127, f16's 15
      bits = x == 0 ? 0 : (bits >> 16 & 0x8000) | (((bits >> 13) - (112 << 10)) & 0x7fff);
    std::memcpy(&result[at], &bits, size);
  }
  return result;
}

struct Primitive {
  const char *name;
  std::string instruction; // that its PTX holds
  std::string text;        // of kernel `k`
  std::vector<Bytes> inputs;
  size_t outputBytes;
};

std::string kernel(const std::string &parameters, const std::string &body) {
  return "extern \"C\" __global__ void __launch_bounds__(32) k(" + parameters +
         ") {\n  i32 lane = threadIdx.x;\n" + body + "}\n";
}

Primitive matrixLoad(int count, bool transposed) {
  std::string n = std::to_string(count);
  // Rows in no simple order, words of the tile filled two at a time.
  return {"ldmatrix",
          "ldmatrix.sync.aligned.m8n8.x" + n + (transposed ? ".trans" : "") + ".shared.b16",
          kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
                 "  SINTER_SHARED(f16, tile, 512);\n"
                 "  for (int i = 0; i < 8; ++i) castPtr<u32>(tile + 0)[i * 32 + lane] = in0[i * 32 "
                 "+ lane];\n"
                 "  __syncthreads();\n"
                 "  Fragment<" +
                     n + "> f = loadMatrices" + (transposed ? "Transposed" : "") + "<" + n +
                     ">(tile + lane * 37 % 64 * 8);\n"
                     "  for (int i = 0; i < " +
                     n + "; ++i) out0[lane * " + n + " + i] = f.r[i];\n"),
          {fill(Content::anything, 1024, unsigned(count))},
          size_t(32 * 4 * count)};
}

Primitive product(const char *type, Content content) {
  std::string form = std::string(type) == "tf32" ? "m16n8k8" : "m16n8k16",
              call = std::string(type) == "tf32" ? "mmaTf32" : "mma<" + std::string(type) + ">";
  return {
      "mma",
      "mma.sync.aligned." + form + ".row.col.f32." + type + "." + type + ".f32",
      kernel(
          "SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL_CONST(u32) in1, "
          "SINTER_GLOBAL_CONST(f32) in2, SINTER_GLOBAL(f32) out0",
          "  MmaA a; MmaB b; MmaC c;\n"
          "  for (int i = 0; i < 4; ++i) a.r[i] = in0[lane * 4 + i], c.v[i] = in2[lane * 4 + i];\n"
          "  for (int i = 0; i < 2; ++i) b.r[i] = in1[lane * 2 + i];\n"
          "  MmaC d = " +
              call +
              "(a, b, c);\n"
              "  for (int i = 0; i < 4; ++i) out0[lane * 4 + i] = d.v[i];\n"),
      {fill(content, 512, 1), fill(content, 256, 2), fill(Content::floats, 512, 3)},
      512};
}

Primitive asyncCopy(int bytes, const char *how) {
  std::string n = std::to_string(bytes), elements = std::to_string(bytes / 2), form = how;
  std::string call = form == "whole" ? "copyAsync<" + n + ">(to, from)"
                     : form == "zero"
                         ? "copyAsyncOrZero<" + n + ">(to, from, lane % 3 != 0)"
                         : "copyAsyncFirst<" + n + ">(to, from, lane % (" + elements + " + 1))";
  // Two groups; the first is read after a wait that leaves the second under way.
  return {
      "cp.async",
      std::string("cp.async.") + (bytes == 16 ? "cg" : "ca") + ".shared.global",
      kernel("SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(u32) out0",
             "  SINTER_SHARED(f16, tile, 512);\n"
             "  for (int half = 0; half < 2; ++half) {\n"
             "    auto to = tile + half * 256 + lane * " +
                 elements +
                 ";\n"
                 "    auto from = in0 + half * 256 + (31 - lane) * " +
                 elements + ";\n    " + call +
                 ";\n    copyAsyncCommit();\n  }\n"
                 "  copyAsyncWait<1>();\n  __syncthreads();\n"
                 "  for (int i = 0; i < " +
                 n +
                 " / 4; ++i)\n"
                 "    out0[i * 32 + lane] = castPtr<u32>(tile + 0)[i * 32 + lane ^ 5];\n"
                 "  copyAsyncWait<0>();\n  __syncthreads();\n"
                 "  for (int i = 0; i < " +
                 n +
                 " / 4; ++i)\n"
                 "    out0[128 + i * 32 + lane] = castPtr<u32>(tile + 256)[i * 32 + lane ^ 9];\n"),
      {fill(Content::anything, 1024, unsigned(bytes))},
      size_t(1024)};
}

std::vector<Primitive> primitives() {
  std::vector<Primitive> all{product("bf16", Content::bfloats), product("f16", Content::halves),
                             product("tf32", Content::floats)};
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) all.push_back(matrixLoad(count, transposed));
  for (int bytes : {16, 8, 4})
    for (const char *how : {"whole", "zero", "first"}) all.push_back(asyncCopy(bytes, how));
  all.push_back(
      {"tf32 rounding",
       "cvt.rna.tf32.f32",
       kernel(
           "SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(u32) out0",
           "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = tf32BitsOf(in0[i * 32 + lane]);\n"),
       {fill(Content::anything, 1024, 4)},
       1024});
  all.push_back({"bf16 rounding",
                 "cvt.rn.bf16.f32",
                 kernel("SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(bf16) out0",
                        "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = bf16(in0[i * 32 + "
                        "lane] * 0.3f);\n"),
                 {fill(Content::floats, 1024, 5)},
                 512});
  all.push_back({"f16 rounding",
                 "cvt.rn.f16.f32",
                 kernel("SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(f16) out0",
                        "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = f16((f32)in0[i * 32 + "
                        "lane] * 0.3f);\n"),
                 {fill(Content::halves, 512, 6)},
                 512});
  all.push_back({"warp sum",
                 "shfl.sync",
                 kernel("SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0",
                        "  out0[lane] = warpReduce(in0[lane], Sum{}) + __shfl_up_sync(0xffffffffu, "
                        "in0[lane], 3) +\n"
                        "               __shfl_down_sync(0xffffffffu, in0[lane], 7) * "
                        "__shfl_sync(0xffffffffu, in0[lane], lane * 5 % 32);\n"),
                 {fill(Content::floats, 128, 7)},
                 128});
  all.push_back(
      {"part of a fragment",
       "mov.u32",
       kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
              "  Fragment<4> f;\n  for (int i = 0; i < 4; ++i) f.r[i] = in0[i * 32 + lane];\n"
              "  Fragment<2> part = fragmentPart<2, 2>(f);\n"
              "  out0[lane] = part.r[0], out0[32 + lane] = part.r[1];\n"),
       {fill(Content::anything, 512, 8)},
       256});
  return all;
}

class Ptx : public testing::TestWithParam<size_t> {};

TEST_P(Ptx, DoesWhatThePlainBodyDoes) {
  const Primitive primitive = primitives()[GetParam()];
  auto nvrtc = Nvrtc::open();
  if (!nvrtc.ok()) GTEST_SKIP() << nvrtc.error().message;

  KernelRun plain(emulated(2), "k", primitive.text);
  Bytes expected(primitive.outputBytes, 0xA5);
  for (const Bytes &input : primitive.inputs) plain.in(input);
  ASSERT_OK(plain.out(expected).run(1, 32));

  NvrtcRequest request{"k", plain.program.kernels[0].source, {}, "compute_80", {}};
  for (const auto &header : sinter::codegen::deviceHeaders())
    request.headers.emplace_back(header.name, header.text);
  auto compiled = (*nvrtc)->compile(request);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  std::string ptx(compiled->image.begin(), compiled->image.end());
  ASSERT_THAT(ptx, HasSubstr(primitive.instruction));
  PtxMachine machine(ptx, "k");
  for (bool copiesLate : {true, false}) {
    std::vector<Bytes> inputs = primitive.inputs;
    Bytes output(primitive.outputBytes, 0xA5);
    std::vector<Bytes *> buffers;
    for (Bytes &input : inputs) buffers.push_back(&input);
    buffers.push_back(&output);
    EXPECT_EQ(machine.run(buffers, copiesLate), "") << primitive.name << "\n" << ptx;
    EXPECT_EQ(output, expected) << primitive.name << "\n" << ptx;
    EXPECT_EQ(inputs, primitive.inputs);
  }
}

INSTANTIATE_TEST_SUITE_P(Primitives, Ptx, testing::Range<size_t>(0, primitives().size()),
                         [](const auto &info) {
                           std::string name = primitives()[info.param].instruction;
                           for (char &c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name + "_" + std::to_string(info.param);
                         });

/// What it does not know is an error, not a guess.
TEST(PtxMachine, RefusesWhatItDoesNotKnow) {
  auto run = [](const std::string &line) {
    Bytes buffer(128);
    PtxMachine machine(".visible .entry k(\n\t.param .u64 k_param_0\n)\n{\n\t.reg .b32 %r<3>;\n"
                       "\tld.param.u64 %rd1, [k_param_0];\n\t" +
                           line + "\n\tret;\n}\n",
                       "k");
    return machine.run({&buffer}, true);
  };
  EXPECT_EQ(run("mov.u32 %r1, 5;"), "");
  EXPECT_THAT(run("popc.b32 %r1, %r2;"), HasSubstr("unknown instruction popc"));
  EXPECT_THAT(run("st.global.u32 [%rd1+128], %r1;"), HasSubstr("outside of memory"));
  EXPECT_THAT(run("st.global.u32 [%rd1+2], %r1;"), HasSubstr("misaligned"));
  EXPECT_THAT(run("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r1,%r1,%r1,%r1}, "
                  "{%r1,%r1}, {%r1}, {%r1,%r1,%r1,%r1};"),
              HasSubstr("not a known form of mma"));
}

} // namespace
