#pragma once

#include "sinter/passes/memory/Tape.h"

namespace sinter::passes::memory {

/// Undoes fusions that raise the need: where less is above `target` when the parts of a kernel each run as
/// soon as what they read is there, they do.
void takeApart(Tape &tape, int64_t target);

/// Puts steps in that compute values again just before they are read, instead of keeping them: one by one
/// what takes most off the bytes above `target` (over all steps) for its cost, with what it needs computed
/// again as well or kept longer; at last leaves out what turned out not to be needed. A value whose first
/// reader is far is computed later instead. Greedy as XLA's rematerialisation (HloRematerialization), which
/// looks at one moment and one instruction at a time.
/// Returns whether nothing is above `target`.
bool recompute(Tape &tape, int64_t target);

/// Joins parts that were taken apart where that keeps what is above `target` as it is: fewer launches.
void joinParts(Tape &tape, int64_t target);

} // namespace sinter::passes::memory
