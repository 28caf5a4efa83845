#include "sinter/ir/Segments.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/LedgerAttribute.h"
#include "sinter/passes/memory/Recompute.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

namespace sinter::passes {
#define GEN_PASS_DEF_REMATERIALIZE
#include "sinter/passes/Passes.h.inc"
} // namespace sinter::passes

using namespace mlir;
using namespace sinter::ir;
using namespace sinter::passes;
using namespace sinter::passes::memory;

namespace {

constexpr llvm::StringLiteral recomputedAttr = "sinter.recomputed";

std::string amount(int64_t bytes) {
  if (bytes < 1 << 20) return llvm::formatv("{0:F2} KiB", double(bytes) / (1 << 10)).str();
  return llvm::formatv("{0:F2} MiB", double(bytes) / (1 << 20)).str();
}

/// Makes a function's launches what a tape says.
class Writer {
public:
  Writer(func::FuncOp func, const Tape &tape) : func(func), tape(tape) {}

  void run() {
    SmallVector<LaunchOp> before = launchesOf(func);
    OpBuilder builder(func.getBody().front().getTerminator());
    SmallVector<Operation *> sequence;
    llvm::SmallPtrSet<Operation *, 32> kept;
    std::vector<Value> values(tape.values.size());
    SmallVector<std::pair<Value, Value>> replaced;
    for (int number : tape.order) {
      const Tape::Step &step = tape.steps[size_t(number)];
      LaunchOp launch = write(builder, step, step.root != number, values);
      sequence.push_back(launch);
      kept.insert(launch);
      for (auto [place, value] : llvm::enumerate(step.outputs)) {
        values[size_t(value)] = launch->getResult(unsigned(place));
        Value old = step.launch->getResult(tape.values[size_t(value)].result);
        if (step.root == number && old != values[size_t(value)])
          replaced.emplace_back(old, values[size_t(value)]);
      }
    }
    // Function results; what launches read has been written above.
    for (auto [old, made] : replaced) old.replaceAllUsesWith(made);
    for (LaunchOp launch : before)
      if (!kept.contains(launch)) gone.push_back(launch);
    renameInLedger();
    eraseDead();
    arrange(func, sequence);
  }

private:
  LaunchOp write(OpBuilder &builder, Tape::Step step, bool again,
                 const std::vector<Value> &values) {
    SmallVector<Value> operands;
    for (const Tape::Input &input : step.inputs)
      operands.push_back(operandOf(builder, step.launch, input, values));
    if (!again && step.parts.empty()) {
      step.launch.getInputsMutable().assign(operands);
      return step.launch;
    }
    KernelOp kernel = kernelOf(step.launch);
    if (!step.parts.empty()) kernel = kernelOfParts(kernel, tape.partsOf(step.launch), step.parts);
    Location loc = step.parts.empty() ? step.launch.getLoc() : kernel.getLoc();
    auto launch = LaunchOp::create(builder, loc, kernel.getFunctionType().getResults(),
                                   FlatSymbolRefAttr::get(kernel), operands);
    if (again) launch->setAttr(recomputedAttr, builder.getUnitAttr());
    return launch;
  }

  // What a kernel did, its parts do, each of them a share.
  void renameInLedger() {
    if (!func->hasAttr(ledgerAttr)) return;
    llvm::StringMap<std::vector<std::string>> now;
    for (int number : tape.order) {
      Tape::Step step = tape.steps[size_t(number)];
      KernelOp kernel = kernelOf(step.launch);
      std::string name = kernel.getSymName().str();
      std::vector<std::string> &names = now[name];
      if (!step.parts.empty())
        name = kernelOfParts(kernel, tape.partsOf(step.launch), step.parts).getSymName().str();
      if (!llvm::is_contained(names, name)) names.push_back(name);
    }
    auto rename = [&](std::vector<std::string> &kernels) {
      std::vector<std::string> renamed;
      for (const std::string &kernel : kernels)
        for (const std::string &name : now.lookup(kernel))
          if (!llvm::is_contained(renamed, name)) renamed.push_back(name);
      if (!renamed.empty()) kernels = std::move(renamed);
    };
    Ledger ledger = ledgerOf(func);
    for (LedgerOp &op : ledger.ops) rename(op.kernels);
    for (LedgerEdge &edge : ledger.edges) rename(edge.kernels);
    func->setAttr(ledgerAttr, toAttribute(ledger, func.getContext()));
  }

  // The value as the launch reads it: perhaps through a reshape.
  Value operandOf(OpBuilder &builder, LaunchOp launch, const Tape::Input &input,
                  const std::vector<Value> &values) {
    Value operand = launch.getInputs()[input.operand];
    if (input.value < 0) return operand;
    Value storage = values[size_t(input.value)];
    if (storage == storageOf(operand)) return operand;
    if (storage.getType() == operand.getType()) return storage;
    return ReshapeOp::create(builder, operand.getLoc(), operand.getType(), storage);
  }

  void eraseDead() {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front()))) {
      bool dead = isa<ReshapeOp>(op) || llvm::is_contained(gone, &op);
      if (dead && op.use_empty()) op.erase();
    }
  }

  func::FuncOp func;
  const Tape &tape;
  SmallVector<Operation *> gone;
};

class RematerializePass : public sinter::passes::impl::RematerializeBase<RematerializePass> {
public:
  using RematerializeBase::RematerializeBase;

private:
  void runOnOperation() override {
    if (budget <= 0) return;
    // The segments of an update are parts, each of which may be launched on its own.
    auto updates = [&](void (*change)(Block &)) {
      for (auto kernel : getOperation().getOps<KernelOp>())
        if (kindOf(kernel.getSchedule()) == KernelKind::Update) change(kernel.getBody().front());
    };
    updates(spreadSegments);
    for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!func.isExternal() && failed(fit(func))) return signalPassFailure();
    eraseUnlaunched();
    updates(gatherSegments);
  }

  LogicalResult fit(func::FuncOp func) {
    Precedence precedence(func);
    Homes homes = assignHomes(func, precedence);
    orderLaunches(func, precedence, homes);
    const Tape whole(func, homes);
    if (place(whole.extents()).height <= budget) return success();
    // Offsets may need a little more than is in use at once: then the aim is lower.
    int64_t target = budget;
    for (int attempt = 0; attempt < 4; ++attempt) {
      Tape tape = whole;
      if (!shrink(tape, target)) return refuse(func, leastOf(whole, target));
      joinParts(tape, target);
      int64_t height = place(tape.extents()).height;
      if (height > budget) {
        target -= height - budget;
        continue;
      }
      Writer(func, tape).run();
      return success();
    }
    return func.emitError() << "@" << func.getName() << " cannot be planned within its budget of "
                            << amount(budget) << " of working memory: " << amount(target)
                            << " are in use at once, but the gaps between them take more";
  }

  // Where recomputing has taken away what lay beneath, other fusions may be what is in the way.
  static bool shrink(Tape &tape, int64_t target) {
    for (int round = 0; round < 3; ++round) {
      int64_t above = tape.excess(target);
      takeApart(tape, target);
      if (round > 0 && tape.excess(target) == above) return false;
      if (recompute(tape, target)) return true;
    }
    return false;
  }

  // How little would do, roughly, and which values it is then that are in the way.
  static Tape leastOf(const Tape &whole, int64_t tooLittle) {
    Tape least = whole;
    int64_t enough = whole.peak();
    for (int probe = 0; probe < 4; ++probe) {
      Tape tape = whole;
      int64_t target = tooLittle + (enough - tooLittle) / 2;
      if (shrink(tape, target)) {
        least = std::move(tape);
        enough = least.peak();
      } else {
        tooLittle = target;
      }
    }
    return least;
  }

  // Names what is largest while most is in use.
  LogicalResult refuse(func::FuncOp func, const Tape &tape) {
    std::vector<int64_t> live = tape.profile();
    auto most = std::max_element(live.begin(), live.end());
    int moment = int(most - live.begin());
    LaunchOp running = tape.steps[size_t(tape.order[size_t(moment)])].launch;
    std::vector<int> last = tape.lastReads(), values;
    for (int made = 0; made <= moment; ++made)
      for (int value : tape.steps[size_t(tape.order[size_t(made)])].outputs)
        if (!tape.values[size_t(value)].home && std::max(made, last[size_t(value)]) >= moment)
          values.push_back(value);
    llvm::stable_sort(values, [&](int a, int b) {
      return tape.values[size_t(a)].bytes > tape.values[size_t(b)].bytes;
    });
    std::string list;
    llvm::raw_string_ostream os(list);
    for (size_t i = 0; i < std::min<size_t>(values.size(), 5); ++i) {
      const Tape::Value &value = tape.values[size_t(values[i])];
      LaunchOp launch = tape.steps[size_t(value.maker)].launch;
      Value result = launch->getResult(value.result);
      Location line = madeAt(launch, value.result);
      os << (i ? ", " : "") << amount(value.bytes) << " " << result.getType() << " of "
         << shortLine(line);
    }
    return emitError(running.getLoc())
           << "@" << func.getName() << " needs " << amount(*most)
           << " of working memory at once, and its budget is " << amount(budget)
           << ", although all is computed again that helps. The largest values while @"
           << running.getKernel() << " runs: " << list;
  }

  // The line of the op that makes a result: launches of one kernel have lines of their own, one for each op
  // where none are equal.
  static Location madeAt(LaunchOp launch, unsigned result) {
    Block &block = kernelOf(launch).getBody().front();
    Operation *maker = block.getTerminator()->getOperand(result).getDefiningOp();
    auto lines = dyn_cast<FusedLoc>(launch.getLoc());
    if (!maker || !lines) return launch.getLoc();
    size_t number = 0, count = 0;
    for (Operation &op : block.without_terminator()) {
      if (isa<ConstantOp>(op)) continue;
      if (&op == maker) number = count;
      ++count;
    }
    return lines.getLocations().size() == count ? lines.getLocations()[number] : launch.getLoc();
  }

  void eraseUnlaunched() {
    ModuleOp module = getOperation();
    llvm::DenseSet<StringAttr> launched;
    module.walk([&](LaunchOp launch) { launched.insert(launch.getKernelAttr().getAttr()); });
    for (auto kernel : llvm::make_early_inc_range(module.getOps<KernelOp>()))
      if (!launched.contains(kernel.getSymNameAttr())) kernel.erase();
  }
};

} // namespace
