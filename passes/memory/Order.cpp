#include "sinter/passes/memory/Order.h"

#include "sinter/ir/KernelKinds.h"
#include "sinter/passes/memory/Beam.h"

#include <functional>
#include <set>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::memory {

Precedence::Precedence(func::FuncOp func) {
  for (LaunchOp launch : launchesOf(func))
    for (Value input : launch.getInputs())
      if (auto producer = storageOf(input).getDefiningOp<LaunchOp>()) add(producer, launch);
}

ArrayRef<Operation *> Precedence::after(Operation *launch) const {
  auto it = edges.find(launch);
  return it == edges.end() ? ArrayRef<Operation *>() : it->second.getArrayRef();
}

bool Precedence::reaches(Operation *from, Operation *to) const {
  llvm::SmallPtrSet<Operation *, 16> seen{from};
  SmallVector<Operation *> work{from};
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    if (op == to) return true;
    for (Operation *next : after(op))
      if (seen.insert(next).second) work.push_back(next);
  }
  return false;
}

namespace {

class HomeFinder {
public:
  HomeFinder(func::FuncOp func, Precedence &precedence)
      : func(func), terminator(func.getBody().front().getTerminator()), precedence(precedence),
        states(donationsOf(func)) {
    for (LaunchOp launch : launchesOf(func)) addReader(launch);
  }

  Homes run() {
    // State first: a value that also goes to a caller is copied there, not into the state.
    for (bool donated : {true, false})
      for (unsigned result = 0; result < terminator->getNumOperands(); ++result)
        if (bool(states[result]) == donated) findHome(result);
    return std::move(homes);
  }

private:
  void findHome(unsigned result) {
    BlockArgument state = states[result];
    Value storage = storageOf(terminator->getOperand(result));
    if (state && storage == state) return; // keeps its value
    if (storage.getDefiningOp<LaunchOp>() && claim(storage, result)) return;
    if (claim(copyOf(result), result)) return;
    // State that goes into other state while its own is overwritten: by way of the arena.
    bool claimed = claim(copyOf(result), result);
    assert(claimed && "nothing follows the last copy");
    (void)claimed;
  }

  // Writes the launched `value` straight into function result `result`, if that is safe.
  bool claim(Value value, unsigned result) {
    if (homes.contains(value)) return false;
    auto launch = value.getDefiningOp<LaunchOp>();
    if (BlockArgument state = states[result]) {
      SmallVector<Operation *> readers;
      for (LaunchOp other : readersOf[state]) {
        if (other == launch) {
          for (auto [operand, storage] : llvm::enumerate(storagesOf(launch)))
            if (storage == state &&
                !reuse.mayTake(launch, cast<OpResult>(value).getResultNumber(), operand))
              return false;
        } else if (precedence.reaches(launch, other)) {
          return false;
        } else {
          readers.push_back(other);
        }
      }
      for (Operation *reader : readers) precedence.add(reader, launch);
    }
    homes[value] = result;
    return true;
  }

  // Replaces a function result by a copy of itself and returns the copy.
  Value copyOf(unsigned result) {
    Value source = terminator->getOperand(result);
    OpBuilder builder(terminator);
    // A returned constant may have no line of its own: the return has one.
    Location loc = FusedLoc::get(func.getContext(), {source.getLoc(), terminator->getLoc()});
    auto launch =
        LaunchOp::create(builder, loc, TypeRange(source.getType()),
                         FlatSymbolRefAttr::get(copyKernel(source, loc)), ValueRange(source));
    if (auto producer = storageOf(source).getDefiningOp<LaunchOp>())
      precedence.add(producer, launch);
    // A copy of state reads it before it is overwritten.
    for (auto [value, home] : homes)
      if (BlockArgument state = states[home]; state && storageOf(source) == state)
        precedence.add(launch, value.getDefiningOp());
    terminator->setOperand(result, launch->getResult(0));
    addReader(launch);
    return launch->getResult(0);
  }

  ArrayRef<Value> storagesOf(LaunchOp launch) {
    SmallVector<Value> &known = storages[launch];
    if (known.empty())
      for (Value input : launch.getInputs()) known.push_back(storageOf(input));
    return known;
  }

  void addReader(LaunchOp launch) {
    llvm::SmallDenseSet<Value> seen;
    for (Value input : launch.getInputs())
      if (Value storage = storageOf(input); seen.insert(storage).second)
        readersOf[storage].push_back(launch);
  }

  KernelOp copyKernel(Value source, Location loc) {
    auto module = func->getParentOfType<ModuleOp>();
    auto type = FunctionType::get(func.getContext(), source.getType(), source.getType());
    for (auto kernel : module.getOps<KernelOp>())
      if (kernel.getFunctionType() == type && kernel.getBody().front().getOperations().size() == 1)
        return kernel;
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto kernel = KernelOp::create(builder, loc, "copy", type,
                                   defaultSchedule(KernelKind::Pointwise, func.getContext()));
    Block &block = kernel.getBody().emplaceBlock();
    block.addArgument(source.getType(), loc);
    builder.setInsertionPointToEnd(&block);
    YieldOp::create(builder, loc, block.getArguments());
    SymbolTable(module).insert(kernel);
    return kernel;
  }

  func::FuncOp func;
  Operation *terminator;
  Precedence &precedence;
  Reuse reuse;
  SmallVector<BlockArgument> states;                        // of each result
  llvm::DenseMap<Value, SmallVector<LaunchOp>> readersOf;   // looked up only
  llvm::DenseMap<Operation *, SmallVector<Value>> storages; // of the operands of launches
  Homes homes;
};

using Sequence = std::vector<Operation *>;

class Scheduler {
public:
  Scheduler(func::FuncOp func, const Precedence &precedence, const Homes &homes)
      : precedence(precedence), homes(homes) {
    for (LaunchOp launch : launchesOf(func)) {
      place[launch] = launches.size();
      launches.push_back(launch);
    }
    reads.resize(launches.size());
    for (size_t number = 0; number < launches.size(); ++number) {
      llvm::SmallDenseSet<Value> seen;
      for (Value input : cast<LaunchOp>(launches[number]).getInputs())
        if (Value storage = storageOf(input); inArena(storage) && seen.insert(storage).second) {
          reads[number].push_back(storage);
          readers[storage].push_back(unsigned(number));
        }
    }
  }

  /// Ready launches, those first that leave the fewest bytes more in the arena than there were, if `frugal`;
  /// the earlier in the present order among equals.
  Sequence run(bool frugal) {
    std::vector<unsigned> waiting(launches.size());
    for (Operation *launch : launches)
      for (Operation *next : precedence.after(launch)) ++waiting[place.lookup(next)];
    llvm::DenseMap<Value, SmallVector<unsigned>> left = readers;
    std::vector<int64_t> growth(launches.size());
    std::set<std::pair<int64_t, unsigned>> ready;
    auto change = [&](unsigned number, int64_t bytes) {
      bool isReady = ready.erase({growth[number], number});
      growth[number] += bytes;
      if (isReady) ready.insert({growth[number], number});
    };
    for (unsigned number = 0; frugal && number < launches.size(); ++number) {
      for (Value result : launches[number]->getResults())
        if (readers.contains(result)) growth[number] += bytesOf(result);
      for (Value value : reads[number])
        if (left[value].size() == 1) growth[number] -= bytesOf(value);
    }
    for (unsigned number = 0; number < launches.size(); ++number)
      if (waiting[number] == 0) ready.insert({growth[number], number});
    Sequence sequence;
    while (!ready.empty()) {
      unsigned best = ready.begin()->second;
      ready.erase(ready.begin());
      sequence.push_back(launches[best]);
      for (Value value : reads[best]) {
        SmallVector<unsigned> &others = left[value];
        llvm::erase(others, best);
        if (frugal && others.size() == 1) change(others.front(), -bytesOf(value));
      }
      for (Operation *next : precedence.after(launches[best]))
        if (unsigned number = place.lookup(next); --waiting[number] == 0)
          ready.insert({growth[number], number});
    }
    assert(sequence.size() == launches.size() && "precedence has no cycle");
    return sequence;
  }

private:
  bool inArena(Value storage) const {
    return storage.getDefiningOp<LaunchOp>() && !homes.contains(storage);
  }

  const Precedence &precedence;
  const Homes &homes;
  Sequence launches;
  llvm::DenseMap<Operation *, unsigned> place;
  std::vector<SmallVector<Value>> reads; // values of the arena, each once
  llvm::DenseMap<Value, SmallVector<unsigned>> readers;
};

} // namespace

void arrange(func::FuncOp func, ArrayRef<Operation *> sequence) {
  Operation *terminator = func.getBody().front().getTerminator();
  llvm::SmallPtrSet<Operation *, 16> placed;
  std::function<void(Operation *)> bringViews = [&](Operation *op) {
    for (Value operand : op->getOperands())
      if (auto reshape = operand.getDefiningOp<ReshapeOp>();
          reshape && placed.insert(reshape).second) {
        bringViews(reshape);
        reshape->moveBefore(terminator);
      }
  };
  for (Operation *launch : sequence) {
    bringViews(launch);
    launch->moveBefore(terminator);
  }
  bringViews(terminator);
}

Homes assignHomes(func::FuncOp func, Precedence &precedence) {
  return HomeFinder(func, precedence).run();
}

void arrangeAsIs(func::FuncOp func, const Precedence &precedence, const Homes &homes) {
  arrange(func, Scheduler(func, precedence, homes).run(/*frugal=*/false));
}

void orderLaunches(func::FuncOp func, const Precedence &precedence, const Homes &homes) {
  Scheduler scheduler(func, precedence, homes);
  Sequence present = scheduler.run(/*frugal=*/false);
  arrange(func, present);
  Tape tape(func, homes);
  llvm::DenseMap<Operation *, int> numbers;
  for (Operation *launch : present) numbers[launch] = int(numbers.size());
  auto needOf = [&](std::vector<int> order) {
    tape.order.swap(order);
    int64_t need = tape.peak();
    tape.order.swap(order);
    return need;
  };
  std::vector<int> best = tape.order;
  int64_t least = tape.peak();
  // What one launch has around it, no order takes away.
  int64_t never = 0;
  for (const Tape::Step &step : tape.steps) never = std::max(never, tape.bytesAround(step));
  auto consider = [&](std::vector<int> order) {
    int64_t need = needOf(order);
    if (need >= least) return;
    least = need;
    best = std::move(order);
  };
  if (least > never) {
    std::vector<int> order;
    for (Operation *launch : scheduler.run(/*frugal=*/true))
      order.push_back(numbers.lookup(launch));
    consider(std::move(order));
  }
  if (least > never) {
    std::vector<std::vector<int>> after(present.size());
    for (Operation *launch : present)
      for (Operation *next : precedence.after(launch))
        after[size_t(numbers.lookup(launch))].push_back(numbers.lookup(next));
    consider(beamOrder(tape, after));
  }
  Sequence sequence;
  for (int step : best) sequence.push_back(present[size_t(step)]);
  arrange(func, sequence);
}

} // namespace sinter::passes::memory
