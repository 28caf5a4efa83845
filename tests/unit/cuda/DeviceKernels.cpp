// Hand-written kernels against plain C++, on the emulated device and on a GPU where there is one.
#include "KernelTest.h"

#include <cmath>
#include <numeric>

using namespace sinter::test;

namespace {

class DeviceKernels : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Devices, DeviceKernels, testing::Values("emulated", "cuda"), deviceName);

std::vector<float> ramp(size_t n, float scale = 0.37f) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = std::sin(static_cast<float>(i) * scale) * 3;
  return v;
}

TEST_P(DeviceKernels, vectorAdd) {
  const int64_t n = 1000;
  auto a = ramp(n), b = ramp(n, 0.11f);
  std::vector<float> c(n);
  KernelRun run(device(), "add", R"(
extern "C" __global__ void __launch_bounds__(128)
add(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL_CONST(f32) in1, SINTER_GLOBAL(f32) out0, i64 n) {
  i64 i = i64(blockIdx.x) * 128 + threadIdx.x;
  if (i < n)
    out0[i] = in0[i] + in1[i];
})");
  ASSERT_OK(run.in(a).in(b).out(c).scalar(n).run(8, 128));
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(c[i], a[i] + b[i]) << i;
}

TEST_P(DeviceKernels, vectorWords) {
  const int64_t n = 512;
  auto a = ramp(n);
  std::vector<uint16_t> c(n);
  KernelRun run(device(), "words", R"(
extern "C" __global__ void __launch_bounds__(32)
words(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(bf16) out0) {
  i64 i = (i64(blockIdx.x) * 32 + threadIdx.x) * 8;
  Vec<bf16, 8> v;
  for (int half = 0; half < 2; ++half) {
    Vec<f32, 4> x = loadVec<4>(in0, i + half * 4);
    for (int k = 0; k < 4; ++k)
      v[half * 4 + k] = castTo<bf16>(x[k] * 2.0f);
  }
  storeVec(out0, i, v);
})");
  ASSERT_OK(run.in(a).out(c).run(2, 32));
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits = static_cast<uint32_t>(c[i]) << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    ASSERT_NEAR(x, a[i] * 2, std::abs(a[i]) / 64) << i;
  }
}

TEST_P(DeviceKernels, blockReductionBySharedMemory) {
  const int64_t n = 256 * 5;
  auto a = ramp(n);
  std::vector<float> c(5), d(5);
  KernelRun run(device(), "reduce", R"(
extern "C" __global__ void __launch_bounds__(256)
reduce(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(f32) out1) {
  SINTER_SHARED(f32, tree, 256);
  f32 x = in0[i64(blockIdx.x) * 256 + threadIdx.x];
  tree[threadIdx.x] = x;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half)
      tree[threadIdx.x] = tree[threadIdx.x] + tree[threadIdx.x + half];
    __syncthreads();
  }
  f32 total = blockReduce<256>(x, Sum{});
  if (threadIdx.x == 0)
    out0[blockIdx.x] = tree[0], out1[blockIdx.x] = total;
})");
  ASSERT_OK(run.in(a).out(c).out(d).run(5, 256));
  for (int block = 0; block < 5; ++block) {
    const double want =
        std::accumulate(a.begin() + block * 256, a.begin() + (block + 1) * 256, 0.0);
    EXPECT_NEAR(c[block], want, 1e-3);
    EXPECT_NEAR(d[block], want, 1e-3);
  }
}

TEST_P(DeviceKernels, everyReduction) {
  const int64_t n = 128;
  auto a = ramp(n);
  a[77] = 9, a[93] = 9, a[5] = -9;
  std::vector<float> c(8);
  std::vector<int64_t> d(4);
  KernelRun run(device(), "all", R"(
extern "C" __global__ void __launch_bounds__(128)
all(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(i64) out1) {
  f32 x = in0[threadIdx.x];
  f32 largest = blockReduce<128>(x, Maximum{}), smallest = blockReduce<128>(x, Minimum{});
  ValueIndex<f32> mine{x, i64(threadIdx.x)};
  i64 first = blockReduce<128>(mine, ArgMax{}).index, last = blockReduce<128>(mine, ArgMin{}).index;
  i64 count = blockReduce<128>(i64(x > 0.0f), Sum{});
  i1 any = blockReduce<128>(x > 8.5f, LogicalOr{}), every = blockReduce<128>(x > 8.5f, LogicalAnd{});
  Moments<f32> m = blockReduce<128>(Moments<f32>{1.0f, x, 0.0f}, WelfordMerge{});
  f32 scanned = blockScan<128>(x, Sum{});
  f32 nan = blockReduce<128>(threadIdx.x == 40 ? sqrtf(-1.0f) : x, Maximum{});
  f32 group = warpReduce<8>(x, Sum{});
  if (threadIdx.x == 127) {
    out0[0] = largest, out0[1] = smallest, out0[2] = m.mean, out0[3] = m.m2 / m.count, out0[4] = scanned, out0[5] = nan;
    out0[6] = group, out0[7] = any && !every ? 1.0f : 0.0f;
    out1[0] = first, out1[1] = last, out1[2] = count, out1[3] = m.count;
  }
})");
  ASSERT_OK(run.in(a).out(c).out(d).run(1, 128));
  const double sum = std::accumulate(a.begin(), a.end(), 0.0), mean = sum / n;
  double m2 = 0, positive = 0;
  for (float x : a) m2 += (x - mean) * (x - mean), positive += x > 0;
  EXPECT_EQ(c[0], 9);
  EXPECT_EQ(c[1], -9);
  EXPECT_NEAR(c[2], mean, 1e-5);
  EXPECT_NEAR(c[3], m2 / n, 1e-4);
  EXPECT_NEAR(c[4], sum, 1e-4);
  EXPECT_TRUE(std::isnan(c[5]));
  EXPECT_NEAR(c[6], std::accumulate(a.end() - 8, a.end(), 0.0), 1e-5);
  EXPECT_EQ(c[7], 1);
  EXPECT_EQ(d[0], 77);
  EXPECT_EQ(d[1], 5);
  EXPECT_EQ(d[2], positive);
  EXPECT_EQ(d[3], 128);
}

TEST_P(DeviceKernels, warpSoftmax) {
  const int64_t rows = 20, columns = 100;
  auto a = ramp(rows * columns);
  std::vector<float> c(rows * columns);
  KernelRun run(device(), "softmax", R"(
extern "C" __global__ void __launch_bounds__(128)
softmax(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 rows, i64 columns) {
  i64 row = i64(blockIdx.x) * 4 + warpId();
  bool live = row < rows;
  f32 top = Maximum::identity<f32>();
  for (i64 j = laneId(); j < columns; j += 32)
    top = maximum(top, loadOr(in0, row * columns + j, live, 0.0f));
  top = warpReduce(top, Maximum{});
  f32 sum = 0.0f;
  for (i64 j = laneId(); j < columns; j += 32)
    sum += expf(loadOr(in0, row * columns + j, live, 0.0f) - top);
  sum = warpReduce(sum, Sum{});
  for (i64 j = laneId(); j < columns; j += 32)
    storeIf(out0, row * columns + j, live, expf(loadOr(in0, row * columns + j, live, 0.0f) - top) / sum);
})");
  ASSERT_OK(run.in(a).out(c).scalar(rows).scalar(columns).run(6, 128));
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t j = 0; j < columns; ++j) sum += std::exp(static_cast<double>(a[r * columns + j]));
    for (int64_t j = 0; j < columns; ++j)
      ASSERT_NEAR(c[r * columns + j], std::exp(static_cast<double>(a[r * columns + j])) / sum,
                  1e-6);
  }
}

const char *transpose = R"(
extern "C" __global__ void __launch_bounds__(256)
transpose(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 rows, i64 columns) {
  SINTER_SHARED_2D(f32, tile, 32, 33);
  for (int r = threadIdx.y; r < 32; r += 8) {
    i64 row = i64(blockIdx.y) * 32 + r, column = i64(blockIdx.x) * 32 + threadIdx.x;
    if (row < rows && column < columns)
      tile[r][threadIdx.x] = in0[row * columns + column];
  }
  __syncthreads();
  for (int r = threadIdx.y; r < 32; r += 8) {
    i64 row = i64(blockIdx.x) * 32 + r, column = i64(blockIdx.y) * 32 + threadIdx.x;
    if (row < columns && column < rows)
      out0[row * rows + column] = tile[threadIdx.x][r];
  }
})";

TEST_P(DeviceKernels, transposedTile) {
  const int64_t rows = 70, columns = 45;
  auto a = ramp(rows * columns);
  std::vector<float> c(rows * columns);
  KernelRun run(device(), "transpose", transpose);
  run.in(a).out(c).scalar(rows).scalar(columns);
  run.launch.shape.grid = {2, 3, 1};
  run.launch.shape.block = {32, 8, 1};
  ASSERT_OK(run.run());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j) ASSERT_EQ(c[j * rows + r], a[r * columns + j]);
}

TEST_P(DeviceKernels, tensorCoreTile) {
  std::vector<float> c(16 * 8), want(16 * 8, 0.0f);
  std::vector<uint16_t> a(16 * 16), b(16 * 8);
  const auto bf16 = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return static_cast<uint16_t>(bits >> 16);
  };
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k) a[i * 16 + k] = bf16(static_cast<float>((i * 7 + k * 3) % 11 - 5));
  for (int k = 0; k < 16; ++k)
    for (int j = 0; j < 8; ++j) b[k * 8 + j] = bf16(static_cast<float>((k * 5 + j) % 7 - 3));
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j)
      for (int k = 0; k < 16; ++k)
        want[i * 8 + j] +=
            static_cast<float>((i * 7 + k * 3) % 11 - 5) * static_cast<float>((k * 5 + j) % 7 - 3);
  KernelRun run(device(), "tile", R"(
extern "C" __global__ void __launch_bounds__(32)
tile(SINTER_GLOBAL_CONST(bf16) in0, SINTER_GLOBAL_CONST(bf16) in1, SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(bf16, a, 256);
  SINTER_SHARED(bf16, b, 128);
  copyAsync<16>(a + threadIdx.x * 8, in0 + threadIdx.x * 8);
  if (threadIdx.x < 16)
    copyAsync<16>(b + threadIdx.x * 8, in1 + threadIdx.x * 8);
  copyAsyncCommit();
  copyAsyncWait<0>();
  __syncthreads();
  MmaC c = mma<bf16>(loadFragmentA(a, 16), loadFragmentB(b, 8), MmaC{});
  for (int i = 0; i < 4; ++i)
    out0[mmaRow(i) * 8 + mmaColumn(i)] = c.v[i];
})");
  ASSERT_OK(run.in(a).in(b).out(c).run(1, 32));
  EXPECT_EQ(c, want);
}

TEST_P(DeviceKernels, matrixLoadsAgreeWithElementLoads) {
  std::vector<uint16_t> a(16 * 24);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<uint16_t>(i);
  std::vector<uint32_t> plain(32 * 12), matrix(32 * 12);
  KernelRun run(device(), "loads", R"(
template <int First, int N> __device__ void put(SINTER_GLOBAL(u32) to, const Fragment<N> &f) {
  for (int i = 0; i < N; ++i)
    to[threadIdx.x * 12 + First + i] = f.r[i];
}
extern "C" __global__ void __launch_bounds__(32)
loads(SINTER_GLOBAL_CONST(bf16) in0, SINTER_GLOBAL(u32) out0, SINTER_GLOBAL(u32) out1) {
  SINTER_SHARED(bf16, tile, 16 * 24);
  for (int i = threadIdx.x; i < 16 * 24; i += 32)
    tile[i] = in0[i];
  __syncthreads();
  int lane = threadIdx.x, row = lane % 16 * 24 + lane / 16 * 8, pair = (lane % 8 + lane / 16 * 8) * 24 + lane / 8 % 2 * 8;
  put<0>(out0, loadFragmentA(tile, 24));
  put<0>(out1, loadMatrices<4>(tile + row));
  put<4>(out0, loadFragmentB(tile, 24));
  put<6>(out0, loadFragmentB(tile + 8, 24));
  put<4>(out1, loadMatricesTransposed<4>(tile + row));
  put<8>(out0, loadFragmentBTransposed(tile, 24));
  put<10>(out0, loadFragmentBTransposed(tile + 8 * 24, 24));
  put<8>(out1, loadMatrices<4>(tile + pair));
})");
  ASSERT_OK(run.in(a).out(plain).out(matrix).run(1, 32));
  EXPECT_EQ(plain, matrix);
}

TEST_P(DeviceKernels, votesAndShuffles) {
  std::vector<int64_t> c(32 * 6);
  KernelRun run(device(), "votes", R"(
extern "C" __global__ void __launch_bounds__(32)
votes(SINTER_GLOBAL(i64) out0) {
  int lane = threadIdx.x;
  i64 base = lane * 6;
  out0[base] = __ballot_sync(0xffffffffu, lane % 3 == 0);
  out0[base + 1] = __any_sync(0xffffffffu, lane == 9) * 2 + __all_sync(0xffffffffu, lane < 9);
  out0[base + 2] = __shfl_sync(0xffffffffu, lane * 10, 5);
  out0[base + 3] = __shfl_up_sync(0xffffffffu, lane, 3);
  out0[base + 4] = __shfl_down_sync(0xffffffffu, lane, 3, 16);
  if (lane < 8) // a part of the warp
    out0[base + 5] = __shfl_xor_sync(0x000000ffu, lane, 7);
  else
    out0[base + 5] = -1;
  __syncwarp();
})");
  ASSERT_OK(run.out(c).run(1, 32));
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(c[lane * 6], 0x49249249);
    EXPECT_EQ(c[lane * 6 + 1], 2);
    EXPECT_EQ(c[lane * 6 + 2], 50);
    EXPECT_EQ(c[lane * 6 + 3], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(c[lane * 6 + 4], lane % 16 + 3 >= 16 ? lane : lane + 3);
    EXPECT_EQ(c[lane * 6 + 5], lane < 8 ? lane ^ 7 : -1);
  }
}

TEST_P(DeviceKernels, atomicsAndDynamicShared) {
  std::vector<int32_t> a(1000), c(10);
  for (int i = 0; i < 1000; ++i) a[i] = i % 7;
  KernelRun run(device(), "histogram", R"(
extern "C" __global__ void __launch_bounds__(128)
histogram(SINTER_GLOBAL_CONST(i32) in0, SINTER_GLOBAL(i32) out0, i64 n) {
  SINTER_DYNAMIC_SHARED(i32, bins);
  if (threadIdx.x < 10)
    bins[threadIdx.x] = 0;
  __syncthreads();
  for (i64 i = i64(blockIdx.x) * 128 + threadIdx.x; i < n; i += 128 * gridDim.x)
    atomicAdd(bins + in0[i], 1);
  __syncthreads();
  if (threadIdx.x < 10)
    atomicAdd(&out0[threadIdx.x], bins[threadIdx.x]);
})");
  ASSERT_OK(run.in(a).out(c).scalar(int64_t(1000)).run(3, 128, 40));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(c[i], i >= 7 ? 0 : (i < 6 ? 143 : 142)) << i;
}

} // namespace
