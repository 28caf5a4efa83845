#pragma once

#include "sinter/ir/Sinter.h"

namespace sinter::ir {

// Directives of assembly formats (Elementwise.td): one type stands for all where they follow from it. The list
// of all, a function's type, is read, too.

/// `T` of both operands; the result's shape is theirs.
mlir::ParseResult parseBoolResult(mlir::OpAsmParser &parser, mlir::Type &lhs, mlir::Type &rhs,
                                  mlir::Type &result);
void printBoolResult(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Type lhs,
                     mlir::Type rhs, mlir::Type result);
/// `T` of both alternatives and the result; the condition's shape is theirs.
mlir::ParseResult parseChoice(mlir::OpAsmParser &parser, mlir::Type &condition, mlir::Type &onTrue,
                              mlir::Type &onFalse, mlir::Type &result);
void printChoice(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Type condition,
                 mlir::Type onTrue, mlir::Type onFalse, mlir::Type result);

} // namespace sinter::ir
