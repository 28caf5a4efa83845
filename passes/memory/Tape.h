#pragma once

#include "sinter/passes/memory/Order.h"
#include "sinter/passes/memory/Parts.h"

#include <utility>

namespace sinter::passes::memory {

/// The launches of a function as numbers, in their order. What to compute again and what to take apart is
/// tried here, thousands of times, before the IR is touched.
struct Tape {
  struct Value {
    int64_t bytes = 0;   // as they count in the arena
    bool home = false;   // written into a function result: takes no bytes of the arena
    int state = -1;      // the argument whose state it replaces
    int maker = -1;      // a step
    unsigned result = 0; // its number among the results of the launch
  };
  struct Input {
    unsigned operand; // of the launch
    int value;        // -1: an argument or a constant
  };
  struct Step {
    ir::LaunchOp launch;
    /// Which parts of the launch's kernel it runs, ascending; empty: all of it.
    llvm::SmallVector<unsigned> parts;
    std::vector<Input> inputs;
    std::vector<int> outputs; // values
    /// The number of an output, and the place in `inputs` whose storage it may take.
    std::vector<std::pair<unsigned, unsigned>> mayTake;
    std::vector<int> reads; // arguments with state
    double cost = 0;        // in the unit of fusion/CostModel.h
    int root = -1;          // the step that computed the same first: perhaps itself
  };

  /// Of a function whose results have their homes.
  Tape(mlir::func::FuncOp func, const Homes &homes);

  /// Bytes of the arena in use while each step of `order` runs, with reuse in place as Lifetimes.h has it.
  std::vector<int64_t> profile() const;
  /// The same as pieces of the arena.
  std::vector<Extent> extents() const;
  int64_t peak() const;
  /// By how much the profile is above `target`, over all steps.
  int64_t excess(int64_t target) const;
  /// What a step reads and makes of the arena, less what it may write in place: no order needs less.
  int64_t bytesAround(const Step &step) const;
  /// Places of the steps in `order`; -1 for those that are not in it.
  std::vector<int> places() const;
  /// For each value the last place in `order` that reads it, -1 for none.
  std::vector<int> lastReads() const;

  /// Adds the step that runs these parts of a launch, which `from`, steps of the same launch, run among
  /// others: it has their inputs, and makes what they made. It is not in the order.
  int addParts(llvm::ArrayRef<int> from, llvm::ArrayRef<unsigned> parts);
  /// Takes back the latest `count` steps with the values that are theirs alone; `makers` make theirs again.
  void removeSteps(size_t count, llvm::ArrayRef<int> makers = {});
  /// Adds a step that computes what `step` does: its outputs are new values. It is not in the order.
  int addCopy(int step);
  llvm::ArrayRef<Part> partsOf(ir::LaunchOp launch) const;

  std::vector<Value> values;
  std::vector<Step> steps;
  std::vector<int> order; // of steps

private:
  Step describe(ir::LaunchOp launch, llvm::ArrayRef<unsigned> parts) const;
  template <class Begin, class Extend> void play(Begin &&begin, Extend &&extend) const;

  mutable mlir::func::FuncOp func;          // getters of ops are not const
  std::shared_ptr<Reuse> reuse;             // of a tape and its copies
  llvm::DenseMap<mlir::Value, int> numbers; // of launched values
  mutable llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Part>> kernelParts;
  mutable llvm::DenseMap<mlir::Operation *, double> kernelCosts;
};

} // namespace sinter::passes::memory
