#include "sinter/passes/fusion/Beside.h"

#include "sinter/ir/Numerics.h"
#include "sinter/passes/fusion/ContractionSchedule.h"
#include "sinter/passes/fusion/CostModel.h"

#include <optional>
#include <set>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

namespace {

/// What the groups hold of the arena at each place of the order in which they will probably run (memory
/// planning takes what frees most bytes first, too), as an upper bound that stays one when groups are
/// merged. Arguments and results of the function lie elsewhere. The worst moment is rather taken too low:
/// as if every result took over the place of an operand of its size that nobody reads later.
class Liveness {
public:
  explicit Liveness(const Groups &groups) : groups(groups) {
    SmallVector<unsigned> order = frugalOrder();
    for (auto [at, group] : llvm::enumerate(order)) place[group] = at;
    live.assign(order.size(), 0);
    std::vector<int64_t> change(order.size() + 1, 0);
    for (unsigned group : order) addResults(group, change);
    int64_t held = 0;
    for (size_t at = 0; at < live.size(); ++at) live[at] = held += change[at];
    for (auto [at, group] : llvm::enumerate(order))
      peak = std::max(peak, live[at] - takenOver(group, at));
  }

  unsigned placeOf(unsigned group) const { return place.lookup(group); }

  /// What the moments between two groups would hold at most, if both ran at one of them; `apply` says that
  /// they will. False where that is more than the worst moment holds now.
  bool mergesWithin(unsigned earlier, unsigned later, bool apply) {
    unsigned first = placeOf(earlier), last = placeOf(later);
    int64_t kept = dyingBytes(earlier, first), made = 0;
    for (Value output : groups.bodyOf(later).outputs) made += bytesInArena(output);
    for (unsigned at = first; at <= last; ++at) {
      int64_t bytes = live[at] + (at > first ? kept : 0) + (at < last ? made : 0);
      if (apply)
        live[at] = bytes;
      else if (bytes > peak)
        return false;
    }
    return true;
  }

private:
  // Kernels, each after those whose results it reads; among those that could run the one after which
  // least is held.
  SmallVector<unsigned> frugalOrder() const {
    std::vector<SmallVector<unsigned>> users(groups.size());
    std::vector<unsigned> waiting(groups.size(), 0);
    std::vector<SmallVector<Value>> reads(groups.size());
    llvm::DenseMap<Value, SmallVector<unsigned>> left; // groups that have yet to read it
    std::vector<int64_t> growth(groups.size(), 0);     // of what is held, if the group ran next
    std::set<std::pair<int64_t, unsigned>> ready;
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!groups.isKernel(group)) continue;
      for (unsigned producer : groups.producersFor(group)) {
        if (!groups.isKernel(producer)) continue;
        users[producer].push_back(group);
        ++waiting[group];
      }
      reads[group] = readsOf(group);
      for (Value value : reads[group]) left[value].push_back(group);
      for (Value output : groups.bodyOf(group).outputs) growth[group] += bytesInArena(output);
    }
    auto freedBy = [&](unsigned group, Value value) { // its last reader
      bool isReady = ready.erase({growth[group], group});
      growth[group] -= bytesOf(value);
      if (isReady) ready.insert({growth[group], group});
    };
    for (unsigned group = 0; group < groups.size(); ++group)
      if (groups.isKernel(group)) {
        for (Value value : reads[group])
          if (left[value].size() == 1) freedBy(group, value);
        if (waiting[group] == 0) ready.insert({growth[group], group});
      }
    SmallVector<unsigned> order;
    while (!ready.empty()) {
      unsigned best = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(best);
      for (Value value : reads[best]) {
        SmallVector<unsigned> &readers = left[value];
        llvm::erase(readers, best);
        if (readers.size() == 1) freedBy(readers.front(), value);
      }
      for (unsigned user : users[best])
        if (--waiting[user] == 0) ready.insert({growth[user], user});
    }
    return order;
  }

  // What the group reads of the arena, each once.
  SmallVector<Value> readsOf(unsigned group) const {
    SmallVector<Value> values;
    for (Value input : groups.bodyOf(group).inputs()) {
      while (auto reshape = input.getDefiningOp<ReshapeOp>()) input = reshape.getX();
      if (bytesInArena(input) && !is_contained(values, input)) values.push_back(input);
    }
    return values;
  }

  // Through reshapes; 0 for what is no value of the arena.
  static int64_t bytesInArena(Value value) {
    while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
    if (!value.getDefiningOp() || value.getDefiningOp<ConstantOp>()) return 0;
    return isReturned(value) ? 0 : bytesOf(value);
  }
  static bool isReturned(Value value) {
    return llvm::any_of(value.getUsers(), [](Operation *user) {
      return user->hasTrait<OpTrait::IsTerminator>() ||
             (isa<ReshapeOp>(user) && isReturned(user->getResult(0)));
    });
  }

  unsigned lastReader(Value value, unsigned at) const {
    for (Operation *user : value.getUsers()) {
      int group = groups.groupOf(user);
      if (group < 0) continue;
      at = std::max(at, groups.isAlias(group) ? lastReader(user->getResult(0), at)
                                              : placeOf(unsigned(group)));
    }
    return at;
  }

  // Notes from where to where each result is held.
  void addResults(unsigned group, std::vector<int64_t> &change) const {
    for (Value output : groups.bodyOf(group).outputs) {
      if (output.getDefiningOp<ReshapeOp>()) continue; // counted where it was made
      int64_t bytes = bytesInArena(output);
      if (!bytes) continue;
      unsigned from = placeOf(group), to = lastReader(output, from);
      change[from] += bytes;
      change[to + 1] -= bytes;
    }
  }

  // The operands that nobody reads after `at`.
  SmallVector<Value> dying(unsigned group, unsigned at) const {
    SmallVector<Value> values = readsOf(group);
    llvm::erase_if(values, [&](Value value) { return lastReader(value, 0) > at; });
    return values;
  }
  int64_t dyingBytes(unsigned group, unsigned at) const {
    int64_t bytes = 0;
    for (Value value : dying(group, at)) bytes += bytesOf(value);
    return bytes;
  }

  int64_t takenOver(unsigned group, unsigned at) const {
    SmallVector<Value> free = dying(group, at);
    int64_t bytes = 0;
    for (Value output : groups.bodyOf(group).outputs) {
      int64_t wanted = bytesInArena(output);
      auto fits = llvm::find_if(free, [&](Value value) { return bytesOf(value) == wanted; });
      if (!wanted || fits == free.end()) continue;
      bytes += wanted;
      free.erase(fits);
    }
    return bytes;
  }

  const Groups &groups;
  llvm::DenseMap<unsigned, unsigned> place;
  std::vector<int64_t> live;
  int64_t peak = 0;
};

class Beside {
public:
  explicit Beside(Groups &groups) : groups(groups) {}

  void reductions() {
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!mayJoin(group) || !foldsToLittle(group)) continue;
      for (unsigned other : groups.siblingsOf(group))
        if (mayJoin(other) && readsNoMore(group, other) && fit(other, group)) {
          groups.mergeAsStages(other, group);
          break;
        }
    }
  }

  // Reductions to scalars that one kernel waits for, such as what says whether every gradient is finite.
  void checks() {
    llvm::DenseMap<unsigned, SmallVector<unsigned>> waiting; // by who waits
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!mayJoin(group) ||
          (groups[group].kind != KernelKind::Reduction && groups[group].kind != KernelKind::Row))
        continue;
      std::optional<unsigned> consumer = onlyWaitsForScalars(group);
      if (!consumer) continue;
      SmallVector<unsigned> &others = waiting[*consumer];
      auto *with = llvm::find_if(others, [&](unsigned other) { return fit(other, group); });
      if (with == others.end())
        others.push_back(group);
      else
        groups.mergeAsStages(*with, group);
    }
  }

  void contractions() {
    Liveness liveness(groups);
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!mayJoin(group) || contractionsOf(group) == 0) continue;
      for (unsigned other : groups.siblingsOf(group)) {
        if (!mayJoin(other) || contractionsOf(other) == 0 ||
            contractionsOf(group) + contractionsOf(other) > mostContractions())
          continue;
        bool inOrder = liveness.placeOf(group) < liveness.placeOf(other);
        unsigned earlier = inOrder ? group : other, later = inOrder ? other : group;
        if (liveness.placeOf(later) - liveness.placeOf(earlier) > maxDistance ||
            !liveness.mergesWithin(earlier, later, /*apply=*/false) || !fit(group, other) ||
            !isWorthOneLaunch(group, other))
          continue;
        liveness.mergesWithin(earlier, later, /*apply=*/true);
        groups.mergeAsStages(group, other);
      }
    }
  }

private:
  static constexpr int64_t littleBytes = 1 << 16;
  static constexpr unsigned maxDistance =
      8; // groups between them; what is moved waits for its readers
  bool isForGpu() const {
    TargetAttr target = targetOf(groups.function());
    return target && target.getKind() == "cuda";
  }
  // On a CPU each keeps its panels on the thread's stack; on a GPU each has tensor maps among the parameters.
  unsigned mostContractions() const { return isForGpu() ? 8 : 3; }

  bool mayJoin(unsigned group) const {
    return groups.isKernel(group) && !groups[group].update && !groups.runInOrder(group);
  }

  bool fit(unsigned a, unsigned b) const {
    return !groups.connected(a, b) && !groups.whyNotStages({a, b}) &&
           !groups.wouldCreateCycle(a, b);
  }

  // On a GPU blocks of one launch are alike and sums are not cut into parts, which may cost more than a launch.
  bool isWorthOneLaunch(unsigned a, unsigned b) const {
    if (!isForGpu()) return true;
    std::optional<LaunchPrediction> both = predicted({a, b}), one = predicted(a),
                                    other = predicted(b);
    if (!both || both->cycles >= one->cycles + other->cycles) return false;
    return !isStrict(groups.function()) || (addUpAlike(*one, *both) && addUpAlike(*other, *both));
  }
  std::optional<LaunchPrediction> predicted(ArrayRef<unsigned> which) const {
    std::vector<Products> stages;
    for (const Stage &stage : groups.stagesOf(which)) stages.emplace_back(stage.body);
    return predictLaunch(stages, targetOf(groups.function()));
  }
  // By one unit, along k from its start.
  static bool addUpAlike(const LaunchPrediction &x, const LaunchPrediction &y) {
    ContractionScheduleAttr a = x.schedule, b = y.schedule;
    return a.getSplitK() == b.getSplitK() && (a.getStages() > 0) == (b.getStages() > 0) &&
           (a.getTileM() > 1) == (b.getTileM() > 1);
  }

  // The one group but updates that reads what `group` makes, if that is scalars alone.
  std::optional<unsigned> onlyWaitsForScalars(unsigned group) const {
    SmallVector<unsigned> consumers = groups.consumersOf(group);
    llvm::erase_if(consumers, [&](unsigned consumer) { return groups[consumer].update; });
    if (consumers.size() != 1) return std::nullopt;
    for (Value output : groups.bodyOf(group).outputs)
      if (tensorType(output).getNumElements() != 1 &&
          !llvm::all_of(output.getUsers(), [&](Operation *user) {
            int reader = groups.groupOf(user);
            return reader == int(group) || (reader >= 0 && groups[reader].update);
          }))
        return std::nullopt;
    return consumers.front();
  }
  bool foldsToLittle(unsigned group) const {
    if (groups[group].kind != KernelKind::Reduction) return false;
    int64_t bytes = 0;
    for (Value output : groups.bodyOf(group).outputs) bytes += bytesOf(output);
    return bytes <= littleBytes;
  }
  // All that `reduction` reads of any size is read by the other, too.
  bool readsNoMore(unsigned reduction, unsigned other) const {
    SmallVector<Value> known = groups.bodyOf(other).inputs();
    return llvm::all_of(groups.bodyOf(reduction).inputs(), [&](Value input) {
      return bytesOf(input) <= littleBytes || is_contained(known, input);
    });
  }

  // Of a CPU's launch stages that are contractions, though they add up several; of a GPU's, products.
  unsigned contractionsOf(unsigned group) const {
    auto isProduct = [](Operation *op) { return isa<ContractionOpInterface>(op); };
    auto multiplies = [&](ArrayRef<Operation *> ops) { return llvm::any_of(ops, isProduct); };
    if (isForGpu()) return llvm::count_if(groups[group].ops, isProduct);
    if (groups[group].kind != KernelKind::Staged) return multiplies(groups[group].ops);
    return llvm::count_if(groups[group].parts,
                          [&](const Group::Part &part) { return multiplies(part.ops); });
  }

  Groups &groups;
};

} // namespace

void fuseBeside(Groups &groups) {
  Beside beside(groups);
  beside.reductions();
  beside.checks();
  beside.contractions();
}

} // namespace sinter::passes::fusion
