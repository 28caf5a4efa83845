#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

// A fused op and a kernel have the same interface to their region: argument i is operand i, yielded
// value i is result i.
static LogicalResult verifyInterface(Operation *op, Region &body, TypeRange inputs,
                                     TypeRange outputs) {
  if (body.getArgumentTypes() != inputs)
    return op->emitOpError("region arguments must have the types of the operands, in order");
  auto yield = dyn_cast<YieldOp>(body.front().getTerminator());
  if (!yield || yield.getOperandTypes() != outputs)
    return op->emitOpError("yielded values must have the types of the results, in order");
  return success();
}

LogicalResult FusedOp::verifyRegions() {
  return verifyInterface(*this, getBody(), getInputs().getTypes(), getOutputs().getTypes());
}

LogicalResult KernelOp::verifyRegions() {
  return verifyInterface(*this, getBody(), getFunctionType().getInputs(),
                         getFunctionType().getResults());
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel) return emitOpError("names no sinter.kernel: '") << getKernel() << "'";
  if (kernel.getFunctionType().getInputs() != getInputs().getTypes() ||
      kernel.getFunctionType().getResults() != getOutputs().getTypes())
    return emitOpError("operands and results do not have the types of kernel '")
           << getKernel() << "'";
  return success();
}
