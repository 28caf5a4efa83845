#include "sinter/ir/KernelKinds.h"

using namespace mlir;
using namespace sinter::ir;

// A fused op and a kernel have the same border: argument i is operand i, yielded value i is result i;
// and a schedule whose kind accepts the region.
static LogicalResult verifyRegion(Operation *op, Region &body, Attribute schedule, TypeRange inputs,
                                  TypeRange outputs) {
  if (body.getArgumentTypes() != inputs)
    return op->emitOpError("region arguments must have the types of the operands, in order");
  auto yield = dyn_cast<YieldOp>(body.front().getTerminator());
  if (!yield || yield.getOperandTypes() != outputs)
    return op->emitOpError("yielded values must have the types of the results, in order");
  std::string why;
  if (failed(acceptsRegion(body.front(), schedule, targetOf(op), &why)))
    return op->emitOpError("no kernel of its schedule accepts the region: ") << why;
  return success();
}

LogicalResult ExpectFusedOp::verify() {
  if (getValues().size() < 2) return emitOpError("wants two values or more");
  return success();
}

LogicalResult FusedOp::verifyRegions() {
  return verifyRegion(*this, getBody(), getSchedule(), getInputs().getTypes(),
                      getOutputs().getTypes());
}

LogicalResult KernelOp::verifyRegions() {
  return verifyRegion(*this, getBody(), getSchedule(), getFunctionType().getInputs(),
                      getFunctionType().getResults());
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel) return emitOpError("names no sinter.kernel: '") << getKernel() << "'";
  if (TypeRange(kernel.getFunctionType().getInputs()) != getInputs().getTypes() ||
      TypeRange(kernel.getFunctionType().getResults()) != getOutputs().getTypes())
    return emitOpError("operands and results do not have the types of kernel '")
           << getKernel() << "'";
  return success();
}
