#include "sinter/codegen/contraction/ContractionElements.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

ContractionElements::ContractionElements(KernelFrame &frame) : frame(frame) {
  for (Operation &each : frame.body())
    if (auto found = dyn_cast<ContractionOpInterface>(each)) op = found;
  dims = op.getContractionDims();
  // What pools after the contraction; pooling that feeds it comes before it.
  for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
    if (auto fusible = dyn_cast<FusibleOpInterface>(next);
        fusible && fusible.getFusionKind() == FusionKind::Window && isAfter(next))
      window = windowEndOf(next);
}

/// Whether `other` uses the contraction's result, directly or through others.
bool ContractionElements::isAfter(Operation *other) const {
  return llvm::any_of(other->getOperands(), [&](Value operand) {
    Operation *def = operand.getDefiningOp();
    return def && (def == op.getOperation() || isAfter(def));
  });
}

SmallVector<int64_t> ContractionElements::extents() const {
  SmallVector<int64_t> result;
  for (ArrayRef<int64_t> group :
       {ArrayRef(dims.batch), ArrayRef(dims.m), ArrayRef(dims.n), ArrayRef(dims.k)})
    result.append(group.begin(), group.end());
  return result;
}

std::array<unsigned, 5> ContractionElements::firsts() const {
  std::array<size_t, 4> sizes{dims.batch.size(), dims.m.size(), dims.n.size(), dims.k.size()};
  std::array<unsigned, 5> result{};
  for (unsigned number = 0; number < 4; ++number)
    result[number + 1] = result[number] + sizes[number];
  return result;
}

ValueRange ContractionElements::group(ValueRange point, unsigned number) const {
  std::array<unsigned, 5> first = firsts();
  return point.slice(first[number], first[number + 1] - first[number]);
}

ElementAddress ContractionElements::address(Elements &in, unsigned side, ValueRange point) const {
  return op.getSideAddress(in, side, group(point, 0), group(point, side == 0 ? 1 : 2),
                           group(point, 3));
}

Value ContractionElements::factor(Elements &in, unsigned side, ValueRange point) const {
  Value from = operand(side);
  Type scalar = computeType(elementOf(from));
  return in.forRun(scalar, point, [&](ValueRange at) -> Value {
    ElementAddress place = address(in, side, at);
    auto element = [&] { return in.spread(in.element(from, place.indices)); };
    if (!place.inBounds) return element();
    Value zero = constantOf(frame.builder, frame.loc, in.valueType(scalar), 0);
    return in.guarded(place.inBounds, zero, element);
  });
}

SmallVector<Value> ContractionElements::placeOf(Elements &in, ValueRange point) const {
  return op.getResultIndices(in, group(point, 0), group(point, 1), group(point, 2));
}

void ContractionElements::recordResult(Elements &in, ValueRange point) const {
  SmallVector<AffineExpr> exprs;
  for (Value index : placeOf(in, point)) exprs.push_back(in.exprOf(index));
  in.record(linearIndex(exprs, shapeOf(result()), frame.builder.getContext()));
}

void ContractionElements::store(Elements &in, ValueRange point) const {
  MLIRContext *context = frame.builder.getContext();
  SmallVector<Value> place = placeOf(in, point);
  SmallVector<AffineExpr> exprs;
  for (Value index : place) exprs.push_back(in.exprOf(index));
  ArrayRef<int64_t> shape = shapeOf(window ? window->op->getResult(0) : result());
  AffineExpr position = in.simplify(linearIndex(exprs, shape, context));
  // All are computed before the first is stored: an output may be an input's memory.
  SmallVector<Value> values;
  for (Value output : frame.yield()->getOperands()) {
    SmallVector<Value> outputPlace(place);
    if (shapeOf(output) != shape) {
      outputPlace.clear();
      int64_t stride = tensorType(output).getNumElements();
      for (int64_t extent : shapeOf(output)) {
        stride /= extent;
        // The first needs no remainder: no position lies beyond its end.
        AffineExpr index = position.floorDiv(stride);
        outputPlace.push_back(in.indexOf(outputPlace.empty() ? index : index % extent));
      }
    }
    values.push_back(in.element(output, outputPlace));
  }
  for (auto [number, value] : llvm::enumerate(values))
    in.store(value, frame.outputBuffer(number), elementOf(frame.yield()->getOperand(number)),
             position);
}

} // namespace sinter::codegen
