#pragma once

#include "sinter/codegen/KernelFrame.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

namespace sinter::codegen {

/// Small words of kernels that are written for a block of threads (GPU).
class BlockWriter {
public:
  explicit BlockWriter(KernelFrame &frame) : frame(frame), b(frame.builder) {}
  virtual ~BlockWriter() = default;

protected:
  using Value = mlir::Value;

  mlir::AffineExpr d(unsigned position) { return b.getAffineDimExpr(position); }
  /// An array at the top of the function: a thread's own, or the block's.
  Value array(llvm::ArrayRef<int64_t> shape, mlir::Type element, bool shared = false);
  /// All of the memory that the launch asks for, and `count` elements of it from byte `offset` on.
  Value dynamicShared();
  Value partOf(Value shared, int64_t offset, int64_t count, mlir::Type element);
  /// A loop that the compiler unrolls, so that arrays indexed by it live in registers; null for a single turn.
  mlir::scf::ForOp unrolled(Elements &elements, int64_t count,
                            llvm::function_ref<void(Value)> body);
  void onlyIf(Value condition, llvm::function_ref<void()> inside,
              llvm::function_ref<void()> otherwise = nullptr);
  Value below(Value index, int64_t limit);
  Value both(Value one, Value other);
  /// `index` under a name of its own, inside a branch where it is known to be less than `count`.
  Value known(Elements &elements, Value index, int64_t count);
  Value load(Value array, mlir::ValueRange at);
  void store(Value value, Value array, mlir::ValueRange at);

  /// `value` as `stored`, which holds it: it is rounded already, and what was widened on the way is taken as it was.
  Value narrowed(Value value, mlir::Type stored);
  /// Accesses of neighbours in `loop`, where there is one, as accesses of words of eight.
  void joinNeighbours(Elements &elements, mlir::scf::ForOp loop, int64_t lanes);
  /// Says of the function's arguments that neighbours are read or written together.
  void markAligned();

  KernelFrame &frame;
  mlir::OpBuilder &b;

private:
  mlir::MemRefType sharedType(int64_t count, mlir::Type element);
};

} // namespace sinter::codegen
