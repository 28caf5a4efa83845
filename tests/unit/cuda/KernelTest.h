#pragma once

#include "sinter/codegen/cuda/DeviceHeaders.h"
#include "sinter/runtime/Device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace sinter::test {

using namespace sinter::runtime;

/// A program of hand-written CUDA kernels with the whole device library at hand.
inline Program cudaProgram(const std::vector<std::pair<std::string, std::string>> &kernels) {
  Program program;
  program.target = TargetKind::cuda;
  std::vector<uint32_t> all;
  for (const auto &header : codegen::deviceHeaders()) {
    all.push_back(static_cast<uint32_t>(program.headers.size()));
    program.headers.push_back({header.name, header.text});
  }
  for (const auto &[name, body] : kernels) {
    Kernel kernel;
    kernel.name = name;
    for (const auto &header : codegen::deviceHeaders())
      kernel.source += "#include \"" + header.name + "\"\n";
    kernel.source += body;
    kernel.headers = all;
    program.kernels.push_back(std::move(kernel));
  }
  return program;
}

inline ScalarParam i64Param(int64_t value) {
  ScalarParam param{DType::i64, {}};
  std::memcpy(param.bits.data(), &value, 8);
  return param;
}
inline ScalarParam f32Param(float value) {
  ScalarParam param{DType::f32, {}};
  std::memcpy(param.bits.data(), &value, 4);
  return param;
}

/// One kernel on one device, launched over host vectors: arguments are uploaded, those that are
/// written come back.
class KernelRun {
public:
  KernelRun(std::shared_ptr<Device> device, const std::string &name, const std::string &body)
      : device(std::move(device)), program(cudaProgram({{name, body}})) {
    auto result = this->device->load(program);
    loadStatus = result.status();
    if (result.ok()) kernels = std::move(*result);
    launch.label = "test";
    launch.source = "test.cpp:1";
  }

  template <class T> KernelRun &in(const std::vector<T> &values) {
    return pointer(const_cast<T *>(values.data()), values.size() * sizeof(T), false);
  }
  template <class T> KernelRun &out(std::vector<T> &values) {
    return pointer(values.data(), values.size() * sizeof(T), true);
  }
  /// A tensor map over the memory of pointer `buffer`, counted from 0.
  KernelRun &map(size_t buffer, TensorMapParam param) {
    param.location = {Space::arena, 0, 0, buffers[buffer]->bytes()};
    buffers.push_back(buffers[buffer]);
    hosts.emplace_back(nullptr, false);
    launch.params.push_back(std::move(param));
    return *this;
  }
  KernelRun &scalar(int64_t value) {
    launch.params.push_back(i64Param(value));
    return *this;
  }
  KernelRun &scalar(float value) {
    launch.params.push_back(f32Param(value));
    return *this;
  }
  Status run(uint32_t grid, uint32_t block, uint32_t sharedBytes = 0) {
    launch.shape.grid = {grid, 1, 1};
    launch.shape.block = {block, 1, 1};
    launch.shape.sharedBytes = sharedBytes;
    return run();
  }
  Status run() {
    if (!loadStatus.ok()) return loadStatus;
    std::vector<void *> addresses;
    for (auto &buffer : buffers) addresses.push_back(buffer->address());
    Status status = device->launch(*kernels[0], launch, addresses);
    if (status.ok()) status = device->synchronize();
    for (size_t i = 0; i < buffers.size() && status.ok(); ++i)
      if (hosts[i].second)
        status = device->download(hosts[i].first, buffers[i]->address(), buffers[i]->bytes());
    return status;
  }

  std::shared_ptr<Device> device;
  Program program;
  Status loadStatus;
  std::vector<std::unique_ptr<LoadedKernel>> kernels;
  Launch launch;

private:
  KernelRun &pointer(void *host, size_t bytes, bool written) {
    auto buffer = device->allocate(static_cast<int64_t>(bytes));
    EXPECT_TRUE(buffer.ok()) << buffer.error().message;
    EXPECT_TRUE(device->upload((*buffer)->address(), host, static_cast<int64_t>(bytes)).ok());
    buffers.push_back(*buffer);
    hosts.emplace_back(host, written);
    launch.params.push_back(
        PointerParam{{Space::arena, 0, 0, static_cast<int64_t>(bytes)}, written});
    return *this;
  }

  std::vector<std::shared_ptr<Buffer>> buffers;
  std::vector<std::pair<void *, bool>> hosts;
};

inline std::shared_ptr<Device> emulated(int schedules = 4) {
  auto device = emulatedCudaDevice({.schedules = schedules, .seed = 0});
  EXPECT_TRUE(device.ok()) << device.error().message;
  return *device;
}

/// A test that runs on each device in turn; on a GPU only where there is one.
class OnDevice : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    if (std::string(GetParam()) != "cuda") return;
    static const auto gpu = cudaDevice(); // one for all tests: a context takes a while
    if (!gpu.ok()) GTEST_SKIP() << gpu.error().message;
    gpu_ = *gpu;
  }
  std::shared_ptr<Device> device(int schedules = 4) const {
    return gpu_ ? gpu_ : emulated(schedules);
  }

private:
  std::shared_ptr<Device> gpu_;
};
inline std::string deviceName(const testing::TestParamInfo<const char *> &info) {
  return info.param;
}

#define ASSERT_OK(expr)                                                                            \
  do {                                                                                             \
    ::sinter::runtime::Status status_ = (expr);                                                    \
    ASSERT_TRUE(status_.ok()) << status_.error().message;                                          \
  } while (false)

} // namespace sinter::test
