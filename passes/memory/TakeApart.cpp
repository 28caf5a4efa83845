#include "sinter/passes/memory/Recompute.h"

#include <algorithm>
#include <numeric>

namespace sinter::passes::memory {

namespace {

/// Steps that read the old value of each state, and the one that overwrites it.
struct States {
  explicit States(const Tape &tape) {
    for (int step : tape.order) {
      for (int state : tape.steps[size_t(step)].reads) readers[state].push_back(step);
      for (int value : tape.steps[size_t(step)].outputs)
        if (int state = tape.values[size_t(value)].state; state >= 0) writer[state] = step;
    }
  }
  llvm::DenseMap<int, std::vector<int>> readers;
  llvm::DenseMap<int, int> writer;
};

// Whether one reads the state that another overwrites: as one launch they do not see each other.
bool readOneAnother(const Tape &tape, const std::vector<int> &steps) {
  for (int writer : steps)
    for (int value : tape.steps[size_t(writer)].outputs)
      if (int state = tape.values[size_t(value)].state; state >= 0)
        for (int reader : steps)
          if (reader != writer && llvm::is_contained(tape.steps[size_t(reader)].reads, state))
            return true;
  return false;
}

// The place after which all is there that `step` reads, and nobody reads the state that it overwrites.
int earliest(const Tape &tape, const States &states, const std::vector<int> &places, int step,
             int whole) {
  int after = -1;
  for (const Tape::Input &input : tape.steps[size_t(step)].inputs)
    if (input.value >= 0)
      after = std::max(after, places[size_t(tape.values[size_t(input.value)].maker)]);
  for (int value : tape.steps[size_t(step)].outputs)
    if (int state = tape.values[size_t(value)].state; state >= 0)
      if (auto readers = states.readers.find(state); readers != states.readers.end())
        for (int reader : readers->second)
          if (reader != whole) after = std::max(after, places[size_t(reader)]);
  return after;
}

} // namespace

void takeApart(Tape &tape, int64_t target) {
  int64_t above = tape.excess(target);
  for (int whole : std::vector<int>(tape.order)) {
    if (above == 0) return;
    // What runs again elsewhere is known by the step that it was first.
    bool alone = llvm::none_of(tape.order, [&](int other) {
      return other != whole && tape.steps[size_t(other)].root == tape.steps[size_t(whole)].root;
    });
    if (!tape.steps[size_t(whole)].parts.empty() || !alone ||
        tape.steps[size_t(whole)].root != whole)
      continue;
    size_t count = tape.partsOf(tape.steps[size_t(whole)].launch).size();
    if (count < 2) continue;
    std::vector<int> before = tape.order, places = tape.places();
    States states(tape);
    std::vector<int> steps;
    for (unsigned part = 0; part < count; ++part) steps.push_back(tape.addParts({whole}, {part}));
    if (readOneAnother(tape, steps)) {
      tape.removeSteps(count, {whole});
      continue;
    }
    std::vector<std::pair<int, int>> moved; // after which place, which step
    for (int step : steps) moved.emplace_back(earliest(tape, states, places, step, whole), step);
    std::stable_sort(moved.begin(), moved.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    tape.order.clear();
    size_t next = 0;
    for (int place = -1; place < int(before.size()); ++place) {
      if (place >= 0 && before[size_t(place)] != whole) tape.order.push_back(before[size_t(place)]);
      for (; next < moved.size() && moved[next].first == place; ++next)
        tape.order.push_back(moved[next].second);
    }
    if (int64_t now = tape.excess(target); now < above) {
      above = now;
      continue;
    }
    tape.order = std::move(before);
    tape.removeSteps(count, {whole});
  }
}

void joinParts(Tape &tape, int64_t target) {
  int64_t above = tape.excess(target);
  // Each step of parts with the next of the same launch, as long as that works.
  for (size_t place = 0; place < tape.order.size(); ++place) {
    int first = tape.order[place];
    const Tape::Step &one = tape.steps[size_t(first)];
    if (one.parts.empty() || one.root != first) continue;
    auto next =
        std::find_if(tape.order.begin() + int64_t(place) + 1, tape.order.end(), [&](int step) {
          const Tape::Step &other = tape.steps[size_t(step)];
          return other.launch == one.launch && other.root == step;
        });
    if (next == tape.order.end()) continue;
    int second = *next, until = int(next - tape.order.begin());
    States states(tape);
    std::vector<int> places = tape.places();
    bool mayWait = true;
    for (int between = int(place) + 1; between < until && mayWait; ++between)
      for (const Tape::Input &input : tape.steps[size_t(tape.order[size_t(between)])].inputs)
        mayWait &= !llvm::is_contained(one.outputs, input.value);
    for (int state : one.reads)
      if (auto writer = states.writer.find(state);
          writer != states.writer.end() && writer->second != first)
        mayWait &= places[size_t(writer->second)] >= until;
    if (!mayWait) continue;
    std::vector<int> before = tape.order;
    llvm::SmallVector<unsigned> parts(one.parts);
    parts.append(tape.steps[size_t(second)].parts);
    llvm::sort(parts);
    int joined = tape.addParts({first, second}, parts);
    tape.order[size_t(until)] = joined;
    tape.order.erase(tape.order.begin() + int64_t(place));
    if (tape.excess(target) <= above) {
      --place; // what has moved up
      continue;
    }
    tape.order = std::move(before);
    tape.removeSteps(1, {first, second});
  }
}

} // namespace sinter::passes::memory
