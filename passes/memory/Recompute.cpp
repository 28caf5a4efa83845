#include "sinter/passes/memory/Recompute.h"

#include <algorithm>
#include <queue>
#include <tuple>

namespace sinter::passes::memory {

namespace {

constexpr int everything = 1 << 20; // as deep as it goes

/// Compute `step` again just before `before`, and of what that needs and is gone by then, `depth` levels
/// of launches; below these it is kept longer.
struct Candidate {
  int step, before, depth;
  double score;
  bool operator<(const Candidate &other) const { // the queue's top is the best
    return std::tuple(score, -step, -before, -depth) <
           std::tuple(other.score, -other.step, -other.before, -other.depth);
  }
};

class Search {
public:
  Search(Tape &tape, int64_t target) : tape(tape), target(target) {}

  bool run() {
    above = tape.excess(target);
    while (above > 0) {
      look();
      collect();
      // Scores get stale as others are taken: what is on top is looked at again, and everything after
      // some have been taken.
      int taken = 0;
      while (above > 0 && !queue.empty() && taken < 8) {
        Candidate best = queue.top();
        queue.pop();
        best.score = scoreOf(best);
        if (best.score <= 0) continue;
        if (!queue.empty() && best < queue.top()) {
          queue.push(best);
          continue;
        }
        Trial trial;
        apply(best, trial);
        look();
        above = tape.excess(target);
        ++taken;
      }
      if (taken == 0) break;
    }
    leaveOut();
    return above == 0;
  }

private:
  /// What a candidate has changed.
  struct Trial {
    std::vector<int> order;
    std::vector<std::tuple<int, size_t, int>> inputs; // step, place in its inputs, value before
    size_t steps = 0;
    double cost = 0;
  };

  // --- Candidates.

  void collect() {
    queue = {};
    std::vector<int64_t> live = tape.profile();
    std::vector<int> high(live.size() + 1, 0); // places before this one that are above the target
    for (size_t place = 0; place < live.size(); ++place)
      high[place + 1] = high[place] + (live[place] > target);
    std::vector<std::vector<int>> readers(tape.values.size());
    for (size_t place = 0; place < tape.order.size(); ++place)
      for (const Tape::Input &input : stepAt(int(place)).inputs)
        if (input.value >= 0) readers[size_t(input.value)].push_back(int(place));

    std::vector<std::tuple<double, int, int>> rough; // what it may bring at most, step, before
    for (int place = 0; place < int(tape.order.size()); ++place) {
      int step = tape.order[size_t(place)];
      std::vector<std::pair<int, double>> gains; // before which place, bytes times places
      for (int value : tape.steps[size_t(step)].outputs) {
        if (tape.values[size_t(value)].home) continue;
        int previous = place;
        for (int reader : readers[size_t(value)]) {
          if (int idle = high[size_t(reader)] - high[size_t(previous) + 1]; idle > 0)
            gains.emplace_back(reader, double(idle) * double(tape.values[size_t(value)].bytes));
          previous = std::max(previous, reader);
        }
      }
      std::sort(gains.begin(), gains.end());
      for (size_t i = 0; i < gains.size(); ++i) {
        double sum = 0;
        for (size_t j = i; j < gains.size(); ++j) sum += gains[j].second;
        if (i == 0 || gains[i].first != gains[i - 1].first)
          rough.emplace_back(-sum / (1 + tape.steps[size_t(step)].cost), step,
                             tape.order[size_t(gains[i].first)]);
      }
    }
    std::sort(rough.begin(), rough.end());
    if (rough.size() > 400) rough.resize(400);
    for (auto [gain, step, before] : rough) {
      std::vector<int> previous;
      for (int depth : {0, 1, 2, 3, 5, 8, everything}) {
        std::vector<int> again = closureOf(step, before, depth);
        if (again.empty()) break; // it cannot be computed again there
        if (again == previous) continue;
        previous = std::move(again);
        Candidate candidate{step, before, depth, 0};
        candidate.score = scoreOf(candidate);
        if (candidate.score > 0) queue.push(candidate);
      }
    }
  }

  const Tape::Step &stepAt(int place) const {
    return tape.steps[size_t(tape.order[size_t(place)])];
  }

  // --- The tape as it is between trials.

  struct View {
    std::vector<int> places, last;
    std::vector<int> writers;             // of states, their places; -1: none
    std::vector<std::vector<int>> sameAs; // for each root the steps that compute the same, in order
  };

  void look() {
    view = {tape.places(), tape.lastReads(), {}, std::vector<std::vector<int>>(tape.steps.size())};
    for (int place = 0; place < int(tape.order.size()); ++place) {
      view.sameAs[size_t(stepAt(place).root)].push_back(tape.order[size_t(place)]);
      for (int value : stepAt(place).outputs)
        if (int state = tape.values[size_t(value)].state; state >= 0) {
          if (view.writers.size() <= size_t(state)) view.writers.resize(size_t(state) + 1, -1);
          view.writers[size_t(state)] = place;
        }
    }
  }

  // The same value as it was computed latest before a place.
  int latest(int value, int before) const {
    const Tape::Value &one = tape.values[size_t(value)];
    if (one.home) return value;
    for (int step : llvm::reverse(view.sameAs[size_t(tape.steps[size_t(one.maker)].root)]))
      if (view.places[size_t(step)] < before)
        for (int other : tape.steps[size_t(step)].outputs)
          if (tape.values[size_t(other)].result == one.result) return other;
    return value;
  }

  // --- Steps to be run again.

  bool canRunAgain(int step, int before) const {
    return view.places[size_t(step)] >= 0 &&
           llvm::all_of(tape.steps[size_t(step)].reads, [&](int state) {
             return size_t(state) >= view.writers.size() || view.writers[size_t(state)] < 0 ||
                    view.writers[size_t(state)] >= before;
           });
  }

  void need(std::vector<int> &steps, int step, int before, int depth) const {
    if (llvm::is_contained(steps, step)) return;
    steps.push_back(step);
    int64_t made = 0;
    for (int value : tape.steps[size_t(step)].outputs) made += tape.values[size_t(value)].bytes;
    if (depth == 0) return;
    for (const Tape::Input &input : tape.steps[size_t(step)].inputs) {
      if (input.value < 0) continue;
      int value = latest(input.value, before), maker = tape.values[size_t(value)].maker;
      // Little things are kept: statistics of rows, beside the rows.
      if (tape.values[size_t(value)].home || view.last[size_t(value)] >= before ||
          tape.values[size_t(value)].bytes * 16 <= made || !canRunAgain(maker, before))
        continue;
      need(steps, maker, before, depth - 1);
    }
  }

  // In their order; none when it is impossible.
  std::vector<int> closureOf(int step, int reader, int depth) const {
    int before = view.places[size_t(reader)];
    std::vector<int> steps;
    if (before < 0 || !canRunAgain(step, before) || view.places[size_t(step)] >= before)
      return steps;
    need(steps, step, before, depth);
    std::sort(steps.begin(), steps.end(),
              [&](int a, int b) { return view.places[size_t(a)] < view.places[size_t(b)]; });
    return steps;
  }

  // --- Trying.

  double scoreOf(const Candidate &candidate) {
    Trial trial;
    if (!apply(candidate, trial)) return 0;
    int64_t now = tape.excess(target);
    undo(trial);
    return double(above - now) / std::max(trial.cost, 1.0);
  }

  bool apply(const Candidate &candidate, Trial &trial) {
    std::vector<int> again = closureOf(candidate.step, candidate.before, candidate.depth);
    if (again.empty()) return false;
    int place = view.places[size_t(candidate.before)];
    trial.order = tape.order;
    std::vector<int> copies;
    llvm::DenseMap<int, int> replaced;
    for (int step : again) {
      int copy = tape.addCopy(step);
      ++trial.steps;
      for (Tape::Input &input : tape.steps[size_t(copy)].inputs) {
        if (input.value < 0) continue;
        input.value = latest(input.value, place);
        if (auto it = replaced.find(input.value); it != replaced.end()) input.value = it->second;
      }
      for (auto [old, made] :
           llvm::zip(tape.steps[size_t(step)].outputs, tape.steps[size_t(copy)].outputs))
        if (!tape.values[size_t(old)].home) replaced[old] = made; // what is in its home stays there
      trial.cost += tape.steps[size_t(copy)].cost;
      copies.push_back(copy);
    }
    auto before = std::find(tape.order.begin(), tape.order.end(), candidate.before);
    for (auto it = before; it != tape.order.end(); ++it)
      for (auto [place, input] : llvm::enumerate(tape.steps[size_t(*it)].inputs))
        if (auto known = replaced.find(input.value); known != replaced.end()) {
          trial.inputs.emplace_back(*it, place, input.value);
          input.value = known->second;
        }
    tape.order.insert(before, copies.begin(), copies.end());
    // What nobody reads any more was computed too early.
    for (int step : llvm::reverse(again))
      if (isUnread(step)) {
        trial.cost -= tape.steps[size_t(step)].cost;
        tape.order.erase(std::find(tape.order.begin(), tape.order.end(), step));
      }
    return true;
  }

  bool isUnread(int step) const {
    const Tape::Step &one = tape.steps[size_t(step)];
    for (int value : one.outputs)
      if (tape.values[size_t(value)].home) return false;
    for (int other : tape.order)
      for (const Tape::Input &input : tape.steps[size_t(other)].inputs)
        if (input.value >= 0 && llvm::is_contained(one.outputs, input.value)) return false;
    return true;
  }

  void undo(Trial &trial) {
    for (auto [step, place, value] : llvm::reverse(trial.inputs))
      tape.steps[size_t(step)].inputs[place].value = value;
    tape.order = std::move(trial.order);
    tape.removeSteps(trial.steps);
  }

  // --- In the end: what was computed again early may be in vain after what followed. Dearest first.

  void leaveOut() {
    std::vector<int> copies;
    for (int step : tape.order)
      if (tape.steps[size_t(step)].root != step) copies.push_back(step);
    std::stable_sort(copies.begin(), copies.end(), [&](int a, int b) {
      return tape.steps[size_t(a)].cost > tape.steps[size_t(b)].cost;
    });
    for (int copy : copies) {
      // The latest before it that computes the same.
      int same = -1;
      for (int step : tape.order) {
        if (step == copy) break;
        if (tape.steps[size_t(step)].root == tape.steps[size_t(copy)].root) same = step;
      }
      if (same < 0) continue;
      Trial trial;
      trial.order = tape.order;
      for (int step : tape.order)
        for (auto [place, input] : llvm::enumerate(tape.steps[size_t(step)].inputs))
          for (auto [old, made] :
               llvm::zip(tape.steps[size_t(copy)].outputs, tape.steps[size_t(same)].outputs))
            if (input.value == old) {
              trial.inputs.emplace_back(step, place, input.value);
              input.value = made;
            }
      tape.order.erase(std::find(tape.order.begin(), tape.order.end(), copy));
      int64_t now = tape.excess(target);
      if (now <= above)
        above = now;
      else
        undo(trial);
    }
  }

  Tape &tape;
  int64_t target, above = 0;
  View view;
  std::priority_queue<Candidate> queue;
};

} // namespace

bool recompute(Tape &tape, int64_t target) { return Search(tape, target).run(); }

} // namespace sinter::passes::memory
