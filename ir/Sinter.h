#pragma once

#include "sinter/ir/Facts.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "sinter/ir/Dialect.h.inc"
#include "sinter/ir/Enums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "sinter/ir/Attributes.h.inc"
#include "sinter/ir/Interfaces.h.inc"
#define GET_OP_CLASSES
#include "sinter/ir/Ops.h.inc"

namespace sinter::ir {

/// Names of the attributes on functions, arguments and modules.
inline constexpr llvm::StringLiteral roleAttr = "sinter.role";
inline constexpr llvm::StringLiteral nameAttr = "sinter.name";
inline constexpr llvm::StringLiteral donatedAttr = "sinter.donated";
inline constexpr llvm::StringLiteral targetAttr = "sinter.target";
/// On an op in a scan: the number of the region's argument that has the op's result.
inline constexpr llvm::StringLiteral knownAttr = "sinter.known";

/// The dialect and every other dialect that Sinter's pipelines and kernels use.
void registerDialects(mlir::DialectRegistry &registry);

/// The role of a function argument ("input" without one).
llvm::StringRef roleOf(mlir::BlockArgument argument);
/// "weight 'conv1.weight'" when `value` is a named argument, else just `what`; for messages.
std::string describe(llvm::StringRef what, mlir::Value value);
/// The target of the module that `op` is in, or null.
TargetAttr targetOf(mlir::Operation *op);

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) { return tensorType(value).getShape(); }
inline mlir::Type elementOf(mlir::Value value) { return tensorType(value).getElementType(); }
/// What `op` computes when it is of kind Attention.
std::optional<AttentionFacts> attentionFactsOf(mlir::Operation *op);
/// A rank-0 or shaped tensor filled with one value.
mlir::Value splat(mlir::OpBuilder &b, mlir::Location loc, mlir::RankedTensorType type,
                  double value);

} // namespace sinter::ir
