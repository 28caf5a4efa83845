#include "sinter/passes/fusion/RecordLedger.h"

#include "sinter/passes/fusion/Explain.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

#include <map>
#include <tuple>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

LedgerOps::LedgerOps(func::FuncOp func) {
  AsmState state(func);
  for (Operation &op : func.getBody().front()) {
    if (op.getNumResults() == 0) continue;
    std::string name;
    llvm::raw_string_ostream os(name);
    op.getResult(0).printAsOperand(os, state);
    names[&op] = name.substr(0, name.find('#'));
  }
}

void LedgerOps::inherit(Operation *part, Operation *whole) { names[part] = names.lookup(whole); }

// "8x32xf32"
static std::string typeText(Value value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (int64_t extent : shapeOf(value)) os << extent << 'x';
  os << elementOf(value);
  return text;
}

// The module's path and whether autodiff made the op, from the names around the first line.
static void readPlace(Location loc, LedgerOp &into) {
  into.line = sourceLine(loc);
  loc->walk([&](Location part) {
    if (isa<FileLineColLoc>(part)) return WalkResult::interrupt();
    if (auto name = dyn_cast<NameLoc>(part)) {
      if (name.getName() == "gradient")
        into.gradient = true;
      else if (into.path.empty())
        into.path = name.getName().str();
    }
    return WalkResult::advance();
  });
}

void LedgerOps::number(func::FuncOp func) {
  for (Operation &op : func.getBody().front()) {
    if (!isa<FusibleOpInterface>(op) || isa<ConstantOp, ReshapeOp, FusionBarrierOp>(op)) continue;
    ids[&op] = all.size();
    LedgerOp entry;
    entry.value = names.lookup(&op);
    entry.op = op.getName().stripDialect().str();
    entry.type = typeText(op.getResult(0));
    readPlace(op.getLoc(), entry);
    all.push_back(std::move(entry));
    locations.push_back(op.getLoc());
  }
}

int LedgerOps::idOf(Operation *op) const {
  auto it = ids.find(op);
  return it == ids.end() ? -1 : int(it->second);
}

Value LedgerOps::sourceOf(Value value, Operation **barrier) {
  while (Operation *def = value.getDefiningOp()) {
    if (!isa<ReshapeOp, FusionBarrierOp>(def)) break;
    if (barrier && !*barrier && isa<FusionBarrierOp>(def)) *barrier = def;
    value = def->getOperand(0);
  }
  return value;
}

namespace {

class Recorder {
public:
  Recorder(const Groups &groups, const Legality &legality, const LedgerOps &ops,
           const llvm::DenseMap<Operation *, Operation *> &origins,
           const llvm::DenseMap<unsigned, std::string> &kernelNames)
      : groups(groups), legality(legality), ops(ops), origins(origins), kernelNames(kernelNames) {}

  Ledger run() {
    func::FuncOp func = groups.function();
    ledger.function = func.getName().str();
    ledger.ops = ops.ops();
    for (Operation &op : func.getBody().front()) visit(&op);
    llvm::stable_sort(ledger.edges,
                      [](const LedgerEdge &a, const LedgerEdge &b) { return a.to < b.to; });
    return std::move(ledger);
  }

private:
  int idOf(Operation *op) const {
    auto origin = origins.find(op);
    return ops.idOf(origin == origins.end() ? op : origin->second);
  }

  static void add(std::vector<std::string> &names, const std::string &name) {
    if (!llvm::is_contained(names, name)) names.push_back(name);
  }

  void visit(Operation *op) {
    int to = idOf(op);
    if (to < 0) return;
    unsigned group = groups.groupOf(op);
    add(ledger.ops[to].kernels, kernelNames.lookup(group));
    // Operands that show one value are one edge; a way round the barrier does not make it another.
    llvm::MapVector<Value, Operation *> sources;
    for (Value operand : op->getOperands()) {
      Operation *barrier = nullptr;
      Value source = LedgerOps::sourceOf(operand, &barrier);
      auto inserted = sources.insert({source, barrier});
      if (!inserted.second && barrier) inserted.first->second = barrier;
    }
    for (auto [source, barrier] : sources)
      if (Operation *def = source.getDefiningOp(); def && idOf(def) >= 0)
        note(source, def, barrier, unsigned(to), group);
  }

  void note(Value source, Operation *def, Operation *barrier, unsigned to, unsigned group) {
    unsigned from = unsigned(idOf(def)), result = cast<OpResult>(source).getResultNumber();
    auto [place, isNew] = places.try_emplace(std::tuple(from, result, to), ledger.edges.size());
    if (isNew) {
      ledger.edges.emplace_back();
      ledger.edges.back().from = from;
      ledger.edges.back().to = to;
      ledger.edges.back().result = result;
      ledger.edges.back().bytes = fusion::bytesOf(source);
      ledger.edges.back().fused = true;
    }
    LedgerEdge &edge = ledger.edges[place->second];
    unsigned producer = groups.groupOf(def);
    if (!edge.fused) return; // one copy that reads from memory is enough
    if (producer == group) return add(edge.kernels, kernelNames.lookup(group));
    refuse(edge, producer, group, barrier);
  }

  void refuse(LedgerEdge &edge, unsigned producer, unsigned consumer, Operation *barrier) {
    edge.fused = false;
    edge.kernels.clear();
    RefusedBecause why =
        barrier ? RefusedBecause{Refusal::barrier, ""} : whyApart(legality, producer, consumer);
    if (barrier) why.detail = "a fusion_barrier stands between, " + shortLine(barrier->getLoc());
    edge.code = nameOf(why.code).str();
    edge.detail = why.detail;
    edge.costApart = legality.costOf(producer) + legality.costOf(consumer);
    if (auto joined = legality.join(producer, consumer)) edge.costTogether = joined->cost;
  }

  const Groups &groups;
  const Legality &legality;
  const LedgerOps &ops;
  const llvm::DenseMap<Operation *, Operation *> &origins;
  const llvm::DenseMap<unsigned, std::string> &kernelNames;
  Ledger ledger;
  std::map<std::tuple<unsigned, unsigned, unsigned>, size_t> places;
};

} // namespace

Ledger recordLedger(const Groups &groups, const Legality &legality, const LedgerOps &ops,
                    const llvm::DenseMap<Operation *, Operation *> &origins,
                    const llvm::DenseMap<unsigned, std::string> &kernelNames) {
  return Recorder(groups, legality, ops, origins, kernelNames).run();
}

void emitRemarks(const Ledger &ledger, const LedgerOps &ops) {
  // The engine keeps references to the names: they are the refusals' own, or the context's.
  if (ops.ops().empty() || !ops.locationOf(0)->getContext()->getRemarkEngine()) return;
  StringAttr function = StringAttr::get(ops.locationOf(0)->getContext(), ledger.function);
  for (const LedgerEdge &edge : ledger.edges) {
    StringRef name = "fused";
    for (Refusal refusal : allRefusals())
      if (nameOf(refusal) == edge.code) name = nameOf(refusal);
    auto opts =
        remark::RemarkOpts::name(name).category("sinter-fusion").function(function.getValue());
    Location at = ops.locationOf(edge.to);
    remark::detail::InFlightRemark remark =
        edge.fused ? remark::passed(at, opts) : remark::missed(at, opts);
    if (!remark) continue;
    const LedgerOp &producer = ledger.ops[edge.from], &consumer = ledger.ops[edge.to];
    remark << explain::sentence(ledger, edge)
           << remark::detail::Remark::Arg("Producer", StringRef(producer.op))
           << remark::detail::Remark::Arg("ProducerLine", StringRef(producer.line))
           << remark::detail::Remark::Arg("Consumer", StringRef(consumer.op))
           << remark::detail::Remark::Arg("ConsumerLine", StringRef(consumer.line))
           << remark::detail::Remark::Arg("Bytes", edge.bytes);
    if (edge.fused)
      remark << remark::detail::Remark::Arg("Kernel", StringRef(edge.kernels.front()));
  }
}

} // namespace sinter::passes::fusion
