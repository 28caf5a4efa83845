#pragma once

#include "sinter/passes/memory/Offsets.h"

#include <functional>
#include <memory>

namespace sinter::passes::memory {

/// Depth-first search for offsets below a capacity, complete but for its budget.
///
/// Time is cut into sections between the moments at which something begins or ends. In each section
/// the bytes already stacked make a floor; a valley is a run of sections of one floor between higher
/// ones. Whatever lies at the floor of a valley's first section must begin there (the wall is before
/// it) and end within the valley, so it is one of few extents, or nothing: then the floor is raised,
/// which wastes bytes, and no section may waste more than the capacity less all that is live in it.
/// The search branches where there is least choice, and solves apart what no remaining extent
/// connects. What is left to do depends on the remaining extents and the floors alone, so states that
/// failed are remembered (by a hash of 128 bits) and refused however they are reached again.
///
/// Sections, floors with the bytes still to come and pruning by them follow M. D. Moffitt, "MiniMalloc:
/// A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023; valleys are
/// the skyline of strip packing (E. K. Burke, G. Kendall, G. Whitwell, "A New Placement Heuristic for
/// the Orthogonal Stock-Cutting Problem", Operations Research 52, 2004).
class ExactSearch {
public:
  /// Sizes are positive; extents that do not fit in the capacity are Infeasible at once.
  ExactSearch(const std::vector<Extent> &extents, int64_t capacity);
  ~ExactSearch();

  /// Searches for at most `steps` states, or until `stop` (asked now and then) says so; fills `offsets`
  /// when Found. The attempt's number chooses which valley and which extent come first: a table of
  /// ways at first, then the same with the order of extents shaken. States that a former attempt
  /// proved hopeless stay known.
  FitOutcome run(int attempt, int64_t steps, const std::function<bool()> &stop,
                 std::vector<int64_t> &offsets);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace sinter::passes::memory
