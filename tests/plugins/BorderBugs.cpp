#include "Planted.h"

#include <atomic>

using namespace mlir;
using namespace sinter;

namespace planted {
namespace {

Operation *firstOpOfGraph(ModuleOp module) {
  Operation *found = nullptr;
  module.walk([&](Operation *op) {
    if (isa<ir::SinterDialect>(op->getDialect()) && !op->hasTrait<OpTrait::ConstantLike>() &&
        !op->hasTrait<OpTrait::IsTerminator>() && op->getNumResults())
      found = op;
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found;
}

bool location(ModuleOp module) {
  Operation *op = firstOpOfGraph(module);
  if (op) op->setLoc(UnknownLoc::get(module.getContext()));
  return op;
}

bool locationInvented(ModuleOp module) { // points into the pass instead of the user's file
  Operation *op = firstOpOfGraph(module);
  if (op) op->setLoc(FileLineColLoc::get(module.getContext(), "MyPass.cpp", 7, 1));
  return op;
}

bool donation(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.removeArgAttr(i, StringAttr::get(module.getContext(), ir::donatedAttr)))
        return true;
  return false;
}

bool role(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.removeArgAttr(i, StringAttr::get(module.getContext(), ir::roleAttr)))
        return true;
  return false;
}

bool invalid(ModuleOp module) { // a type that the op does not have
  Operation *op = nullptr;
  module.walk([&](Operation *each) {
    if (isa<ir::AddOp, ir::MulOp, ir::SubOp, ir::ReluOp, ir::ExpOp>(each)) op = each;
    return op ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!op) return false;
  op->getResult(0).setType(RankedTensorType::get({3, 1, 4, 1, 5}, ir::elementOf(op->getResult(0))));
  return true;
}

/// In a fused contraction, what follows it is dropped.
bool epilogue(ModuleOp module) {
  Operation *op = nullptr;
  module.walk([&](ir::FusedOp fused) {
    if (!isa<ir::ContractionScheduleAttr>(fused.getSchedule())) return WalkResult::advance();
    for (Operation &each : fused.getBody().front()) {
      if (!isa<ir::AddOp, ir::ReluOp, ir::TanhOp, ir::SigmoidOp, ir::GeluOp, ir::MulOp>(each))
        continue;
      Operation *def = each.getOperand(0).getDefiningOp();
      if (!def || each.getOperand(0).getType() != each.getResult(0).getType()) continue;
      op = &each;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (!op) return false;
  // The operand that comes from the contraction, not the bias.
  Value kept = op->getOperand(0);
  for (Value operand : op->getOperands())
    if (isa_and_nonnull<ir::ContractionOpInterface>(operand.getDefiningOp())) kept = operand;
  op->getResult(0).replaceAllUsesWith(kept);
  op->erase();
  return true;
}

SmallVector<ir::LaunchOp> launchesOf(func::FuncOp function) {
  return SmallVector<ir::LaunchOp>(function.getBody().front().getOps<ir::LaunchOp>());
}
int64_t offsetOf(ir::LaunchOp launch, unsigned result) {
  auto offsets = launch.getOffset();
  return offsets ? (*offsets)[result] : -1;
}
void setOffset(ir::LaunchOp launch, unsigned result, int64_t offset) {
  SmallVector<int64_t> offsets(*launch.getOffset());
  offsets[result] = offset;
  launch.setOffset(offsets);
}

/// The launch that makes `value`, behind reshapes, and which of its results it is.
OpResult launched(Value value) {
  while (auto reshape = value.getDefiningOp<ir::ReshapeOp>()) value = reshape.getX();
  return value.getDefiningOp<ir::LaunchOp>() ? cast<OpResult>(value) : OpResult();
}

bool alias(ModuleOp module) { // writes where it still reads
  for (auto function : module.getOps<func::FuncOp>())
    for (ir::LaunchOp launch : launchesOf(function))
      for (unsigned r = 0; r < launch.getNumResults(); ++r)
        for (Value input : launch.getInputs()) {
          OpResult made = launched(input);
          if (!made) continue;
          auto producer = cast<ir::LaunchOp>(made.getOwner());
          int64_t from = offsetOf(producer, made.getResultNumber());
          if (from < 0 || offsetOf(launch, r) < 0 || offsetOf(launch, r) == from) continue;
          setOffset(launch, r, from);
          return true;
        }
  return false;
}

bool offset(ModuleOp module) { // beyond the end of the arena
  for (auto function : module.getOps<func::FuncOp>()) {
    auto arena = function->getAttrOfType<IntegerAttr>("sinter.arena_bytes");
    for (ir::LaunchOp launch : launchesOf(function))
      for (unsigned r = 0; arena && r < launch.getNumResults(); ++r)
        if (offsetOf(launch, r) >= 0) {
          setOffset(launch, r, arena.getInt());
          return true;
        }
  }
  return false;
}

bool inPlace(
    ModuleOp module) { // in the storage of an operand that has another size or lies elsewhere
  for (auto function : module.getOps<func::FuncOp>())
    for (ir::LaunchOp launch : launchesOf(function)) {
      if (!launch.getInPlace()) continue;
      SmallVector<int64_t> places(*launch.getInPlace());
      for (unsigned r = 0; r < places.size(); ++r)
        for (unsigned i = 0; i < launch.getInputs().size(); ++i) {
          OpResult made = launched(launch.getInputs()[i]);
          if (places[r] != -1 || !made || offsetOf(launch, r) < 0) continue;
          auto producer = cast<ir::LaunchOp>(made.getOwner());
          int64_t from = offsetOf(producer, made.getResultNumber());
          if (from < 0 || from == offsetOf(launch, r)) continue;
          places[r] = i;
          launch.setInPlace(places);
          setOffset(launch, r, from);
          return true;
        }
    }
  return false;
}

/// Moves a launch before an earlier one that still needs the bytes it writes.
bool order(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    SmallVector<ir::LaunchOp> launches = launchesOf(function);
    for (size_t i = 1; i < launches.size(); ++i)
      for (size_t j = 0; j < i; ++j) {
        ir::LaunchOp late = launches[i], early = launches[j];
        auto writes = [&](int64_t offset) {
          for (unsigned r = 0; r < late.getNumResults(); ++r)
            if (offset >= 0 && offsetOf(late, r) == offset) return true;
          return false;
        };
        bool meets = llvm::any_of(early.getInputs(), [&](Value input) {
          OpResult made = launched(input);
          return made &&
                 writes(offsetOf(cast<ir::LaunchOp>(made.getOwner()), made.getResultNumber()));
        });
        bool possible = llvm::all_of(late.getInputs(), [&](Value input) {
          Operation *def = input.getDefiningOp();
          return !def || def->isBeforeInBlock(early);
        });
        if (!meets || !possible) continue;
        late->moveBefore(early);
        return true;
      }
  }
  return false;
}

bool home(ModuleOp module) { // writes another result than its own
  for (auto function : module.getOps<func::FuncOp>())
    for (ir::LaunchOp launch : launchesOf(function)) {
      if (!launch.getHome()) continue;
      SmallVector<int64_t> homes(*launch.getHome());
      for (int64_t &each : homes)
        if (each >= 0 && function.getNumResults() > 1) {
          each = (each + 1) % function.getNumResults();
          launch.setHome(homes);
          return true;
        }
    }
  return false;
}

bool nondeterministic(ModuleOp module) {
  static std::atomic<int64_t> runs{0};
  module->setAttr("planted.run",
                  IntegerAttr::get(IntegerType::get(module.getContext(), 64), runs++));
  return true;
}

bool functionAdded(ModuleOp module) {
  auto function = *module.getOps<func::FuncOp>().begin();
  auto copy = function.clone();
  copy.setName((function.getName() + "_helper").str());
  module.push_back(copy);
  return true;
}

struct PlantedPass : PassWrapper<PlantedPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlantedPass)
  explicit PlantedPass(const Bug &bug) : bug(bug) {}
  PlantedPass(const PlantedPass &) = default;

  StringRef getArgument() const override { return bug.name; }
  StringRef getDescription() const override { return bug.description; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<ir::SinterDialect>();
  }
  void runOnOperation() override { bug.plant(getOperation()); }

  const Bug &bug;
};

} // namespace

ArrayRef<Bug> borderBugs() {
  static const Bug bugs[] = {
      {"plant-location", "Drops an op's location", location},
      {"plant-location-invented", "Gives an op a location of its own", locationInvented},
      {"plant-donation", "Drops an argument's donation", donation},
      {"plant-role", "Drops an argument's role", role},
      {"plant-invalid", "Gives an op a wrong type", invalid},
      {"plant-epilogue", "Drops what follows a contraction", epilogue},
      {"plant-alias", "Lets a launch write what it reads", alias},
      {"plant-offset", "Puts a value beyond the arena", offset},
      {"plant-in-place", "Puts a result over an operand that does not allow it", inPlace},
      {"plant-order", "Runs a launch before one that needs the bytes it writes", order},
      {"plant-home", "Writes a result to another one's place", home},
      {"plant-nondeterministic", "Numbers its runs", nondeterministic},
      {"plant-function", "Adds a function", functionAdded},
  };
  return bugs;
}

void registerAll(ArrayRef<Bug> bugs) {
  for (const Bug &bug : bugs)
    registerPass([&bug]() -> std::unique_ptr<Pass> { return std::make_unique<PlantedPass>(bug); });
}

} // namespace planted
