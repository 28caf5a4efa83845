#include "sinter/codegen/attention/AttentionOperands.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

Value keptFactors(KernelFrame &frame, Operation *op, const AttentionFacts &f) {
  if (!f.seed) return nullptr;
  OpBuilder at(op);
  auto weights =
      RankedTensorType::get({f.batch, f.heads, f.rows, f.keys}, computeType(elementOf(f.query)));
  Value ones = splat(at, frame.loc, weights, 1.0);
  return DropoutOp::create(at, frame.loc, ones, f.seed, f.step, at.getI64IntegerAttr(f.stream),
                           at.getF64FloatAttr(f.drop));
}

AffineExpr positionIn(Elements &elements, Value tensor, ValueRange place) {
  SmallVector<AffineExpr> exprs;
  for (Value index : place) exprs.push_back(elements.exprOf(index));
  return linearIndex(exprs, shapeOf(tensor), tensor.getContext());
}

void writeResult(KernelFrame &frame, Elements &elements, Operation *op, unsigned number,
                 Value value, ValueRange place) {
  for (auto [i, output] : llvm::enumerate(frame.yield()->getOperands()))
    if (output == op->getResult(number))
      elements.store(value, frame.outputBuffer(i), elementOf(output),
                     positionIn(elements, output, place));
}

} // namespace sinter::codegen
