#pragma once

#include "sinter/codegen/KernelFrame.h"

// Nests of pointwise kernels: every output is computed at every point of one domain.
namespace sinter::codegen {

/// Computes all outputs at a point before storing any: an output may lie where an input does.
void emitPoint(KernelFrame &frame, Elements &elements, llvm::ArrayRef<unsigned> outputs,
               llvm::ArrayRef<int64_t> domain, mlir::ValueRange indices);

/// The dimensions of `domain`, merged where every access of these outputs allows it.
MergedDims mergedDomain(KernelFrame &frame, llvm::ArrayRef<unsigned> outputs,
                        llvm::ArrayRef<int64_t> domain);

llvm::SmallVector<mlir::Value> originalIndices(Elements &elements, const MergedDims &merged,
                                               mlir::ValueRange indices);

} // namespace sinter::codegen
