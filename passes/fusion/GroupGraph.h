#pragma once

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <array>
#include <vector>

namespace sinter::passes::fusion {

/// Who reads whom among groups, while they merge. Groups are numbered in program order; a group that merged
/// into another answers to that one's number. What a query costs depends on what lies near the groups asked
/// for, not on how long the program is: a graph of many layers is asked about at every edge.
class GroupGraph {
public:
  GroupGraph() = default;
  /// `reads[i]`: the groups before i whose values it uses.
  explicit GroupGraph(llvm::ArrayRef<llvm::SmallVector<unsigned>> reads);

  /// Groups that use what `group` makes, or make what it uses, ascending. Valid until the next query of the
  /// same kind for the same group after a merge.
  llvm::ArrayRef<unsigned> after(unsigned group) const { return current(users, group); }
  llvm::ArrayRef<unsigned> before(unsigned group) const { return current(sources, group); }

  /// Whether a path leads from one to the other through a third group.
  bool reachesThroughThird(unsigned from, unsigned to) const;

  /// `b` becomes part of `a`. No path leads from one to the other through a third group.
  void merge(unsigned a, unsigned b);

private:
  using Lists = std::vector<llvm::SmallVector<unsigned>>;
  /// Numbers of a depth-first walk through the groups as they were: what is reached from a group for the first
  /// time is numbered from its own number to its last.
  struct Walk {
    std::vector<unsigned> number, last;
  };

  unsigned find(unsigned group) const;
  llvm::ArrayRef<unsigned> current(Lists &lists, unsigned group) const;
  Walk walk(bool ascending) const;
  bool isKnownToReach(unsigned from, unsigned to) const;
  void placeByDepth();
  void placeMerged(unsigned a, unsigned b);

  mutable Lists users, sources; // of a group and those merged into it; perhaps under old numbers
  mutable std::vector<unsigned> parent;
  std::vector<llvm::SmallVector<unsigned>> members;
  std::array<Walk, 2> walks;
  std::vector<unsigned> rank; // a topological order of the groups that there are
  mutable std::vector<unsigned> seen;
  mutable unsigned search = 0;
};

} // namespace sinter::passes::fusion
