// sinter-explain DUMP A B: why two ops of a compiled graph are one kernel, or are not. Reads the fusion
// ledger that SINTER_DUMP, --dump or CompileOptions::dump_dir wrote; needs no compiler.

#include "sinter/passes/fusion/Explain.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace fs = std::filesystem;
using sinter::passes::Ledger;

namespace {

/// A ledger and where it was found: "train_step", or "train_step/main" where a file has several.
struct Source {
  std::string name;
  Ledger ledger;
};

struct Failure {
  std::string text;
};

void load(const fs::path &file, const std::string &label, std::vector<Source> &into) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) throw Failure{file.string() + " cannot be read"};
  std::string problem;
  auto ledgers = sinter::passes::ledgersFromJson(text.str(), problem);
  if (!ledgers) throw Failure{file.string() + " " + problem};
  for (Ledger &ledger : *ledgers) {
    if (ledger.ops.empty()) continue; // nothing computes: an `init` of constants, for example
    std::string name =
        label.empty() || label == ledger.function ? ledger.function : label + "/" + ledger.function;
    into.push_back({name, std::move(ledger)});
  }
}

/// The ledgers of a dump: of one compilation (its folder or any of its files), or of a folder of them.
std::vector<Source> sourcesOf(const fs::path &dump) {
  const char *name = "ledger.json";
  std::vector<Source> sources;
  if (!fs::exists(dump)) throw Failure{dump.string() + ": no such file or folder"};
  fs::path folder = fs::is_directory(dump) ? dump : dump.parent_path();
  if (!fs::is_directory(dump) && dump.extension() == ".json") {
    load(dump, "", sources);
  } else if (fs::exists(folder / name)) {
    load(folder / name, "", sources);
  } else if (fs::is_directory(dump)) {
    std::vector<fs::path> inner;
    for (const auto &entry : fs::directory_iterator(dump))
      if (fs::exists(entry.path() / name)) inner.push_back(entry.path());
    std::sort(inner.begin(), inner.end());
    for (const fs::path &each : inner) load(each / name, each.filename().string(), sources);
  }
  if (sources.empty())
    throw Failure{dump.string() +
                  " holds no fusion ledger with an op in it: it is no dump of a compilation "
                  "(SINTER_DUMP, --dump), or one for the device `reference`, which fuses nothing"};
  return sources;
}

std::vector<unsigned> require(const sinter::passes::explain::Found &found) {
  if (found.ops.empty()) throw Failure{found.problem};
  return found.ops;
}

/// One answer for each ledger that knows both names; only of those where they have to do with each other,
/// if there are any.
int answer(const std::vector<Source> &sources, const std::string &a, const std::string &b) {
  namespace explain = sinter::passes::explain;
  std::vector<const Source *> known;
  for (const Source &source : sources)
    if (explain::find(source.ledger, a).isKnown && explain::find(source.ledger, b).isKnown)
      known.push_back(&source);
  if (known.empty()) { // say it of the ledger that knows one of them, else of the largest
    const Source *best = &sources.front();
    auto score = [&](const Source &source) {
      return std::pair(explain::find(source.ledger, a).isKnown ||
                           explain::find(source.ledger, b).isKnown,
                       source.ledger.ops.size());
    };
    for (const Source &source : sources)
      if (score(source) > score(*best)) best = &source;
    require(explain::find(best->ledger, a));
    require(explain::find(best->ledger, b));
  }
  auto apart = [&](const Source *source) {
    std::vector<unsigned> first = explain::find(source->ledger, a).ops;
    std::vector<unsigned> second = explain::find(source->ledger, b).ops;
    return !first.empty() && !second.empty() && !explain::related(source->ledger, first, second);
  };
  if (!std::all_of(known.begin(), known.end(), apart))
    known.erase(std::remove_if(known.begin(), known.end(), apart), known.end());
  for (const Source *source : known) {
    std::string text = explain::explain(source->ledger, require(explain::find(source->ledger, a)),
                                        require(explain::find(source->ledger, b)));
    if (known.size() > 1) std::cout << source->name << ": ";
    std::cout << text << "\n";
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Says why two ops are one kernel or are not."};
  std::string dump, a, b, function;
  app.add_option(
         "dump", dump,
         "a folder that --dump or SINTER_DUMP wrote (of one compilation, or of several), or "
         "a file in it")
      ->required();
  app.add_option("a", a,
                 "an op: its value (%12, as in the last dump before fusion), its name (relu, "
                 "sinter.relu), its module (conv1) or its line (model.cpp:14); with "
                 "gradient: before it, what autodiff made of that")
      ->required();
  app.add_option("b", b, "another one")->required();
  app.add_option("--function", function, "only this function, or this compilation of a folder");
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<Source> sources = sourcesOf(dump), chosen;
    for (const Source &source : sources)
      if (function.empty() || source.name == function || source.ledger.function == function)
        chosen.push_back(source);
    if (!chosen.empty()) return answer(chosen, a, b);
    std::string names;
    for (const Source &source : sources) names += (names.empty() ? "" : ", ") + source.name;
    throw Failure{"no function '" + function + "' in " + dump + "; there are: " + names};
  } catch (const Failure &failure) {
    std::cerr << "sinter-explain: " << failure.text << "\n";
  } catch (const fs::filesystem_error &error) {
    std::cerr << "sinter-explain: " << error.what() << "\n";
  }
  return 1;
}
