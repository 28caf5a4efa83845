#include "sinter/passes/fusion/Plan.h"

#include "sinter/passes/fusion/Beside.h"

#include <map>
#include <queue>
#include <set>
#include <tuple>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

namespace {

class Planner {
public:
  Planner(Groups &groups, const CostModel &costs, const Legality &legality)
      : groups(groups), costs(costs), legality(legality) {}

  void run() {
    fuseUpdate();
    fuseByGain();
    fuseSmallNeighbours();
  }

  void runStages() {
    fuseStages();
    if (!legality.savesMemory()) fuseBeside(groups); // side by side, all results are there at once
    fuseCasts();
  }

private:
  // --- The optimiser update.

  static bool isPointwise(Operation *op) {
    return cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Pointwise;
  }

  // Grows the group of a donated result upwards: pointwise ops of its shape, and views into it.
  void growUpdate(unsigned group, ArrayRef<int64_t> shape) {
    for (bool grown = true; grown;) {
      grown = false;
      for (unsigned producer : groups.producersFor(group)) {
        bool fits =
            !groups[producer].update && llvm::all_of(groups[producer].ops, [&](Operation *op) {
              bool isView = cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::View;
              return (isPointwise(op) || isView) && isa<ElementOpInterface>(op) &&
                     shapeOf(op->getResult(0)) == shape;
            });
        if (!fits || !legality.kindOf(group, producer)) continue;
        groups.merge(group, producer, KernelKind::Pointwise);
        grown = true;
        break;
      }
    }
  }

  void fuseUpdate() {
    func::FuncOp func = groups.function();
    Operation *terminator = func.getBody().front().getTerminator();
    SmallVector<unsigned> roots;
    for (unsigned argument = 0; argument < func.getNumArguments(); ++argument) {
      auto donated = func.getArgAttrOfType<IntegerAttr>(argument, donatedAttr);
      if (!donated) continue;
      Operation *def = terminator->getOperand(donated.getInt()).getDefiningOp();
      int group = def ? groups.groupOf(def) : -1;
      if (group >= 0 && isPointwise(def) && !is_contained(roots, unsigned(group)))
        roots.push_back(group);
    }
    auto shape = [&](unsigned group) { return shapeOf(groups[group].ops.back()->getResult(0)); };
    for (unsigned root : roots)
      if (groups.isAlive(root)) growUpdate(root, shape(root));
    // Roots may have merged into one another. The largest first: what the others need (a step number)
    // is small and stays outside.
    llvm::erase_if(roots, [&](unsigned root) { return !groups.isAlive(root); });
    if (roots.size() < 2) return;
    llvm::stable_sort(
        roots, [&](unsigned a, unsigned b) { return legality.bytesOf(a) > legality.bytesOf(b); });
    TargetAttr target = targetOf(func);
    SmallVector<unsigned> kernels; // more than one only when the operands run out
    Operands operands(groups, KernelKind::Update);
    for (unsigned root : roots) {
      // Alone: beside other roots, it exchanges no values with them.
      bool fits = !whyNot(groups.bodyOf(root), KernelKind::Update, target);
      auto joins = [&](unsigned kernel) {
        if (!fits || operands.tooMany(kernel, root) || !sameLayout(kernel, root) ||
            groups.connected(kernel, root) || groups.wouldCreateCycle(kernel, root))
          return false;
        operands.join(kernel, root);
        groups.merge(kernel, root, KernelKind::Update);
        return true;
      };
      if (llvm::none_of(kernels, joins) && !feedsAny(root, kernels)) kernels.push_back(root);
    }
    for (unsigned kernel : kernels)
      if (groups[kernel].kind == KernelKind::Update) groups.markUpdate(kernel);
  }

  bool sameLayout(unsigned a, unsigned b) const {
    auto layout = [&](unsigned group) {
      return tensorType(groups[group].ops.back()->getResult(0)).getEncoding();
    };
    return layout(a) == layout(b);
  }
  bool feedsAny(unsigned group, ArrayRef<unsigned> kernels) const {
    return llvm::any_of(kernels, [&](unsigned kernel) {
      return groups.connected(group, kernel) || groups.wouldCreateCycle(group, kernel);
    });
  }

  // --- Edges and readers by gain.

  struct Candidate {
    int phase; // 0: the end of a contraction, where pointwise work costs no traffic at all
    double gain;
    unsigned a, b, versionA, versionB;
    KernelKind kind;
    bool operator<(const Candidate &other) const { // the queue's top is the largest
      return std::tuple(-phase, gain, -int64_t(a), -int64_t(b)) <
             std::tuple(-other.phase, other.gain, -int64_t(other.a), -int64_t(other.b));
    }
  };

  void consider(unsigned a, unsigned b) {
    if (!groups.isKernel(a) || !groups.isKernel(b)) return;
    std::optional<Legality::Joined> joined = legality.join(a, b);
    if (!joined || joined->gain <= 0) return;
    int phase = groups[a].kind == KernelKind::Contraction ? 0 : 1;
    queue.push({phase, joined->gain, a, b, groups[a].version, groups[b].version, joined->kind});
  }

  void considerNeighbours(unsigned group, bool all) {
    for (unsigned consumer : groups.consumersOf(group)) consider(group, consumer);
    // A contraction or scatter gains nothing from another reader of its operands.
    auto streams = [&](unsigned which) {
      return groups[which].kind != KernelKind::Contraction &&
             groups[which].kind != KernelKind::Scatter &&
             groups[which].kind != KernelKind::Attention;
    };
    for (unsigned sibling : groups.siblingsOf(group))
      if ((all || sibling > group) && streams(group) && streams(sibling))
        consider(std::min(group, sibling), std::max(group, sibling));
    if (all)
      for (unsigned producer : groups.producersFor(group)) consider(producer, group);
  }

  void fuseByGain() {
    for (unsigned group = 0; group < groups.size(); ++group)
      if (groups.isKernel(group)) considerNeighbours(group, /*all=*/false);
    while (!queue.empty()) {
      Candidate best = queue.top();
      queue.pop();
      if (groups[best.a].version != best.versionA || groups[best.b].version != best.versionB ||
          !groups.isAlive(best.a) || !groups.isAlive(best.b))
        continue;
      // Other merges may have put a path between the two; nothing else changes while neither merges.
      if (groups.wouldCreateCycle(best.a, best.b)) continue;
      groups.merge(best.a, best.b, best.kind);
      considerNeighbours(best.a, /*all=*/true);
    }
  }

  // --- Reductions of one shape without a common operand, and arithmetic on single elements beside
  // them: one launch instead of several, where each is too small to fill the machine.

  bool isSmall(unsigned group) const {
    auto isScalar = [](Value output) { return tensorType(output).getNumElements() == 1; };
    return (groups[group].kind == KernelKind::Reduction ||
            (groups[group].kind == KernelKind::Pointwise &&
             llvm::all_of(groups.bodyOf(group).outputs, isScalar))) &&
           double(legality.bytesOf(group)) < 4 * costs.launch;
  }

  void fuseSmallNeighbours() {
    SmallVector<unsigned> small;
    for (unsigned group = 0; group < groups.size(); ++group)
      if (groups.isKernel(group) && !groups[group].update && isSmall(group)) small.push_back(group);
    Operands operands(groups, KernelKind::Reduction);
    std::vector<const void *> folds;
    for (unsigned group : small) folds.push_back(foldOf(group));
    for (size_t i = 0; i < small.size(); ++i)
      for (size_t j = i + 1; j < small.size() && groups.isAlive(small[i]); ++j) {
        unsigned a = small[i], b = small[j];
        // What folds otherwise keeps most pairs apart.
        if ((folds[i] && folds[j] && folds[i] != folds[j]) || !groups.isAlive(b) ||
            operands.tooMany(a, b) || groups.connected(a, b) || groups.wouldCreateCycle(a, b))
          continue;
        std::optional<KernelKind> kind = legality.kindOf(a, b);
        if (!kind || (*kind != KernelKind::Reduction && *kind != KernelKind::Pointwise)) continue;
        groups.merge(a, b, *kind);
        if (!folds[i]) folds[i] = folds[j];
      }
  }

  // The same for groups whose reductions fold the same dimensions of one shape; null without a reduction.
  const void *foldOf(unsigned group) const {
    for (Operation *op : groups[group].ops)
      if (auto reduction = dyn_cast<ReductionOpInterface>(op)) {
        Builder b(op->getContext());
        return b
            .getArrayAttr({b.getDenseI64ArrayAttr(shapeOf(op->getOperand(0))),
                           b.getDenseI64ArrayAttr(reduction.getReducedDims())})
            .getAsOpaquePointer();
      }
    return nullptr;
  }

  // Inputs and outputs of groups that exchange no values, counted once for each version of a group.
  class Operands {
  public:
    Operands(const Groups &groups, KernelKind kind)
        : groups(groups), most(size_t(maxOperands(kind, targetOf(groups.function())))) {}

    /// Whether one kernel of both would have more than there may be.
    bool tooMany(unsigned a, unsigned b) {
      const Known &one = of(a), &other = of(b);
      size_t common = llvm::count_if(other.inputs, [&](Value v) { return one.inputs.contains(v); });
      return one.inputs.size() + other.inputs.size() - common + one.outputs + other.outputs > most;
    }
    /// `b` is about to merge into `a`.
    void join(unsigned a, unsigned b) {
      const Known &other = of(b);
      Known &one = known[a];
      of(a);
      one.inputs.insert(other.inputs.begin(), other.inputs.end());
      one.outputs += other.outputs;
      one.version = groups[a].version + 1;
    }

  private:
    struct Known {
      std::optional<unsigned> version;
      llvm::DenseSet<Value> inputs;
      size_t outputs = 0;
    };
    const Known &of(unsigned group) {
      Known &entry = known[group];
      if (entry.version == groups[group].version) return entry;
      const KernelBody &body = groups.bodyOf(group);
      SmallVector<Value> inputs = body.inputs();
      entry = {groups[group].version, {inputs.begin(), inputs.end()}, body.outputs.size()};
      return entry;
    }

    const Groups &groups;
    size_t most;
    std::map<unsigned, Known> known;
  };

  // --- Last, small kernels that belong together, each as it is: a stage of one launch.

  bool isLittleWork(unsigned group) const {
    const KernelBody &body = groups.bodyOf(group);
    return !whyNotStages(groups.stagesOf(group), /*inOrder=*/true,
                         body.inputs().size() + body.outputs.size(), targetOf(groups.function()));
  }

  void fuseStages() {
    SmallVector<unsigned> small;
    for (unsigned group = 0; group < groups.size(); ++group)
      if (groups.isKernel(group) && !groups[group].update && isLittleWork(group))
        small.push_back(group);
    // The first pair that may be one is merged, until there is none. A pair that may not stays so until one of
    // the two merges: pairs are asked about again then.
    std::set<std::pair<unsigned, unsigned>> pairs;
    llvm::DenseSet<unsigned> isSmall(small.begin(), small.end());
    auto add = [&](unsigned x, unsigned y) {
      if (x != y && isSmall.contains(x) && isSmall.contains(y)) pairs.insert(std::minmax(x, y));
    };
    auto addAround = [&](unsigned group) {
      for (unsigned other : groups.consumersOf(group)) add(group, other);
      for (unsigned other : groups.producersFor(group)) add(group, other);
      for (unsigned other : groups.readersBeside(group)) add(group, other);
    };
    llvm::for_each(small, addAround);
    while (!pairs.empty()) {
      auto [a, b] = *pairs.begin();
      pairs.erase(pairs.begin());
      if (!groups.isAlive(a) || !groups.isAlive(b) ||
          (!groups.connected(a, b) && !is_contained(groups.siblingsOf(a), b)) ||
          groups.whyNotStages({a, b}) || groups.wouldCreateCycle(a, b) || legality.keepsMore(a, b))
        continue;
      groups.mergeAsStages(a, b);
      addAround(a);
    }
  }

  // --- What is left of the casts of arguments: a mixed-precision step makes its parameters' once, in one
  // launch. They wait for nothing, so no path can lie between two of them.

  bool castsArguments(unsigned group) const {
    return groups[group].kind == KernelKind::Pointwise &&
           llvm::all_of(groups[group].ops, [](Operation *op) {
             return isa<CastOp>(op) && isa<BlockArgument>(op->getOperand(0));
           });
  }

  void fuseCasts() {
    TargetAttr target = targetOf(groups.function());
    SmallVector<unsigned> kernels; // more than one only when the operands run out
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!groups.isKernel(group) || groups[group].update || !castsArguments(group)) continue;
      auto joins = [&](unsigned kernel) {
        if (whyNot(groups.bodyOf(kernel, group), KernelKind::Update, target)) return false;
        groups.merge(kernel, group, KernelKind::Update);
        return true;
      };
      if (llvm::none_of(kernels, joins)) kernels.push_back(group);
    }
  }

  Groups &groups;
  const CostModel &costs;
  const Legality &legality;
  std::priority_queue<Candidate> queue;
};

} // namespace

void plan(Groups &groups, const CostModel &costs, const Legality &legality) {
  Planner(groups, costs, legality).run();
}
void planStages(Groups &groups, const CostModel &costs, const Legality &legality) {
  Planner(groups, costs, legality).runStages();
}

RefusedBecause whyApart(const Legality &legality, unsigned producer, unsigned consumer) {
  auto verdict = legality.check(producer, consumer);
  if (auto *refused = std::get_if<RefusedBecause>(&verdict)) return *refused;
  double gain = legality.join(producer, consumer)->gain;
  if (gain > 0) // each was merged with others first
    return {Refusal::no_profit, "one kernel would save " + std::to_string(int64_t(gain)) +
                                    " bytes, but others that were merged first promised more"};
  return {Refusal::no_profit,
          "one kernel would cost " + std::to_string(int64_t(-gain)) + " bytes more than two"};
}

} // namespace sinter::passes::fusion
