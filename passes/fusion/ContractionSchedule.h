#pragma once

#include "sinter/ir/Sinter.h"

namespace sinter::passes::fusion {

/// Tiles, threads and parts of the sum for a contraction on a GPU, by a model of its machine: operations,
/// bytes from L2, shared memory and the latency of a step, for each tile that fits, over the number of
/// blocks that run at once. 1x1 tiles mean one thread a result.
ir::ContractionScheduleAttr contractionSchedule(ir::ContractionOpInterface op,
                                                ir::TargetAttr target);

} // namespace sinter::passes::fusion
