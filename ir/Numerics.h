#pragma once

#include "sinter/ir/Sinter.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::ir {

/// Attribute of a module: "strict" asks for the same bits however ops are put together in kernels. Every
/// declared rounding is kept with or without it; strict also fixes in which order a reduction adds up by its
/// shape alone, and keeps multiplications and additions apart.
inline constexpr char numericsAttr[] = "sinter.numerics";

/// Whether `op` is in a module of strict numerics.
inline bool isStrict(mlir::Operation *op) {
  auto module = llvm::dyn_cast<mlir::ModuleOp>(op);
  if (!module) module = op->getParentOfType<mlir::ModuleOp>();
  auto numerics = module ? module->getAttrOfType<mlir::StringAttr>(numericsAttr) : nullptr;
  return numerics && numerics.getValue() == "strict";
}

} // namespace sinter::ir
