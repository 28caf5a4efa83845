#pragma once

#include "sinter/passes/memory/Lifetimes.h"

#include "llvm/ADT/SetVector.h"

namespace sinter::passes::memory {

/// What must come before what among the launches of a function: values that flow, and state that is
/// read before it is overwritten.
class Precedence {
public:
  explicit Precedence(mlir::func::FuncOp func);

  /// Launches that must follow `launch` directly.
  llvm::ArrayRef<mlir::Operation *> after(mlir::Operation *launch) const;
  bool reaches(mlir::Operation *from, mlir::Operation *to) const;
  void add(mlir::Operation *before, mlir::Operation *after) { edges[before].insert(after); }

private:
  llvm::DenseMap<mlir::Operation *, llvm::SetVector<mlir::Operation *>> edges;
};

/// Finds each function result its place: the launch that makes it writes it there where no later
/// reader of the old state is harmed; elsewhere a copying launch is put in, so that every result but
/// unchanged state is the home of exactly one launched value. Adds to `precedence` what homes demand.
Homes assignHomes(mlir::func::FuncOp func, Precedence &precedence);

/// Reorders the launches (and the reshapes between them) within `precedence` where that lowers what is in
/// use at once: the best of the present order, that of a list scheduler which takes what frees most bytes
/// first, and that of a beam of such (Beam.h); the first of these among equals.
void orderLaunches(mlir::func::FuncOp func, const Precedence &precedence, const Homes &homes);

/// Keeps the present order but for what homes demand.
void arrangeAsIs(mlir::func::FuncOp func, const Precedence &precedence, const Homes &homes);

/// Puts the launches in this order, which keeps to what flows, each reshape just before the first op that
/// wants it.
void arrange(mlir::func::FuncOp func, llvm::ArrayRef<mlir::Operation *> sequence);

} // namespace sinter::passes::memory
