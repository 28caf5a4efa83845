// sinter-plan: offsets for buffers of known lifetimes within a capacity, from and to CSV.
#include "sinter/passes/memory/PlanCsv.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>

using namespace sinter::passes::memory;

namespace {

enum Exit { planned = 0, badInput = 2, infeasible = 3, gaveUp = 4 };

bool readAll(const std::string &path, std::string &text) {
  if (std::filesystem::is_directory(path)) return false;
  std::ifstream in(path, std::ios::binary);
  text.assign(std::istreambuf_iterator<char>(in), {});
  return in.is_open() && !in.bad();
}

int run(const std::string &csvPath, int64_t capacity, const std::string &outputPath,
        double seconds) {
  auto start = std::chrono::steady_clock::now();
  std::string text, error;
  if (!readAll(csvPath, text)) {
    std::cerr << "sinter-plan: cannot read " << csvPath << "\n";
    return badInput;
  }
  PlanCsv csv;
  if (!readPlanCsv(text, csvPath, csv, error)) {
    std::cerr << error << "\n";
    return badInput;
  }
  int64_t bound = lowerBound(csv.extents);
  auto late = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() >
           seconds;
  };
  Fit fit = placeWithin(csv.extents, capacity, std::numeric_limits<int64_t>::max(), late);
  if (fit.outcome == FitOutcome::Infeasible) {
    std::cerr << "sinter-plan: no plan within " << capacity << " exists";
    if (bound > capacity) std::cerr << ": " << bound << " are in use at one moment";
    std::cerr << "\n";
    return infeasible;
  }
  if (fit.outcome == FitOutcome::GaveUp) {
    std::cerr << "sinter-plan: found no plan within " << capacity << " in " << seconds
              << " s; at most " << bound << " are in use at one moment\n";
    return gaveUp;
  }
  std::string plan = writePlanCsv(csv, fit.offsets);
  if (outputPath.empty()) {
    std::cout << plan << std::flush;
    return std::cout ? planned : badInput;
  }
  std::ofstream out(outputPath, std::ios::binary);
  if (!(out << plan << std::flush)) {
    std::cerr << "sinter-plan: cannot write " << outputPath << "\n";
    return badInput;
  }
  return planned;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Plans offsets for buffers of known lifetimes, in MiniMalloc's CSV format.\n"
               "Exit status: 0 planned, 2 the input cannot be used, 3 no plan exists, 4 none was "
               "found in time.");
  std::string csv, output;
  int64_t capacity = 0;
  double seconds = 20;
  app.add_option("--csv", csv, "Buffers: id,lower,upper,size; lifetimes are half-open")->required();
  app.add_option("--capacity", capacity, "Bytes that there are")
      ->required()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--output", output, "Where id,lower,upper,size,offset goes; standard output");
  app.add_option("--seconds", seconds, "Give up after so long")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) { return app.exit(error) == 0 ? planned : badInput; }
  return run(csv, capacity, output, seconds);
}
