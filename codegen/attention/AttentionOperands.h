#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// An op beside `op`, in the frame's private copy of the kernel, whose elements are what dropping multiplies weights
/// by; null without dropping.
mlir::Value keptFactors(KernelFrame &frame, mlir::Operation *op, const ir::AttentionFacts &facts);

/// Writes an element of result `number` of `op`, if the kernel yields it.
void writeResult(KernelFrame &frame, Elements &elements, mlir::Operation *op, unsigned number,
                 mlir::Value value, mlir::ValueRange place);

/// Where element `place` of `tensor` is, row by row.
mlir::AffineExpr positionIn(Elements &elements, mlir::Value tensor, mlir::ValueRange place);

} // namespace sinter::codegen
