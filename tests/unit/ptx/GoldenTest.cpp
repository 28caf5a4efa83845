// What a GPU made of each primitive (gpu-suite run primitives), replayed on the emulated device. Goldens lie in
// goldens/*.jsonl, or where SINTER_GOLDENS says: a line for each primitive, with its fingerprint and its output's bytes
// in hexadecimal.
#include "Primitives.h"

#include "sinter/runtime/Executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

using namespace sinter::test;
using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace {

struct Golden {
  std::string fingerprint, output;
};

std::string hexadecimal(const Bytes &bytes) {
  static const char *digits = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

/// By name. A line that is none is an error, not nothing.
std::map<std::string, Golden> read(const fs::path &path) {
  std::map<std::string, Golden> goldens;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    auto record = nlohmann::json::parse(line);
    if (record.contains("problem")) continue;
    goldens[record.at("primitive")] = {record.at("fingerprint"), record.at("output")};
  }
  return goldens;
}

/// Empty, or where the two differ first.
std::string difference(const std::string &golden, const std::string &emulated) {
  if (golden == emulated) return "";
  auto [at, other] = std::mismatch(golden.begin(), golden.end(), emulated.begin(), emulated.end());
  auto byte = (at - golden.begin()) / 2;
  return "byte " + std::to_string(byte) + " of " + std::to_string(golden.size() / 2) + " is " +
         golden.substr(size_t(byte) * 2, 2) + " on the GPU and " +
         emulated.substr(size_t(byte) * 2, 2) + " here";
}

Bytes emulated(const Primitive &primitive) {
  auto device = emulatedCudaDevice();
  EXPECT_TRUE(device.ok()) << device.error().message;
  auto executor = Executor::create(std::make_shared<const Program>(programOf(primitive)), *device);
  EXPECT_TRUE(executor.ok()) << executor.error().message;
  Bytes output(primitive.outputBytes);
  std::vector<const void *> in;
  for (const Bytes &input : primitive.inputs) in.push_back(input.data());
  std::vector<void *> out{output.data()};
  Status status = (*executor)->run(0, in, out);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return output;
}

std::vector<fs::path> files() {
  if (const char *named = std::getenv("SINTER_GOLDENS")) return {named};
  std::vector<fs::path> found;
  fs::path folder = fs::path(SINTER_TEST_SOURCE_DIR) / "goldens";
  if (fs::is_directory(folder))
    for (const auto &entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".jsonl") found.push_back(entry.path());
  return found;
}

TEST(Golden, EmulatorDoesWhatTheGpuDid) {
  if (files().empty())
    GTEST_SKIP() << "no goldens of a GPU in tests/unit/ptx/goldens: none has run `gpu-suite run "
                    "primitives` yet";
  for (const fs::path &path : files()) {
    auto goldens = read(path);
    const std::vector<Primitive> all = primitives();
    size_t compared = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      auto golden = goldens.find(nameOf(all[i], i));
      // Another kernel or other inputs since: nothing is known of it until a GPU has run it again.
      if (golden == goldens.end() ||
          golden->second.fingerprint != std::to_string(fingerprint(all[i])))
        continue;
      ++compared;
      EXPECT_EQ(difference(golden->second.output, hexadecimal(emulated(all[i]))), "")
          << nameOf(all[i], i) << " in " << path;
    }
    EXPECT_GT(compared, 0u) << path << " has no golden of a primitive as it is now";
  }
}

TEST(Golden, AnotherByteIsNamed) {
  EXPECT_EQ(difference("a500ff", "a500ff"), "");
  EXPECT_EQ(difference("a500ff", "a50fff"), "byte 1 of 3 is 00 on the GPU and 0f here");
}

/// As a Program, which is what travels to the GPU, each does what it does as a kernel on its own: here, for those
/// whose result is known without an emulator.
TEST(Golden, ProgramsKeepWhatTheyDoNotWrite) {
  size_t stores = 0;
  const std::vector<Primitive> all = primitives();
  for (const Primitive &primitive : all) {
    if (std::string(primitive.name) != "bulk store") continue;
    ++stores;
    const Tensor &tensor = primitive.maps[0];
    auto row = size_t(tensor.sizes[0]) * 2;
    Bytes output = emulated(primitive);
    // The first box begins at element 8 of row 3: rows 0 to 2 stay as they were filled.
    EXPECT_TRUE(std::all_of(output.begin(), output.begin() + std::ptrdiff_t(3 * row + 16),
                            [](uint8_t byte) { return byte == untouched; }));
    EXPECT_EQ(output[3 * row + 16], primitive.inputs[0][0]);
  }
  EXPECT_GT(stores, 0u);
}

TEST(Golden, AFingerprintIsOfTextAndInputs) {
  Primitive one = primitives()[0], other = one;
  EXPECT_EQ(fingerprint(one), fingerprint(other));
  other.inputs[0][0] ^= 1;
  EXPECT_NE(fingerprint(one), fingerprint(other));
  other = one;
  other.text += "\n";
  EXPECT_NE(fingerprint(one), fingerprint(other));
}

} // namespace
