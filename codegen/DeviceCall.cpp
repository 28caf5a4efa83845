#include "sinter/codegen/DeviceCall.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace sinter::codegen {

void emitDeviceCall(OpBuilder &b, Location loc, StringRef spelling, StringRef header,
                    ValueRange operands) {
  auto caller = b.getInsertionBlock()->getParentOp();
  if (!isa<func::FuncOp>(caller)) caller = caller->getParentOfType<func::FuncOp>();
  auto module = caller->getParentOfType<ModuleOp>();
  auto type = b.getFunctionType(operands.getTypes(), {});
  func::FuncOp callee;
  unsigned number = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (deviceHeaderOf(function).empty() || deviceSpellingOf(function) != spelling) continue;
    if (function.getFunctionType() == type) callee = function;
    ++number;
  }
  if (!callee) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(caller);
    callee = func::FuncOp::create(b, loc, (spelling + "#" + Twine(number)).str(), type);
    callee.setPrivate();
    callee->setAttr(deviceHeaderAttr, b.getStringAttr(header));
  }
  func::CallOp::create(b, loc, callee, operands);
}

StringRef deviceHeaderOf(func::FuncOp function) {
  auto header = function->getAttrOfType<StringAttr>(deviceHeaderAttr);
  return header ? header.getValue() : "";
}

StringRef deviceSpellingOf(func::FuncOp function) { return function.getName().split('#').first; }

} // namespace sinter::codegen
