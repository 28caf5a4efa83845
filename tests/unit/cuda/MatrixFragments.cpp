// Where a warp's lanes hold the elements of a tile, by the PTX ISA manual, against the device headers.
#include "../../support/FragmentTables.h"
#include "KernelTest.h"

#include <array>
#include <cmath>

using namespace sinter::test;

namespace {

class MatrixFragments : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Devices, MatrixFragments, testing::Values("emulated", "cuda"), deviceName);

uint32_t bits(float x) {
  uint32_t word;
  std::memcpy(&word, &x, 4);
  return word;
}
uint16_t bf16(float x) { return uint16_t(bits(x) >> 16); }
/// Of an integer of at most eleven bits, by the format: sign, exponent with bias 15, ten bits of fraction.
uint16_t f16(float x) {
  if (x == 0) return 0;
  int exponent;
  float fraction = std::frexp(std::fabs(x), &exponent); // in [0.5, 1)
  return uint16_t((x < 0 ? 0x8000 : 0) | (exponent + 14) << 10 | (int(fraction * 2048) & 0x3ff));
}

/// A's and B's elements are different small integers, so that every misplaced one shows.
float left(int m, int k) { return float((m * 17 + k * 5) % 23 - 11); }
float right(int k, int n) { return float((k * 13 + n * 7) % 19 - 9); }
float start(int m, int n) { return float(m * 8 + n); }

struct Product {
  const char *name, *call;
  int k, perWord;
  Place (*a)(int, int), (*b)(int, int);
  uint32_t (*word)(float low, float high);
};
const Product products[] = {
    {"bf16", "mma<bf16>(a, b, c)", 16, 2, halfA, halfB,
     [](float low, float high) { return bf16(low) | uint32_t(bf16(high)) << 16; }},
    {"f16", "mma<f16>(a, b, c)", 16, 2, halfA, halfB,
     [](float low, float high) { return f16(low) | uint32_t(f16(high)) << 16; }},
    {"tf32", "mmaTf32(a, b, c)", 8, 1, tf32A, tf32B, [](float x, float) { return bits(x); }}};

TEST_P(MatrixFragments, ProductsOfATile) {
  for (const Product &product : products) {
    std::vector<uint32_t> a(32 * 4), b(32 * 2);
    std::vector<float> c(32 * 4), d(32 * 4);
    for (int lane = 0; lane < 32; ++lane) {
      auto element = [&](bool isA, int i) {
        Place at = isA ? product.a(lane, i) : product.b(lane, i);
        return isA ? left(at.row, at.column) : right(at.row, at.column);
      };
      int last = product.perWord - 1;
      for (int r = 0; r < 4; ++r)
        a[lane * 4 + r] = product.word(element(true, r * product.perWord),
                                       element(true, r * product.perWord + last));
      for (int r = 0; r < 2; ++r)
        b[lane * 2 + r] = product.word(element(false, r * product.perWord),
                                       element(false, r * product.perWord + last));
      for (int i = 0; i < 4; ++i) c[lane * 4 + i] = start(sumC(lane, i).row, sumC(lane, i).column);
    }
    KernelRun run(device(), "product", std::string(R"(
extern "C" __global__ void __launch_bounds__(32)
product(SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL_CONST(u32) in1, SINTER_GLOBAL_CONST(f32) in2, SINTER_GLOBAL(f32) out0) {
  i32 lane = threadIdx.x;
  MmaA a; MmaB b; MmaC c;
  for (int i = 0; i < 4; ++i) a.r[i] = in0[lane * 4 + i], c.v[i] = in2[lane * 4 + i];
  for (int i = 0; i < 2; ++i) b.r[i] = in1[lane * 2 + i];
  MmaC d = )") + product.call + R"(;
  for (int i = 0; i < 4; ++i) out0[lane * 4 + i] = d.v[i];
})");
    ASSERT_OK(run.in(a).in(b).in(c).out(d).run(1, 32));
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        Place at = sumC(lane, i);
        float want = start(at.row, at.column);
        for (int k = 0; k < product.k; ++k) want += left(at.row, k) * right(k, at.column);
        ASSERT_EQ(d[lane * 4 + i], want) << product.name << ", lane " << lane << ", element " << i;
      }
  }
}

TEST_P(MatrixFragments, PlacesOfSums) {
  std::vector<int32_t> rows(32 * 4), columns(32 * 4);
  KernelRun run(device(), "places", R"(
extern "C" __global__ void __launch_bounds__(32) places(SINTER_GLOBAL(i32) out0, SINTER_GLOBAL(i32) out1) {
  for (int i = 0; i < 4; ++i)
    out0[threadIdx.x * 4 + i] = mmaRow(i), out1[threadIdx.x * 4 + i] = mmaColumn(i);
})");
  ASSERT_OK(run.out(rows).out(columns).run(1, 32));
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(rows[lane * 4 + i], sumC(lane, i).row);
      EXPECT_EQ(columns[lane * 4 + i], sumC(lane, i).column);
    }
}

// "Warp-level matrix load instruction: ldmatrix": threads 0-7 hold the addresses of the first matrix's rows,
// 8-15 of the second's, and so on; a row is 8 elements of 16 bits. "Each thread receives" (table of fragments):
// row r's elements 2j and 2j + 1 go to thread 4r + j. With .trans the matrix is loaded in column-major format.
TEST_P(MatrixFragments, MatrixLoads) {
  std::vector<uint16_t> memory(64 * 8);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = uint16_t(i * 3 + 1);
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) {
      std::vector<uint32_t> loaded(32 * 4);
      std::string call = std::string("loadMatrices") + (transposed ? "Transposed" : "") + "<" +
                         std::to_string(count) + ">";
      // Rows in no simple order. Only the first 8 * count lanes name one.
      KernelRun run(device(), "loads",
                    R"(
extern "C" __global__ void __launch_bounds__(32)
loads(SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(u32) out0) {
  SINTER_SHARED(f16, tile, 64 * 8);
  for (int i = threadIdx.x; i < 64 * 8; i += 32) tile[i] = in0[i];
  __syncthreads();
  auto f = )" + call + R"((tile + threadIdx.x * 37 % 64 * 8);
  for (int i = 0; i < 4; ++i)
    out0[threadIdx.x * 4 + i] = i < )" +
                        std::to_string(count) + R"( ? f.r[i < )" + std::to_string(count) +
                        R"( ? i : 0] : 0u;
})");
      ASSERT_OK(run.in(memory).out(loaded).run(1, 32));
      auto at = [&](int matrix, int row, int column) -> uint32_t {
        return memory[(8 * matrix + row) * 37 % 64 * 8 + column];
      };
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < count; ++i) {
          int r = lane / 4, j = lane % 4;
          uint32_t low = transposed ? at(i, 2 * j, r) : at(i, r, 2 * j),
                   high = transposed ? at(i, 2 * j + 1, r) : at(i, r, 2 * j + 1);
          ASSERT_EQ(loaded[lane * 4 + i], low | high << 16)
              << call << ", lane " << lane << ", register " << i;
        }
    }
}

// "cvt.rna.tf32.f32": round to nearest, ties away from zero; tf32 has f32's exponent and 10 bits of fraction.
TEST_P(MatrixFragments, RoundingToTf32) {
  const std::vector<float> in{1.0f,
                              1.0f + 0x1p-10f,
                              1.0f + 0x1p-11f,
                              1.0f + 0x1.8p-10f,
                              -1.0f - 0x1p-11f,
                              1.0f + 0x1.fp-12f,
                              0.0f,
                              -0.0f,
                              3e38f};
  const std::vector<float> want{
      1.0f, 1.0f + 0x1p-10f, 1.0f + 0x1p-10f, 1.0f + 0x1p-9f, -1.0f - 0x1p-10f, 1.0f,
      0.0f, -0.0f,           0x1.c38p127f};
  std::vector<float> out(in.size());
  KernelRun run(device(), "rounding", R"(
extern "C" __global__ void __launch_bounds__(32) rounding(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 n) {
  if (threadIdx.x < n) out0[threadIdx.x] = bitCast<f32>(tf32BitsOf(in0[threadIdx.x]));
})");
  ASSERT_OK(run.in(in).out(out).scalar(int64_t(in.size())).run(1, 32));
  for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(bits(out[i]), bits(want[i])) << in[i];
}

// "cp.async": cp-size 4, 8 or 16 bytes; of src-size bytes, and zeros in the rest.
TEST_P(MatrixFragments, CopiesOfEverySize) {
  std::vector<uint16_t> from(32 * 8), to(32 * 8 * 3), want(32 * 8 * 3, 0);
  for (size_t i = 0; i < from.size(); ++i) from[i] = uint16_t(i + 1);
  KernelRun run(device(), "sizes", R"(
extern "C" __global__ void __launch_bounds__(32)
sizes(SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(f16) out0) {
  SINTER_SHARED(f16, tile, 32 * 8 * 3);
  i32 lane = threadIdx.x;
  for (int i = 0; i < 24; ++i) tile[lane * 24 + i] = f16(7.0f);
  __syncthreads();
  copyAsyncFirst<16>(tile + lane * 24, in0 + lane * 8, lane % 9);
  copyAsyncFirst<8>(tile + lane * 24 + 8, in0 + lane * 8, lane % 5);
  copyAsyncFirst<4>(tile + lane * 24 + 12, in0 + lane * 8, lane % 3);
  copyAsyncOrZero<4>(tile + lane * 24 + 14, in0 + lane * 8, lane % 2 == 0);
  copyAsync<8>(tile + lane * 24 + 16, in0 + lane * 8 + 4);
  copyAsync<4>(tile + lane * 24 + 20, in0 + lane * 8 + 2);
  copyAsync<4>(tile + lane * 24 + 22, in0 + lane * 8 + 6);
  copyAsyncCommit();
  copyAsyncWait<0>();
  for (int i = 0; i < 24; ++i) out0[lane * 24 + i] = tile[lane * 24 + i];
})");
  ASSERT_OK(run.in(from).out(to).run(1, 32));
  for (int lane = 0; lane < 32; ++lane) {
    uint16_t *row = &want[lane * 24], *source = &from[lane * 8];
    std::copy_n(source, lane % 9, row);
    std::copy_n(source, lane % 5, row + 8);
    std::copy_n(source, lane % 3, row + 12);
    if (lane % 2 == 0) std::copy_n(source, 2, row + 14);
    std::copy_n(source + 4, 4, row + 16);
    std::copy_n(source + 2, 2, row + 20);
    std::copy_n(source + 6, 2, row + 22);
  }
  EXPECT_EQ(to, want);
}

} // namespace
