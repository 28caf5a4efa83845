#include "Suite.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace sinter::suite {
namespace {

double share(std::vector<double> numbers, double part) {
  auto at = numbers.begin() + std::ptrdiff_t(part * double(numbers.size() - 1));
  std::nth_element(numbers.begin(), at, numbers.end());
  return *at;
}

/// Milliseconds of a step that is waited for, one after the other.
std::vector<double> timeAlone(Executor &executor, size_t index, const Limits &limits, int times,
                              double mostSeconds) {
  Batches batches(executor.program()->entries[index], limits, 1);
  std::vector<double> milliseconds;
  auto begin = Clock::now();
  need(executor.run(index, batches.in, batches.out)); // the first one records
  while (milliseconds.empty() ||
         (int(milliseconds.size()) < times && secondsSince(begin) < mostSeconds)) {
    auto start = Clock::now();
    need(executor.run(index, batches.in, batches.out));
    milliseconds.push_back(secondsSince(start) * 1e3);
  }
  return milliseconds;
}

/// Milliseconds of a step where launches of several follow each other: while one runs, the next is queued and its
/// inputs travel.
std::vector<double> timeTogether(Executor &executor, size_t index, const Limits &limits, int steps,
                                 int times, double mostSeconds) {
  const Entry &entry = executor.program()->entries[index];
  Batches even(entry, limits, steps), odd(entry, limits, steps);
  auto launch = [&](int turn) {
    Batches &batches = turn % 2 ? odd : even;
    return need(executor.start(index, batches.in, batches.out, steps));
  };
  need(launch(0)->wait()); // records
  need(launch(1)->wait());
  std::vector<double> milliseconds;
  auto begin = Clock::now(), last = begin;
  auto moment = launch(0);
  for (int turn = 1; milliseconds.empty() || (turn < times && secondsSince(begin) < mostSeconds);
       ++turn) {
    auto next = launch(turn);
    need(moment->wait());
    auto now = Clock::now();
    milliseconds.push_back(std::chrono::duration<double>(now - last).count() * 1e3 / steps);
    last = now, moment = next;
  }
  need(moment->wait());
  return milliseconds;
}

nlohmann::json timeEntry(Executor &executor, size_t index, const Limits &limits,
                         const Options &options) {
  constexpr double mostSeconds = 1, launchSeconds = 0.02;
  constexpr int mostSteps = 32;
  const Entry &entry = executor.program()->entries[index];
  std::vector<double> alone = timeAlone(executor, index, limits, options.steps, mostSeconds);
  double one = share(alone, 0.5);
  int steps = int(std::clamp(launchSeconds * 1e3 / one, 2.0, double(mostSteps)));
  std::vector<double> together =
      timeTogether(executor, index, limits, steps, options.steps, mostSeconds);
  int64_t stateBytes = 0;
  for (const StateVariable &variable : executor.program()->state)
    stateBytes += variable.type.numBytes();
  return {{"entry", entry.name},
          {"alone_ms", one},
          {"median_ms", share(together, 0.5)},
          {"p10_ms", share(together, 0.1)},
          {"p90_ms", share(together, 0.9)},
          {"samples", together.size()},
          {"steps_per_launch", steps},
          {"launches", executor.numLaunches(index)},
          {"arena_bytes", entry.arenaBytes},
          {"lower_bound_bytes", entry.lowerBoundBytes},
          {"state_bytes", stateBytes}};
}

} // namespace

int timePrograms(const Options &options, const std::shared_ptr<Device> &device,
                 std::ofstream &lines) {
  auto start = Clock::now();
  int failed = 0, done = 0;
  for (const fs::path &path : sortedFiles(options.folder, ".sinter")) {
    nlohmann::json about = beside(path, ".about.json"), costs = beside(path, ".cost.json");
    about.erase("below");
    auto note = [&](nlohmann::json record) {
      record.update(about);
      record["peer"] = "sinter", record["program"] = path.stem().string();
      record["device"] = device->description();
      ++(record.contains("problem") ? failed : done);
      lines << record.dump() << std::endl;
      std::cout << record.dump() << std::endl;
    };
    try {
      if (secondsSince(start) > options.seconds) throw std::runtime_error("not reached in time");
      auto program = std::make_shared<const Program>(need(loadProgram(path.string())));
      Limits limits = limitsOf(beside(path, ".about.json"));
      auto seconds = [&](bool autotune) {
        auto begin = Clock::now();
        need(Executor::create(program, device, nullptr, autotune));
        return secondsSince(begin);
      };
      nlohmann::json compile{{"first_load_seconds", seconds(false)},
                             {"second_load_seconds", seconds(false)}};
      if (options.autotune) compile["autotune_seconds"] = seconds(true);
      if (costs.contains("passes_seconds")) compile["passes_seconds"] = costs["passes_seconds"];
      auto executor = need(Executor::create(program, device, nullptr, options.autotune));
      initialise(*executor, limits);
      bool trains = executor->entryIndex("train_step").ok();
      for (size_t entry = 0; entry < program->entries.size(); ++entry) {
        const std::string &name = program->entries[entry].name;
        if (trains && name != "train_step" && name != "predict") continue;
        nlohmann::json record;
        try {
          record = timeEntry(*executor, entry, limits, options);
        } catch (const std::exception &error) {
          record = {{"entry", name}, {"problem", error.what()}};
        }
        record.update(compile);
        if (costs.contains(name)) record.update(costs[name]);
        note(record);
      }
    } catch (const std::exception &error) { note({{"problem", error.what()}}); }
  }
  std::cout << done << " entries were timed, " << failed << " were not" << std::endl;
  return failed || done == 0 ? 1 : 0;
}

} // namespace sinter::suite
