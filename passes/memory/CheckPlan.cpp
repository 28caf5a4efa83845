#include "sinter/passes/memory/CheckPlan.h"

#include "sinter/ir/KernelStorage.h"

#include <map>
#include <memory>
#include <optional>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::memory {

namespace {

// A run of bytes in one of the spaces: the arena, an argument's storage, a result's buffer.
struct Place {
  enum Kind { Arena, Argument, Result } kind = Arena;
  unsigned index = 0;
  int64_t begin = 0, end = 0;

  bool sameSpace(const Place &other) const { return kind == other.kind && index == other.index; }
  bool meets(const Place &other) const {
    return sameSpace(other) && begin < other.end && other.begin < end;
  }
  bool operator==(const Place &other) const {
    return sameSpace(other) && begin == other.begin && end == other.end;
  }
};

class Player {
public:
  explicit Player(func::FuncOp func) : func(func) {}

  LogicalResult run() {
    auto arena = func->getAttrOfType<IntegerAttr>(arenaBytesAttr);
    if (!arena) return func.emitOpError("has no memory plan");
    arenaBytes = arena.getInt();
    auto bound = func->getAttrOfType<IntegerAttr>(lowerBoundAttr);
    if (!bound || bound.getInt() > arenaBytes)
      return func.emitOpError("its lower bound is missing or above its arena");
    for (BlockArgument argument : func.getArguments()) {
      auto donated = func.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), donatedAttr);
      if (donated) stateOf[donated.getInt()] = argument.getArgNumber();
      write(argument, {Place::Argument, argument.getArgNumber(), 0, bytes(argument)});
    }
    for (Operation &op : func.getBody().front()) {
      if (auto launch = dyn_cast<LaunchOp>(op)) {
        if (failed(play(launch))) return failure();
      } else if (isa<func::ReturnOp>(op)) {
        if (failed(playReturn(&op))) return failure();
      } else if (!isa<ReshapeOp, ConstantOp>(op)) {
        return op.emitOpError("computes outside of a kernel");
      }
    }
    return success();
  }

private:
  static int64_t bytes(Value value) {
    auto type = tensorType(value);
    return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  }
  static Value stripViews(Value value) {
    while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
    return value;
  }

  // The run holds `value` now, and nothing else that it overlaps is whole any more.
  void write(Value value, const Place &place) {
    where[value] = place;
    if (place.begin == place.end) return;
    auto &holders = contents[{place.kind, place.index}];
    auto first = holders.lower_bound(place.begin);
    if (first != holders.begin() && std::prev(first)->second.place.end > place.begin) --first;
    holders.erase(first, holders.lower_bound(place.end));
    holders[place.begin] = {value, place};
  }

  bool holds(const Place &place, Value value) {
    if (place.begin == place.end) return where.contains(value); // nothing is to be kept
    auto &holders = contents[{place.kind, place.index}];
    auto held = holders.find(place.begin);
    return held != holders.end() && held->second.value == value && held->second.place == place;
  }

  FailureOr<Place> planned(LaunchOp launch, unsigned result) {
    Value value = launch.getOutputs()[result];
    int64_t home = (*launch.getHome())[result], offset = (*launch.getOffset())[result];
    if (home >= 0) {
      if (home >= int64_t(func.getNumResults()) ||
          bytes(func.getBody().front().getTerminator()->getOperand(home)) != bytes(value))
        return launch.emitOpError("result ") << result << " has no such home: " << home, failure();
      if (auto state = stateOf.find(home); state != stateOf.end())
        return Place{Place::Argument, unsigned(state->second), 0, bytes(value)};
      return Place{Place::Result, unsigned(home), 0, bytes(value)};
    }
    if (offset < 0 || offset % 64 != 0 || offset + bytes(value) > arenaBytes)
      return launch.emitOpError("result ")
                 << result << " at byte " << offset << " is not an aligned place in the arena of "
                 << arenaBytes << " bytes",
             failure();
    return Place{Place::Arena, 0, offset, offset + bytes(value)};
  }

  LogicalResult play(LaunchOp launch) {
    size_t count = launch.getOutputs().size();
    if (!launch.getInPlace() || !launch.getOffset() || !launch.getHome() ||
        launch.getInPlace()->size() != count || launch.getOffset()->size() != count ||
        launch.getHome()->size() != count)
      return launch.emitOpError("is not planned");
    for (auto [operand, input] : llvm::enumerate(launch.getInputs())) {
      Value value = stripViews(input);
      if (value.getDefiningOp<ConstantOp>()) continue;
      if (!holds(where.lookup(value), value))
        return launch.emitOpError("operand ") << operand << " is overwritten before it is read";
    }
    SmallVector<std::optional<Place>> reads; // none: a constant
    for (Value input : launch.getInputs()) {
      Value value = stripViews(input);
      reads.push_back(value.getDefiningOp<ConstantOp>() ? std::optional<Place>()
                                                        : where.lookup(value));
    }
    SmallVector<Place> places;
    for (unsigned result = 0; result < count; ++result) {
      FailureOr<Place> place = planned(launch, result);
      if (failed(place) || failed(checkAgainstOperands(launch, reads, result, *place)))
        return failure();
      for (auto [other, taken] : llvm::enumerate(places))
        if (taken.meets(*place))
          return launch.emitOpError("results ") << other << " and " << result << " meet";
      places.push_back(*place);
    }
    for (auto [value, place] : llvm::zip(launch.getOutputs(), places)) write(value, place);
    return success();
  }

  // A result lies apart from every operand, but for the one whose storage it takes.
  LogicalResult checkAgainstOperands(LaunchOp launch, ArrayRef<std::optional<Place>> reads,
                                     unsigned result, const Place &place) {
    int64_t taken = (*launch.getInPlace())[result];
    if (taken >= int64_t(reads.size()))
      return launch.emitOpError("result ") << result << " takes the storage of no operand";
    for (auto [operand, read] : llvm::enumerate(reads)) {
      if (!read) {
        if (taken == int64_t(operand))
          return launch.emitOpError("result ") << result << " takes a constant's storage";
        continue;
      }
      if (taken == int64_t(operand)) {
        auto &[block, storage] = kernelOf(launch);
        if (!(*read == place) || !storage.mayShare(result, block->getArgument(operand)))
          return launch.emitOpError("result ")
                 << result << " cannot take the storage of operand " << operand;
      } else if (read->meets(place)) {
        return launch.emitOpError("result ")
               << result << " meets operand " << operand << ", which it may still read";
      }
    }
    return success();
  }

  using Kernel = std::pair<Block *, KernelStorage>;
  const Kernel &kernelOf(LaunchOp launch) {
    std::unique_ptr<Kernel> &known = kernels[launch.getKernelAttr()];
    if (!known) {
      auto kernel = SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
      Block &block = kernel.getBody().front();
      known = std::make_unique<Kernel>(
          &block, KernelStorage(KernelBody::of(block), *kindOf(kernel.getSchedule())));
    }
    return *known;
  }

  LogicalResult playReturn(Operation *terminator) {
    for (auto [index, operand] : llvm::enumerate(terminator->getOperands())) {
      Value value = stripViews(operand);
      auto state = stateOf.find(int64_t(index));
      Place wanted = state != stateOf.end()
                         ? Place{Place::Argument, unsigned(state->second), 0, bytes(value)}
                         : Place{Place::Result, unsigned(index), 0, bytes(value)};
      if (!holds(wanted, value))
        return terminator->emitOpError("result ")
               << index << " is not where its caller looks for it";
    }
    return success();
  }

  func::FuncOp func;
  int64_t arenaBytes = 0;
  std::map<int64_t, unsigned> stateOf; // function result -> argument whose storage it replaces
  // Of each space what is whole in it, by where it begins: runs that do not meet.
  struct Held {
    Value value;
    Place place;
  };
  std::map<std::pair<int, unsigned>, std::map<int64_t, Held>> contents;
  llvm::DenseMap<Value, Place> where;
  llvm::DenseMap<Attribute, std::unique_ptr<Kernel>> kernels; // by name
};

} // namespace

LogicalResult checkPlan(func::FuncOp func) { return Player(func).run(); }

} // namespace sinter::passes::memory
