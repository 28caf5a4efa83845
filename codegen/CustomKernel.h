#pragma once

#include "sinter/codegen/KernelFrame.h"

namespace sinter::codegen {

/// Builds a kernel of the schedule `#sinter.custom<"name">` in `frame.lowered.function`, within the bounds that
/// LowerKernel.h states: the same code is compiled for a CPU, printed as CUDA C++ where `frame.options.gpu`, and
/// run under emulation. The region says what is computed, and is what the evaluator runs; how is up to the
/// kernel. Fails with an error at the kernel.
using CustomLowering = mlir::LogicalResult (*)(KernelFrame &frame);

/// Makes a kernel known to this process, under a name that no other has. To be called when a plug-in registers its
/// passes. The contents of the library that `lower` is in become part of every key of the kernel cache.
void registerCustomKernel(llvm::StringRef name, CustomLowering lower);

/// Null for a name that nobody registered.
CustomLowering findCustomKernel(llvm::StringRef name);

} // namespace sinter::codegen
