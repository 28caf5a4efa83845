#pragma once

#include "sinter/ir/Sinter.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::passes::memory {

/// Ops of a kernel that exchange no values with its other ops, so that a launch of their own computes the
/// same bits. What the parts share, constants and what is made of single elements alone, each computes.
struct Part {
  llvm::SmallVector<mlir::Operation *> ops; // program order
  llvm::SmallVector<unsigned> inputs;       // numbers of the kernel's arguments, ascending
  llvm::SmallVector<unsigned> outputs;      // numbers of its results, ascending
};

/// The parts of an update, of a kernel of reductions, of a pointwise one and of stages that run side by
/// side; fewer than two: the kernel is one.
llvm::SmallVector<Part> partsOf(ir::KernelOp kernel);

/// A kernel of these parts of `kernel`, with the arguments and results that they have in their order: one
/// that the module has already, where there is an equal one. A single stage is a kernel of its own kind.
ir::KernelOp kernelOfParts(ir::KernelOp kernel, llvm::ArrayRef<Part> all,
                           llvm::ArrayRef<unsigned> which);

} // namespace sinter::passes::memory
