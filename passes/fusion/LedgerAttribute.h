#pragma once

#include "sinter/passes/fusion/Ledger.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

/// The ledger's way through the IR: an attribute of the function, from fusion to whoever takes it.
namespace sinter::passes {

mlir::Attribute toAttribute(const Ledger &ledger, mlir::MLIRContext *context);
/// The ledger of a function that has one.
Ledger ledgerOf(mlir::func::FuncOp func);
/// The ledgers of a module's functions, in order; functions without one are left out.
std::vector<Ledger> ledgersOf(mlir::ModuleOp module);
/// The same, taken off the functions.
std::vector<Ledger> takeLedgers(mlir::ModuleOp module);

/// "model.cpp:14" of the first file location inside `loc`, else what MLIR prints for it.
std::string sourceLine(mlir::Location loc);
/// The same, without folders.
std::string shortLine(mlir::Location loc);

} // namespace sinter::passes
