// suite_check: runs what op_programs, model_graphs and primitive_programs wrote on a device. `values` compares the op
// table with the evaluator's bounds, `programs` train steps with noted losses, `times` measures, `primitives` writes down
// what the device makes of each. Links the runtime alone. Writes a JSON line for each entry as it comes.

#include "Suite.h"

#include "sinter/runtime/Npy.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

using namespace sinter::runtime;
using namespace sinter::suite;
namespace fs = std::filesystem;

namespace {

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

} // namespace

int main(int argc, char **argv) {
  Options options;
  const std::map<std::string, decltype(&checkValues)> modes{{"values", checkValues},
                                                            {"programs", checkPrograms},
                                                            {"times", timePrograms},
                                                            {"primitives", runPrimitives}};
  CLI::App app("Runs prepared Programs on a device and checks or times them.");
  app.add_option("mode", options.mode)
      ->required()
      ->check(CLI::IsMember({"values", "programs", "times", "primitives"}));
  app.add_option("folder", options.folder)->required();
  app.add_option("--device", options.device)->check(CLI::IsMember({"cuda", "cuda-emulated"}));
  app.add_option("--json", options.json, "Where a JSON line for each result goes")->required();
  app.add_option("--seconds", options.seconds, "Starts nothing new after so long");
  app.add_option("--steps", options.steps, "Runs of each entry")->check(CLI::PositiveNumber);
  app.add_flag("--autotune", options.autotune, "Times alternatives of kernels first");
  app.add_flag("--record", options.record, "Notes the losses instead of comparing them");
  CLI11_PARSE(app, argc, argv);
  std::ofstream lines(options.json, std::ios::app); // after what others wrote
  try {
    auto device = open(options.device);
    std::cout << device->description() << std::endl;
    int result = modes.at(options.mode)(options, device, lines);
    if (lines) return result;
    std::cerr << "suite_check: error: cannot write " << options.json << "\n";
  } catch (const std::exception &error) {
    std::cerr << "suite_check: error: " << error.what() << "\n";
  }
  return 1;
}
