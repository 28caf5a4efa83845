#pragma once

#include "FakeDriver.h"

#include "sinter/runtime/Device.h"
#include "sinter/runtime/Program.h"
#include "sinter/runtime/cuda/CudaDevice.h"

#include <gtest/gtest.h>

#include <cstring>
#include <dlfcn.h>
#include <map>

namespace sinter::fake {

/// The fake driver, opened, with what tests ask of it.
class FakeDriverLibrary {
public:
  FakeDriverLibrary() {
    auto opened = runtime::cuda::CudaApi::open(SINTER_FAKE_DRIVER);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    api = *opened;
    library = dlopen(SINTER_FAKE_DRIVER, RTLD_NOW);
    reset();
  }
  ~FakeDriverLibrary() {
    reset();
    dlclose(library);
  }
  FakeDriverLibrary(const FakeDriverLibrary &) = delete;
  FakeDriverLibrary &operator=(const FakeDriverLibrary &) = delete;

  template <class F> F *call(const char *name) const {
    return reinterpret_cast<F *>(dlsym(library, name));
  }
  void reset() { call<void()>("fakeReset")(); }
  void failNext(const char *name, int code, int skip = 0) {
    call<void(const char *, int, int)>("fakeFailNext")(name, code, skip);
  }
  int calls(const char *name) const { return call<int(const char *)>("fakeCalls")(name); }
  int live() const { return call<int()>("fakeLive")(); }
  std::string race() const { return call<const char *()>("fakeRace")(); }
  void setLazy(bool lazy) { call<void(int)>("fakeSetLazy")(lazy); }
  void setDevice(int count, int capability, int pools, unsigned long long bytes) {
    call<void(int, int, int, unsigned long long)>("fakeSetDevice")(count, capability, pools, bytes);
  }
  struct GraphShape {
    int nodes = 0, edges = 0, programmatic = 0, depth = 0;
  };
  GraphShape graph() const {
    GraphShape shape;
    call<void(int *, int *, int *, int *)>("fakeGraphShape")(&shape.nodes, &shape.edges,
                                                             &shape.programmatic, &shape.depth);
    return shape;
  }

  std::shared_ptr<const runtime::cuda::CudaApi> api;

private:
  void *library = nullptr;
};

/// A GPU of sm_90 that runs a program's kernels on the emulated device. It must outlive its devices.
class FakeGpu : public FakeDriverLibrary {
public:
  explicit FakeGpu(const runtime::Program &given, int schedules = 1) : program(given) {
    for (runtime::Kernel &kernel : program.kernels)
      kernel.images["sm_90"] = {'t', 'e', 'x', 't'}; // that no compiler is asked for
    auto made = runtime::emulatedCudaDevice({.schedules = schedules, .seed = 0});
    EXPECT_TRUE(made.ok()) << made.error().message;
    emulated = *made;
    auto loaded = emulated->load(program);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    if (loaded.ok()) kernels = std::move(*loaded);
    for (const runtime::Entry &entry : program.entries) note(entry.body);
    hooks.numParams = [this](const std::string &name) {
      auto found = launches.find(name);
      return found == launches.end() ? -1 : static_cast<int>(found->second.params.size());
    };
    hooks.accesses = [this](const std::string &name, void *const *params) {
      return accesses(launches.at(name), params);
    };
    hooks.run = [this](const std::string &name, const std::array<unsigned, 7> &shape,
                       void *const *params) { return run(launches.at(name), shape, params); };
    call<void(const Kernels *)>("fakeSetKernels")(&hooks);
  }

  std::shared_ptr<runtime::Device> device() {
    auto made = runtime::cuda::makeCudaDevice(api, nullptr, 0);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return *made;
  }

  runtime::Program program; // with images
  std::shared_ptr<runtime::Device> emulated;
  std::string error; // the emulated device's first

private:
  /// A launch of each kernel: its parameters have the same types and sizes in every one.
  void note(const runtime::Block &block) {
    for (const runtime::Instruction &instruction : block) {
      if (auto *loop = std::get_if<runtime::Loop>(&instruction.op)) note(*loop->body);
      auto *launch = std::get_if<runtime::Launch>(&instruction.op);
      if (!launch) continue;
      auto add = [&](uint32_t kernel) {
        runtime::Launch copy = *launch;
        copy.kernel = kernel;
        launches.emplace(program.kernels[kernel].name, std::move(copy));
      };
      add(launch->kernel);
      for (const runtime::Alternative &other : launch->alternatives) add(other.kernel);
    }
  }
  static std::vector<Access> accesses(const runtime::Launch &launch, void *const *params) {
    std::vector<Access> all;
    for (size_t i = 0; i < launch.params.size(); ++i)
      if (auto *pointer = std::get_if<runtime::PointerParam>(&launch.params[i]))
        all.push_back({*static_cast<uintptr_t *>(params[i]),
                       static_cast<size_t>(pointer->location.bytes), pointer->written});
    return all;
  }
  int run(const runtime::Launch &noted, const std::array<unsigned, 7> &shape, void *const *params) {
    runtime::Launch launch = noted;
    launch.shape.grid = {shape[0], shape[1], shape[2]};
    launch.shape.block = {shape[3], shape[4], shape[5]};
    launch.shape.sharedBytes = shape[6];
    std::vector<void *> addresses;
    for (size_t i = 0; i < launch.params.size(); ++i)
      if (auto *scalar = std::get_if<runtime::ScalarParam>(&launch.params[i]))
        std::memcpy(scalar->bits.data(), params[i], 8);
      else
        addresses.push_back(*static_cast<void **>(params[i]));
    runtime::Status status = emulated->launch(*kernels[launch.kernel], launch, addresses);
    if (!status.ok() && error.empty()) error = status.error().message;
    return status.ok() ? 0 : runtime::cuda::cuErrorLaunchFailed;
  }

  std::vector<std::unique_ptr<runtime::LoadedKernel>> kernels;
  std::map<std::string, runtime::Launch> launches;
  Kernels hooks;
};

} // namespace sinter::fake
