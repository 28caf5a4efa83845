#include "Programs.h"
#include "sinter/runtime/Executor.h"
#include "sinter/runtime/cpu/HostMemory.h"

#include <set>

namespace sinter::runtime {
namespace {

using namespace testing;

/// Behaves as a GPU does: memory of its own, and work that can be recorded.
class RecordingDevice : public Device {
public:
  TargetKind kind() const override { return TargetKind::cuda; }
  std::string description() const override { return "recording device"; }
  bool canRecord() const override { return true; }

  Result<std::shared_ptr<Buffer>> allocate(int64_t bytes) override {
    ++numBuffers;
    return allocateHost(bytes);
  }
  Result<std::vector<std::unique_ptr<LoadedKernel>>> load(const Program &program) override {
    std::vector<std::unique_ptr<LoadedKernel>> kernels;
    for (const Kernel &kernel : program.kernels) {
      kernels.push_back(std::make_unique<Function>());
      static_cast<Function &>(*kernels.back()).function = kernel.function;
    }
    return kernels;
  }
  Status launch(const LoadedKernel &kernel, const Launch &launch,
                std::span<void *const> addresses) override {
    ++numLaunches;
    std::vector<void *> operands(addresses.begin(), addresses.end());
    CpuFunction function = static_cast<const Function &>(kernel).function;
    return queue([operands, function, range = launch.shape.range] {
      int64_t two = 0x40000000;
      function(operands.data(), &two, 0, range);
    });
  }
  Status copy(void *to, const void *from, int64_t bytes) override {
    return queue([=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
  }
  Status fill(void *to, int64_t bytes, std::span<const uint8_t> pattern) override {
    std::vector<uint8_t> kept(pattern.begin(), pattern.end());
    return queue([=] { fillHost(to, bytes, kept); });
  }
  Status upload(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status download(void *to, const void *from, int64_t bytes) override {
    return copy(to, from, bytes);
  }
  Status synchronize() override { return {}; }

  Status beginRecording() override {
    work = std::make_shared<Work>();
    return {};
  }
  Result<std::unique_ptr<Recording>> endRecording(std::unique_ptr<Recording>) override {
    ++numRecordings;
    auto recording = std::make_unique<Replay>();
    recording->work = std::move(work);
    return std::unique_ptr<Recording>(std::move(recording));
  }

  int numBuffers = 0, numLaunches = 0, numRecordings = 0;

private:
  using Work = std::vector<std::function<void()>>;
  struct Function : LoadedKernel {
    CpuFunction function = nullptr;
  };
  struct Replay : Recording {
    std::shared_ptr<Work> work;
    Status replay() override {
      for (auto &item : *work) item();
      return {};
    }
  };
  Status queue(std::function<void()> item) {
    if (work)
      work->push_back(std::move(item));
    else
      item();
    return {};
  }
  std::shared_ptr<Work> work; // while recording
};

class ExecutorDeviceTest : public ::testing::Test {
protected:
  void SetUp() override {
    Program program = stepProgram();
    program.target = TargetKind::cuda;
    auto made = Executor::create(std::make_shared<const Program>(std::move(program)), device);
    ASSERT_OK(made);
    executor = *made;
  }
  Status run(Floats &x, Floats &y) {
    const void *inputs[] = {x.address()};
    void *outputs[] = {y.address()};
    return executor->run(0, inputs, outputs);
  }
  std::shared_ptr<RecordingDevice> device = std::make_shared<RecordingDevice>();
  std::shared_ptr<Executor> executor;
};

TEST_F(ExecutorDeviceTest, RecordsOnceForEachPlaceAndReplays) {
  int buffers = device->numBuffers;
  for (int turn = 1; turn <= 3; ++turn) {
    Floats x(3), y; // other host addresses each turn
    ASSERT_OK(run(x, y));
    EXPECT_EQ(y[99], 6.0f * static_cast<float>(turn) + 1);
  }
  // The inputs of a step have two places, so that the next batch can travel while a step runs.
  EXPECT_EQ(device->numRecordings, 2);
  EXPECT_EQ(device->numLaunches, 6);
  EXPECT_EQ(device->numBuffers, buffers);
}

TEST_F(ExecutorDeviceTest, AProfilerIsNotShownARecording) {
  Profiler profiler;
  executor->setProfiler(&profiler);
  Floats x(3), y;
  ASSERT_OK(run(x, y));
  ASSERT_OK(run(x, y));
  EXPECT_EQ(y[0], 13.0f);
  EXPECT_EQ(profiler.events().size(), 6u);
  EXPECT_EQ(device->numRecordings, 0);
}

TEST(Device, RecordingIsRefusedWhereThereIsNone) {
  EXPECT_ERROR(cpuDevice()->beginRecording(), unsupported, "does not record");
  EXPECT_ERROR(referenceDevice()->endRecording(), unsupported,
               "reference evaluator does not record");
}

} // namespace
} // namespace sinter::runtime
