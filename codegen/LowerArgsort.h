#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// The kernel of one argsort, whose result is its output: on a GPU a block sorts a row, elsewhere a thread.
mlir::LogicalResult lowerArgsort(KernelFrame &frame, Elements &elements, ir::ArgsortOp op);

} // namespace sinter::codegen
