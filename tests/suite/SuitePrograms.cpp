#include "Suite.h"

#include "sinter/runtime/Npy.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace sinter::suite {
namespace {

/// Losses of steps made one by one, or as one launch over a ring of batches.
std::vector<double> losses(Executor &executor, size_t index, const Limits &limits, int steps,
                           bool together) {
  const Entry &entry = executor.program()->entries[index];
  Batches batches(entry, limits, together ? steps : 1);
  std::vector<double> found;
  auto read = [&] {
    for (size_t o = 0; o < batches.outputs.size(); ++o)
      if (const Port &port = entry.outputs[o % entry.outputs.size()]; port.type.numElements() == 1)
        found.push_back(numberAt(port.type.dtype, batches.outputs[o].data(), 0));
  };
  if (together) {
    need(need(executor.start(index, batches.in, batches.out, steps))->wait());
    read();
    return found;
  }
  for (int i = 0; i < steps; ++i) {
    need(executor.run(index, batches.in, batches.out));
    read();
  }
  return found;
}

/// The root of the mean square of what an inference gives.
double magnitude(Executor &executor, size_t index, const Limits &limits) {
  const Entry &entry = executor.program()->entries[index];
  Batches batches(entry, limits, 1);
  need(executor.run(index, batches.in, batches.out));
  double sum = 0;
  int64_t count = 0;
  for (size_t o = 0; o < batches.outputs.size(); ++o)
    for (int64_t i = 0; i < entry.outputs[o].type.numElements(); ++i, ++count) {
      double number = numberAt(entry.outputs[o].type.dtype, batches.outputs[o].data(), i);
      sum += number * number;
    }
  return std::sqrt(sum / double(std::max<int64_t>(count, 1)));
}

/// Empty, or the first number that is not what was noted.
std::string compare(const std::string &what, const std::vector<double> &expected,
                    const std::vector<double> &actual, double tolerance) {
  if (expected.size() != actual.size())
    return what + ": " + std::to_string(actual.size()) + " numbers instead of " +
           std::to_string(expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    if (!(std::fabs(actual[i] - expected[i]) <= tolerance * std::fabs(expected[i])))
      return what + " " + std::to_string(i) + " is " + std::to_string(actual[i]) + " instead of " +
             std::to_string(expected[i]);
  return "";
}

nlohmann::json checkOne(const fs::path &path, const Options &options,
                        const std::shared_ptr<Device> &device) {
  auto program = std::make_shared<const Program>(need(loadProgram(path.string())));
  Limits limits = limitsOf(beside(path, ".about.json"));
  auto executor = need(Executor::create(program, device));
  initialise(*executor, limits);
  size_t step = need(executor->entryIndex("train_step")),
         predict = need(executor->entryIndex("predict"));
  // Before the first step: afterwards it would show the steps' errors again.
  double predicted = magnitude(*executor, predict, limits);
  std::vector<double> alone = losses(*executor, step, limits, options.steps, false);
  nlohmann::json record{{"launches", executor->numLaunches(step)}};
  fs::path noted = fs::path(path).replace_extension(".json");
  if (options.record) {
    std::ofstream(noted) << nlohmann::json{{"losses", alone}, {"predicted", predicted}}.dump();
    return record;
  }
  auto fresh = need(Executor::create(program, device)); // from the same start
  initialise(*fresh, limits);
  std::vector<double> together = losses(*fresh, step, limits, options.steps, true);
  std::string name = path.stem().string();
  double tolerance = name.ends_with("bf16") ? 2e-2 : name.ends_with("_f16") ? 2e-3 : 1e-4;
  auto expected = nlohmann::json::parse(std::ifstream(noted));
  auto expectedLosses = expected.at("losses").get<std::vector<double>>();
  std::string problem = compare("loss", expectedLosses, alone, tolerance);
  if (problem.empty())
    problem = compare("the predictions' magnitude", {expected.at("predicted").get<double>()},
                      {predicted}, tolerance);
  if (problem.empty() && together != alone) problem = "steps in one launch have other losses";
  if (!problem.empty()) record["problem"] = problem;
  record["losses_compared"] = expectedLosses.size();
  return record;
}

} // namespace

int checkPrograms(const Options &options, const std::shared_ptr<Device> &device,
                  std::ofstream &lines) {
  auto start = Clock::now();
  int failed = 0, done = 0;
  for (const fs::path &path : sortedFiles(options.folder, ".sinter")) {
    nlohmann::json record;
    try {
      if (secondsSince(start) > options.seconds) throw std::runtime_error("not reached in time");
      record = checkOne(path, options, device);
    } catch (const std::exception &error) { record["problem"] = error.what(); }
    record["program"] = path.stem().string(), record["device"] = device->description();
    ++(record.contains("problem") ? failed : done);
    lines << record.dump() << std::endl;
    std::cout << record.dump() << std::endl;
  }
  std::cout << done << " programs agree, " << failed << " do not" << std::endl;
  return failed || done == 0 ? 1 : 0;
}

int runPrimitives(const Options &options, const std::shared_ptr<Device> &device,
                  std::ofstream &lines) {
  int failed = 0, done = 0;
  for (const fs::path &path : sortedFiles(options.folder, ".sinter")) {
    nlohmann::json record{{"primitive", path.stem().string()}, {"device", device->description()}};
    try {
      auto program = std::make_shared<const Program>(need(loadProgram(path.string())));
      auto executor = need(Executor::create(program, device));
      const Entry &entry = program->entries.at(0);
      std::vector<NpyArray> inputs;
      std::vector<const void *> in;
      for (size_t i = 0; i < entry.inputs.size(); ++i)
        inputs.push_back(need(readNpy(
            (fs::path(path).replace_extension("").string() + ".in" + std::to_string(i) + ".npy"))));
      for (const NpyArray &input : inputs) in.push_back(input.bytes.data());
      std::vector<uint8_t> output(size_t(entry.outputs.at(0).type.numBytes()));
      std::vector<void *> out{output.data()};
      need(executor->run(0, in, out));
      std::string text;
      for (uint8_t byte : output)
        for (int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
      std::ifstream print(fs::path(path).replace_extension(".fingerprint"));
      std::string fingerprint;
      print >> fingerprint;
      record["fingerprint"] = fingerprint, record["output"] = text;
    } catch (const std::exception &error) {
      record["problem"] = error.what();
      std::cout << path.stem().string() << ": " << error.what() << std::endl;
    }
    ++(record.contains("problem") ? failed : done);
    lines << record.dump() << std::endl;
  }
  std::cout << done << " primitives ran, " << failed << " did not" << std::endl;
  return failed || done == 0 ? 1 : 0;
}

} // namespace sinter::suite
