#include "sinter/ir/KernelStorage.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

namespace sinter::ir {

static FusionKind fusionKind(Operation *op) { return cast<FusibleOpInterface>(op).getFusionKind(); }

SmallVector<KernelBody> componentsOf(const KernelBody &body) {
  llvm::SmallDenseMap<Operation *, unsigned> number;
  for (auto [index, op] : llvm::enumerate(body.ops)) number[op] = index;
  auto indexOf = [&](Value value) {
    Operation *def = value.getDefiningOp();
    auto it = def ? number.find(def) : number.end();
    return it == number.end() ? -1 : int(it->second);
  };
  // A constant, arithmetic on scalars from outside, and such a scalar spread out is what each makes for itself:
  // it connects nothing.
  std::vector<bool> free;
  for (Operation *op : body.ops)
    free.push_back(isa<ConstantOp>(op) || (isa<BroadcastOp, ScalarOpInterface>(op) &&
                                           llvm::all_of(op->getOperands(), [&](Value operand) {
                                             int other = indexOf(operand);
                                             return tensorType(operand).getRank() == 0 &&
                                                    (other < 0 || free[size_t(other)]);
                                           })));
  llvm::EquivalenceClasses<unsigned> classes;
  for (Value output : body.outputs)
    if (int index = indexOf(output); index >= 0) classes.insert(unsigned(index));
  for (auto [index, op] : llvm::enumerate(body.ops)) {
    if (free[index]) continue;
    classes.insert(index);
    for (Value operand : op->getOperands())
      if (int other = indexOf(operand); other >= 0 && !free[size_t(other)])
        classes.unionSets(index, unsigned(other));
  }
  SmallVector<SmallVector<unsigned>> members;
  llvm::SmallDenseMap<unsigned, unsigned> componentOf;
  for (auto [index, op] : llvm::enumerate(body.ops)) {
    auto leader = classes.findLeader(index);
    if (leader == classes.member_end()) continue;
    auto [it, isNew] = componentOf.try_emplace(*leader, members.size());
    if (isNew) members.emplace_back();
    for (SmallVector<Operation *> work{op}; !work.empty();) {
      Operation *next = work.pop_back_val();
      members[it->second].push_back(number.lookup(next));
      for (Value operand : next->getOperands())
        if (int other = indexOf(operand); other >= 0 && free[size_t(other)])
          work.push_back(body.ops[size_t(other)]);
    }
  }
  SmallVector<KernelBody> components(members.size());
  for (auto [component, indices] : llvm::zip(components, members)) {
    llvm::sort(indices);
    indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
    for (unsigned index : indices) component.ops.push_back(body.ops[index]);
  }
  for (Value output : body.outputs)
    if (int index = indexOf(output); index >= 0)
      components[componentOf[classes.getLeaderValue(unsigned(index))]].outputs.push_back(output);
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

static bool mayShareAtPoint(const KernelBody &body, Value written, Value input);

// Whether a kernel of one row, which has a last pass for nothing, has read all when it writes what it makes once
// a row; so has every thread of a block then, if they are more than a warp.
static bool readsBeforeRowIsWritten(const KernelBody &body) {
  llvm::SmallPtrSet<Operation *, 16> after; // reductions
  Value domain;
  for (Operation *op : body.ops) {
    bool waits = llvm::any_of(op->getOperands(),
                              [&](Value value) { return after.contains(value.getDefiningOp()); });
    bool reduces = isa<ReductionOpInterface>(op);
    if (reduces && (waits || tensorType(op->getResult(0)).getNumElements() != 1)) return false;
    if (reduces) domain = op->getOperand(0);
    if (reduces || waits) after.insert(op);
  }
  constexpr int64_t moreThanAWarp = 64;
  return domain && tensorType(domain).getNumElements() >= moreThanAWarp &&
         llvm::none_of(body.outputs, [&](Value output) {
           return shapeOf(output) == shapeOf(domain) && after.contains(output.getDefiningOp());
         });
}

// In a row kernel every pass over a row has ended before its last one, which writes what has the
// domain's shape: the input may be folded, and read at the very element in pointwise ops. What is written once
// a row comes before that pass: the input may be read for that, and for nothing else where there is one.
static bool readsOwnRowOnly(const KernelBody &body, Value written, Value input) {
  llvm::SmallPtrSet<Operation *, 16> inside(body.ops.begin(), body.ops.end());
  bool isDomain = llvm::any_of(body.ops, [&](Operation *op) {
    return isa<ReductionOpInterface>(op) && shapeOf(op->getOperand(0)) == shapeOf(written);
  });
  if (!isDomain) return mayShareAtPoint(body, written, input) || readsBeforeRowIsWritten(body);
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
  return true;
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

// A kernel of one loop nest: everything happens at the points of one shape.
static bool mayShareAtPoint(const KernelBody &body, Value written, Value input) {
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
  return true;
}

KernelStorage::KernelStorage(KernelBody body, KernelKind kind) : body(std::move(body)), kind(kind) {
  if (kind != KernelKind::Update) return;
  components = componentsOf(this->body);
  llvm::DenseMap<Value, int> made;
  int next = int(components.size()); // numbers of segments, whose body is known to be at the point
  for (auto [number, component] : llvm::enumerate(components)) {
    if (component.ops.size() == 1)
      if (auto segments = dyn_cast<SegmentsOp>(component.ops.front())) {
        auto read = [&](Value input, int by) {
          if (auto [it, isNew] = readers.try_emplace(input, by); !isNew && it->second != by)
            it->second = several;
        };
        for (unsigned segment = 0; segment < segments.getCount(); ++segment, ++next) {
          for (Value output : segments.outputsOf(segment)) made[output] = next;
          for (Value input : segments.inputsOf(segment)) read(input, next);
        }
        for (Value input : segments.getShared()) readers[input] = several;
        continue;
      }
    for (Value output : component.outputs) made[output] = int(number);
    for (Value input : component.inputs())
      if (auto [it, isNew] = readers.try_emplace(input, int(number)); !isNew) it->second = several;
  }
  for (Value output : this->body.outputs) {
    auto it = made.find(output);
    makers.push_back(it == made.end() ? several : it->second);
  }
}

bool KernelStorage::mayShare(unsigned output, Value input) const {
  Value written = body.outputs[output];
  if (input.getType() != written.getType()) return false;
  switch (kind) {
  case KernelKind::Scatter:
  case KernelKind::Scan:
  case KernelKind::Attention:
  case KernelKind::Custom:
    return false;
  case KernelKind::Staged:
    return maySharePerStage(written, input);
  case KernelKind::Row:
    return readsOwnRowOnly(body, written, input);
  case KernelKind::Pointwise:
  case KernelKind::Reduction:
  case KernelKind::Contraction:
    return mayShareAtPoint(body, written, input);
  case KernelKind::Update:
    break;
  }
  // Components of an update run one after another or at once: the input belongs to one of them alone.
  int maker = makers[output];
  auto reader = readers.find(input);
  return maker != several && reader != readers.end() && reader->second == maker &&
         (size_t(maker) >= components.size() ||
          mayShareAtPoint(components[size_t(maker)], written, input));
}

bool mayShareStorage(const KernelBody &body, KernelKind kind, unsigned output, Value input) {
  return KernelStorage(body, kind).mayShare(output, input);
}

} // namespace sinter::ir
