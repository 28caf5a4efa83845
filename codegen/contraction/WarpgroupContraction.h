#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

/// On a GPU whose warpgroups multiply from shared memory (sm_90a), for bf16 and f16: a persistent grid, a warpgroup that
/// sends for tiles by bulk copies and two that multiply them, sums in f32; blocks alone, in clusters that share a side's
/// tile, or in clusters that have parts of the sums of one tile. Returns false where the kernel's schedule asks
/// for something else or an operand is none that bulk copies take: computed on the way, padded, or with rows that are no
/// multiples of 16 bytes.
bool lowerWarpgroupContraction(KernelFrame &frame, const ContractionElements &points,
                               mlir::LogicalResult &result);

/// Whether a schedule is one of these: by its threads, which are those of three warpgroups or of a cluster of such blocks.
bool isWarpgroupSchedule(ir::ContractionScheduleAttr schedule);
/// How many blocks share what they load, where their tiles come out even; 1: none, and of any other schedule.
int64_t clusterOf(ir::ContractionScheduleAttr schedule);

} // namespace sinter::codegen
