#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringRef.h"

/// Where a kernel does the same to many buffers, as an update does, its function on the CPU (LowerKernel.h) may take the
/// array of all its buffers and find them there in a loop: its code does not grow with their number.
namespace sinter::codegen {

class KernelFrame;

/// Of such a function: the numbers of the buffers that its arguments are, in the order of the arguments, -1 for the array
/// that holds the addresses of all, a memref of i64. A buffer from it is an llvm.inttoptr in a descriptor of LLVM's
/// dialect, cast to a memref.
inline constexpr llvm::StringLiteral buffersAttr = "sinter.buffers";

/// Of a kernel that is lowered as a stage of another: the array would be the other's.
inline constexpr llvm::StringLiteral stageAttr = "sinter.stage";

/// Gives the function the array, before its last two arguments.
mlir::Value takeBufferArray(KernelFrame &frame);
/// Drops the buffers that nothing uses by now, and says which are left.
void leaveOutOtherBuffers(KernelFrame &frame);
/// Buffer number `place` of the array.
mlir::Value bufferAt(mlir::OpBuilder &b, mlir::Location loc, mlir::Value array, mlir::Value place,
                     mlir::MemRefType type);

} // namespace sinter::codegen
