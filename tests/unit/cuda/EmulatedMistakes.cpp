// Kernels with one mistake each: the emulated device must say so, naming kernel and place.
#include "KernelTest.h"

#include <gmock/gmock.h>

#include <numeric>

using namespace sinter::test;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

namespace {

std::string message(const Status &status) {
  return status.ok() ? "no error" : status.error().message;
}

/// The block reduction of a tree in shared memory, with the barriers given.
std::string tree(const char *first, const char *inside) {
  return std::string(R"(
extern "C" __global__ void __launch_bounds__(256)
reduce(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tree, 256);
  tree[threadIdx.x] = in0[i64(blockIdx.x) * 256 + threadIdx.x];
  )") + first +
         R"(
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half)
      tree[threadIdx.x] = tree[threadIdx.x] + tree[threadIdx.x + half];
    )" + inside +
         R"(
  }
  if (threadIdx.x == 0)
    out0[blockIdx.x] = tree[0];
})";
}

Status runTree(const std::string &text, int schedules) {
  std::vector<float> a(512), c(2);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 13) + 0.25f;
  KernelRun run(emulated(schedules), "reduce", text);
  return run.in(a).out(c).run(2, 256);
}

TEST(EmulatedMistakes, missingBarrier) {
  EXPECT_TRUE(runTree(tree("__syncthreads();", "__syncthreads();"), 4).ok());
  EXPECT_THAT(message(runTree(tree("", "__syncthreads();"), 4)),
              AllOf(HasSubstr("kernel 'reduce' (test) at test.cpp:1"),
                    HasSubstr("depends on the order"), HasSubstr("'out0'")));
  EXPECT_THAT(message(runTree(tree("__syncthreads();", ""), 4)), HasSubstr("depends on the order"));
  // Within a warp too: a missing __syncwarp shows because lanes run one after the other.
  EXPECT_THAT(message(runTree(tree("__syncthreads();", "if (half > 32) __syncthreads();"), 4)),
              HasSubstr("depends on the order"));
  EXPECT_TRUE(
      runTree(tree("__syncthreads();", "if (half > 32) __syncthreads(); else __syncwarp();"), 4)
          .ok());
}

TEST(EmulatedMistakes, missingBarrierBeforeReuse) {
  std::vector<float> a(128), c(128);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i);
  for (bool barrier : {true, false}) {
    KernelRun run(emulated(4), "reuse",
                  std::string(R"(
extern "C" __global__ void __launch_bounds__(128)
reuse(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 128);
  f32 sum = 0.0f;
  for (int turn = 0; turn < 3; ++turn) {
    tile[threadIdx.x] = in0[threadIdx.x] * f32(turn + 1);
    __syncthreads();
    sum += tile[127 - threadIdx.x];
    )") + (barrier ? "__syncthreads();" : "") +
                      R"(
  }
  out0[threadIdx.x] = sum;
})");
    const std::string got = message(run.in(a).out(c).run(1, 128));
    if (barrier)
      EXPECT_EQ(got, "no error");
    else
      EXPECT_THAT(got, HasSubstr("depends on the order"));
  }
}

TEST(EmulatedMistakes, sharedMemoryReadBeforeWritten) {
  std::vector<float> c(32);
  KernelRun run(emulated(2), "stale", R"(
extern "C" __global__ void __launch_bounds__(32) stale(SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 64);
  tile[threadIdx.x] = 1.0f;
  __syncthreads();
  out0[threadIdx.x] = tile[threadIdx.x + 1];
})");
  EXPECT_THAT(message(run.out(c).run(1, 32)),
              AllOf(HasSubstr("element 31"), HasSubstr("before it is written")));
}

// Blocks of a cluster: what one does to the other's shared memory is seen there, and must find it.
std::string clusterText(const std::string &first, const std::string &last) {
  return R"(
extern "C" __global__ void __launch_bounds__(64) __cluster_dims__(2, 1, 1)
meet(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(u64, barriers, 1);
  SINTER_SHARED(f32, own, 64);
  const i32 block = blockIdx.x % 2, lane = threadIdx.x;
  if (lane == 0) {
    barrierInit(barriers, 0, 2);
    barrierFence();
  }
  own[lane] = in0[blockIdx.x * 64 + lane];
  )" + first +
         R"(
  if (lane < 2) barrierArriveAt(barriers, 0, lane);
  barrierWaitCluster(barriers, 0, 0);
  f32 all[2];
  clusterGather<2>(all, own + lane);
  out0[blockIdx.x * 64 + lane] = all[1 - block];
  )" + last +
         "\n}";
}

std::string meetInCluster(const std::string &first, const std::string &last, uint32_t grid) {
  std::vector<float> a(256), c(256);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i);
  KernelRun run(emulated(4), "meet", clusterText(first, last));
  Status status = run.in(a).out(c).run(grid, 64);
  if (!status.ok()) return message(status);
  for (size_t i = 0; i < 64 * grid; ++i) EXPECT_EQ(c[i], a[i ^ 64]);
  return "";
}

TEST(EmulatedMistakes, blocksOfAClusterThatDoNotWait) {
  EXPECT_EQ(meetInCluster("clusterSync();", "clusterSync();", 4), "");
  EXPECT_THAT(meetInCluster("__syncthreads();", "clusterSync();", 4),
              AnyOf(HasSubstr("is used before it is made"), HasSubstr("depends on the order")));
  EXPECT_THAT(meetInCluster("clusterSync();", "", 4), HasSubstr("of the cluster, which has ended"));
  EXPECT_THAT(meetInCluster("if (block) clusterSync();", "clusterSync();", 4),
              Not(testing::IsEmpty()));
  EXPECT_THAT(meetInCluster("clusterSync();", "clusterSync();", 3),
              HasSubstr("3 blocks in clusters of 2"));
}

TEST(EmulatedMistakes, raceBetweenBlocks) {
  std::vector<float> c(1);
  KernelRun run(emulated(4), "race", R"(
extern "C" __global__ void __launch_bounds__(32) race(SINTER_GLOBAL(f32) out0) {
  if (threadIdx.x == 0)
    out0[0] = f32(blockIdx.x);
})");
  EXPECT_THAT(message(run.out(c).run(16, 32)), HasSubstr("a race between blocks"));
}

TEST(EmulatedMistakes, missingWaitOfAsynchronousCopy) {
  std::vector<float> a(128, 2.0f), c(128);
  KernelRun run(emulated(2), "early", R"(
extern "C" __global__ void __launch_bounds__(32) early(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 128);
  copyAsync<16>(tile + threadIdx.x * 4, in0 + threadIdx.x * 4);
  copyAsyncCommit();
  copyAsyncWait<1>();
  __syncthreads();
  out0[threadIdx.x] = tile[threadIdx.x];
  copyAsyncWait<0>();
})");
  EXPECT_THAT(message(run.in(a).out(c).run(1, 32)), HasSubstr("differs between schedules"));
}

TEST(EmulatedMistakes, divergentBarrier) {
  std::vector<float> c(64);
  const char *skips = R"(
extern "C" __global__ void __launch_bounds__(64) skips(SINTER_GLOBAL(f32) out0, i64 n) {
  if (threadIdx.x >= n)
    return;
  __syncthreads();
  out0[threadIdx.x] = 1.0f;
})";
  KernelRun early(emulated(1), "skips", skips);
  EXPECT_THAT(message(early.out(c).scalar(int64_t(40)).run(1, 64)),
              AllOf(HasSubstr("kernel 'skips'"), HasSubstr("divergent barrier"),
                    HasSubstr("thread (40, 0, 0) has returned")));
  KernelRun fine(emulated(1), "skips", skips);
  EXPECT_EQ(message(fine.out(c).scalar(int64_t(64)).run(1, 64)), "no error");
  KernelRun two(emulated(1), "two", R"(
extern "C" __global__ void __launch_bounds__(64) two(SINTER_GLOBAL(f32) out0) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    out0[threadIdx.x] = 1.0f;
    __syncthreads();
  }
})");
  EXPECT_THAT(message(two.out(c).run(1, 64)),
              AllOf(HasSubstr("divergent barrier"), HasSubstr("two.cu:"), HasSubstr("waits at")));
  KernelRun warp(emulated(1), "warp", R"(
extern "C" __global__ void __launch_bounds__(64) warp(SINTER_GLOBAL(f32) out0) {
  if (threadIdx.x % 2)
    out0[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
})");
  EXPECT_THAT(message(warp.out(c).run(1, 64)),
              AllOf(HasSubstr("__shfl_xor_sync"), HasSubstr("returned")));
}

TEST(EmulatedMistakes, outOfBounds) {
  std::vector<float> a(100), c(100);
  const char *text = R"(
extern "C" __global__ void __launch_bounds__(128)
copy(SINTER_GLOBAL_CONST(f32) source, SINTER_GLOBAL(f32) target, i64 n, i64 offset) {
  i64 i = i64(blockIdx.x) * 128 + threadIdx.x;
  if (i < n)
    target[i] = source[i + offset];
})";
  KernelRun end(emulated(1), "copy", text);
  EXPECT_THAT(message(end.in(a).out(c).scalar(int64_t(100)).scalar(int64_t(1)).run(1, 128)),
              AllOf(HasSubstr("kernel 'copy'"), HasSubstr("out of bounds"),
                    HasSubstr("parameter 0 'source'"), HasSubstr("400 bytes"),
                    HasSubstr("index 100 of 100"),
                    HasSubstr("thread (99, 0, 0) of block (0, 0, 0)")));
  KernelRun before(emulated(1), "copy", text);
  EXPECT_THAT(message(before.in(a).out(c).scalar(int64_t(100)).scalar(int64_t(-3)).run(1, 128)),
              AllOf(HasSubstr("out of bounds"), HasSubstr("index -")));
  KernelRun write(emulated(1), "copy", text);
  EXPECT_THAT(message(write.in(std::vector<float>(200))
                          .out(c)
                          .scalar(int64_t(101))
                          .scalar(int64_t(0))
                          .run(1, 128)),
              AllOf(HasSubstr("parameter 1 'target'"), HasSubstr("out of bounds")));
  KernelRun words(emulated(1), "words", R"(
extern "C" __global__ void __launch_bounds__(32) words(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0) {
  storeVec(out0, i64(threadIdx.x) * 4, loadVec<4>(in0, i64(threadIdx.x) * 4));
})");
  EXPECT_THAT(message(words.in(a).out(c).run(1, 32)),
              AllOf(HasSubstr("16 bytes at byte 400"), HasSubstr("'in0'")));
}

TEST(EmulatedMistakes, misaligned) {
  std::vector<float> a(200), c(200);
  KernelRun run(emulated(1), "words", R"(
extern "C" __global__ void __launch_bounds__(32) words(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 offset) {
  storeVec(out0, i64(threadIdx.x) * 4, loadVec<4>(in0, i64(threadIdx.x) * 4 + offset));
})");
  EXPECT_THAT(message(run.in(a).out(c).scalar(int64_t(1)).run(1, 32)),
              AllOf(HasSubstr("misaligned"), HasSubstr("'in0'"), HasSubstr("alignment 16")));
}

TEST(EmulatedMistakes, matrixRowsOffTheirAlignment) {
  std::vector<uint32_t> c(32);
  KernelRun run(emulated(1), "odd", R"(
extern "C" __global__ void __launch_bounds__(32) odd(SINTER_GLOBAL(u32) out0) {
  SINTER_SHARED(bf16, tile, 16 * 20);
  tile[threadIdx.x] = bf16(0.0f);
  __syncthreads();
  out0[threadIdx.x] = loadMatrices<4>(tile + threadIdx.x % 16 * 20).r[0];
})"); // rows of 40 bytes do not start at multiples of 16
  EXPECT_THAT(message(run.out(c).run(1, 32)), AllOf(HasSubstr("misaligned"), HasSubstr("'tile'")));
}

TEST(EmulatedMistakes, matrixOperationsOfAPartOfAWarp) {
  std::vector<float> c(48);
  const char *text = R"(
extern "C" __global__ void __launch_bounds__(48) part(SINTER_GLOBAL(f32) out0, i64 lanes) {
  if (threadIdx.x % 32 < lanes)
    out0[threadIdx.x] = mma<bf16>(MmaA{}, MmaB{}, MmaC{}).v[0];
})";
  KernelRun half(emulated(1), "part", text); // the second warp has 16 threads
  EXPECT_THAT(message(half.out(c).scalar(int64_t(32)).run(1, 48)), HasSubstr("needs 32 lanes"));
  KernelRun branch(emulated(1), "part", text);
  EXPECT_THAT(message(branch.out(c).scalar(int64_t(31)).run(1, 32)),
              AllOf(HasSubstr("a warp's matrix operation"), HasSubstr("returned")));
}

TEST(EmulatedMistakes, copiesThatNobodyWaitedFor) {
  // Copies land when waited for in one schedule and when issued in the next: what reads too early differs.
  const char *text = R"(
extern "C" __global__ void __launch_bounds__(32)
copies(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 mistake) {
  SINTER_SHARED(f32, tile, 256);
  for (int group = 0; group < 2; ++group) {
    copyAsync<16>(tile + group * 128 + threadIdx.x * 4, in0 + group * 128 + threadIdx.x * 4);
    if (mistake != 1)
      copyAsyncCommit();
  }
  if (mistake == 2)
    copyAsyncWait<1>();
  else if (mistake != 3)
    copyAsyncWait<0>();
  if (mistake != 4)
    __syncthreads();
  for (int i = 0; i < 8; ++i)
    out0[i * 32 + threadIdx.x] = tile[i * 32 + (threadIdx.x + 5) % 32];
})";
  std::vector<float> a(256), c(256);
  std::iota(a.begin(), a.end(), 1.0f);
  for (int64_t mistake = 0; mistake < 5; ++mistake) {
    KernelRun run(emulated(4), "copies", text);
    std::string said = message(run.in(a).out(c).scalar(mistake).run(1, 32));
    if (mistake == 0)
      EXPECT_EQ(said, "no error");
    else
      EXPECT_THAT(said, HasSubstr("depends on the order of its threads")) << mistake;
  }
}

TEST(EmulatedMistakes, sharedPartsHaveBorders) {
  std::vector<float> c(64);
  KernelRun run(emulated(1), "part", R"(
extern "C" __global__ void __launch_bounds__(64) part(SINTER_GLOBAL(f32) out0) {
  SINTER_DYNAMIC_SHARED(i8, all);
  SINTER_SHARED_PART(f32, first, all, 0, 60);
  SINTER_SHARED_PART(f32, second, all, 240, 64);
  second[threadIdx.x] = 2.0f;
  first[threadIdx.x] = 1.0f;
  out0[threadIdx.x] = second[threadIdx.x];
})");
  EXPECT_THAT(message(run.out(c).run(1, 64, 496)),
              AllOf(HasSubstr("shared array 'first'"), HasSubstr("out of bounds")));
}

TEST(EmulatedMistakes, sharedOutOfBounds) {
  std::vector<float> c(64);
  KernelRun flat(emulated(1), "flat", R"(
extern "C" __global__ void __launch_bounds__(64) flat(SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 63);
  tile[threadIdx.x] = 1.0f;
  out0[threadIdx.x] = tile[threadIdx.x];
})");
  EXPECT_THAT(message(flat.out(c).run(1, 64)),
              AllOf(HasSubstr("shared array 'tile'"), HasSubstr("out of bounds")));
  KernelRun rows(emulated(1), "rows", R"(
extern "C" __global__ void __launch_bounds__(64) rows(SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED_2D(f32, tile, 2, 32);
  tile[0][threadIdx.x] = 1.0f;
})");
  EXPECT_THAT(message(rows.out(c).run(1, 64)),
              AllOf(HasSubstr("index 32 of shared array 'tile'"), HasSubstr("extent is 32")));
  KernelRun dynamic(emulated(1), "dynamic", R"(
extern "C" __global__ void __launch_bounds__(64) dynamic(SINTER_GLOBAL(f32) out0) {
  SINTER_DYNAMIC_SHARED(f32, tile);
  tile[threadIdx.x] = 1.0f;
})");
  EXPECT_THAT(message(dynamic.out(c).run(1, 64, 128)), HasSubstr("dynamic shared memory"));
  KernelRun large(emulated(1), "large", R"(
extern "C" __global__ void __launch_bounds__(64) large(SINTER_GLOBAL(f32) out0) {
  SINTER_SHARED(f32, tile, 20000);
  tile[threadIdx.x] = 1.0f;
})");
  EXPECT_THAT(message(large.out(c).run(1, 64)), HasSubstr("more than 49152 bytes"));
}

TEST(EmulatedMistakes, launchAndTextDisagree) {
  std::vector<float> a(32), c(32);
  const char *text = R"(
extern "C" __global__ void __launch_bounds__(32) k(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0, i64 n) {
  out0[threadIdx.x] = in0[threadIdx.x];
})";
  EXPECT_THAT(
      message(KernelRun(emulated(1), "k", text).in(a).in(c).scalar(int64_t(1)).run(1, 32)),
      HasSubstr("parameter 1 'out0' may be written by the text, the launch says it is only read"));
  EXPECT_THAT(
      message(KernelRun(emulated(1), "k", text).out(a).out(c).scalar(int64_t(1)).run(1, 32)),
      HasSubstr("parameter 0 'in0' is only read by the text"));
  EXPECT_THAT(message(KernelRun(emulated(1), "k", text).in(a).out(c).run(1, 32)),
              HasSubstr("2 parameters, its text has 3"));
  EXPECT_THAT(message(KernelRun(emulated(1), "k", text).in(a).out(c).scalar(1.0f).run(1, 32)),
              HasSubstr("8 bytes in the text"));
  EXPECT_THAT(message(KernelRun(emulated(1), "k", text).in(a).out(c).scalar(int64_t(1)).run(1, 64)),
              HasSubstr("__launch_bounds__ allows 32"));
}

TEST(EmulatedMistakes, aDeviceGoesOnAfterAnError) {
  auto device = emulated(1);
  std::vector<float> c(64);
  KernelRun bad(device, "bad", R"(
extern "C" __global__ void __launch_bounds__(64) bad(SINTER_GLOBAL(f32) out0) {
  __syncthreads();
  if (threadIdx.x == 33)
    out0[64] = 1.0f;
  __syncthreads();
})");
  KernelRun good(device, "good", R"(
extern "C" __global__ void __launch_bounds__(64) good(SINTER_GLOBAL(f32) out0) {
  out0[threadIdx.x] = blockReduce<64>(1.0f, Sum{});
})");
  bad.out(c);
  good.out(c);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(message(bad.run(1, 64)), HasSubstr("out of bounds"));
    ASSERT_OK(good.run(1, 64));
    EXPECT_EQ(c, std::vector<float>(64, 64.0f));
  }
}

TEST(EmulatedMistakes, textThatDoesNotCompile) {
  KernelRun run(
      emulated(1), "broken",
      "extern \"C\" __global__ void broken(SINTER_GLOBAL(f32) out0) {\n  out0[0] = nonsense;\n}");
  EXPECT_THAT(message(run.loadStatus), AllOf(HasSubstr("broken.cu:"), HasSubstr("nonsense")));
}

} // namespace
