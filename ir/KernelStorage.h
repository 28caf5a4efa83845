#pragma once

#include "sinter/ir/KernelKinds.h"

namespace sinter::ir {

/// mayShareStorage of one kernel, for those who ask about many of its operands: an update has hundreds, each
/// of which belongs to one small component.
class KernelStorage {
public:
  KernelStorage(KernelBody body, KernelKind kind);

  bool mayShare(unsigned output, mlir::Value input) const;

private:
  KernelBody body;
  KernelKind kind;
  // Of an update: its components, each a pointwise kernel; which one makes an output (`several`: none does);
  // which one reads an input, `several` where that is not one alone.
  static constexpr int several = -1;
  llvm::SmallVector<KernelBody> components;
  llvm::SmallVector<int> makers;
  llvm::DenseMap<mlir::Value, int> readers;
};

} // namespace sinter::ir
