#pragma once

#include "sinter/passes/memory/Tape.h"

namespace sinter::passes::memory {

/// An order of the tape's steps, each after those whose `after` lists name it, that needs few bytes at once:
/// a list scheduler that goes on with the best few beginnings (least peak, then least in use, no two of
/// the same steps) instead of one. Deterministic; its work grows with steps times ready steps.
std::vector<int> beamOrder(const Tape &tape, const std::vector<std::vector<int>> &after);

} // namespace sinter::passes::memory
