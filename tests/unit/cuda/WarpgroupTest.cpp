// Products of warpgroups, bulk copies and barriers in shared memory on the emulated device: against the tables of the
// PTX ISA manual, and with one mistake each.
#include "../../support/FragmentTables.h"
#include "KernelTest.h"

#include <gmock/gmock.h>

#include <random>

using namespace sinter::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

std::string message(const Status &status) {
  return status.ok() ? "no error" : status.error().message;
}

uint16_t bitsOf(int x, bool half) { // of a small integer
  float value = float(x);
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (!half) return uint16_t(bits >> 16);
  return x == 0 ? 0 : uint16_t((bits >> 16 & 0x8000) | (((bits >> 13) - (112 << 10)) & 0x7fff));
}

// --- Products.

struct Form {
  int n;
  bool half, acrossA, acrossB;
};
class WarpgroupProducts : public testing::TestWithParam<Form> {};

TEST_P(WarpgroupProducts, LieAsTheManualSays) {
  const Form form = GetParam();
  const int n = form.n;
  // A is 64x64 and B 64xn, of small integers, each where the canonical layout has it: blocks of 64 along m or n are
  // 8192 bytes apart, groups of eight rows of 128 bytes 1024.
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<int> a(64 * 64), b(64 * static_cast<size_t>(n));
  for (int &x : a) x = int(random() % 9) - 4;
  for (int &x : b) x = int(random() % 9) - 4;
  std::vector<uint16_t> image(static_cast<size_t>(64 + n) * 64, 0x7fff);
  auto put = [&](bool across, unsigned start, int mn, int k, int x) {
    // The whole of 64 steps: groups of k go on where those of 16 end.
    unsigned place = across ? canonicalPlace(true, start, 8192, 1024, mn, k)
                            : canonicalPlace(false, start, 0, 1024, mn, k);
    image[place / 2] = bitsOf(x, form.half);
  };
  for (int k = 0; k < 64; ++k) {
    for (int m = 0; m < 64; ++m) put(form.acrossA, 0, m, k, a[size_t(m * 64 + k)]);
    for (int j = 0; j < n; ++j) put(form.acrossB, 8192, j, k, b[size_t(k * n + j)]);
  }
  const std::string type = form.half ? "f16" : "bf16", columns = std::to_string(n),
                    half = std::to_string(n / 2);
  std::string text =
      "extern \"C\" __global__ void __launch_bounds__(128)\n"
      "k(SINTER_GLOBAL_CONST(u16) in0, SINTER_GLOBAL(f32) out0) {\n"
      "  SINTER_DYNAMIC_SHARED(" +
      type + ", tile);\n  for (int i = threadIdx.x; i < " + std::to_string(image.size()) +
      "; i += 128) castPtr<u16>(tile + 0)[i] = in0[i];\n"
      "  copyFence();\n  __syncthreads();\n  f32 d[" +
      half +
      "];\n  wgmmaFence();\n  for (int step = 0; step < 4; ++step)\n"
      "    multiplyBlocks<" +
      columns + ", " + type + ", " + std::to_string(form.acrossA) + ", " +
      std::to_string(form.acrossB) +
      ">(d, tile, 0, tile, 4096, step, step != 0);\n"
      "  wgmmaCommit();\n  wgmmaWait<0>();\n  wgmmaSettle(d);\n  for (int i = 0; i < " +
      half + "; ++i) out0[threadIdx.x * " + half + " + i] = d[i];\n}\n";
  std::vector<float> out(static_cast<size_t>(64 * n));
  KernelRun run(emulated(2), "k", text);
  ASSERT_OK(run.in(image).out(out).run(1, 128, uint32_t(image.size() * 2)));
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < n / 2; ++i) {
      Place at = warpgroupD(t, i);
      int sum = 0;
      for (int k = 0; k < 64; ++k) sum += a[size_t(at.row * 64 + k)] * b[size_t(k * n + at.column)];
      ASSERT_EQ(out[size_t(t * n / 2 + i)], float(sum)) << "thread " << t << ", element " << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Forms, WarpgroupProducts,
                         testing::Values(Form{64, false, false, false}, Form{64, true, false, true},
                                         Form{64, false, true, false}, Form{64, true, true, true},
                                         Form{128, false, false, true},
                                         Form{256, false, true, true},
                                         Form{256, true, false, false}),
                         [](const auto &info) {
                           const Form &form = info.param;
                           return std::to_string(form.n) + (form.half ? "_f16" : "_bf16") +
                                  (form.acrossA ? "_acrossM" : "_alongK") +
                                  (form.acrossB ? "_acrossN" : "_alongK");
                         });

// --- Bulk copies.

const char *loadText = R"(
extern "C" __global__ void __launch_bounds__(32)
k(SINTER_GLOBAL_CONST(u16) in0, SINTER_GLOBAL(u16) out0, const __grid_constant__ TensorMap map) {
  SINTER_DYNAMIC_SHARED(u16, tile);
  SINTER_SHARED(u64, barriers, 1);
  if (threadIdx.x == 0) {
    barrierInit(barriers, 0, 1);
    barrierFence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    barrierExpect(barriers, 0, 8192);
    bulkLoad(tile, 0, map, barriers, 0, 40, 30, 1);
  }
  barrierWait(barriers, 0, 0);
  for (int i = threadIdx.x; i < 4096; i += 32) out0[i] = tile[i];
}
)";

/// [3][70][72] elements, boxes of [1][64][64].
TensorMapParam mapOfBoxes() {
  return {{}, DType::bf16, {3, 70, 72}, {70 * 144, 144, 2}, {1, 64, 64}, 3};
}

std::vector<uint16_t> numbers(size_t count) {
  std::vector<uint16_t> result(count);
  for (size_t i = 0; i < count; ++i) result[i] = static_cast<uint16_t>(i * 7 + 1);
  return result;
}

TEST(BulkCopies, LoadABoxSwizzledWithZerosAroundTheTensor) {
  std::vector<uint16_t> in = numbers(3 * 70 * 72), out(4096);
  KernelRun run(emulated(2), "k", loadText);
  ASSERT_OK(run.in(in).out(out).map(0, mapOfBoxes()).run(1, 32, 8192));
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      bool inside = 30 + y < 70 && 40 + x < 72;
      uint16_t expected = inside ? in[size_t(((1 * 70) + 30 + y) * 72 + 40 + x)] : 0;
      // A row of 128 bytes has eight words of 16.
      ASSERT_EQ(out[size_t(y * 64 + (x / 8 ^ y % 8) * 8 + x % 8)], expected) << y << ", " << x;
    }
}

TEST(BulkCopies, RefuseWhatCannotBeEncoded) {
  std::vector<uint16_t> in = numbers(3 * 70 * 72), out(4096);
  auto refused = [&](auto change) {
    TensorMapParam map = mapOfBoxes();
    change(map);
    KernelRun run(emulated(1), "k", loadText);
    return message(run.in(in).out(out).map(0, map).run(1, 32, 8192));
  };
  auto none = [](TensorMapParam &) {};
  EXPECT_EQ(refused(none), "no error");
  EXPECT_THAT(
      refused([](TensorMapParam &map) { map.strides[1] = 140; }),
      HasSubstr("parameter 2 'map': a tensor map has a stride of 140 bytes (a multiple of 16"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.strides[2] = 4; }),
              HasSubstr("has neighbours 4 bytes apart, elements have 2"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.box[1] = 257; }),
              HasSubstr("has a box of 257 elements (1 to 256)"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.box[2] = 60; }),
              HasSubstr("has a box whose rows have 120 bytes"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.box[2] = 128; }),
              HasSubstr("is swizzled by 128 bytes, rows of its box have 256"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.swizzle = 2; }), HasSubstr("has swizzle 2"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.shape[0] = 4; }),
              HasSubstr("reaches over 40320 bytes of a parameter of 30240"));
  EXPECT_THAT(refused([](TensorMapParam &map) { map.shape.pop_back(); }),
              HasSubstr("has 2 extents, 3 strides and 3 sizes of a box"));
}

// --- One mistake each.

/// The text with `from` replaced, run.
std::string mistaken(std::string text, const std::string &from, const std::string &to,
                     int schedules = 2) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  std::vector<uint16_t> in = numbers(3 * 70 * 72), out(4096);
  KernelRun run(emulated(schedules), "k", text);
  return message(run.in(in).out(out).map(0, mapOfBoxes()).run(1, 32, 8192));
}

TEST(WarpgroupMistakes, OfBarriersAndBulkCopies) {
  const std::string text = loadText;
  EXPECT_THAT(mistaken(text, "barrierFence();", ""), HasSubstr("do not see yet (barrierFence)"));
  EXPECT_THAT(mistaken(text, "barrierInit(barriers, 0, 1);", ""),
              HasSubstr("is used before it is made"));
  EXPECT_THAT(mistaken(text, "barrierWait(barriers, 0, 0);", ""),
              HasSubstr("ends while a bulk copy into its shared memory is under way"));
  EXPECT_THAT(mistaken(text, "8192);", "8191);"),
              AllOf(HasSubstr("standstill"), HasSubstr("of the barrier at byte"),
                    HasSubstr("and -1 bytes (k.cu:")));
  EXPECT_THAT(mistaken(text, "barrierInit(barriers, 0, 1);", "barrierInit(barriers, 0, 2);"),
              HasSubstr("which lacks 1 of 2 threads and 0 bytes"));
  EXPECT_THAT(mistaken(text, "barrierWait(barriers, 0, 0);",
                       "barrierWait(barriers, 0, 0);\n"
                       "barrierArrive(barriers, 0);\n"
                       "barrierExpect(barriers, 0, 4);"),
              HasSubstr("more threads arrive at a barrier than the 1"));
  EXPECT_THAT(mistaken(text, "bulkLoad(tile, 0", "bulkLoad(tile, 64"), HasSubstr("out of bounds"));
  EXPECT_THAT(mistaken(text, "  __syncthreads();\n  if (threadIdx.x == 0) {\n    barrierExpect",
                       "  if (threadIdx.x == 31) {\n    barrierExpect", 4),
              HasSubstr("is used before it is made"));
}

const char *productText = R"(
extern "C" __global__ void __launch_bounds__(128)
k(SINTER_GLOBAL_CONST(u16) in0, SINTER_GLOBAL(f32) out0, const __grid_constant__ TensorMap map) {
  SINTER_DYNAMIC_SHARED(bf16, tile);
  for (int i = threadIdx.x; i < 8192; i += 128) castPtr<u16>(tile + 0)[i] = in0[i];
  copyFence();
  __syncthreads();
  f32 d[32];
  wgmmaFence();
  multiplyBlocks<64, bf16, 0, 0>(d, tile, 0, tile, 4096, 0, false);
  wgmmaCommit();
  wgmmaWait<0>();
  wgmmaSettle(d);
  for (int i = 0; i < 32; ++i) out0[threadIdx.x * 32 + i] = d[i];
}
)";

TEST(WarpgroupMistakes, OfProducts) {
  auto run = [](const std::string &from, const std::string &to) {
    std::string text = productText;
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    std::vector<uint16_t> in(3 * 70 * 72, bitsOf(1, false));
    std::vector<float> out(4096);
    KernelRun made(emulated(2), "k", text);
    return message(made.in(in).out(out).map(0, mapOfBoxes()).run(1, 128, 16384));
  };
  EXPECT_EQ(run("copyFence();", "copyFence();"), "no error");
  EXPECT_THAT(run("wgmmaFence();", ""), HasSubstr("nothing orders before it (wgmmaFence)"));
  EXPECT_THAT(run("copyFence();", ""), HasSubstr("depends on the order"));
  EXPECT_THAT(run("wgmmaWait<0>();", ""), HasSubstr("depends on the order"));
  EXPECT_THAT(run("wgmmaCommit();", ""), HasSubstr("depends on the order"));
  EXPECT_THAT(run("tile, 4096, 0", "tile, 4096, threadIdx.x / 32"),
              HasSubstr("threads of a warpgroup send for different products"));
  EXPECT_THAT(run("multiplyBlocks<64, bf16", "multiplyBlocks<128, bf16"), HasSubstr("error"));
  EXPECT_THAT(run("tile, 4096, 0, false", "tile, 4096, 7, false"),
              HasSubstr("reads outside of shared memory"));
}

} // namespace
