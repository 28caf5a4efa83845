#pragma once

#include <sinter/sinter.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

namespace examples {

/// What every example takes on its command line.
struct Options {
  std::string device = "auto", precision = "f32", numerics = "default";
  int64_t epochs = 1;
  int64_t steps = 0; // train this many steps only, then report
  int64_t batch_size = 64;
  double lr = 1e-3;
  uint64_t seed = 0;
  int threads = 0;
  double memory_budget = 0; // MiB of working memory of a step; 0: any
  int64_t log_every = 0;
  std::string data = {};
  std::string save = {}, load = {}; // safetensors
  std::string save_program = {};    // what sinter-run takes
  std::string dump = {}, json = {};
  std::string profile = {}; // a Chrome trace
  bool summary = false;
  std::set<std::string> given = {}; // the options that the command line has: "--lr"

  sinter::TrainerOptions trainer() const;
};

/// An option that only one example has: a flag, a word or a number, at least `least`.
struct Extra {
  std::string name, help; // "--deep"
  std::variant<bool *, std::string *, int64_t *, double *> value;
  int least = 0;
};

/// Reads the command line over an example's own defaults. Ends the program after --help or a mistake.
Options parse(int argc, char **argv, const std::string &description, Options defaults,
              const std::vector<Extra> &extras = {});

/// Runs `main` and prints what it throws; the exit status.
int guarded(const std::function<int()> &main);

} // namespace examples
