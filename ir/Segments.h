#pragma once

#include "sinter/ir/KernelKinds.h"

namespace sinter::ir {

/// Puts components of an update's region that compute the same on tensors of their own into sinter.segments
/// ops, and takes such ops apart again.
void gatherSegments(mlir::Block &block);
void spreadSegments(mlir::Block &block);

/// Builds one segment's ops, each with its own location; returns what they yield.
llvm::SmallVector<mlir::Value> segmentAlone(SegmentsOp segments, unsigned segment,
                                            mlir::OpBuilder &builder, mlir::ValueRange shared,
                                            mlir::ValueRange inputs);

/// The op when it is all that a region does: on the region's arguments in order, and all results yielded in order.
/// Assembly leaves the region around it out.
SegmentsOp onlySegments(mlir::Block &block);

/// How many times as much as itself says an op computes: in the region of sinter.segments, for all of them.
double timesRun(mlir::Operation *op);

} // namespace sinter::ir
