// The CUDA device over the fake driver: what it does, and that no failure of the driver goes unseen.
#include "../../fake_driver/FakeGpu.h"
#include "KernelTest.h"

#include "sinter/runtime/Executor.h"
#include "sinter/runtime/cuda/CudaDevice.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <deque>
#include <set>

using namespace sinter::test;
using namespace sinter::runtime::cuda;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

class CudaDeviceTest : public testing::Test, public sinter::fake::FakeDriverLibrary {
protected:
  Result<std::shared_ptr<Device>> open(int ordinal = 0) {
    return makeCudaDevice(api, nullptr, ordinal);
  }

  static Program program() {
    Program program;
    program.target = TargetKind::cuda;
    Kernel kernel;
    kernel.name = "addScalar";
    kernel.images["sm_90"] = {1, 2, 3};
    program.kernels = {kernel, kernel};
    program.kernels[1].awaits = true;
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
      Launch add = addLaunch(n, 2.0f, 64 << 10);
      add.params.push_back(
          TensorMapParam{{Space::arena, 0, 0, n * 4}, DType::bf16, {8, 64}, {128, 2}, {8, 64}, 3});
      void *withMap[] = {a->address(), b->address()};
      SINTER_RETURN_IF_ERROR(device->launch(*kernels[0], add, withMap));
      SINTER_RETURN_IF_ERROR(device->copy(b->address(), a->address(), n * 4));
      SINTER_RETURN_IF_ERROR(device->download(back.data(), b->address(), n * 4));
      float one = 0;
      SINTER_RETURN_IF_ERROR(device->download(&one, b->address(), 4));
      const std::vector<std::vector<uint8_t>> patterns = {
          {7}, {1, 2}, {1, 2, 3, 4}, {1, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8}};
      for (const auto &pattern : patterns)
        SINTER_RETURN_IF_ERROR(device->fill(a->address(), 24, pattern));
      SINTER_ASSIGN_OR_RETURN(auto recording, record(*device, *kernels[0], *kernels[1], addresses));
      SINTER_RETURN_IF_ERROR(recording->replay());
      addresses[0] = b->address();
      SINTER_ASSIGN_OR_RETURN(
          recording, record(*device, *kernels[0], *kernels[1], addresses, std::move(recording)));
      SINTER_RETURN_IF_ERROR(device->synchronize()); // nothing that is queued uses `a`
      SINTER_RETURN_IF_ERROR(device->uploadBeside(a->address(), host.data(), n * 4));
      SINTER_RETURN_IF_ERROR(device->joinUploads());
      SINTER_RETURN_IF_ERROR(recording->replay());
      SINTER_ASSIGN_OR_RETURN(auto moment, device->mark());
      SINTER_RETURN_IF_ERROR(moment->wait());
      SINTER_RETURN_IF_ERROR(device->synchronize());
      if (one != 3.0f || back[n - 1] != 3.0f) return {ErrorCode::corrupt, "wrong values"};
    }
    SINTER_RETURN_IF_ERROR(device->synchronize()); // what destructors met
    return {};
  }

  /// Two launches, the second of which may start early.
  static Result<std::unique_ptr<Recording>> record(Device &device, const LoadedKernel &first,
                                                   const LoadedKernel &second,
                                                   std::span<void *const> addresses,
                                                   std::unique_ptr<Recording> stale = nullptr) {
    SINTER_RETURN_IF_ERROR(device.beginRecording());
    Status status = device.launch(first, addLaunch(8, 1.0f), addresses);
    if (status.ok()) status = device.launch(second, addLaunch(8, 1.0f), addresses);
    auto recording = device.endRecording(std::move(stale));
    if (!status.ok()) return status.error();
    return recording;
  }
};

TEST_F(CudaDeviceTest, runsAndGivesEverythingBack) {
  for (bool lazy : {false, true}) {
    reset();
    setLazy(lazy);
    ASSERT_OK(everything());
    EXPECT_EQ(live(), 0);
    EXPECT_EQ(race(), "");
    EXPECT_EQ(calls("cuMemAllocAsync"), 2);
    EXPECT_EQ(calls("cuFuncSetAttribute"), 1);
    EXPECT_EQ(calls("cuGraphInstantiateWithFlags"),
              1); // the second recording is the first, changed
    EXPECT_EQ(graph().programmatic, 1);
  }
}

TEST_F(CudaDeviceTest, runsWithoutMemoryPools) {
  setDevice(1, 90, 0, 1ull << 30);
  ASSERT_OK(everything());
  EXPECT_EQ(live(), 0);
  EXPECT_EQ(calls("cuMemAlloc_v2"), 2);
  EXPECT_EQ(calls("cuMemAllocAsync"), 0);
}

TEST_F(CudaDeviceTest, everyFailureIsNamed) {
  const std::set<std::string> withoutPools = {"cuMemAlloc_v2", "cuMemFree_v2"};
  // Asked only for a message: see below.
  const std::set<std::string> ofMessages = {"cuMemGetInfo_v2", "cuGetErrorName",
                                            "cuGetErrorString"};
  std::vector<std::string> names;
#define SINTER_NAME(name, params) names.push_back(#name);
  SINTER_CUDA_SYMBOLS(SINTER_NAME)
#undef SINTER_NAME
  for (const std::string &name : names) {
    if (ofMessages.count(name)) continue;
    auto prepare = [&] {
      reset();
      if (withoutPools.count(name)) setDevice(1, 90, 0, 1ull << 30);
    };
    prepare();
    ASSERT_OK(everything());
    const int count = calls(name.c_str());
    ASSERT_GE(count, 1) << name << " was never called";
    for (int skip : std::set<int>{0, std::min(1, count - 1), count - 1}) {
      prepare();
      failNext(name.c_str(), cuErrorUnknown, skip);
      // What the last destructor meets is told on standard error, there being nobody else.
      testing::internal::CaptureStderr();
      Status status = everything();
      const std::string told =
          testing::internal::GetCapturedStderr() + (status.ok() ? "" : status.error().message);
      EXPECT_THAT(told, AllOf(HasSubstr(name + " failed"), HasSubstr("CUDA_ERROR_UNKNOWN"),
                              HasSubstr("see the driver's lines (NVRM, Xid) in dmesg")))
          << name << ", call " << skip + 1 << " of " << count;
      EXPECT_EQ(live(), 0) << name << ", call " << skip + 1 << " of " << count;
    }
  }
}

TEST_F(CudaDeviceTest, aMessageDoesWithoutWhatTheDriverDoesNotTell) {
  failNext("cuInit", cuErrorUnknown);
  failNext("cuGetErrorName", cuErrorUnknown);
  EXPECT_THAT(open().error().message, HasSubstr("cuInit failed: error 999"));
  failNext("cuInit", cuErrorUnknown);
  failNext("cuGetErrorString", cuErrorUnknown);
  EXPECT_THAT(open().error().message, HasSubstr("cuInit failed: CUDA_ERROR_UNKNOWN: "));
  setDevice(1, 90, 1, 1000);
  auto device = *open();
  failNext("cuMemGetInfo_v2", cuErrorUnknown);
  EXPECT_THAT(device->allocate(2000).error().message, HasSubstr("the device has 1000 bytes"));
}

TEST_F(CudaDeviceTest, errorsSayWhatToDo) {
  const std::pair<int, const char *> table[] = {{cuErrorStubLibrary, "stub"},
                                                {cuErrorSystemDriverMismatch, "reboot"},
                                                {cuErrorNotInitialized, "before main returns"},
                                                {cuErrorDeviceUnavailable, "nvidia-smi -c 0"},
                                                {cuErrorSystemNotReady, "nvidia-fabricmanager"},
                                                {cuErrorEccUncorrectable, "nvidia-smi -q -d ECC"},
                                                {cuErrorCompatNotSupported, "LD_LIBRARY_PATH"}};
  for (auto [code, advice] : table) {
    failNext("cuInit", code);
    EXPECT_THAT(open().error().message, HasSubstr(advice)) << code;
  }
  auto device = *open();
  const std::pair<int, const char *> atLoad[] = {
      {cuErrorUnsupportedPtxVersion, "older than the toolkit"},
      {cuErrorNoBinaryForGpu, "from a newer toolkit than the driver"},
      {cuErrorJitCompilerNotFound, "libnvidia-ptxjitcompiler.so"}};
  for (auto [code, advice] : atLoad) {
    failNext("cuModuleLoadDataEx", code);
    EXPECT_THAT(device->load(program()).error().message,
                AllOf(HasSubstr(advice), HasSubstr("whose driver is for CUDA 13.0")))
        << code;
  }
}

TEST_F(CudaDeviceTest, aMissingOrderIsSeen) {
  auto device = *open();
  auto buffer = *device->allocate(16);
  ASSERT_OK(device->synchronize());
  auto loaded = device->load(program());
  ASSERT_OK(loaded.status());
  void *addresses[] = {buffer->address()};
  // Two launches over the same memory, recorded beside each other.
  ASSERT_OK(device->beginRecording());
  device->recordAfter({});
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(4, 1.0f), addresses));
  device->recordAfter({});
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(4, 1.0f), addresses));
  ASSERT_OK(device->endRecording().status());
  EXPECT_THAT(race(), HasSubstr("'addScalar' and 'addScalar' touch the same memory in no order"));
}

TEST_F(CudaDeviceTest, anUploadBesideKernelsIsJoined) {
  auto device = *open();
  auto buffer = *device->allocate(16);
  ASSERT_OK(device->synchronize());
  auto loaded = device->load(program());
  ASSERT_OK(loaded.status());
  void *addresses[] = {buffer->address()};
  const std::vector<float> host(4, 1.0f);
  ASSERT_OK(device->uploadBeside(buffer->address(), host.data(), 16));
  ASSERT_OK(device->joinUploads());
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(4, 1.0f), addresses));
  EXPECT_EQ(race(), "");
  ASSERT_OK(
      device->uploadBeside(buffer->address(), host.data(), 16)); // under a kernel that is queued
  EXPECT_THAT(race(), HasSubstr("'addScalar' and 'a copy to the device'"));
}

TEST_F(CudaDeviceTest, aMomentBringsWhatWasQueuedBeforeIt) {
  setLazy(true);
  auto device = *open();
  auto buffer = *device->allocate(16);
  auto loaded = device->load(program());
  ASSERT_OK(loaded.status());
  void *addresses[] = {buffer->address()};
  ASSERT_OK(device->fill(buffer->address(), 16, std::vector<uint8_t>{0}));
  float one = -1, two = -1;
  ASSERT_OK(device->launch(*(*loaded)[0], addLaunch(4, 1.0f), addresses));
  ASSERT_OK(device->download(&one, buffer->address(), 4));
  auto first = device->mark();
  ASSERT_OK(first.status());
  Launch later = addLaunch(4, 1.0f);
  later.source = "model.cpp:20";
  ASSERT_OK(device->launch(*(*loaded)[0], later, addresses));
  ASSERT_OK(device->download(&two, buffer->address(), 4));
  auto second = device->mark();
  ASSERT_OK(second.status());
  ASSERT_OK((*first)->wait());
  EXPECT_EQ(one, 1.0f);
  EXPECT_EQ(two, -1.0f); // not before its own moment
  // A fault is one of what the moments before have not seen done, and is told again.
  failNext("cuEventSynchronize", cuErrorIllegalAddress);
  for (int asked = 0; asked < 2; ++asked)
    EXPECT_THAT((*second)->wait().error().message,
                AllOf(HasSubstr("one of the 1 kernels"), HasSubstr("model.cpp:20"),
                      Not(HasSubstr("model.cpp:14"))));
}

TEST_F(CudaDeviceTest, manyDownloadsUseTheRingInOrder) {
  setLazy(true);
  auto device = *open();
  const int64_t bytes = 40000; // six fill the ring
  auto buffer = *device->allocate(bytes);
  std::vector<std::vector<uint8_t>> back(40, std::vector<uint8_t>(bytes));
  std::deque<std::shared_ptr<Moment>> moments;
  for (size_t i = 0; i < back.size(); ++i) {
    const auto pattern = static_cast<uint8_t>(i + 1);
    ASSERT_OK(device->fill(buffer->address(), bytes, std::vector<uint8_t>{pattern}));
    ASSERT_OK(device->download(back[i].data(), buffer->address(), bytes));
    auto moment = device->mark();
    ASSERT_OK(moment.status());
    moments.push_back(*moment);
    if (moments.size() > 3) { // a step or two behind
      ASSERT_OK(moments.front()->wait());
      moments.pop_front();
    }
  }
  ASSERT_OK(device->synchronize());
  for (size_t i = 0; i < back.size(); ++i)
    EXPECT_EQ(back[i], std::vector<uint8_t>(bytes, static_cast<uint8_t>(i + 1))) << i;
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
  failNext("cuEventSynchronize", cuErrorIllegalAddress);
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
  EXPECT_THAT(
      device->load(program()).error().message,
      AllOf(HasSubstr("kernel 'addScalar', whose image came with the program, does not load"),
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
