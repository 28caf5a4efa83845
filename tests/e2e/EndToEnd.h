#pragma once

#include <sinter/runtime/Executor.h>
#include <sinter/sinter.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sinter::test {

/// Runs a suite once per device. The name becomes part of the case's.
class OnDevice : public testing::TestWithParam<const char *> {
public:
  Device device() const { return Device::named(GetParam()); }
  TrainerOptions options(uint64_t seed = 0) const { return {.device = device(), .seed = seed}; }
};

inline std::string deviceName(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  for (char &c : name)
    if (c == '-') c = '_';
  return name;
}
#define SINTER_ON_DEVICES(suite, ...)                                                              \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(__VA_ARGS__), sinter::test::deviceName)

/// A small network with a bit of everything that training touches.
struct SmallNet : nn::Module {
  nn::Conv2d conv{
      this, "conv", {.in_channels = 1, .out_channels = 4, .kernel_size = 3, .padding = 1}};
  nn::BatchNorm2d norm{this, "norm", {.num_features = 4}};
  nn::Dropout drop{this, "drop", {.p = 0.25}};
  nn::Linear fc{this, "fc", {.in_features = 4 * 2 * 2, .out_features = 3}};
  Tensor forward(Tensor x) {
    x = max_pool2d(relu(norm(conv(x))), {.kernel_size = 2});
    return fc(drop(flatten(x, 1)));
  }
};

/// Images of 4x4 whose brightest third is the class.
inline data::TensorDataset stripes(int64_t count, uint64_t seed) {
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  uint64_t state = seed * 2 + 1;
  auto noise = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(state >> 40) / 16777216.0f * 0.25f;
  };
  for (int64_t i = 0; i < count; ++i) {
    int64_t label = i % 3;
    labels.push_back(label);
    for (int64_t p = 0; p < 16; ++p) pixels.push_back(noise() + (p % 4 == label ? 1.0f : 0.0f));
  }
  return {Array(pixels, {count, 1, 4, 4}), Array(labels)};
}

/// A folder that is gone after the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    auto *info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + "-" + info->name();
    for (char &c : name)
      if (c == '/') c = '-';
    path = std::filesystem::temp_directory_path() /
           ("sinter-" + name + "-" + std::to_string(getpid()));
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string &name) const { return (path / name).string(); }

private:
  std::filesystem::path path;
};

/// Initialises a program and trains it on one batch: its losses are these, bit for bit.
inline void expectLosses(runtime::Executor &executor, const Array &x, const Array &y,
                         const std::vector<float> &expected) {
  check(executor.run(check(executor.entryIndex("init")), {}, {}));
  size_t step = check(executor.entryIndex("train_step"));
  for (float loss : expected) {
    float actual = 0;
    const void *in[] = {x.raw(), y.raw()};
    void *out[] = {&actual};
    check(executor.run(step, in, out));
    EXPECT_EQ(actual, loss);
  }
}

} // namespace sinter::test
