#pragma once

#include "sinter/ir/KernelKinds.h"
#include "sinter/passes/fusion/GroupGraph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <array>
#include <memory>
#include <optional>

namespace sinter::passes::fusion {

/// Ops of a function that one kernel will compute.
struct Group {
  llvm::SmallVector<mlir::Operation *> ops; // program order
  ir::KernelKind kind = ir::KernelKind::Pointwise;
  bool update = false;  // horizontal group of a whole optimiser update: takes nothing more
  unsigned version = 0; // grows with every merge
  /// What a staged kernel consists of, in the order in which it runs; reshapes between are in `ops` only.
  struct Part {
    llvm::SmallVector<mlir::Operation *> ops;
    ir::KernelKind kind;
  };
  std::vector<Part> parts;
};

/// A partition of a function's computing ops into groups, each a candidate for one kernel. It starts
/// with singletons and only merges. Reshapes are aliases: on their own they are no kernel, and an
/// edge is looked at through them; a merge swallows those between its two groups.
class Groups {
public:
  explicit Groups(mlir::func::FuncOp function);

  mlir::func::FuncOp function() const { return func; }
  unsigned size() const { return groups.size(); }
  const Group &operator[](unsigned group) const { return groups[group]; }
  bool isAlive(unsigned group) const { return !groups[group].ops.empty(); }
  void markUpdate(unsigned group) { groups[group].update = true; }
  /// A group that is one reshape: no kernel.
  bool isAlias(unsigned group) const;
  /// A group that is one sinter.fusion_barrier: no kernel either, but nothing is merged with it or, since that
  /// would be a cycle, across it.
  bool isBarrier(unsigned group) const;
  bool isKernel(unsigned group) const {
    return isAlive(group) && !isAlias(group) && !isBarrier(group);
  }

  /// The group of an op; -1 for what does not compute (constants, the terminator).
  int groupOf(mlir::Operation *op) const;
  /// The group that computes `value`, looked at through aliases; -1 for arguments and constants.
  int producerOf(mlir::Value value) const;
  /// Groups that use a result of `group` or are used by it, through aliases, ascending.
  llvm::SmallVector<unsigned> consumersOf(unsigned group) const;
  llvm::SmallVector<unsigned> producersFor(unsigned group) const;
  /// Whether one of the two uses a result of the other.
  bool connected(unsigned a, unsigned b) const;
  /// Groups that read a value that `group` reads, too, ascending; values with very many readers do
  /// not count.
  llvm::SmallVector<unsigned> siblingsOf(unsigned group) const;
  /// All groups of which one is a sibling of the other, and perhaps some more.
  llvm::SmallVector<unsigned> readersBeside(unsigned group) const;

  /// The kernel that a group would be, or that `a` and `b` together would be (with the aliases between
  /// them). Splat constants are inside; outputs are the values needed elsewhere. The first is valid until the
  /// group merges.
  const ir::KernelBody &bodyOf(unsigned group) const;
  ir::KernelBody bodyOf(unsigned a, unsigned b) const;

  /// A third group on a path from one to the other, which has to run in between; -1 where there is none.
  /// Walks the graph: for those who want to name it.
  int thirdBetween(unsigned a, unsigned b) const;
  /// True when a path leads from one to the other through a third group.
  bool wouldCreateCycle(unsigned a, unsigned b) const;

  /// Merges `b` into `a`.
  void merge(unsigned a, unsigned b, ir::KernelKind kind);

  /// Merges `b` into `a` as stages of one kernel: what they are now stays apart inside it.
  void mergeAsStages(unsigned a, unsigned b);
  /// The stages that both would be, each in no order, or one of them alone.
  std::vector<ir::Stage> stagesOf(llvm::ArrayRef<unsigned> which) const;
  /// Why the two would be no staged kernel, or nothing when they may be.
  std::optional<ir::RefusedBecause> whyNotStages(std::array<unsigned, 2> which) const;
  /// Whether among these stages one reads what another makes.
  bool runInOrder(llvm::ArrayRef<unsigned> which) const;
  ir::KernelBody bodyOfPart(const Group::Part &part) const { return bodyOf(part.ops); }

  /// Live groups in an order in which each one's producers come first; aliases among them.
  llvm::SmallVector<unsigned> inExecutionOrder() const;

private:
  llvm::SmallVector<mlir::Operation *> merged(unsigned a, unsigned b) const;
  ir::KernelBody bodyOf(llvm::ArrayRef<mlir::Operation *> ops) const;
  int lastBetween(unsigned from, unsigned to) const;
  llvm::SmallVector<unsigned> readers(unsigned which, unsigned most) const;
  std::vector<Group::Part> partsOf(unsigned which) const;
  void sortParts(std::vector<Group::Part> &parts) const;

  mlir::func::FuncOp func;
  llvm::DenseMap<mlir::Operation *, unsigned> group;
  std::vector<Group> groups;
  GroupGraph graph;
  struct KnownBody {
    unsigned version;
    ir::KernelBody body;
  };
  mutable std::vector<std::unique_ptr<KnownBody>> bodies;
};

} // namespace sinter::passes::fusion
