// suite_check: runs what op_programs wrote on a device and compares with the evaluator's bounds. Links the
// runtime alone. Writes a JSON line for each entry as it comes.

#include "sinter/runtime/Device.h"
#include "sinter/runtime/Executor.h"
#include "sinter/runtime/Npy.h"
#include "sinter/runtime/State.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace {

double halfToDouble(uint16_t bits) {
  int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  double value = exponent == 31 ? (mantissa ? std::nan("") : INFINITY)
                 : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                : std::ldexp(mantissa, -24);
  return bits & 0x8000 ? -value : value;
}

double numberAt(DType type, const uint8_t *bytes, int64_t i) {
  auto as = [&]<class T>(T) {
    T value;
    std::memcpy(&value, bytes + i * int64_t(sizeof(T)), sizeof(T));
    return value;
  };
  switch (type) {
  case DType::f32:
    return as(float());
  case DType::f64:
    return as(double());
  case DType::bf16:
    return std::bit_cast<float>(uint32_t(as(uint16_t())) << 16);
  case DType::f16:
    return halfToDouble(as(uint16_t()));
  case DType::i32:
    return as(int32_t());
  case DType::i64:
    return double(as(int64_t()));
  default:
    return bytes[i];
  }
}

/// The rule of codegen::agrees.
bool agrees(double expected, double bound, double actual) {
  if (std::isinf(bound)) return true;
  if (std::isnan(expected)) return std::isnan(actual);
  return expected == actual || std::fabs(expected - actual) <= bound;
}

struct Outcome {
  std::string problem;
  double worst = 0; // largest error over its bound
};

template <class T> T need(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

Outcome runEntry(Executor &executor, size_t index, const std::string &prefix) {
  const Entry &entry = executor.program()->entries[index];
  std::vector<NpyArray> inputs;
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (size_t i = 0; i < entry.inputs.size(); ++i)
    inputs.push_back(need(readNpy(prefix + ".in" + std::to_string(i) + ".npy")));
  for (const NpyArray &input : inputs) in.push_back(input.bytes.data());
  for (const Port &port : entry.outputs)
    outputs.emplace_back(size_t(port.type.numBytes()), uint8_t(0xA5));
  for (auto &bytes : outputs) out.push_back(bytes.data());
  if (Status status = executor.run(index, in, out); !status.ok())
    return {status.error().message, 0};
  Outcome outcome;
  for (size_t o = 0; o < outputs.size(); ++o) {
    NpyArray values = need(readNpy(prefix + ".out" + std::to_string(o) + ".npy")),
             bounds = need(readNpy(prefix + ".bound" + std::to_string(o) + ".npy"));
    for (int64_t i = 0; i < entry.outputs[o].type.numElements(); ++i) {
      double expected = numberAt(DType::f64, values.bytes.data(), i),
             bound = numberAt(DType::f64, bounds.bytes.data(), i),
             actual = numberAt(entry.outputs[o].type.dtype, outputs[o].data(), i);
      if (std::isfinite(expected) && bound > 0 && std::isfinite(bound))
        outcome.worst = std::max(outcome.worst, std::fabs(expected - actual) / bound);
      if (agrees(expected, bound, actual) || !outcome.problem.empty()) continue;
      outcome.problem = "result " + std::to_string(o) + ", element " + std::to_string(i) + ": " +
                        std::to_string(actual) + " instead of " + std::to_string(expected) +
                        " +- " + std::to_string(bound);
    }
  }
  return outcome;
}

std::shared_ptr<Device> open(const std::string &device) {
  return device == "cuda" ? need(cudaDevice()) : need(emulatedCudaDevice());
}

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Options {
  std::string mode, folder, device = "cuda", json;
  double seconds = 540;
  int steps = 3;
  bool record = false;
};

std::vector<fs::path> sortedFiles(const std::string &folder, const std::string &extension) {
  std::vector<fs::path> paths;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// The op table: every entry against the evaluator's values.
int checkValues(const Options &options, const std::shared_ptr<Device> &device,
                std::ofstream &lines) {
  auto start = Clock::now();
  std::vector<fs::path> rows = sortedFiles(options.folder, "");
  int failed = 0, passed = 0;
  size_t left = rows.size();
  for (const fs::path &row : rows) {
    if (secondsSince(start) > options.seconds) break;
    auto report = [&](const std::string &entry, const Outcome &outcome) {
      ++(outcome.problem.empty() ? passed : failed);
      nlohmann::json record{
          {"row", row.filename().string()}, {"entry", entry}, {"error_over_bound", outcome.worst}};
      if (!outcome.problem.empty()) {
        record["problem"] = outcome.problem;
        std::cout << row.filename().string() << " " << entry << ": " << outcome.problem
                  << std::endl;
      }
      lines << record.dump() << std::endl;
    };
    --left;
    try {
      auto program =
          std::make_shared<const Program>(need(loadProgram((row / "program.sinter").string())));
      auto executor = need(Executor::create(program, device));
      for (size_t i = 0; i < program->entries.size(); ++i)
        report(program->entries[i].name,
               runEntry(*executor, i, (row / program->entries[i].name).string()));
    } catch (const std::exception &error) { report("", {error.what(), 0}); }
  }
  std::cout << passed << " entries agree, " << failed << " do not, " << left
            << " rows were not reached" << std::endl;
  return failed || left || passed == 0 ? 1 : 0;
}

/// The same inputs everywhere: floats in [-1, 1), integers in [0, 10).
std::vector<std::vector<uint8_t>> madeUp(const std::vector<Port> &ports) {
  std::vector<std::vector<uint8_t>> all;
  uint32_t state = 1;
  auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  for (const Port &port : ports) {
    std::vector<uint8_t> bytes(size_t(port.type.numBytes()));
    size_t width = bytes.size() / size_t(std::max<int64_t>(1, port.type.numElements()));
    for (int64_t i = 0; i < port.type.numElements(); ++i) {
      uint8_t *at = bytes.data() + size_t(i) * width;
      float number = float(next()) / float(1 << 23) - 1.0f;
      int64_t whole = int64_t(next() % 10);
      if (port.type.dtype == DType::f32)
        std::memcpy(at, &number, 4);
      else if (port.type.dtype == DType::bf16) {
        uint16_t bits = uint16_t(std::bit_cast<uint32_t>(number) >> 16);
        std::memcpy(at, &bits, 2);
      } else
        std::memcpy(at, &whole, width);
    }
    all.push_back(std::move(bytes));
  }
  return all;
}

struct Timed {
  std::vector<double> losses, milliseconds;
};
Timed runRepeatedly(Executor &executor, size_t index, int times) {
  const Entry &entry = executor.program()->entries[index];
  auto inputs = madeUp(entry.inputs);
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (auto &bytes : inputs) in.push_back(bytes.data());
  for (const Port &port : entry.outputs) outputs.emplace_back(size_t(port.type.numBytes()));
  for (auto &bytes : outputs) out.push_back(bytes.data());
  Timed timed;
  for (int i = 0; i < times; ++i) {
    auto start = Clock::now();
    if (Status status = executor.run(index, in, out); !status.ok())
      throw std::runtime_error(status.error().message);
    timed.milliseconds.push_back(secondsSince(start) * 1e3);
    for (size_t o = 0; o < outputs.size(); ++o)
      if (entry.outputs[o].type.numElements() == 1)
        timed.losses.push_back(numberAt(entry.outputs[o].type.dtype, outputs[o].data(), 0));
  }
  return timed;
}
/// The same steps as one launch over a ring of batches; milliseconds are those of a step.
Timed runTogether(Executor &executor, size_t index, int times) {
  const Entry &entry = executor.program()->entries[index];
  auto inputs = madeUp(entry.inputs);
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (int i = 0; i < times; ++i) {
    for (auto &bytes : inputs) in.push_back(bytes.data());
    for (const Port &port : entry.outputs) outputs.emplace_back(size_t(port.type.numBytes()));
  }
  for (auto &bytes : outputs) out.push_back(bytes.data());
  Timed timed;
  auto start = Clock::now();
  auto moment = need(executor.start(index, in, out, times));
  if (Status status = moment->wait(); !status.ok())
    throw std::runtime_error(status.error().message);
  timed.milliseconds.push_back(secondsSince(start) * 1e3 / times);
  for (size_t o = 0; o < outputs.size(); ++o)
    if (const Port &port = entry.outputs[o % entry.outputs.size()]; port.type.numElements() == 1)
      timed.losses.push_back(numberAt(port.type.dtype, outputs[o].data(), 0));
  return timed;
}

/// Numbers in every variable: zeros are not what a matrix product is timed on.
void fillState(Executor &executor) {
  std::vector<Port> ports;
  for (const StateVariable &variable : executor.program()->state)
    ports.push_back({variable.name, variable.type});
  auto values = madeUp(ports);
  for (size_t i = 0; i < ports.size(); ++i)
    if (Status status = executor.state()->set(ports[i].name, values[i]); !status.ok())
      throw std::runtime_error(status.error().message);
}
/// The state as a training starts with it.
void initialise(Executor &executor) {
  auto init = executor.entryIndex("init");
  if (!init.ok()) return fillState(executor);
  if (Status status = executor.run(*init, {}, {}); !status.ok())
    throw std::runtime_error(status.error().message);
}
double median(std::vector<double> numbers) {
  std::nth_element(numbers.begin(), numbers.begin() + numbers.size() / 2, numbers.end());
  return numbers[numbers.size() / 2];
}

/// Programs with a train_step: their losses beside those noted in NAME.json, and the time of a step, alone and as one
/// of several in a launch. Programs without one: the time of every entry.
int runPrograms(const Options &options, const std::shared_ptr<Device> &device,
                std::ofstream &lines) {
  auto start = Clock::now();
  int failed = 0, done = 0;
  for (const fs::path &path : sortedFiles(options.folder, ".sinter")) {
    auto note = [&](nlohmann::json record) {
      record["program"] = path.stem().string(), record["device"] = device->description();
      lines << record.dump() << std::endl;
      std::cout << record.dump() << std::endl;
    };
    if (secondsSince(start) > options.seconds) {
      note({{"problem", "not reached in time"}}), ++failed;
      continue;
    }
    try {
      auto program = std::make_shared<const Program>(need(loadProgram(path.string())));
      auto executor = need(Executor::create(program, device));
      initialise(*executor);
      auto step = executor->entryIndex("train_step");
      for (size_t entry = 0; entry < program->entries.size(); ++entry) {
        if (step.ok() && entry != *step) continue;
        Timed timed = runRepeatedly(*executor, entry, options.steps);
        nlohmann::json record{
            {"entry", program->entries[entry].name},
            {"median_ms", median(timed.milliseconds)},
            {"least_ms", *std::min_element(timed.milliseconds.begin(), timed.milliseconds.end())},
            {"launches", executor->numLaunches(entry)},
            {"arena_bytes", program->entries[entry].arenaBytes}};
        fs::path noted = fs::path(path).replace_extension(".json");
        if (step.ok() && options.record) {
          std::ofstream(noted) << nlohmann::json(timed.losses).dump();
        } else if (step.ok() && fs::exists(noted)) {
          std::string name = path.stem().string();
          double tolerance = name.ends_with("bf16") ? 2e-2 : name.ends_with("_f16") ? 2e-3 : 1e-4;
          auto expected = nlohmann::json::parse(std::ifstream(noted)).get<std::vector<double>>();
          for (size_t i = 0; i < std::min(expected.size(), timed.losses.size()); ++i)
            if (!(std::fabs(timed.losses[i] - expected[i]) <= tolerance * std::fabs(expected[i])) &&
                !record.contains("problem"))
              record["problem"] = "loss " + std::to_string(i) + " is " +
                                  std::to_string(timed.losses[i]) + " instead of " +
                                  std::to_string(expected[i]);
          record["losses_compared"] = std::min(expected.size(), timed.losses.size());
        }
        if (step.ok()) { // from the same start, as one launch: the same losses
          auto fresh = need(Executor::create(program, device));
          initialise(*fresh);
          Timed together = runTogether(*fresh, entry, options.steps);
          record["together_ms"] = runTogether(*fresh, entry, options.steps).milliseconds[0];
          if (together.losses != timed.losses && !record.contains("problem"))
            record["problem"] = "steps in one launch have other losses";
        }
        ++(record.contains("problem") ? failed : done);
        note(record);
      }
    } catch (const std::exception &error) { note({{"problem", error.what()}}), ++failed; }
  }
  std::cout << done << " entries ran, " << failed << " failed" << std::endl;
  return failed || done == 0 ? 1 : 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Runs prepared Programs on a device: `values` the op table, `programs` steps and "
               "benchmarks.");
  app.add_option("mode", options.mode)->required()->check(CLI::IsMember({"values", "programs"}));
  app.add_option("folder", options.folder)->required();
  app.add_option("--device", options.device)->check(CLI::IsMember({"cuda", "cuda-emulated"}));
  app.add_option("--json", options.json, "Where a JSON line for each result goes")->required();
  app.add_option("--seconds", options.seconds, "Starts nothing new after so long");
  app.add_option("--steps", options.steps, "Runs of each entry")->check(CLI::PositiveNumber);
  app.add_flag("--record", options.record, "Notes the losses instead of comparing them");
  CLI11_PARSE(app, argc, argv);
  std::ofstream lines(options.json);
  try {
    auto device = open(options.device);
    std::cout << device->description() << std::endl;
    int result = options.mode == "values" ? checkValues(options, device, lines)
                                          : runPrograms(options, device, lines);
    if (lines) return result;
    std::cerr << "suite_check: error: cannot write " << options.json << "\n";
  } catch (const std::exception &error) {
    std::cerr << "suite_check: error: " << error.what() << "\n";
  }
  return 1;
}
