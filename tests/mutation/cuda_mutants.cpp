// cuda_mutants [--all] [--filter TEXT]: takes barriers, waits and bounds checks out of generated CUDA kernels,
// one at a time, and runs what is left on the emulated device. A mutant is caught when a launch reports
// a mistake (out of bounds, or results that depend on the order of the threads) or its results are not
// those of the right kernel. At least 95 % of the mutants that differ for some thread must be caught, and 98 % of those
// without a barrier, a wait, a fence, an arrival or the end of a group of copies or products.

#include "Cases.h"
#include "Mutants.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <map>

using namespace sinter;
using namespace sinter::test;
using runtime::Program;

namespace {

constexpr int schedules = 4;
constexpr double wanted = 0.95, wantedOfOrder = 0.98;

struct Tally {
  int mutants = 0, caught = 0;
  void operator+=(const Tally &other) {
    mutants += other.mutants;
    caught += other.caught;
  }
};

struct Totals {
  std::map<MutantKind, Tally> byKind;
  int cases = 0, kernels = 0, neverDiffer = 0;
  std::vector<std::string> survivors, problems;

  Tally tally() const {
    Tally sum;
    for (const auto &[kind, each] : byKind) sum += each;
    return sum;
  }
};

/// What came of running an entry: an error, or the bytes of every output.
struct Outcome {
  std::string error;
  std::vector<std::vector<uint8_t>> outputs;
  bool operator==(const Outcome &) const = default;
};

class Runner {
public:
  Runner(Program program, uint64_t seed) {
    auto device = runtime::emulatedCudaDevice({.schedules = schedules, .seed = seed});
    auto made =
        device.ok()
            ? runtime::Executor::create(std::make_shared<Program>(std::move(program)), *device)
            : runtime::Result<std::shared_ptr<runtime::Executor>>(device.error());
    if (made.ok())
      executor = *made;
    else
      problem = made.error().message;
  }
  Outcome run(const std::string &entry, const MutationCase &original, uint8_t fill) const {
    Outcome outcome;
    std::vector<const void *> inputs;
    std::vector<void *> outputs;
    for (int64_t bytes : original.outputBytes) outcome.outputs.emplace_back(bytes, fill);
    for (const auto &input : original.inputs) inputs.push_back(input.data());
    for (auto &output : outcome.outputs) outputs.push_back(output.data());
    runtime::Status status = executor->run(*executor->entryIndex(entry), inputs, outputs);
    if (!status.ok()) outcome = {status.error().message, {}};
    return outcome;
  }

  std::string problem;

private:
  std::shared_ptr<runtime::Executor> executor;
};

void launchesOf(runtime::Block &block, std::vector<runtime::Launch *> &launches) {
  for (runtime::Instruction &instruction : block) {
    if (auto *launch = std::get_if<runtime::Launch>(&instruction.op))
      launches.push_back(launch);
    else if (auto *loop = std::get_if<runtime::Loop>(&instruction.op))
      launchesOf(*loop->body, launches);
  }
}

/// Adds `source`, kernel `index` with a change, and an entry that is `entry` with it.
std::string addMutant(Program &program, size_t entry, uint32_t index, const std::string &source) {
  runtime::Kernel kernel = program.kernels[index];
  std::string name = fmt::format("{}_mutant{}", kernel.name, program.kernels.size());
  kernel.source = renamed(source, kernel.name, name);
  kernel.name = name;
  runtime::Entry changed = program.entries[entry];
  changed.name = name;
  std::vector<runtime::Launch *> launches;
  launchesOf(changed.body, launches);
  for (runtime::Launch *launch : launches)
    if (launch->kernel == index) launch->kernel = uint32_t(program.kernels.size());
  program.kernels.push_back(std::move(kernel));
  program.entries.push_back(std::move(changed));
  return name;
}

struct Tried {
  uint32_t kernel;
  Mutant mutant;
  std::string entry; // with the mutant in place of the kernel
  bool caught = false;
};

size_t entryOf(const Program &program, const std::string &name) {
  size_t index = 0;
  while (program.entries[index].name != name) ++index;
  return index;
}

/// Which of the checks that nobody missed are ever false, by launches that report it.
std::vector<bool> differ(const MutationCase &original, const std::vector<const Tried *> &survivors,
                         Totals &totals) {
  std::vector<bool> result(survivors.size(), true);
  Program program = original.program;
  size_t entry = entryOf(program, original.entry);
  std::vector<std::string> probes(survivors.size());
  for (size_t i = 0; i < survivors.size(); ++i)
    if (const Tried &tried = *survivors[i]; !tried.mutant.probe.empty())
      probes[i] = addMutant(program, entry, tried.kernel, tried.mutant.probe);
  if (program.kernels.size() == original.program.kernels.size()) return result;
  Runner runner(std::move(program), 1);
  if (!runner.problem.empty()) {
    totals.problems.push_back(original.title + ", probes: " + runner.problem);
    return result;
  }
  for (size_t i = 0; i < survivors.size(); ++i)
    if (!probes[i].empty()) result[i] = !runner.run(probes[i], original, 0xA5).error.empty();
  return result;
}

/// Why nothing showed a mutant that differs for some thread.
std::string reasonOf(const MutationCase &original, uint32_t kernel, const Mutant &mutant) {
  if (mutant.kind < MutantKind::check) return "no schedule shows it";
  Program program = original.program;
  std::vector<runtime::Launch *> launches;
  launchesOf(program.entries[entryOf(program, original.entry)].body, launches);
  bool single = true; // whether the kernel writes one element only
  for (const runtime::Launch *launch : launches)
    if (launch->kernel == kernel)
      for (const auto &param : launch->params)
        if (const auto *pointer = std::get_if<runtime::PointerParam>(&param))
          single &= !pointer->written || pointer->location.bytes <= 8;
  return single ? "every thread stores the same number at the one place there is"
                : "no access leaves memory and no result changes";
}

void tryCase(const MutationCase &original, Totals &totals) {
  Program program = original.program;
  size_t entry = entryOf(program, original.entry);
  std::vector<Tried> tried;
  for (uint32_t k = 0; k < original.program.kernels.size(); ++k)
    for (Mutant &mutant : mutantsOf(original.program.kernels[k].source)) {
      std::string name = addMutant(program, entry, k, mutant.source);
      tried.push_back({k, std::move(mutant), name});
    }
  if (tried.empty())
    totals.problems.push_back(original.title + ": no barrier and no check was found in its text");
  ++totals.cases;
  totals.kernels += int(original.program.kernels.size());
  // Two seeds: other orders of the threads, and outputs that begin with other bytes.
  for (auto [seed, fill] : {std::pair<uint64_t, uint8_t>{1, 0xA5}, {77, 0x00}}) {
    Runner runner(program, seed);
    if (!runner.problem.empty()) {
      totals.problems.push_back(original.title + ": " + runner.problem);
      return;
    }
    Outcome right = runner.run(original.entry, original, fill);
    if (!right.error.empty()) {
      totals.problems.push_back(original.title + ": " + right.error);
      return;
    }
    for (Tried &each : tried)
      if (!each.caught) each.caught = !(runner.run(each.entry, original, fill) == right);
  }
  std::vector<const Tried *> survivors;
  for (const Tried &each : tried)
    if (!each.caught) survivors.push_back(&each);
  std::vector<bool> counts = differ(original, survivors, totals);
  Tally tally;
  int neverDiffer = 0;
  for (const Tried &each : tried)
    if (each.caught) {
      totals.byKind[each.mutant.kind] += {1, 1};
      tally += {1, 1};
    }
  for (size_t i = 0; i < survivors.size(); ++i) {
    const auto &[kernel, mutant, name, caught] = *survivors[i];
    if (!counts[i]) {
      ++neverDiffer;
      continue;
    }
    totals.byKind[mutant.kind] += {1, 0};
    tally += {1, 0};
    totals.survivors.push_back(fmt::format(
        "{}: {}:{}: {} `{}`: {}", original.title, original.program.kernels[kernel].name,
        mutant.line, test::name(mutant.kind), mutant.what, reasonOf(original, kernel, mutant)));
  }
  totals.neverDiffer += neverDiffer;
  fmt::print("{:<52} {:>7} {:>7} {:>7} {:>9}\n", original.title, original.program.kernels.size(),
             tally.mutants, tally.caught, neverDiffer);
  std::fflush(stdout);
}

void tryHeaders(Totals &totals) {
  MutationCase original = headerCase();
  Runner right(original.program, 1);
  if (!right.problem.empty()) {
    totals.problems.push_back(original.title + ": " + right.problem);
    return;
  }
  Outcome expected = right.run("f", original, 0);
  if (!expected.error.empty()) totals.problems.push_back(original.title + ": " + expected.error);
  Tally tally;
  for (HeaderMutant &mutant : headerMutants(original)) {
    Runner runner(std::move(mutant.program), 1);
    if (!runner.problem.empty()) {
      totals.problems.push_back(mutant.what + ": " + runner.problem);
      continue;
    }
    bool caught = !(runner.run("f", original, 0) == expected),
         barrier = mutant.what.find("__syncthreads") != std::string::npos;
    totals.byKind[barrier ? MutantKind::barrier : MutantKind::check] += {1, caught};
    tally += {1, caught};
    if (!caught) totals.survivors.push_back(mutant.what + ": no schedule shows it");
  }
  ++totals.cases;
  ++totals.kernels;
  fmt::print("{:<52} {:>7} {:>7} {:>7} {:>9}\n", original.title, 1, tally.mutants, tally.caught, 0);
}

} // namespace

int main(int argc, char **argv) {
  bool all = false;
  std::string filter;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--all")
      all = true;
    else if (flag == "--filter" && i + 1 < argc)
      filter = argv[++i];
    else
      return fmt::print(stderr, "cuda_mutants [--all] [--filter TEXT]\n"), 2;
  }
  if (auto device = runtime::emulatedCudaDevice(); !device.ok()) {
    fmt::print(stderr, "{}\n", device.error().message);
    return 1;
  }
  auto start = std::chrono::steady_clock::now();
  Totals totals;
  fmt::print("{:<52} {:>7} {:>7} {:>7} {:>9}\n", "", "kernels", "mutants", "caught", "no differ");
  eachCase(all, filter, totals.problems,
           [&](const MutationCase &original) { tryCase(original, totals); });
  if (filter.empty()) tryHeaders(totals);

  for (const std::string &survivor : totals.survivors) fmt::print("survived: {}\n", survivor);
  for (const std::string &problem : totals.problems) fmt::print("problem: {}\n", problem);
  for (const auto &[kind, each] : totals.byKind)
    fmt::print("{:<12} {:>5} of {:>5} caught\n", name(kind), each.caught, each.mutants);
  Tally sum = totals.tally();
  double share = sum.mutants ? double(sum.caught) / sum.mutants : 0;
  Tally order; // what keeps threads and copies in order
  for (MutantKind kind : {MutantKind::barrier, MutantKind::wait, MutantKind::commit,
                          MutantKind::arrival, MutantKind::fence})
    order += totals.byKind[kind];
  bool ordered = order.caught >= wantedOfOrder * order.mutants;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{} cases, {} kernels: {} of {} mutants caught ({:.1f} %, at least {:.0f} wanted), {} "
             "more differ for no thread; {:.0f} s\n",
             totals.cases, totals.kernels, sum.caught, sum.mutants, 100 * share, 100 * wanted,
             totals.neverDiffer, seconds);
  return totals.problems.empty() && share >= wanted && ordered ? 0 : 1;
}
