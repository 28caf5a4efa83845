// Each primitive of the device headers twice: its plain body on the emulated device, and its inline assembly as
// NVRTC's PTX, executed by the words of the PTX ISA manual. Both write the same bytes.
#include "../../support/NvrtcOrSkip.h"
#include "../cuda/KernelTest.h"
#include "Primitives.h"
#include "PtxMachine.h"

#include "sinter/runtime/cuda/Nvrtc.h"

#include <gmock/gmock.h>

using namespace sinter::test;
using namespace sinter::runtime::cuda;
using testing::HasSubstr;

namespace {

class Ptx : public testing::TestWithParam<size_t> {};

TEST_P(Ptx, DoesWhatThePlainBodyDoes) {
  const Primitive primitive = primitives()[GetParam()];
  SINTER_NVRTC_OR_SKIP(nvrtc);

  KernelRun plain(emulated(2), "k", primitive.text);
  Bytes expected(primitive.outputBytes, untouched);
  for (const Bytes &input : primitive.inputs) plain.in(input);
  plain.out(expected);
  for (const Tensor &tensor : primitive.maps) { plain.map(tensor.buffer, mapOf(tensor, {})); }
  ASSERT_OK(
      plain.run(uint32_t(primitive.blocks), uint32_t(primitive.threads), primitive.sharedBytes));

  // What asks for an sm_90 or needs all of one.
  bool hopper = primitive.threads == 128 || !primitive.maps.empty() || primitive.blocks > 1 ||
                primitive.instruction.starts_with("mbarrier");
  NvrtcRequest request{
      "k", plain.program.kernels[0].source, {}, hopper ? "compute_90a" : "compute_80", {}};
  for (const auto &header : sinter::codegen::deviceHeaders())
    request.headers.emplace_back(header.name, header.text);
  auto compiled = (*nvrtc)->compile(request);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  std::string ptx(compiled->image.begin(), compiled->image.end());
  ASSERT_THAT(ptx, HasSubstr(primitive.instruction));
  PtxMachine machine(ptx, "k");
  machine.dynamicSharedBytes = primitive.sharedBytes;
  for (size_t i = 0; i < primitive.maps.size(); ++i) {
    const Tensor &tensor = primitive.maps[i];
    const auto &[x, y, z] = tensor.sizes;
    machine.maps[primitive.inputs.size() + 1 + i] = {
        tensor.buffer, tensor.sizes, {2, x * 2, y * x * 2}, tensor.box, 2, tensor.swizzled};
  }
  for (bool copiesLate : {true, false}) {
    std::vector<Bytes> inputs = primitive.inputs;
    Bytes output(primitive.outputBytes, untouched);
    std::vector<Bytes *> buffers;
    for (Bytes &input : inputs) buffers.push_back(&input);
    buffers.push_back(&output);
    buffers.resize(buffers.size() + primitive.maps.size());
    EXPECT_EQ(machine.run(buffers, copiesLate), "") << primitive.name << "\n" << ptx;
    EXPECT_EQ(output, expected) << primitive.name << "\n" << ptx;
    EXPECT_EQ(inputs, primitive.inputs);
  }
}

INSTANTIATE_TEST_SUITE_P(Primitives, Ptx, testing::Range<size_t>(0, primitives().size()),
                         [](const auto &info) {
                           return nameOf(primitives()[info.param], info.param);
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
