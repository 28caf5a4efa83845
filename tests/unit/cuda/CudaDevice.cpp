// The CUDA device over the fake driver: what it does, and that no failure of the driver goes unseen.
#include "../../fake_driver/FakeDriver.h"
#include "KernelTest.h"

#include "sinter/runtime/Executor.h"
#include "sinter/runtime/cuda/CudaDevice.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <dlfcn.h>
#include <set>

using namespace sinter::test;
using namespace sinter::runtime::cuda;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

class CudaDeviceTest : public testing::Test {
protected:
  void SetUp() override {
    auto opened = CudaApi::open(SINTER_FAKE_DRIVER);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    api = *opened;
    library = dlopen(SINTER_FAKE_DRIVER, RTLD_NOW);
    call<void()>("fakeReset")();
  }
  void TearDown() override {
    call<void()>("fakeReset")();
    dlclose(library);
  }
  template <class F> F *call(const char *name) {
    return reinterpret_cast<F *>(dlsym(library, name));
  }
  void failNext(const char *name, int code, int skip = 0) {
    call<void(const char *, int, int)>("fakeFailNext")(name, code, skip);
  }
  int calls(const char *name) { return call<int(const char *)>("fakeCalls")(name); }
  int live() { return call<int()>("fakeLive")(); }
  void setDevice(int count, int capability, int pools, unsigned long long bytes) {
    call<void(int, int, int, unsigned long long)>("fakeSetDevice")(count, capability, pools, bytes);
  }
  Result<std::shared_ptr<Device>> open(int ordinal = 0) {
    return makeCudaDevice(api, nullptr, ordinal);
  }

  static Program program() {
    Program program;
    program.target = TargetKind::cuda;
    Kernel kernel;
    kernel.name = "addScalar";
    kernel.images["sm_90"] = {1, 2, 3};
    program.kernels = {kernel};
    return program;
  }
  static Launch addLaunch(int64_t n, float x, uint32_t shared = 0) {
    Launch launch;
    launch.label = "add";
    launch.source = "model.cpp:14";
    launch.shape.grid = {static_cast<uint32_t>((n + 127) / 128), 1, 1};
    launch.shape.block = {128, 1, 1};
    launch.shape.sharedBytes = shared;
    launch.params = {PointerParam{{Space::arena, 0, 0, n * 4}, true}, i64Param(n), f32Param(x)};
    return launch;
  }
  /// Everything a device can do, once: the first error ends it.
  Status everything() {
    SINTER_ASSIGN_OR_RETURN(auto device, open());
    {
      const int64_t n = 3 * 1024 * 1024; // more than both halves of the staging memory
      SINTER_ASSIGN_OR_RETURN(auto a, device->allocate(n * 4));
      SINTER_ASSIGN_OR_RETURN(auto b, device->allocate(n * 4));
      std::vector<float> host(n, 1.0f), back(n);
      SINTER_RETURN_IF_ERROR(device->upload(a->address(), host.data(), n * 4));
      SINTER_ASSIGN_OR_RETURN(auto kernels, device->load(program()));
      void *addresses[] = {a->address()};
      SINTER_RETURN_IF_ERROR(device->launch(*kernels[0], addLaunch(n, 2.0f, 64 << 10), addresses));
      SINTER_RETURN_IF_ERROR(device->copy(b->address(), a->address(), n * 4));
      SINTER_RETURN_IF_ERROR(device->download(back.data(), b->address(), n * 4));
      float one = 0;
      SINTER_RETURN_IF_ERROR(device->download(&one, b->address(), 4));
      const std::vector<std::vector<uint8_t>> patterns = {
          {7}, {1, 2}, {1, 2, 3, 4}, {1, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8}};
      for (const auto &pattern : patterns)
        SINTER_RETURN_IF_ERROR(device->fill(a->address(), 24, pattern));
      SINTER_RETURN_IF_ERROR(device->beginRecording());
      Status recorded = device->launch(*kernels[0], addLaunch(8, 1.0f), addresses);
      auto recording = device->endRecording();
      SINTER_RETURN_IF_ERROR(recorded);
      if (!recording.ok()) return recording.error();
      SINTER_RETURN_IF_ERROR((*recording)->replay());
      SINTER_RETURN_IF_ERROR(device->synchronize());
      if (one != 3.0f || back[n - 1] != 3.0f) return {ErrorCode::corrupt, "wrong values"};
    }
    SINTER_RETURN_IF_ERROR(device->synchronize()); // what destructors met
    return {};
  }

  std::shared_ptr<const CudaApi> api;
  void *library = nullptr;
};

TEST_F(CudaDeviceTest, runsAndGivesEverythingBack) {
  ASSERT_OK(everything());
  EXPECT_EQ(live(), 0);
  EXPECT_EQ(calls("cuMemAllocAsync"), 2);
  EXPECT_EQ(calls("cuEventSynchronize"), 1);
  EXPECT_EQ(calls("cuFuncSetAttribute"), 1);
}

TEST_F(CudaDeviceTest, runsWithoutMemoryPools) {
  setDevice(1, 90, 0, 1ull << 30);
  ASSERT_OK(everything());
  EXPECT_EQ(live(), 0);
  EXPECT_EQ(calls("cuMemAlloc_v2"), 2);
  EXPECT_EQ(calls("cuMemAllocAsync"), 0);
}

TEST_F(CudaDeviceTest, everyFailureIsNamed) {
  // Released in the last destructor, with nobody left to tell; only asked on another path; or part
  // of building messages.
  const std::set<std::string> silent = {"cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2",
                                        "cuMemFreeHost",      "cuEventDestroy_v2",
                                        "cuGetErrorName",     "cuGetErrorString"};
  const std::set<std::string> withoutPools = {"cuMemAlloc_v2", "cuMemFree_v2"};
  const std::set<std::string> otherwise = {"cuMemGetInfo_v2"};
  std::vector<std::string> names;
#define SINTER_NAME(name, params) names.push_back(#name);
  SINTER_CUDA_SYMBOLS(SINTER_NAME)
#undef SINTER_NAME
  for (const std::string &name : names) {
    if (silent.count(name) || otherwise.count(name)) continue;
    for (int skip = 0; skip < 2; ++skip) {
      call<void()>("fakeReset")();
      if (withoutPools.count(name)) setDevice(1, 90, 0, 1ull << 30);
      failNext(name.c_str(), cuErrorUnknown, skip);
      Status status = everything();
      if (status.ok() && calls(name.c_str()) <= skip) continue; // called once only
      ASSERT_FALSE(status.ok()) << name << " failed unseen (skip " << skip << ")";
      EXPECT_THAT(status.error().message,
                  AllOf(HasSubstr(name + " failed"), HasSubstr("CUDA_ERROR_UNKNOWN")))
          << name;
    }
    EXPECT_GE(calls(name.c_str()), 1) << name << " was never called";
  }
}

TEST_F(CudaDeviceTest, anAsynchronousFaultNamesTheKernels) {
  auto device = *open();
  auto buffer = *device->allocate(400);
  auto loaded = device->load(program());
  ASSERT_OK(loaded.status());
  void *addresses[] = {buffer->address()};
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(100, 1.0f), addresses));
  ASSERT_OK(device->synchronize());
  Launch second = addLaunch(100, 1.0f);
  second.label = "second", second.source = "model.cpp:20";
  ASSERT_OK(device->launch(*(*loaded)[0], second, addresses));
  failNext("cuStreamSynchronize", cuErrorIllegalAddress);
  Status status = device->synchronize();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"), HasSubstr("one of the 1 kernels"),
                    HasSubstr("addScalar (second) at model.cpp:20"),
                    Not(HasSubstr("model.cpp:14"))));
  failNext("cuLaunchKernel", cuErrorInvalidValue);
  status = device->launch(*(*loaded)[0], second, addresses);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message,
              HasSubstr("kernel 'addScalar' (second) at model.cpp:20: cuLaunchKernel failed"));
}

TEST_F(CudaDeviceTest, outOfMemorySaysHowMuch) {
  setDevice(1, 90, 1, 1000);
  auto device = *open();
  auto first = device->allocate(600);
  ASSERT_OK(first.status());
  auto second = device->allocate(500);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::outOfMemory);
  EXPECT_THAT(second.error().message,
              AllOf(HasSubstr("500 bytes"), HasSubstr("400 of 1000 bytes are free"),
                    HasSubstr("Fake GPU")));
}

/// One entry that adds 2 to four numbers of its arena, which it copies to its output.
Program wholeProgram(Program program) {
  Entry entry;
  entry.name = "train_step";
  entry.outputs.push_back({"y", {DType::f32, {4}}});
  entry.arenaBytes = 4096;
  entry.largest = {{3000, "model.cpp:14 conv1"}, {1000, "model.cpp:20 fc"}};
  Location arena{Space::arena, 0, 0, 16}, output{Space::output, 0, 0, 16};
  Launch launch;
  launch.label = "add";
  launch.source = "model.cpp:14";
  launch.params = {PointerParam{arena, true}, i64Param(4), f32Param(2.0f)};
  launch.shape.block = {32, 1, 1};
  entry.body.push_back({Fill{arena, {0}, ""}, {}});
  entry.body.push_back({launch, {0}});
  entry.body.push_back({Copy{arena, output, ""}, {1}});
  program.entries.push_back(std::move(entry));
  return program;
}

TEST_F(CudaDeviceTest, anArenaThatDoesNotFitNamesTheLargestTensors) {
  setDevice(1, 90, 1, 2000);
  auto executor =
      Executor::create(std::make_shared<const Program>(wholeProgram(program())), *open());
  ASSERT_FALSE(executor.ok());
  EXPECT_EQ(executor.error().code, ErrorCode::outOfMemory);
  EXPECT_THAT(executor.error().message,
              AllOf(HasSubstr("entry 'train_step' needs an arena of 4096 bytes on Fake GPU"),
                    HasSubstr("of 2000 bytes are free"), HasSubstr("its largest tensors:"),
                    HasSubstr("3000 bytes  model.cpp:14 conv1"),
                    HasSubstr("1000 bytes  model.cpp:20 fc")));
}

TEST_F(CudaDeviceTest, anExecutorRunsAndNamesWhatFails) {
  auto made = Executor::create(std::make_shared<const Program>(wholeProgram(program())), *open());
  ASSERT_TRUE(made.ok()) << made.error().message;
  std::vector<float> y(4);
  void *outputs[] = {y.data()};
  for (int step = 0; step < 2; ++step) { // recorded, then replayed
    ASSERT_OK((*made)->run(0, {}, outputs));
    EXPECT_EQ(y, std::vector<float>(4, 2.0f));
  }
  failNext("cuStreamSynchronize", cuErrorIllegalAddress);
  Status status = (*made)->run(0, {}, outputs);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"),
                                            HasSubstr("addScalar (add) at model.cpp:14")));
}

TEST_F(CudaDeviceTest, fillsRepeatTheirPattern) {
  auto device = *open();
  auto buffer = *device->allocate(48);
  for (const std::vector<uint8_t> &pattern :
       std::vector<std::vector<uint8_t>>{{5},
                                         {1, 2},
                                         {1, 2, 3, 4},
                                         {1, 2, 3},
                                         {1, 2, 3, 4, 5, 6, 7, 8},
                                         {0, 0, 0, 0, 0, 0, 0, 0}}) {
    ASSERT_OK(device->fill(buffer->address(), 48, pattern));
    std::vector<uint8_t> back(48);
    ASSERT_OK(device->download(back.data(), buffer->address(), 48));
    ASSERT_OK(device->synchronize());
    for (size_t i = 0; i < back.size(); ++i) ASSERT_EQ(back[i], pattern[i % pattern.size()]);
  }
  EXPECT_FALSE(device->fill(buffer->address(), 47, std::vector<uint8_t>{1, 2}).ok());
}

TEST_F(CudaDeviceTest, recordsAndReplays) {
  auto device = *open();
  auto buffer = *device->allocate(16);
  auto loaded = device->load(program());
  ASSERT_OK(loaded.status());
  void *addresses[] = {buffer->address()};
  ASSERT_TRUE(device->canRecord());
  ASSERT_OK(device->fill(buffer->address(), 16, std::vector<uint8_t>{0}));
  ASSERT_OK(device->beginRecording());
  EXPECT_FALSE(device->beginRecording().ok());
  EXPECT_FALSE(device->upload(buffer->address(), addresses, 8).ok());
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(4, 2.0f), addresses));
  auto recording = device->endRecording();
  ASSERT_OK(recording.status());
  for (int i = 0; i < 3; ++i) ASSERT_OK((*recording)->replay());
  std::vector<float> back(4);
  ASSERT_OK(device->download(back.data(), buffer->address(), 16));
  ASSERT_OK(device->synchronize());
  EXPECT_EQ(back, std::vector<float>(4, 6.0f));
  ASSERT_OK((*recording)->replay());
  failNext("cuStreamSynchronize", cuErrorLaunchFailed);
  EXPECT_THAT(device->synchronize().error().message, HasSubstr("addScalar (add) at model.cpp:14"));
  EXPECT_FALSE(device->endRecording().ok());
}

TEST_F(CudaDeviceTest, whatIsMissingIsSaid) {
  failNext("cuInit", cuErrorNoDevice);
  auto noGpu = open();
  ASSERT_FALSE(noGpu.ok());
  EXPECT_EQ(noGpu.error().code, ErrorCode::notFound);
  EXPECT_THAT(noGpu.error().message,
              AllOf(HasSubstr("finds no GPU"), HasSubstr("CUDA_ERROR_NO_DEVICE")));
  setDevice(0, 90, 1, 1 << 20);
  EXPECT_THAT(open().error().message, HasSubstr("finds no GPU"));
  setDevice(2, 90, 1, 1 << 20);
  EXPECT_THAT(open(2).error().message, HasSubstr("no CUDA device 2: this machine has 2"));
  auto noDriver = CudaApi::open("/no/such/libcuda.so");
  ASSERT_FALSE(noDriver.ok());
  EXPECT_THAT(noDriver.error().message, HasSubstr("/no/such/libcuda.so"));
  auto notADriver = CudaApi::open("libz.so.1");
  ASSERT_FALSE(notADriver.ok());
  EXPECT_THAT(notADriver.error().message, AllOf(HasSubstr("too old"), HasSubstr("lacks cuInit")));
  auto noNvrtc = Nvrtc::open("/no/such/libnvrtc.so");
  ASSERT_FALSE(noNvrtc.ok());
  EXPECT_THAT(noNvrtc.error().message, HasSubstr("/no/such/libnvrtc.so"));
}

TEST_F(CudaDeviceTest, programsThatCannotLoadSayWhy) {
  auto device = *makeCudaDevice(api, nullptr, 0, "NVRTC is on the moon");
  Program wrongTarget = program();
  wrongTarget.target = TargetKind::cpu;
  EXPECT_THAT(device->load(wrongTarget).error().message, HasSubstr("not compiled for CUDA"));
  Program noImage = program();
  noImage.kernels[0].images.clear();
  EXPECT_THAT(device->load(noImage).error().message, HasSubstr("no image for sm_90 and no text"));
  noImage.kernels[0].source = "text";
  EXPECT_THAT(device->load(noImage).error().message, HasSubstr("NVRTC is on the moon"));
  failNext("cuModuleLoadDataEx", cuErrorNoBinaryForGpu);
  EXPECT_THAT(device->load(program()).error().message,
              AllOf(HasSubstr("kernel 'addScalar' does not load"),
                    HasSubstr("CUDA_ERROR_NO_BINARY_FOR_GPU")));
}

TEST_F(CudaDeviceTest, theEnvironmentNamesTheDriver) {
  setenv("SINTER_CUDA_LIB", SINTER_FAKE_DRIVER, 1);
  auto device = cudaDevice();
  ASSERT_TRUE(device.ok()) << device.error().message;
  EXPECT_EQ((*device)->description(), "Fake GPU (sm_90, 1 GiB, driver 13.0)");
  setenv("SINTER_CUDA_LIB", "/no/such/driver", 1);
  auto absent = cudaDevice();
  unsetenv("SINTER_CUDA_LIB");
  ASSERT_FALSE(absent.ok());
  EXPECT_THAT(absent.error().message, HasSubstr("/no/such/driver"));
}

} // namespace
