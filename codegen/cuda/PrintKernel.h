#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace sinter::codegen {

/// A kernel as CUDA C++ over the device library.
struct CudaText {
  std::string source;               // canonical: names by position, no comments, no #line
  std::vector<std::string> headers; // the device headers it includes, sorted
};

/// Prints a lowered GPU kernel (see LowerKernel.h for what it may hold), one to one: every decision
/// was made in the IR. `block` is the number of threads of a block; with `awaits`, the kernel first waits for those
/// that it depends on. Fails with an error at an op or type that has no spelling here.
mlir::FailureOr<CudaText> printCudaKernel(mlir::func::FuncOp kernel, int64_t block,
                                          bool awaits = false);

/// CUDA C++'s name of an element type ("f32", "i64"), empty when there is none. i1 in memory is i8.
llvm::StringRef cudaTypeName(mlir::Type type);

} // namespace sinter::codegen
