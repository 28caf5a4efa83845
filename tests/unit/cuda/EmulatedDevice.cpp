// The emulated device as a device: buffers, batches of kernels, and the host compiler it needs.
#include "KernelTest.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>

using namespace sinter::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

TEST(EmulatedDevice, buffersAndFills) {
  auto device = emulated(1);
  auto buffer = device->allocate(64);
  ASSERT_OK(buffer.status());
  EXPECT_EQ((*buffer)->bytes(), 64);
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*buffer)->address()) % 256, 0u);
  const std::vector<uint8_t> pattern = {1, 2, 3, 4};
  ASSERT_OK(device->fill((*buffer)->address(), 64, pattern));
  std::vector<uint8_t> back(64);
  ASSERT_OK(device->download(back.data(), (*buffer)->address(), 64));
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(back[i], i % 4 + 1);
  EXPECT_FALSE(device->fill((*buffer)->address(), 63, pattern).ok());
  EXPECT_TRUE(device->allocate(0).ok());
  EXPECT_FALSE(device->allocate(int64_t(1) << 60).ok());
  EXPECT_FALSE(emulatedCudaDevice({.schedules = 0, .seed = 0}).ok());
}

TEST(EmulatedDevice, aBatchOfKernels) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    // Helpers of one name in each: a text may not see another's.
    texts.emplace_back(
        "k" + n, "static __device__ f32 helper(f32 x) { return x * " + n +
                     ".0f; }\nextern \"C\" __global__ void "
                     "__launch_bounds__(32) k" +
                     n +
                     "(SINTER_GLOBAL(f32) out0) { out0[threadIdx.x] = helper(f32(threadIdx.x)); }");
  }
  auto device = emulated(1);
  Program program = cudaProgram(texts);
  auto kernels = device->load(program);
  ASSERT_OK(kernels.status());
  auto buffer = device->allocate(128);
  ASSERT_OK(buffer.status());
  for (int i = 0; i < 60; ++i) {
    Launch launch;
    launch.shape.block = {32, 1, 1};
    launch.params = {PointerParam{{Space::arena, 0, 0, 128}, true}};
    void *addresses[] = {(*buffer)->address()};
    ASSERT_OK(device->launch(*(*kernels)[i], launch, addresses));
    EXPECT_EQ(static_cast<float *>((*buffer)->address())[31], 31.0f * static_cast<float>(i));
  }
}

TEST(EmulatedDevice, costOfASwitch) {
  std::vector<float> c(256);
  KernelRun run(emulated(1), "pingpong", R"(
extern "C" __global__ void __launch_bounds__(256) pingpong(SINTER_GLOBAL(f32) out0, i64 turns) {
  for (i64 i = 0; i < turns; ++i)
    __syncthreads();
  out0[threadIdx.x] = 1.0f;
})");
  run.out(c).scalar(int64_t(2000));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_OK(run.run(1, 256));
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  RecordProperty("nanoseconds_per_switch", std::to_string(took.count() / (2000 * 256)));
  printf("%.1f ns a switch\n", took.count() / (2000 * 256));
}

/// Sets an environment variable for a test's length.
class Setting {
public:
  Setting(const char *name, const char *value) : name(name) {
    if (const char *old = std::getenv(name)) before = old;
    setenv(name, value, 1);
  }
  ~Setting() { before.empty() ? unsetenv(name) : setenv(name, before.c_str(), 1); }

private:
  const char *name;
  std::string before;
};

TEST(EmulatedDevice, compilerOfTheEnvironment) {
  {
    Setting cxx("SINTER_CXX", "/no/such/compiler");
    auto device = emulatedCudaDevice();
    ASSERT_FALSE(device.ok());
    EXPECT_THAT(device.error().message,
                AllOf(HasSubstr("SINTER_CXX"), HasSubstr("/no/such/compiler")));
  }
  if (std::system("command -v clang++-22 > /dev/null")) GTEST_SKIP() << "no clang++-22";
  Setting cxx("SINTER_CXX", "clang++-22");
  auto device = emulatedCudaDevice();
  ASSERT_TRUE(device.ok()) << device.error().message;
  std::vector<float> c(64);
  KernelRun run(*device, "clang", R"(
extern "C" __global__ void __launch_bounds__(64) clang(SINTER_GLOBAL(f32) out0) {
  out0[threadIdx.x] = blockReduce<64>(f32(threadIdx.x), Sum{}) + erfinvf(0.0f) + rsqrtf(1.0f);
})");
  ASSERT_OK(run.out(c).run(1, 64));
  EXPECT_EQ(c[7], 2017.0f);
}

} // namespace
