#include "sinter/passes/memory/Beam.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <random>
#include <tuple>

namespace sinter::passes::memory {

namespace {

constexpr size_t width = 12;

/// Numbers of which a copy changes few: blocks are shared until one is written.
class Counters {
public:
  Counters() = default;
  explicit Counters(const std::vector<int> &values) {
    for (size_t at = 0; at < values.size(); at += size) {
      auto block = std::make_shared<Block>();
      std::copy(values.begin() + std::ptrdiff_t(at),
                values.begin() + std::ptrdiff_t(std::min(at + size, values.size())),
                block->begin());
      blocks.push_back(std::move(block));
    }
  }
  int operator[](int index) const { return (*blocks[size_t(index) / size])[size_t(index) % size]; }
  /// Returns what is left.
  int decrement(int index) {
    std::shared_ptr<Block> &block = blocks[size_t(index) / size];
    if (block.use_count() > 1) block = std::make_shared<Block>(*block);
    return --(*block)[size_t(index) % size];
  }

private:
  static constexpr size_t size = 128;
  using Block = std::array<int, size>;
  std::vector<std::shared_ptr<Block>> blocks;
};

/// A beginning of an order.
struct Beginning {
  Counters waiting;       // for each step, those that must come first and have not
  Counters left;          // for each value, steps that will read it
  std::vector<int> ready; // ascending
  int64_t live = 0, peak = 0;
  uint64_t hash = 0; // of the set of its steps
  int last = -1;     // in the tree of steps
};

class Beam {
public:
  Beam(const Tape &tape, const std::vector<std::vector<int>> &after)
      : tape(tape), after(after), reads(tape.steps.size()) {
    std::mt19937_64 random(5);
    for (const Tape::Step &step : tape.steps) {
      keys.push_back(random());
      never = std::max(never, tape.bytesAround(step));
    }
    for (int step : tape.order) {
      for (const Tape::Input &input : tape.steps[size_t(step)].inputs)
        if (input.value >= 0 && !tape.values[size_t(input.value)].home &&
            !llvm::is_contained(reads[size_t(step)], input.value))
          reads[size_t(step)].push_back(input.value);
    }
  }

  std::vector<int> run() {
    Beginning empty;
    std::vector<int> waiting(tape.steps.size()), left(tape.values.size());
    // What some step needs in any case is no reason to put it off.
    empty.peak = never;
    for (int step : tape.order) {
      for (int next : after[size_t(step)]) ++waiting[size_t(next)];
      for (int value : reads[size_t(step)]) ++left[size_t(value)];
    }
    for (int step : tape.order)
      if (waiting[size_t(step)] == 0) empty.ready.push_back(step);
    std::sort(empty.ready.begin(), empty.ready.end());
    empty.waiting = Counters(waiting);
    empty.left = Counters(left);
    std::vector<Beginning> beam{std::move(empty)};
    for (size_t count = 0; count < tape.order.size(); ++count) beam = extended(beam);
    std::vector<int> order;
    for (int node = beam.front().last; node >= 0; node = tree[size_t(node)].first)
      order.push_back(tree[size_t(node)].second);
    std::reverse(order.begin(), order.end());
    return order;
  }

private:
  struct Next {
    int64_t peak, live;
    size_t from;
    int step;
    uint64_t hash;
  };

  Next look(const Beginning &beginning, size_t from, int number) const {
    const Tape::Step &step = tape.steps[size_t(number)];
    auto ends = [&](int value) { return beginning.left[value] == 1; };
    int64_t during = beginning.live, live = beginning.live;
    for (size_t output = 0; output < step.outputs.size(); ++output) {
      const Tape::Value &value = tape.values[size_t(step.outputs[output])];
      if (value.home) continue;
      bool inPlace = llvm::any_of(step.mayTake, [&](auto pair) {
        int over = step.inputs[pair.second].value;
        return pair.first == output && !tape.values[size_t(over)].home && ends(over);
      });
      during += inPlace ? 0 : value.bytes;
      if (beginning.left[step.outputs[output]] > 0) live += value.bytes;
    }
    for (int value : reads[size_t(number)])
      if (ends(value)) live -= tape.values[size_t(value)].bytes;
    return {std::max(beginning.peak, during), live, from, number,
            beginning.hash ^ keys[size_t(number)]};
  }

  std::vector<Beginning> extended(const std::vector<Beginning> &beam) {
    std::vector<Next> all;
    for (size_t from = 0; from < beam.size(); ++from)
      for (int step : beam[from].ready) all.push_back(look(beam[from], from, step));
    // The best first, of which few are looked at.
    auto isWorse = [](const Next &a, const Next &b) {
      return std::tuple(a.peak, a.live, a.from, a.step) >
             std::tuple(b.peak, b.live, b.from, b.step);
    };
    std::make_heap(all.begin(), all.end(), isWorse);
    std::vector<Beginning> best;
    llvm::SmallDenseSet<uint64_t> seen;
    while (!all.empty() && best.size() < width) {
      std::pop_heap(all.begin(), all.end(), isWorse);
      Next next = all.back();
      all.pop_back();
      if (!seen.insert(next.hash >> 1).second) continue; // the set's own marks are not reached
      best.push_back(taken(beam[next.from], next));
    }
    return best;
  }

  Beginning taken(Beginning beginning, const Next &next) {
    beginning.ready.erase(
        std::lower_bound(beginning.ready.begin(), beginning.ready.end(), next.step));
    for (int value : reads[size_t(next.step)]) beginning.left.decrement(value);
    for (int later : after[size_t(next.step)])
      if (beginning.waiting.decrement(later) == 0)
        beginning.ready.insert(
            std::lower_bound(beginning.ready.begin(), beginning.ready.end(), later), later);
    beginning.live = next.live;
    beginning.peak = next.peak;
    beginning.hash = next.hash;
    tree.emplace_back(beginning.last, next.step);
    beginning.last = int(tree.size()) - 1;
    return beginning;
  }

  const Tape &tape;
  const std::vector<std::vector<int>> &after;
  std::vector<std::vector<int>> reads; // values of the arena that a step reads, once each
  std::vector<uint64_t> keys;
  int64_t never = 0;                     // no order needs less
  std::vector<std::pair<int, int>> tree; // the step before, the step
};

} // namespace

std::vector<int> beamOrder(const Tape &tape, const std::vector<std::vector<int>> &after) {
  return Beam(tape, after).run();
}

} // namespace sinter::passes::memory
