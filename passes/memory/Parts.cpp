#include "sinter/passes/memory/Parts.h"

#include "sinter/ir/KernelKinds.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::memory {

namespace {

class Finder {
public:
  explicit Finder(KernelOp kernel)
      : kernel(kernel), block(kernel.getBody().front()), kind(*kindOf(kernel.getSchedule())) {}

  SmallVector<Part> run() {
    switch (kind) {
    case KernelKind::Pointwise:
    case KernelKind::Reduction:
    case KernelKind::Update:
      break;
    case KernelKind::Staged:
      if (!runInOrder(block)) break;
      return {};
    default:
      return {};
    }
    auto outputs = block.getTerminator()->getOperands();
    for (Value output : outputs) {
      if (!output.getDefiningOp()) return {};
      wanted.insert(output.getDefiningOp());
    }
    join();
    SmallVector<Part> parts;
    llvm::SmallDenseMap<unsigned, unsigned> partOf;
    for (auto [number, output] : llvm::enumerate(outputs)) {
      unsigned leader = classes.getLeaderValue(index.lookup(output.getDefiningOp()));
      auto [it, isNew] = partOf.try_emplace(leader, parts.size());
      if (isNew) parts.emplace_back();
      parts[it->second].outputs.push_back(unsigned(number));
    }
    if (parts.size() < 2) return {};
    for (Part &part : parts) fill(part);
    return parts;
  }

private:
  // What every part may compute for itself: nothing, or next to it.
  bool isShared(Operation *op) const {
    if (wanted.contains(op) || isa<FusedOp>(op)) return false;
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      if (Operation *def = operand.getDefiningOp()) return shared.contains(def);
      return tensorType(operand).getNumElements() == 1 ||
             (kind == KernelKind::Staged && isa<ReshapeOp>(op));
    });
  }

  void join() {
    for (auto [number, op] : llvm::enumerate(block.without_terminator())) {
      index[&op] = unsigned(number);
      if (isShared(&op)) {
        shared.insert(&op);
        continue;
      }
      classes.insert(unsigned(number));
      for (Value operand : op.getOperands())
        if (Operation *def = operand.getDefiningOp(); def && !shared.contains(def))
          classes.unionSets(unsigned(number), index.lookup(def));
    }
  }

  void fill(Part &part) {
    llvm::SmallPtrSet<Operation *, 32> inside;
    llvm::SmallDenseSet<unsigned> arguments;
    SmallVector<Operation *> work;
    for (unsigned output : part.outputs)
      work.push_back(block.getTerminator()->getOperand(output).getDefiningOp());
    while (!work.empty()) {
      Operation *op = work.pop_back_val();
      if (!inside.insert(op).second) continue;
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp())
          work.push_back(def);
        else
          arguments.insert(cast<BlockArgument>(operand).getArgNumber());
    }
    for (Operation &op : block.without_terminator())
      if (inside.contains(&op)) part.ops.push_back(&op);
    part.inputs.assign(arguments.begin(), arguments.end());
    llvm::sort(part.inputs);
  }

  KernelOp kernel;
  Block &block;
  KernelKind kind;
  llvm::SmallPtrSet<Operation *, 16> wanted, shared;
  llvm::DenseMap<Operation *, unsigned> index;
  llvm::EquivalenceClasses<unsigned> classes;
};

bool sameKernel(KernelOp a, KernelOp b) {
  return a.getSchedule() == b.getSchedule() && a.getFunctionType() == b.getFunctionType() &&
         OperationEquivalence::isRegionEquivalentTo(&a.getBody(), &b.getBody(),
                                                    OperationEquivalence::IgnoreLocations);
}

// `one` of a staged kernel when it is all there is, and takes the arguments as they are.
FusedOp onlyStage(ArrayRef<Operation *> ops, ArrayRef<unsigned> inputs, ArrayRef<Value> outputs) {
  auto stage = ops.size() == 1 ? dyn_cast<FusedOp>(ops.front()) : FusedOp();
  if (!stage || !llvm::equal(stage->getResults(), outputs) ||
      stage.getInputs().size() != inputs.size())
    return {};
  for (auto [input, number] : llvm::zip(stage.getInputs(), inputs))
    if (cast<BlockArgument>(input).getArgNumber() != number) return {};
  return stage;
}

// Arithmetic on scalars that stood beside reductions is a kernel of another kind on its own.
Attribute scheduleOf(KernelOp kernel, ArrayRef<Operation *> ops, ArrayRef<Value> outputs) {
  bool reduces = llvm::any_of(ops, [](Operation *op) { return isa<ReductionOpInterface>(op); });
  if (*kindOf(kernel.getSchedule()) == KernelKind::Reduction && !reduces) {
    KernelBody body{SmallVector<Operation *>(ops), SmallVector<Value>(outputs)};
    for (KernelKind kind : {KernelKind::Pointwise, KernelKind::Update})
      if (!whyNot(body, kind, targetOf(kernel))) return defaultSchedule(kind, kernel.getContext());
  }
  return kernel.getSchedule();
}

} // namespace

SmallVector<Part> partsOf(KernelOp kernel) { return Finder(kernel).run(); }

KernelOp kernelOfParts(KernelOp kernel, ArrayRef<Part> all, ArrayRef<unsigned> which) {
  Block &block = kernel.getBody().front();
  llvm::SetVector<Operation *> ops;
  llvm::SmallDenseSet<unsigned> argumentSet;
  SmallVector<unsigned> outputs;
  for (unsigned part : which) {
    ops.insert(all[part].ops.begin(), all[part].ops.end());
    argumentSet.insert(all[part].inputs.begin(), all[part].inputs.end());
    outputs.append(all[part].outputs);
  }
  SmallVector<Operation *> inOrder = ops.takeVector();
  llvm::sort(inOrder, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  SmallVector<unsigned> inputs(argumentSet.begin(), argumentSet.end());
  llvm::sort(inputs);
  llvm::sort(outputs);
  SmallVector<Type> inputTypes, outputTypes;
  SmallVector<Value> results;
  SmallVector<Location> locations;
  for (unsigned input : inputs) inputTypes.push_back(block.getArgument(input).getType());
  for (unsigned output : outputs) {
    results.push_back(block.getTerminator()->getOperand(output));
    outputTypes.push_back(results.back().getType());
  }
  for (Operation *op : inOrder)
    if (!isa<ConstantOp>(op)) locations.push_back(op->getLoc());

  auto module = kernel->getParentOfType<ModuleOp>();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = FusedLoc::get(kernel.getContext(), locations);
  FusedOp stage = onlyStage(inOrder, inputs, results);
  auto made = KernelOp::create(builder, loc, (kernel.getSymName() + "_part").str(),
                               FunctionType::get(kernel.getContext(), inputTypes, outputTypes),
                               stage ? stage.getSchedule() : scheduleOf(kernel, inOrder, results));
  IRMapping mapping;
  if (stage) {
    stage.getBody().cloneInto(&made.getBody(), mapping);
  } else {
    Block &body = made.getBody().emplaceBlock();
    for (unsigned input : inputs) {
      BlockArgument argument = block.getArgument(input);
      mapping.map(argument, body.addArgument(argument.getType(), argument.getLoc()));
    }
    OpBuilder within = OpBuilder::atBlockEnd(&body);
    for (Operation *op : inOrder) within.clone(*op, mapping);
    SmallVector<Value> yielded;
    for (Value result : results) yielded.push_back(mapping.lookup(result));
    YieldOp::create(within, loc, yielded);
  }
  for (auto other : module.getOps<KernelOp>())
    if (other != made && sameKernel(other, made)) {
      made.erase();
      return other;
    }
  SymbolTable(module).insert(made);
  return made;
}

} // namespace sinter::passes::memory
