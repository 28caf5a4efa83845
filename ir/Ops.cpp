#include "sinter/ir/Assembly.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace sinter::ir;

void SinterDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "sinter/ir/Ops.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "sinter/ir/Ops.cpp.inc"
