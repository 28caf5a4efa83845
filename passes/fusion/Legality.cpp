#include "sinter/passes/fusion/Legality.h"

#include "sinter/passes/fusion/LedgerAttribute.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

// The kinds that could hold `body`, the simpler one first: what its ops are leaves little choice.
static SmallVector<KernelKind> kindsFor(const KernelBody &body) {
  bool reduces = false;
  for (Operation *op : body.ops) {
    if (isa<ContractionOpInterface>(op)) return {KernelKind::Contraction};
    if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Scatter)
      return {KernelKind::Scatter};
    if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Loop) return {KernelKind::Scan};
    if (cast<FusibleOpInterface>(op).getFusionKind() == FusionKind::Attention)
      return {KernelKind::Attention};
    reduces |= isa<ReductionOpInterface>(op);
  }
  if (reduces) return {KernelKind::Reduction, KernelKind::Row};
  return {KernelKind::Pointwise};
}

static std::optional<RefusedBecause> whyNotAny(const KernelBody &body, TargetAttr target,
                                               KernelKind &kind) {
  std::optional<RefusedBecause> refused;
  for (KernelKind candidate : kindsFor(body)) {
    kind = candidate;
    refused = whyNot(body, candidate, target);
    if (!refused) return std::nullopt;
  }
  return refused;
}

// What a contraction may compute in its loads although they want the same element several times:
// moving of indices and single functions of one operand.
static bool isCheapLoad(Operation *op, const CostModel &costs) {
  auto fusible = cast<FusibleOpInterface>(op);
  if (fusible.getFusionKind() == FusionKind::View)
    return isa<ConstantOp, ReshapeOp>(op) || !fusible.getIndexingMaps().empty();
  return fusible.getFusionKind() == FusionKind::Pointwise && op->getNumOperands() == 1 &&
         costs.operationsPerElement(op) <= 1;
}

const Legality::Known &Legality::of(unsigned group) const {
  known.resize(groups.size());
  Known &entry = known[group];
  if (entry.version == groups[group].version) return entry;
  const KernelBody &body = groups.bodyOf(group);
  Evaluated times = costs.evaluations(body, groups[group].kind);
  entry = {groups[group].version, costs.bytesOf(body), costs.repeatedOperations(body, times),
           costs.costOf(body, times)};
  return entry;
}

std::optional<RefusedBecause> Legality::heavyWork(unsigned a, unsigned b, const KernelBody &body,
                                                  KernelKind kind, const Evaluated &times) const {
  if (kind == KernelKind::Attention) {
    for (Operation *op : body.ops)
      if (cast<FusibleOpInterface>(op).getFusionKind() != FusionKind::Attention &&
          times.lookup(op) > 1.01 * double(tensorType(op->getResult(0)).getNumElements()) &&
          !isCheapLoad(op, costs))
        return RefusedBecause{
            Refusal::would_duplicate_heavy_work,
            (op->getName().stripDialect() + " would be computed for each head or row").str()};
  }
  if (kind == KernelKind::Contraction) {
    // From the contraction upwards: a constant may have users all over the function.
    llvm::SmallPtrSet<Operation *, 16> inLoads;
    auto loadsOf = [&](Operation *op) {
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp()) inLoads.insert(def);
    };
    for (Operation *op : body.ops)
      if (isa<ContractionOpInterface>(op)) loadsOf(op);
    for (Operation *op : llvm::reverse(body.ops)) {
      if (!inLoads.contains(op)) continue;
      loadsOf(op);
      if (!isCheapLoad(op, costs) &&
          times.lookup(op) > 1.01 * double(tensorType(op->getResult(0)).getNumElements()))
        return RefusedBecause{
            Refusal::would_duplicate_heavy_work,
            (op->getName().stripDialect() + " would be computed at each load of the contraction")
                .str()};
    }
  }
  double repeated = costs.repeatedOperations(body, times) - (of(a).repeated + of(b).repeated);
  double saved = double(of(a).bytes + of(b).bytes - costs.bytesOf(body));
  if (repeated > 0 && repeated > (saved + costs.launch) * costs.operationsPerByte)
    return RefusedBecause{Refusal::would_duplicate_heavy_work,
                          std::to_string(int64_t(repeated)) + " operations again to save " +
                              std::to_string(int64_t(saved)) + " bytes"};
  return std::nullopt;
}

std::optional<RefusedBecause> Legality::cycle(unsigned a, unsigned b) const {
  int third = groups.thirdBetween(a, b);
  if (third < 0) return std::nullopt;
  Operation *between = groups[third].ops.back();
  if (groups.isBarrier(third))
    return RefusedBecause{Refusal::barrier,
                          "a fusion_barrier stands between, " + shortLine(between->getLoc())};
  return RefusedBecause{Refusal::would_create_cycle,
                        ("the kernel of " + between->getName().stripDialect() + " lies between, " +
                         shortLine(between->getLoc()))
                            .str()};
}

std::optional<RefusedBecause> Legality::keepsMore(unsigned a, unsigned b) const {
  if (!saveMemory || !groups.connected(a, b)) return std::nullopt;
  auto isMadeBy = [&](Value value, unsigned group) {
    return groups.producerOf(value) == int(group);
  };
  SmallVector<Value> ofA = groups.bodyOf(a).inputs(), ofB = groups.bodyOf(b).inputs();
  bool aFirst = llvm::any_of(ofB, [&](Value value) { return isMadeBy(value, a); });
  unsigned producer = aFirst ? a : b;
  const SmallVector<Value> &read = aFirst ? ofA : ofB, &wanted = aFirst ? ofB : ofA;
  int64_t kept = 0, handed = 0; // parameters and inputs stay anyway
  for (Value value : read)
    if (groups.producerOf(value) >= 0 && !is_contained(wanted, value))
      kept += fusion::bytesOf(value);
  for (Value value : wanted)
    if (isMadeBy(value, producer)) handed += fusion::bytesOf(value);
  if (kept <= handed) return std::nullopt;
  return RefusedBecause{Refusal::over_budget, std::to_string(kept) +
                                                  " bytes would be kept instead of " +
                                                  std::to_string(handed)};
}

std::variant<KernelKind, RefusedBecause> Legality::check(unsigned a, unsigned b) const {
  if (groups.isBarrier(a) || groups.isBarrier(b))
    return RefusedBecause{Refusal::barrier, "a fusion_barrier is no part of a kernel"};
  if (groups[a].update || groups[b].update)
    return RefusedBecause{Refusal::is_output_of_other_kind,
                          "the optimiser update is a kernel of its own"};
  KernelBody body = groups.bodyOf(a, b);
  if (groups[a].kind == KernelKind::Staged || groups[b].kind == KernelKind::Staged) {
    KernelKind whole;
    if (auto refused = whyNotAny(body, target, whole)) return *refused;
    if (auto refused = whyNotStages(groups.stagesOf({a, b}), groups.runInOrder({a, b}),
                                    body.inputs().size() + body.outputs.size(), target))
      return *refused;
    if (auto refused = cycle(a, b)) return *refused;
    return RefusedBecause{Refusal::is_output_of_other_kind,
                          "stages of one launch take in nothing that is no stage"};
  }
  KernelKind kind;
  if (std::optional<RefusedBecause> refused = whyNotAny(body, target, kind)) {
    // Would it be one kernel if only the later group's results were wanted?
    KernelBody consumerOnly = body;
    const KernelBody &later = groups.bodyOf(b);
    llvm::erase_if(consumerOnly.outputs,
                   [&](Value output) { return !is_contained(later.outputs, output); });
    KernelKind ignored;
    if (consumerOnly.outputs.size() < body.outputs.size() &&
        !whyNotAny(consumerOnly, target, ignored))
      return RefusedBecause{Refusal::multiple_uses,
                            "the producer is needed elsewhere, too; " + refused->detail};
    return *refused;
  }
  if (auto refused = heavyWork(a, b, body, kind, costs.evaluations(body, kind))) return *refused;
  if (auto refused = cycle(a, b)) return *refused;
  if (auto refused = keepsMore(a, b)) return *refused;
  return kind;
}

std::optional<KernelKind> Legality::kindOf(unsigned a, unsigned b, const KernelBody &body,
                                           Evaluated &times) const {
  KernelKind kind;
  if (whyNotAny(body, target, kind)) return std::nullopt;
  times = costs.evaluations(body, kind);
  if (heavyWork(a, b, body, kind, times) || groups.wouldCreateCycle(a, b) || keepsMore(a, b))
    return std::nullopt;
  return kind;
}

bool Legality::isClosed(unsigned group) const {
  return groups.isBarrier(group) || groups[group].update ||
         groups[group].kind == KernelKind::Staged;
}

std::optional<KernelKind> Legality::kindOf(unsigned a, unsigned b) const {
  if (isClosed(a) || isClosed(b)) return std::nullopt;
  Evaluated times;
  return kindOf(a, b, groups.bodyOf(a, b), times);
}

std::optional<Legality::Joined> Legality::join(unsigned a, unsigned b) const {
  if (isClosed(a) || isClosed(b)) return std::nullopt;
  KernelBody body = groups.bodyOf(a, b);
  Evaluated times;
  std::optional<KernelKind> kind = kindOf(a, b, body, times);
  if (!kind) return std::nullopt;
  double cost = costs.costOf(body, times);
  return Joined{*kind, cost, of(a).cost + of(b).cost - cost};
}

std::optional<double> Legality::costOfAbsorbing(unsigned reader, unsigned producer) const {
  if (groups[reader].update || groups[producer].update || keepsMore(producer, reader))
    return std::nullopt;
  KernelBody body = groups.bodyOf(producer, reader);
  const KernelBody &own = groups.bodyOf(reader);
  llvm::erase_if(body.outputs, [&](Value output) { return !is_contained(own.outputs, output); });
  KernelKind kind;
  if (whyNotAny(body, target, kind)) return std::nullopt;
  Evaluated times = costs.evaluations(body, kind);
  if (heavyWork(producer, reader, body, kind, times)) return std::nullopt;
  return costs.costOf(body, times) - of(reader).cost;
}

} // namespace sinter::passes::fusion
