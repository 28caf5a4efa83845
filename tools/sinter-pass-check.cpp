// sinter-pass-check MY_PASS.so: tries a pass on random graphs and on models: that results stay equal by the
// reference evaluator, that running it twice changes nothing more, that it does the same each time, keeps
// locations and signatures, leaves valid IR that the rest of the pipeline accepts, and that its time grows with
// the size of the graph and not faster.

#include "sinter/check/Isolated.h"
#include "sinter/check/PassCheck.h"
#include "sinter/frontend/detail/Plugins.h"

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace sinter;

namespace {

struct Options {
  std::string plugin, place = "before-fusion";
  std::vector<std::string> passes, models;
  uint64_t graphs = 240, seed = 0, only = ~uint64_t(0);
  double seconds = 30, growth = 5.3;
};

struct Failure {
  std::string text;
};

/// The specimens: the corpus, then the user's models.
check::Specimen specimen(const Options &options, uint64_t index) {
  if (index < options.graphs) return check::makeSpecimen(options.seed + index);
  const std::string &path = options.models[index - options.graphs];
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw Failure{path + " cannot be read"};
  return {path, text.str(), {}, options.seed};
}

struct Verdict {
  uint64_t tried = 0, changed = 0, unusable = 0;
  std::vector<uint64_t> changedAt;
  struct Finding {
    uint64_t count = 0, first = 0;
    std::string text;
  };
  std::map<std::string, Finding> findings; // by kind
  std::string time;
};

/// "1 value\ntext": whether the pass changed the specimen, what kind of problem there is, and its text.
std::string encode(const check::SpecimenReport &report) {
  return fmt::format("{} {}\n{}", int(report.changed), report.problem ? report.problem->kind : "-",
                     report.problem ? report.problem->text : "");
}

void tryOnSpecimens(const Options &options, const check::PassUnderTest &pass, Verdict &verdict) {
  auto find = [&](const std::string &kind, uint64_t index, const std::string &text) {
    auto &finding = verdict.findings[kind];
    if (finding.count++ == 0) finding.first = index, finding.text = text;
  };
  check::runIsolated(
      options.graphs + options.models.size(), options.seconds,
      [&](uint64_t i) { return encode(check::checkSpecimen(specimen(options, i), pass)); },
      [&](uint64_t i, const check::Outcome &outcome) {
        ++verdict.tried;
        if (!outcome.died.empty()) {
          find(outcome.timedOut ? "time" : "crash", i, outcome.died);
          // A pass that takes for ever takes it on every graph.
          return verdict.findings["time"].count < 3;
        }
        std::istringstream stream(outcome.text);
        bool changed = false;
        std::string kind, line, text;
        stream >> changed >> kind;
        stream.get();
        text = std::string(std::istreambuf_iterator<char>(stream), {});
        if (kind == "setup") {
          ++verdict.unusable;
          if (i >= options.graphs) throw Failure{options.models[i - options.graphs] + ": " + text};
          return true;
        }
        if (changed) {
          ++verdict.changed;
          verdict.changedAt.push_back(i);
        }
        if (kind != "-") find(kind, i, text);
        return true;
      });
  if (verdict.findings["time"].count == 0) verdict.findings.erase("time");
}

/// Seconds below which the clock, the allocator and caches that fill are what is measured: a walk over 1600
/// copies of a graph takes some milliseconds, and what grows as their square many times that.
constexpr double measurable = 2e-2;

/// Times the pass on `copies` copies of specimens that it changes.
void timeGrowth(const Options &options, const check::PassUnderTest &pass, Verdict &verdict) {
  std::vector<uint64_t> at = verdict.changedAt;
  // Different patterns grow in different ways; a few are enough.
  if (at.size() > 4) at = {at[0], at[1], at[at.size() / 2], at.back()};
  double worst = 0;
  check::runIsolated(
      at.size(), 4 * options.seconds,
      [&](uint64_t i) {
        check::Specimen sample = specimen(options, at[i]);
        for (int64_t copies : {50, 400}) {
          double few = check::timePass(sample, pass, copies),
                 many = check::timePass(sample, pass, 4 * copies);
          if (few < 0 || many < 0) return std::string("0 0 0 1");
          for (int again = 0; again < 2 && many > options.growth * few; ++again) {
            few = std::max(few, check::timePass(sample, pass, copies));
            many = std::min(many, check::timePass(sample, pass, 4 * copies));
          }
          if (many >= measurable || copies == 400)
            return fmt::format("{} {} {} 0", copies, few, many);
        }
        return std::string();
      },
      [&](uint64_t i, const check::Outcome &outcome) {
        auto &finding = verdict.findings["time"];
        if (!outcome.died.empty()) {
          ++finding.count;
          finding.first = at[i];
          finding.text = "on 1600 copies of the graph or fewer: " + outcome.died;
          return false;
        }
        int64_t copies = 0;
        double few = 0, many = 0;
        int failed = 0;
        std::istringstream(outcome.text) >> copies >> few >> many >> failed;
        if (failed) {
          auto &repeated = verdict.findings["failure"];
          if (repeated.count++ == 0) {
            repeated.first = at[i];
            repeated.text = "it fails on 1600 copies of the graph or fewer";
          }
          return true;
        }
        double growth = many / std::max(few, 1e-9);
        if (growth > worst) {
          worst = growth;
          verdict.time =
              fmt::format("t({})/t({}) = {:.1f} at worst ({:.2f} ms on {} copies of a graph)",
                          4 * copies, copies, growth, 1e3 * many, 4 * copies);
        }
        if (growth > options.growth && many > measurable && finding.count++ == 0) {
          finding.first = at[i];
          finding.text = fmt::format("t({})/t({}) = {:.1f}, more than {:g}: {:.2f} ms on {} copies "
                                     "of the graph, {:.2f} ms on {}",
                                     4 * copies, copies, growth, options.growth, 1e3 * few, copies,
                                     1e3 * many, 4 * copies);
        }
        return true;
      });
  if (verdict.findings["time"].count == 0) verdict.findings.erase("time");
}

/// The passes to try, anchored.
std::vector<std::string> chosenPasses(const Options &options) {
  detail::loadPlugins({});
  std::set<std::string> before = check::registeredPasses();
  if (!options.plugin.empty()) detail::loadPlugins({options.plugin});
  std::vector<std::string> passes = options.passes;
  if (passes.empty())
    for (const std::string &name : check::registeredPasses())
      if (!before.contains(name)) passes.push_back(name);
  if (passes.empty()) throw Failure{"there is no pass to check: name a plug-in, or --pass"};
  for (std::string &pass : passes) {
    std::string problem;
    auto text = check::anchored(pass, problem);
    if (!text) throw Failure{problem};
    pass = *text;
  }
  return passes;
}

/// False when something was found.
bool report(const Options &options, const check::PassUnderTest &pass, const Verdict &verdict) {
  fmt::print("{} at {}: changed {} of {} graphs\n", pass.pipeline, pass.place, verdict.changed,
             verdict.tried - verdict.unusable);
  static const std::pair<const char *, const char *> checks[] = {
      {"crash", "does not crash"},
      {"failure", "does not fail"},
      {"invalid", "leaves IR that verifies"},
      {"location", "keeps locations"},
      {"signature", "keeps names, roles and donations"},
      {"plan", "leaves a memory plan that holds"},
      {"value", "computes the same"},
      {"precision", "rounds no more than before"},
      {"nondeterminism", "does the same each time"},
      {"idempotence", "changes nothing when run again"},
      {"pipeline", "leaves what the rest of the pipeline accepts"},
      {"time", "takes time in proportion to the graph"}};
  for (auto [kind, words] : checks) {
    auto found = verdict.findings.find(kind);
    if (found == verdict.findings.end()) {
      fmt::print("  ok      {}{}\n", words,
                 std::string_view(kind) == "time" && !verdict.time.empty() ? ": " + verdict.time
                                                                           : "");
      continue;
    }
    check::Specimen first = specimen(options, found->second.first);
    fmt::print("  FAILED  {}: {}: on {} graphs, the first is {} (--only {} prints it)\n    {}\n",
               kind, words, found->second.count, first.name, found->second.first,
               found->second.text);
  }
  if (!verdict.changed && verdict.findings.empty()) {
    fmt::print(
        "  FAILED  nothing: it changed no graph at this place, so nothing was checked; try another "
        "--place, or a --model that it is made for\n");
    return false;
  }
  return verdict.findings.empty();
}

int runChecks(Options &options) {
  std::replace(options.place.begin(), options.place.end(), ' ', '-');
  if (options.only != ~uint64_t(0)) {
    fmt::print("{}", specimen(options, options.only).text);
    return 0;
  }
  std::vector<std::string> passes = chosenPasses(options), known = check::places();
  if (std::find(known.begin(), known.end(), options.place) == known.end())
    throw Failure{
        fmt::format("there is no place '{}'; there are {}", options.place, fmt::join(known, ", "))};
  bool good = true;
  for (const std::string &pipeline : passes) {
    check::PassUnderTest pass{options.place, pipeline};
    Verdict verdict;
    tryOnSpecimens(options, pass, verdict);
    if (!verdict.findings.contains("time") && !verdict.findings.contains("crash") &&
        !verdict.findings.contains("failure"))
      timeGrowth(options, pass, verdict);
    good &= report(options, pass, verdict);
  }
  return good ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app{
      "Tries a pass on random graphs and on models.\n"
      "Exit status: 0 nothing found, 1 something is wrong with a pass, 2 the call was wrong."};
  app.add_option("plugin", options.plugin, "a shared library of passes");
  app.add_option(
      "--pass", options.passes,
      "a pass, with options if need be: my-pass{x=1}; without: all that the plug-in brings");
  app.add_option("--place", options.place,
                 "where it goes in the pipeline: 'before fusion', after-layout, ...");
  app.add_option("--model", options.models,
                 "a module of one function (.mlir) to try it on, besides the corpus");
  app.add_option("--graphs", options.graphs, "how many graphs of the corpus");
  app.add_option("--seed", options.seed, "number of the first graph of the corpus");
  app.add_option("--only", options.only, "print that graph of the corpus, and stop");
  app.add_option("--seconds", options.seconds, "longest time for one graph");
  app.add_option("--growth", options.growth, "largest t(200)/t(50)");
  CLI11_PARSE(app, argc, argv);
  try {
    return runChecks(options);
  } catch (const Failure &failure) {
    std::cerr << "sinter-pass-check: " << failure.text << "\n";
  } catch (const std::exception &error) {
    std::cerr << "sinter-pass-check: " << error.what() << "\n";
  }
  return 2;
}
