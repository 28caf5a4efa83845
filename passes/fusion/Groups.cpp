#include "sinter/passes/fusion/Groups.h"

#include "llvm/ADT/SetVector.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <set>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

// Readers of one value that are looked at as siblings.
static constexpr unsigned maxReaders = 16;

static KernelKind singletonKind(Operation *op) {
  if (isa<ContractionOpInterface>(op)) return KernelKind::Contraction;
  if (isa<ReductionOpInterface>(op)) return KernelKind::Reduction;
  if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Scatter)
    return KernelKind::Scatter;
  if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Loop) return KernelKind::Scan;
  if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Attention)
    return KernelKind::Attention;
  return KernelKind::Pointwise;
}

Groups::Groups(func::FuncOp function) : func(function) {
  for (Operation &op : function.getBody().front()) {
    if (!isa<FusibleOpInterface>(op) || isa<ConstantOp>(op)) continue;
    group[&op] = groups.size();
    groups.emplace_back();
    groups.back().ops.push_back(&op);
    groups.back().kind = singletonKind(&op);
  }
  std::vector<SmallVector<unsigned>> reads(groups.size());
  for (unsigned which = 0; which < groups.size(); ++which) {
    if (isAlias(which)) continue;
    for (Value operand : groups[which].ops.front()->getOperands())
      if (int other = producerOf(operand); other >= 0) reads[which].push_back(other);
  }
  graph = GroupGraph(reads);
  bodies.resize(groups.size());
}

bool Groups::isAlias(unsigned which) const {
  return groups[which].ops.size() == 1 && isa<ReshapeOp>(groups[which].ops.front());
}

bool Groups::isBarrier(unsigned which) const {
  return groups[which].ops.size() == 1 && isa<FusionBarrierOp>(groups[which].ops.front());
}

int Groups::groupOf(Operation *op) const {
  auto it = group.find(op);
  return it == group.end() ? -1 : int(it->second);
}

int Groups::producerOf(Value value) const {
  Operation *def = value.getDefiningOp();
  while (def) {
    int which = groupOf(def);
    if (which < 0 || !isAlias(which)) return which;
    def = def->getOperand(0).getDefiningOp();
  }
  return -1;
}

SmallVector<unsigned> Groups::consumersOf(unsigned which) const {
  return SmallVector<unsigned>(graph.after(which));
}

SmallVector<unsigned> Groups::producersFor(unsigned which) const {
  return SmallVector<unsigned>(graph.before(which));
}

bool Groups::connected(unsigned a, unsigned b) const {
  return is_contained(graph.after(a), b) || is_contained(graph.after(b), a);
}

SmallVector<unsigned> Groups::siblingsOf(unsigned which) const {
  return readers(which, maxReaders);
}

SmallVector<unsigned> Groups::readersBeside(unsigned which) const {
  return readers(which, std::numeric_limits<unsigned>::max());
}

// Other groups among the first `most` readers of what the group reads.
SmallVector<unsigned> Groups::readers(unsigned which, unsigned most) const {
  std::set<unsigned> found;
  for (Operation *op : groups[which].ops)
    for (Value operand : op->getOperands()) {
      if (operand.getDefiningOp<ConstantOp>() || tensorType(operand).getNumElements() == 1)
        continue;
      unsigned count = 0;
      for (Operation *user : operand.getUsers()) {
        if (++count > most) break;
        if (int other = groupOf(user); other >= 0 && other != int(which) && !isAlias(other))
          found.insert(other);
      }
    }
  return SmallVector<unsigned>(found.begin(), found.end());
}

// The ops of both and every alias that lies between them.
SmallVector<Operation *> Groups::merged(unsigned a, unsigned b) const {
  auto isEarlier = [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); };
  SmallVector<Operation *> ops;
  ops.reserve(groups[a].ops.size() + groups[b].ops.size());
  std::merge(groups[a].ops.begin(), groups[a].ops.end(), groups[b].ops.begin(), groups[b].ops.end(),
             std::back_inserter(ops), isEarlier);
  // Those between ops of one group are in it.
  llvm::SmallSetVector<Operation *, 4> between;
  for (auto [reader, maker] : {std::pair(a, b), {b, a}}) {
    if (!is_contained(graph.before(reader), maker)) continue;
    for (Operation *op : groups[reader].ops)
      for (Value operand : op->getOperands()) {
        SmallVector<Operation *> chain;
        Operation *def = operand.getDefiningOp();
        for (int own; def && (own = groupOf(def)) >= 0 && isAlias(own);
             def = def->getOperand(0).getDefiningOp())
          chain.push_back(def);
        if (def && !chain.empty() && groupOf(def) == int(maker))
          between.insert(chain.begin(), chain.end());
      }
  }
  if (between.empty()) return ops;
  ops.append(between.begin(), between.end());
  llvm::sort(ops, isEarlier);
  return ops;
}

KernelBody Groups::bodyOf(ArrayRef<Operation *> ops) const {
  KernelBody body;
  llvm::SmallPtrSet<Operation *, 16> inside(ops.begin(), ops.end());
  llvm::SetVector<Operation *> constants;
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (auto constant = operand.getDefiningOp<ConstantOp>();
          constant && constant.getValue().isSplat())
        constants.insert(constant);
  body.ops.assign(constants.begin(), constants.end());
  body.ops.append(ops.begin(), ops.end());
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !inside.contains(user); }))
        body.outputs.push_back(result);
  return body;
}

const KernelBody &Groups::bodyOf(unsigned which) const {
  std::unique_ptr<KnownBody> &known = bodies[which];
  if (!known || known->version != groups[which].version)
    known =
        std::make_unique<KnownBody>(KnownBody{groups[which].version, bodyOf(groups[which].ops)});
  return known->body;
}
KernelBody Groups::bodyOf(unsigned a, unsigned b) const { return bodyOf(merged(a, b)); }

// The last group before `to` on a path through a third: the one that has to run in between.
int Groups::lastBetween(unsigned from, unsigned to) const {
  llvm::DenseSet<unsigned> seen;
  SmallVector<unsigned> work;
  auto push = [&](unsigned next) {
    if (next != to && next != from && seen.insert(next).second) work.push_back(next);
  };
  llvm::for_each(graph.after(from), push);
  while (!work.empty()) {
    unsigned third = work.pop_back_val();
    ArrayRef<unsigned> next = graph.after(third);
    if (is_contained(next, to)) return int(third);
    llvm::for_each(next, push);
  }
  return -1;
}

bool Groups::wouldCreateCycle(unsigned a, unsigned b) const {
  return graph.reachesThroughThird(a, b) || graph.reachesThroughThird(b, a);
}

int Groups::thirdBetween(unsigned a, unsigned b) const {
  if (graph.reachesThroughThird(a, b)) return lastBetween(a, b);
  return graph.reachesThroughThird(b, a) ? lastBetween(b, a) : -1;
}

void Groups::merge(unsigned a, unsigned b, KernelKind kind) {
  SmallVector<Operation *> ops = merged(a, b);
  for (Operation *op : ops) {
    unsigned &own = group[op];
    if (own == a) continue;
    if (own != b) groups[own].ops.clear(); // an alias
    own = a;
  }
  groups[b].ops.clear();
  groups[a].ops = std::move(ops);
  groups[a].kind = kind;
  groups[a].update |= groups[b].update;
  graph.merge(a, b);
  ++groups[a].version;
  ++groups[b].version;
}

std::vector<Group::Part> Groups::partsOf(unsigned which) const {
  if (groups[which].kind == KernelKind::Staged) return groups[which].parts;
  return {{groups[which].ops, groups[which].kind}};
}

std::vector<Stage> Groups::stagesOf(ArrayRef<unsigned> which) const {
  std::vector<Stage> stages;
  for (unsigned group : which)
    for (const Group::Part &part : partsOf(group)) stages.push_back({bodyOf(part.ops), part.kind});
  return stages;
}

std::optional<RefusedBecause> Groups::whyNotStages(std::array<unsigned, 2> which) const {
  KernelBody body = bodyOf(which[0], which[1]);
  for (Value output : body.outputs)
    if (output.getDefiningOp<ReshapeOp>())
      return RefusedBecause{Refusal::layout_differs,
                            "one result would be the same memory as another"};
  return ir::whyNotStages(stagesOf(which), runInOrder(which),
                          int64_t(body.inputs().size() + body.outputs.size()), targetOf(func));
}

// The other parts that each part reads from, through reshapes.
static std::vector<std::set<unsigned>> needsOf(ArrayRef<Group::Part> parts) {
  llvm::DenseMap<Operation *, unsigned> partOf;
  for (auto [number, part] : llvm::enumerate(parts))
    for (Operation *op : part.ops) partOf[op] = number;
  std::vector<std::set<unsigned>> needs(parts.size());
  for (auto [number, part] : llvm::enumerate(parts))
    for (Operation *op : part.ops)
      for (Value operand : op->getOperands()) {
        Operation *def = operand.getDefiningOp();
        while (def && !partOf.contains(def) && isa<ReshapeOp>(def))
          def = def->getOperand(0).getDefiningOp();
        if (auto it = partOf.find(def); def && it != partOf.end() && it->second != number)
          needs[number].insert(it->second);
      }
  return needs;
}

bool Groups::runInOrder(ArrayRef<unsigned> which) const {
  std::vector<Group::Part> parts;
  for (unsigned group : which) llvm::append_range(parts, partsOf(group));
  return llvm::any_of(needsOf(parts),
                      [](const std::set<unsigned> &needs) { return !needs.empty(); });
}

// Producers first; the groups that the parts were have no cycle.
void Groups::sortParts(std::vector<Group::Part> &parts) const {
  std::vector<std::set<unsigned>> needs = needsOf(parts);
  std::vector<Group::Part> sorted;
  std::set<unsigned> done;
  while (sorted.size() < parts.size())
    for (unsigned number = 0; number < parts.size(); ++number) {
      if (done.contains(number) ||
          !std::includes(done.begin(), done.end(), needs[number].begin(), needs[number].end()))
        continue;
      done.insert(number);
      sorted.push_back(parts[number]);
      break;
    }
  parts = std::move(sorted);
}

void Groups::mergeAsStages(unsigned a, unsigned b) {
  std::vector<Group::Part> parts = partsOf(a);
  llvm::append_range(parts, partsOf(b));
  sortParts(parts);
  merge(a, b, KernelKind::Staged);
  groups[a].parts = std::move(parts);
}

SmallVector<unsigned> Groups::inExecutionOrder() const {
  // Here aliases are nodes of their own: direct operands only.
  std::vector<std::set<unsigned>> users(groups.size());
  std::vector<unsigned> waiting(groups.size(), 0);
  for (unsigned which = 0; which < groups.size(); ++which)
    for (Operation *op : groups[which].ops)
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp())
          if (int producer = groupOf(def); producer >= 0 && producer != int(which))
            waiting[which] += users[producer].insert(which).second;
  auto later = [&](unsigned x, unsigned y) {
    return groups[y].ops.front()->isBeforeInBlock(groups[x].ops.front());
  };
  std::priority_queue<unsigned, std::vector<unsigned>, decltype(later)> ready(later);
  for (unsigned which = 0; which < groups.size(); ++which)
    if (isAlive(which) && waiting[which] == 0) ready.push(which);
  SmallVector<unsigned> order;
  while (!ready.empty()) {
    unsigned which = ready.top();
    ready.pop();
    order.push_back(which);
    for (unsigned user : users[which])
      if (--waiting[user] == 0) ready.push(user);
  }
  return order;
}

} // namespace sinter::passes::fusion
