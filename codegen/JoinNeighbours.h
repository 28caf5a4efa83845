#pragma once

#include "sinter/codegen/Elements.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sinter::codegen {

/// Whether each of `positions` stays, or moves on by one, from a turn to the next of `lane`, a variable that takes
/// the values [0, lanes).
bool walkSideBySide(Elements &elements, llvm::ArrayRef<mlir::AffineExpr> positions,
                    mlir::Value lane, int64_t lanes);

/// Turns accesses of neighbours in `loop`, whose counter is a variable with the values [0, lanes), into accesses of
/// whole words before and after it. They are those to the kernel's parameters and to parts of shared memory that begin
/// on a word's border, outside of branches.
void joinNeighbours(mlir::OpBuilder &b, Elements &elements, mlir::scf::ForOp loop, int64_t lanes);

} // namespace sinter::codegen
