#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/Executor.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

/// What the modes of suite_check share.
namespace sinter::suite {

struct Options {
  std::string mode, folder, device = "cuda", json;
  double seconds = 540;
  int steps = 3;
  bool record = false, autotune = false;
};

template <class T> T need(runtime::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void need(const runtime::Status &status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}

using Clock = std::chrono::steady_clock;
inline double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::filesystem::path> sortedFiles(const std::string &folder,
                                               const std::string &extension);

double numberAt(runtime::DType type, const uint8_t *bytes, int64_t i);

/// Below what number integers are, by the name of an input or a variable; 10 for others.
using Limits = std::map<std::string, int64_t>;
/// What NAME.about.json beside a Program says, or an empty object.
nlohmann::json beside(const std::filesystem::path &program, const char *extension);
Limits limitsOf(const nlohmann::json &about);

/// The same numbers everywhere: floats in [-1, 1), integers from 0.
std::vector<std::vector<uint8_t>> madeUp(const std::vector<runtime::Port> &ports,
                                         const Limits &limits);
/// The state as a training starts with it; without an entry that makes it, numbers in every variable: zeros are not
/// what a matrix product is timed on.
void initialise(runtime::Executor &executor, const Limits &limits);

/// The batches of `steps` runs and room for their outputs.
struct Batches {
  Batches(const runtime::Entry &entry, const Limits &limits, int steps);
  std::vector<std::vector<uint8_t>> inputs, outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
};

/// Programs with a train_step: its losses and what predict gives beside those noted in NAME.json, and the same steps as
/// one launch.
int checkPrograms(const Options &options, const std::shared_ptr<runtime::Device> &device,
                  std::ofstream &lines);
/// The time of train_step and predict, or of every entry of other Programs.
int timePrograms(const Options &options, const std::shared_ptr<runtime::Device> &device,
                 std::ofstream &lines);
/// What the device makes of each primitive.
int runPrimitives(const Options &options, const std::shared_ptr<runtime::Device> &device,
                  std::ofstream &lines);

} // namespace sinter::suite
