#include "sinter/check/Reduce.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <regex>
#include <set>

using namespace mlir;

namespace sinter::check {
namespace {

int64_t countOps(ModuleOp module) {
  int64_t count = 0;
  module.walk([&](Operation *op) { count += isa<ir::SinterDialect>(op->getDialect()); });
  return count;
}

std::vector<func::FuncOp> functionsOf(ModuleOp module) {
  std::vector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal()) functions.push_back(function);
  return functions;
}

/// The ops of a function's body, but for the return.
std::vector<Operation *> opsOf(func::FuncOp function) {
  std::vector<Operation *> ops;
  for (Operation &op : function.getBody().front().without_terminator()) ops.push_back(&op);
  return ops;
}

Value addArgument(func::FuncOp function, Type type, Location loc) {
  unsigned number = function.getNumArguments();
  (void)function.insertArgument(number, type, {}, loc);
  return function.getArgument(number);
}

void setResults(func::FuncOp function, ArrayRef<Value> results) {
  function.getBody().front().getTerminator()->setOperands(results);
  function.setResAttrsAttr({});
  for (BlockArgument argument : function.getArguments())
    function.removeArgAttr(argument.getArgNumber(),
                           StringAttr::get(function.getContext(), ir::donatedAttr));
  function.setFunctionType(FunctionType::get(function.getContext(),
                                             function.getBody().front().getArgumentTypes(),
                                             TypeRange(ValueRange(results))));
}

/// Drops results [from, to); donations to those that stay are kept.
void dropResults(func::FuncOp function, unsigned from, unsigned to) {
  llvm::BitVector gone(function.getNumResults());
  gone.set(from, to);
  Operation *end = function.getBody().front().getTerminator();
  end->eraseOperands(from, to - from);
  (void)function.eraseResults(gone);
  auto name = StringAttr::get(function.getContext(), ir::donatedAttr);
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto donated = function.getArgAttrOfType<IntegerAttr>(number, name);
    if (!donated || donated.getInt() < from) continue;
    if (donated.getInt() < to)
      function.removeArgAttr(number, name);
    else
      function.setArgAttr(number, name,
                          IntegerAttr::get(donated.getType(), donated.getInt() - (to - from)));
  }
}

/// Differentiates with respect to those values alone whose gradients are used.
void narrow(ir::GradientOp gradient) {
  SmallVector<Value> wrt;
  SmallVector<Value> used;
  for (auto [value, result] : llvm::zip_equal(gradient.getWrt(), gradient.getGradients()))
    if (!result.use_empty()) {
      wrt.push_back(value);
      used.push_back(result);
    }
  if (used.empty() || used.size() == gradient.getWrt().size()) return;
  OpBuilder b(gradient);
  auto made = ir::GradientOp::create(b, gradient.getLoc(), TypeRange(ValueRange(used)),
                                     gradient.getOutputs(), wrt, gradient.getCotangents());
  for (auto [old, now] : llvm::zip_equal(used, made.getGradients())) old.replaceAllUsesWith(now);
  gradient.erase();
}

/// Drops ops and arguments that nothing uses.
void sweep(ModuleOp module) {
  for (func::FuncOp function : functionsOf(module)) {
    std::vector<Operation *> ops = opsOf(function);
    for (size_t i = ops.size(); i-- > 0;) {
      if (isOpTriviallyDead(ops[i]))
        ops[i]->erase();
      else if (auto gradient = dyn_cast<ir::GradientOp>(ops[i]))
        narrow(gradient);
    }
    llvm::BitVector unused(function.getNumArguments());
    for (BlockArgument argument : function.getArguments())
      if (argument.use_empty()) unused.set(argument.getArgNumber());
    (void)function.eraseArguments(unused);
  }
}

class Reducer {
public:
  Reducer(OwningOpRef<ModuleOp> &module, const Interesting &isInteresting, int64_t maxTries)
      : module(module), isInteresting(isInteresting), maxTries(maxTries) {}

  ReduceReport run() {
    report.opsBefore = countOps(*module);
    attempt([](ModuleOp) { return true; }); // what is dead goes first
    int64_t kept = -1;
    while (kept != report.kept && report.tries < maxTries) {
      kept = report.kept;
      functions();
      results();
      cuts();
      singleOps();
      dimensions();
    }
    report.opsAfter = countOps(*module);
    return report;
  }

private:
  /// Keeps what `edit` makes of the module if that is valid, other than before, and interesting.
  bool attempt(llvm::function_ref<bool(ModuleOp)> edit) {
    if (report.tries >= maxTries) return false;
    OwningOpRef<ModuleOp> copy = module->clone();
    if (!edit(*copy)) return false;
    sweep(*copy);
    return keepIf(std::move(copy));
  }

  bool keepIf(OwningOpRef<ModuleOp> copy) {
    // An edit that does not fit is no news.
    ScopedDiagnosticHandler quiet(copy->getContext(), [](Diagnostic &) { return success(); });
    if (failed(verify(*copy))) return false;
    ++report.tries;
    if (!isInteresting(*copy)) return false;
    ++report.kept;
    module = std::move(copy);
    return true;
  }

  void functions() {
    for (size_t i = functionsOf(*module).size(); i-- > 0;)
      attempt([&](ModuleOp copy) {
        std::vector<func::FuncOp> all = functionsOf(copy);
        if (i >= all.size() || all.size() == 1) return false;
        all[i].erase();
        return true;
      });
    // Kernels that no launch names any more.
    attempt([](ModuleOp copy) {
      bool any = false;
      for (auto kernel : llvm::make_early_inc_range(copy.getOps<ir::KernelOp>()))
        if (SymbolTable::symbolKnownUseEmpty(kernel, copy)) kernel.erase(), any = true;
      return any;
    });
  }

  /// Results, first many at once.
  void results() {
    for (size_t f = 0; f < functionsOf(*module).size(); ++f)
      for (unsigned chunk = functionsOf(*module)[f].getNumResults() / 2; chunk >= 1; chunk /= 2)
        for (unsigned from = 0; from + chunk <= functionsOf(*module)[f].getNumResults();)
          if (functionsOf(*module)[f].getNumResults() <= chunk || !attempt([&](ModuleOp copy) {
                dropResults(functionsOf(copy)[f], from, from + chunk);
                return true;
              }))
            from += chunk;
  }

  /// Keeps only what is before a place, or after it: values that cross become results, or arguments.
  void cuts() {
    for (size_t f = 0; f < functionsOf(*module).size(); ++f)
      for (bool keepsEnd : {true, false})
        for (int64_t part = 2; part <= 64; part *= 2) {
          int64_t size = int64_t(opsOf(functionsOf(*module)[f]).size());
          int64_t step = std::max<int64_t>(size / part, 1);
          if (size < 2 || size < part) break;
          attempt([&](ModuleOp copy) {
            func::FuncOp function = functionsOf(copy)[f];
            return keepsEnd ? cutBefore(function, size_t(step))
                            : cutAfter(function, size_t(size - step));
          });
        }
  }

  static bool cutBefore(func::FuncOp function, size_t place) {
    std::vector<Operation *> ops = opsOf(function);
    std::set<Operation *> kept(ops.begin() + int64_t(place), ops.end());
    kept.insert(function.getBody().front().getTerminator());
    for (size_t i = 0; i < place; ++i) {
      if (ops[i]->hasTrait<OpTrait::ConstantLike>()) continue;
      for (Value result : ops[i]->getResults()) {
        auto crosses = [&](OpOperand &use) { return kept.count(use.getOwner()) > 0; };
        if (!llvm::any_of(result.getUses(), crosses)) continue;
        result.replaceUsesWithIf(addArgument(function, result.getType(), result.getLoc()), crosses);
      }
    }
    return true;
  }

  static bool cutAfter(func::FuncOp function, size_t place) {
    std::vector<Operation *> ops = opsOf(function);
    std::set<Operation *> gone(ops.begin() + int64_t(place), ops.end());
    gone.insert(function.getBody().front().getTerminator());
    SmallVector<Value> crossing;
    for (size_t i = 0; i < place; ++i)
      for (Value result : ops[i]->getResults())
        if (!ops[i]->hasTrait<OpTrait::ConstantLike>() &&
            llvm::any_of(result.getUsers(), [&](Operation *user) { return gone.count(user) > 0; }))
          crossing.push_back(result);
    if (crossing.empty()) return false;
    setResults(function, crossing);
    return true;
  }

  void singleOps() {
    for (size_t f = 0; f < functionsOf(*module).size(); ++f)
      for (size_t i = opsOf(functionsOf(*module)[f]).size(); i-- > 0;)
        for (int way = 0; way < 3; ++way) {
          std::vector<Operation *> now = opsOf(functionsOf(*module)[f]);
          if (i >= now.size()) break;
          if (attempt([&](ModuleOp copy) { return standIn(functionsOf(copy)[f], i, way); })) break;
        }
  }

  /// Something simpler for each result of op `index`: an operand, an argument, zeros.
  static bool standIn(func::FuncOp function, size_t index, int way) {
    Operation *op = opsOf(function)[index];
    if (op->hasTrait<OpTrait::ConstantLike>() || op->getNumResults() == 0) return false;
    OpBuilder b(op);
    for (Value result : op->getResults()) {
      if (result.use_empty()) continue;
      Value other;
      if (way == 0) {
        auto same = llvm::find_if(op->getOperands(),
                                  [&](Value each) { return each.getType() == result.getType(); });
        if (same == op->operand_end()) return false;
        other = *same;
      } else if (way == 1) {
        other = addArgument(function, result.getType(), result.getLoc());
      } else {
        other = ir::splat(b, op->getLoc(), ir::tensorType(result), 0);
      }
      result.replaceAllUsesWith(other);
    }
    return true;
  }

  /// Each extent, wherever it stands in the text, smaller: what the verifier then refuses was no such extent.
  void dimensions() {
    std::string text = textOf(*module);
    std::set<int64_t> extents;
    module->walk([&](Operation *op) {
      for (Value result : op->getResults())
        if (auto type = dyn_cast<RankedTensorType>(result.getType()))
          for (int64_t extent : type.getShape())
            if (extent > 1) extents.insert(extent);
    });
    for (auto extent = extents.rbegin(); extent != extents.rend(); ++extent)
      for (int64_t smaller : {int64_t(1), int64_t(2), int64_t(3), *extent / 2}) {
        if (smaller >= *extent || report.tries >= maxTries) continue;
        // Between a bracket, an x or a comma and the like, never in a name or a line number.
        std::regex token("([<x ,])" + std::to_string(*extent) + "(?=[x,>])");
        std::string changed = std::regex_replace(text, token, "$01" + std::to_string(smaller));
        changed = std::regex_replace(changed, token, "$01" + std::to_string(smaller));
        ScopedDiagnosticHandler quiet(module->getContext(), [](Diagnostic &) { return success(); });
        auto parsed = parseSourceString<ModuleOp>(changed, module->getContext());
        if (!parsed || !keepIf(std::move(parsed))) continue;
        text = textOf(*module);
        break;
      }
  }

  static std::string textOf(ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream os(text);
    module.print(os, OpPrintingFlags().enableDebugInfo());
    return text;
  }

  OwningOpRef<ModuleOp> &module;
  const Interesting &isInteresting;
  int64_t maxTries;
  ReduceReport report;
};

} // namespace

ReduceReport reduce(OwningOpRef<ModuleOp> &module, const Interesting &isInteresting,
                    int64_t maxTries) {
  return Reducer(module, isInteresting, maxTries).run();
}

} // namespace sinter::check
