#pragma once

#include "sinter/passes/memory/Offsets.h"

#include "sinter/ir/KernelStorage.h"
#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <memory>

namespace sinter::passes::memory {

/// Every tensor starts at a multiple of this, and takes a multiple of it.
inline constexpr int64_t alignment = 64;

/// Bytes of a value, `i1` one byte each.
int64_t bytesOf(mlir::Value value);
/// The value whose storage `value` is: looks through reshapes.
mlir::Value storageOf(mlir::Value value);
/// The argument whose state each of the function's results replaces, or null.
llvm::SmallVector<mlir::BlockArgument> donationsOf(mlir::func::FuncOp func);
llvm::SmallVector<ir::LaunchOp> launchesOf(mlir::func::FuncOp func);
/// The kernel that a launch runs.
ir::KernelOp kernelOf(ir::LaunchOp launch);

/// What may be written over what by the kernels of launches; what is known of a kernel is found once.
class Reuse {
public:
  /// Whether the launch's kernel may write result `result` over operand `operand`.
  bool mayTake(ir::LaunchOp launch, unsigned result, unsigned operand);

private:
  struct Kernel {
    mlir::Block *block;
    ir::KernelStorage storage;
  };
  const Kernel &of(ir::LaunchOp launch);
  llvm::DenseMap<mlir::Attribute, std::unique_ptr<Kernel>> kernels; // by name
};

/// Launched values that are written straight into a function result (its number): the caller's buffer
/// or the state that the result replaces.
using Homes = llvm::DenseMap<mlir::Value, unsigned>;

/// A piece of the arena: one value, or several that follow each other in place.
struct Buffer {
  llvm::SmallVector<mlir::OpResult> values;
  Extent extent; // moments are positions in launchesOf
};

/// In-place reuse and lifetimes for the launches in their present order: a result takes the storage of
/// an operand that dies with it where its kernel allows.
struct Lifetimes {
  std::vector<Buffer> buffers;
  /// For every launched value the number of the operand whose storage it takes, -1 for none.
  llvm::DenseMap<mlir::Value, int64_t> inPlace;

  std::vector<Extent> extents() const;
};
Lifetimes lifetimesOf(mlir::func::FuncOp func, const Homes &homes);

} // namespace sinter::passes::memory
