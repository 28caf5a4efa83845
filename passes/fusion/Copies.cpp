#include "sinter/passes/fusion/Copies.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

// A producer with more ops or readers than this is computed once.
static constexpr size_t maxProducerOps = 16, maxReaders = 3;
static constexpr unsigned maxScalarOps = 3;

// Whether computing the op again costs nothing: it only maps indices.
static bool isFree(Operation *op) {
  auto fusible = dyn_cast<FusibleOpInterface>(op);
  if (!fusible || fusible.getFusionKind() != FusionKind::View || isa<ConstantOp, ReshapeOp>(op) ||
      !isa<ElementOpInterface>(op))
    return false;
  return op->getNumOperands() == 0 || !fusible.getIndexingMaps().empty();
}

// How many ops make `value` from arguments, where all are arithmetic on single elements and no more than `most`.
static std::optional<unsigned> scalarOps(Value value, unsigned most) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<ConstantOp>(op)) return 0;
  auto fusible = dyn_cast<FusibleOpInterface>(op);
  if (most == 0 || !fusible || fusible.getFusionKind() != FusionKind::Pointwise ||
      tensorType(value).getNumElements() != 1)
    return std::nullopt;
  unsigned count = 1;
  for (Value operand : op->getOperands()) {
    std::optional<unsigned> more = scalarOps(operand, most - count);
    if (!more) return std::nullopt;
    count += *more;
  }
  return count;
}

// A scalar that several kernels spread over their elements: who waits for one kernel to make it would wait for
// all else that this one reads.
bool Copies::isSpreadScalar(Operation *op) const {
  if (op->getNumResults() != 1 || scalarOps(op->getResult(0), maxScalarOps).value_or(0) == 0)
    return false;
  return llvm::count_if(op->getUsers(), [&](Operation *user) {
           return isa<BroadcastOp>(user) || freeOps.contains(user);
         }) > 1;
}

void Copies::copyFreeOps() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front()))) {
    if (!isFree(&op) && !isSpreadScalar(&op)) continue;
    llvm::SmallSetVector<Operation *, 4> readers;
    for (Operation *user : op.getUsers()) readers.insert(user);
    SmallVector<Operation *> ordered = readers.takeVector();
    llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    for (Operation *user : llvm::drop_begin(ordered)) {
      if (user->hasTrait<OpTrait::IsTerminator>()) continue;
      Operation *copy = op.clone();
      op.getBlock()->getOperations().insertAfter(op.getIterator(), copy);
      user->replaceUsesOfWith(op.getResult(0), copy->getResult(0));
      freeOps[copy] = &op;
      note(copy, &op);
    }
  }
}

// A matrix unit's asynchronous and bulk copies take numbers from memory as they lie there: weights are cast once, for
// all products with them.
static bool isForMatrixUnit(const Groups &groups, unsigned producer, ArrayRef<unsigned> readers) {
  TargetAttr target = targetOf(groups.function());
  if (!target || target.getKind() != "cuda" || target.getMatrix() == "none") return false;
  return llvm::all_of(groups[producer].ops,
                      [](Operation *op) {
                        return isa<CastOp>(op) && isa<BlockArgument>(op->getOperand(0));
                      }) &&
         llvm::all_of(readers, [&](unsigned reader) {
           return groups[reader].kind == KernelKind::Contraction;
         });
}

bool Copies::copyProducers(const Groups &groups, const Legality &legality) {
  struct Plan {
    Producer producer;
    std::vector<SmallVector<Operation *>> readers;
  };
  std::vector<Plan> plans;
  llvm::DenseSet<unsigned> involved; // one change at a time to a kernel
  for (unsigned group = 0; group < groups.size(); ++group) {
    if (!groups.isKernel(group) || groups[group].update ||
        groups[group].kind != KernelKind::Pointwise || groups[group].ops.size() > maxProducerOps ||
        involved.contains(group))
      continue;
    SmallVector<unsigned> readers = groups.consumersOf(group);
    if (readers.size() < 2 || readers.size() > maxReaders ||
        isForMatrixUnit(groups, group, readers))
      continue;
    // Only direct readers in the function: no alias, no result.
    const KernelBody &body = groups.bodyOf(group);
    bool direct = llvm::all_of(body.outputs, [&](Value output) {
      return llvm::all_of(output.getUsers(), [&](Operation *user) {
        return groups.groupOf(user) >= 0 && !groups.isAlias(groups.groupOf(user));
      });
    });
    double gain = legality.costOf(group);
    bool all = direct && llvm::all_of(readers, [&](unsigned reader) {
                 if (involved.contains(reader)) return false;
                 std::optional<double> more = legality.costOfAbsorbing(reader, group);
                 if (more) gain -= *more;
                 return more.has_value();
               });
    if (!all || gain <= 0) continue;
    Plan plan;
    plan.producer.ops = groups[group].ops;
    for (unsigned reader : readers) plan.readers.push_back(groups[reader].ops);
    plans.push_back(std::move(plan));
    involved.insert(group);
    involved.insert(readers.begin(), readers.end());
  }
  for (Plan &plan : plans) {
    for (ArrayRef<Operation *> readers : llvm::drop_begin(plan.readers))
      copyFor(plan.producer, readers);
    producers.push_back(std::move(plan.producer));
  }
  return !plans.empty();
}

void Copies::copyFor(Producer &producer, ArrayRef<Operation *> readers) {
  IRMapping map;
  Copied copied;
  for (Operation *op : producer.ops) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    copied.emplace_back(builder.clone(*op, map), op);
    note(copied.back().first, op);
  }
  for (Operation *reader : readers)
    for (OpOperand &operand : reader->getOpOperands())
      operand.set(map.lookupOrDefault(operand.get()));
  producer.copies.push_back(std::move(copied));
}

bool Copies::dropUnused(const Groups &groups) {
  SmallVector<Operation *> dead;
  // A free op: all copies that stayed alone become one.
  llvm::MapVector<Operation *, Operation *> kept;
  auto isAlone = [&](Operation *op) { return groups[groups.groupOf(op)].ops.size() == 1; };
  for (auto [copy, original] : freeOps) {
    if (!isAlone(copy)) continue;
    Operation *&representative = kept[original];
    if (!representative) representative = isAlone(original) ? original : copy;
    if (representative == copy || representative->getOperands() != copy->getOperands()) continue;
    if (copy->isBeforeInBlock(representative)) representative->moveBefore(copy);
    copy->replaceAllUsesWith(representative);
    dead.push_back(copy);
  }
  for (Operation *op : dead) freeOps.erase(op);
  // A producer: all of its copies were taken, and the original too, or it is one kernel again.
  llvm::erase_if(producers, [&](const Producer &producer) {
    // By a reader: copies that only joined one another are one kernel, too.
    llvm::SmallPtrSet<Operation *, 16> own(producer.ops.begin(), producer.ops.end());
    for (const Copied &copied : producer.copies)
      for (auto [copy, original] : copied) own.insert(copy);
    auto taken = [&](Operation *op) {
      return llvm::any_of(groups[groups.groupOf(op)].ops,
                          [&](Operation *other) { return !own.contains(other); });
    };
    if (taken(producer.ops.front()) && llvm::all_of(producer.copies, [&](const Copied &copied) {
          return taken(copied.front().first);
        }))
      return false;
    for (const Copied &copied : producer.copies)
      for (auto [copy, original] : llvm::reverse(copied)) {
        copy->replaceAllUsesWith(original);
        dead.push_back(copy);
      }
    return true;
  });
  for (Operation *op : dead) {
    originOf.erase(op);
    op->erase();
  }
  return !dead.empty();
}

} // namespace sinter::passes::fusion
