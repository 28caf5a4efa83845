#include "sinter/ir/KernelKinds.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

namespace sinter::ir {

static FusionKind fusionKind(Operation *op) { return cast<FusibleOpInterface>(op).getFusionKind(); }

SmallVector<KernelBody> componentsOf(const KernelBody &body) {
  llvm::SmallDenseMap<Operation *, unsigned> number;
  llvm::EquivalenceClasses<unsigned> classes;
  for (auto [index, op] : llvm::enumerate(body.ops)) {
    number[op] = index;
    classes.insert(index);
    for (Value operand : op->getOperands())
      if (auto it = number.find(operand.getDefiningOp());
          operand.getDefiningOp() && it != number.end())
        classes.unionSets(index, it->second);
  }
  SmallVector<KernelBody> components;
  llvm::SmallDenseMap<unsigned, unsigned> componentOf;
  for (auto [index, op] : llvm::enumerate(body.ops)) {
    auto [it, isNew] = componentOf.try_emplace(classes.getLeaderValue(index), components.size());
    if (isNew) components.emplace_back();
    components[it->second].ops.push_back(op);
  }
  for (Value output : body.outputs)
    if (auto it = number.find(output.getDefiningOp()); output.getDefiningOp() && it != number.end())
      components[componentOf[classes.getLeaderValue(it->second)]].outputs.push_back(output);
  return components;
}

// Whether `value` is `input` or is computed from it inside the kernel.
static bool dependsOn(Value value, Value input, const llvm::SmallPtrSetImpl<Operation *> &inside) {
  llvm::SmallPtrSet<Value, 16> seen;
  SmallVector<Value> work{value};
  while (!work.empty()) {
    Value next = work.pop_back_val();
    if (next == input) return true;
    Operation *def = next.getDefiningOp();
    if (def && inside.contains(def) && seen.insert(next).second)
      work.append(def->operand_begin(), def->operand_end());
  }
  return false;
}

// In a row kernel every pass over a row has ended before its last one, which writes what has the
// domain's shape: the input may be folded, and read at the very element in pointwise ops.
static bool readsOwnRowOnly(const KernelBody &body, Value written, Value input) {
  llvm::SmallPtrSet<Operation *, 16> inside(body.ops.begin(), body.ops.end());
  bool isDomain = llvm::any_of(body.ops, [&](Operation *op) {
    return isa<ReductionOpInterface>(op) && shapeOf(op->getOperand(0)) == shapeOf(written);
  });
  llvm::SmallPtrSet<Value, 16> seen;
  SmallVector<Value> work{input};
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second) continue;
    for (Operation *user : value.getUsers()) {
      if (!inside.contains(user) || isa<ReductionOpInterface>(user)) continue;
      if (fusionKind(user) != FusionKind::Pointwise ||
          shapeOf(user->getResult(0)) != shapeOf(written))
        return false;
      work.push_back(user->getResult(0));
    }
  }
  return isDomain;
}

// Stages run one after another: those that read the input are done when the output is written, but for
// the one that writes it.
static bool maySharePerStage(Value written, Value input) {
  auto writer = written.getDefiningOp<FusedOp>();
  if (!writer) return false;
  for (Operation *user : input.getUsers())
    if (!isa<FusedOp>(user) || writer->isBeforeInBlock(user)) return false;
  // Side by side, no stage is done before another.
  if (!runInOrder(*writer->getBlock()) &&
      llvm::any_of(input.getUsers(), [&](Operation *user) { return user != writer; }))
    return false;
  int64_t reads = llvm::count(writer.getInputs(), input);
  if (reads != 1) return reads == 0;
  auto operand = llvm::find(writer.getInputs(), input) - writer.getInputs().begin();
  Block &stage = writer.getBody().front();
  return mayShareStorage(KernelBody::of(stage), *kindOf(writer.getSchedule()),
                         cast<OpResult>(written).getResultNumber(), stage.getArgument(operand));
}

bool mayShareStorage(const KernelBody &body, KernelKind kind, unsigned output, Value input) {
  Value written = body.outputs[output];
  if (input.getType() != written.getType() || kind == KernelKind::Scatter ||
      kind == KernelKind::Scan || kind == KernelKind::Custom)
    return false;
  if (kind == KernelKind::Staged) return maySharePerStage(written, input);
  if (kind == KernelKind::Row) return readsOwnRowOnly(body, written, input);
  // Values that are computed at the very point that writes the output: back from the outputs through
  // pointwise ops of the same shape. Everything else may read any element.
  llvm::SmallPtrSet<Value, 16> atPoint;
  SmallVector<Value> work;
  for (Value other : body.outputs)
    if (shapeOf(other) == shapeOf(written)) work.push_back(other);
  llvm::SmallPtrSet<Operation *, 16> inside(body.ops.begin(), body.ops.end());
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *def = value.getDefiningOp();
    if (!atPoint.insert(value).second || !def || !inside.contains(def) ||
        fusionKind(def) != FusionKind::Pointwise)
      continue;
    for (Value operand : def->getOperands())
      if (shapeOf(operand) == shapeOf(written)) work.push_back(operand);
  }
  for (Operation *op : body.ops)
    for (Value operand : op->getOperands())
      if (operand == input &&
          !(fusionKind(op) == FusionKind::Pointwise && atPoint.contains(op->getResult(0)) &&
            shapeOf(op->getResult(0)) == shapeOf(written)))
        return false;
  // An op at the point that is also read elsewhere (through a view, a window, a reduction) would read
  // the input again at another element.
  for (Operation *op : body.ops)
    for (Value operand : op->getOperands())
      if (fusionKind(op) != FusionKind::Pointwise && dependsOn(operand, input, inside))
        return false;
  if (kind != KernelKind::Update) return true;
  // Components of an update run one after another or at once: the input belongs to one of them alone.
  unsigned users = 0;
  bool own = false;
  for (const KernelBody &component : componentsOf(body))
    if (is_contained(component.inputs(), input)) {
      ++users;
      own |= is_contained(component.outputs, written);
    }
  return users == 1 && own;
}

} // namespace sinter::ir
