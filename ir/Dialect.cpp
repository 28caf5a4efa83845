#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sinter::ir;

#include "sinter/ir/Dialect.cpp.inc"
#include "sinter/ir/Enums.cpp.inc"
#include "sinter/ir/Interfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "sinter/ir/Attributes.cpp.inc"

void SinterDialect::initialize() {
  registerOps();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "sinter/ir/Attributes.cpp.inc"
      >();
}

Operation *SinterDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                              Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type) return nullptr;
  return ConstantOp::create(builder, loc, elements);
}

LogicalResult SinterDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == targetAttr && !isa<TargetAttr>(attribute.getValue()))
    return op->emitOpError("sinter.target must be a #sinter.target attribute");
  return success();
}

LogicalResult SinterDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned argument,
                                                      NamedAttribute attribute) {
  if (attribute.getName() == roleAttr) {
    auto role = dyn_cast<StringAttr>(attribute.getValue());
    if (!role || !is_contained({"input", "parameter", "state", "scalar", "seed"}, role.getValue()))
      return op->emitOpError("argument ")
             << argument << ": sinter.role must be one of input, parameter, state, scalar, seed";
    return success();
  }
  if (attribute.getName() == nameAttr && !isa<StringAttr>(attribute.getValue()))
    return op->emitOpError("argument ") << argument << ": sinter.name must be a string";
  if (attribute.getName() == donatedAttr) {
    auto result = dyn_cast<IntegerAttr>(attribute.getValue());
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (!result || !function || result.getInt() < 0 ||
        result.getInt() >= int64_t(function.getNumResults()))
      return op->emitOpError("argument ")
             << argument << ": sinter.donated must be the number of a result";
    if (function.getResultTypes()[result.getInt()] != function.getArgumentTypes()[argument])
      return op->emitOpError("argument ")
             << argument << " is donated to result " << result.getInt() << " of another type";
  }
  return success();
}

void sinter::ir::registerDialects(DialectRegistry &registry) {
  registry.insert<SinterDialect, affine::AffineDialect, arith::ArithDialect, func::FuncDialect,
                  gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                  nvgpu::NVGPUDialect, scf::SCFDialect, vector::VectorDialect>();
}

StringRef sinter::ir::roleOf(BlockArgument argument) {
  auto function = dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function) return "input";
  auto role = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), roleAttr);
  return role ? role.getValue() : "input";
}

std::string sinter::ir::describe(StringRef what, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function = argument
                      ? dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp())
                      : nullptr;
  auto name =
      function ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nameAttr) : nullptr;
  return name ? (what + " '" + name.getValue() + "'").str() : what.str();
}

TargetAttr sinter::ir::targetOf(Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto target = op->getAttrOfType<TargetAttr>(targetAttr)) return target;
  return nullptr;
}
