#include "sinter/codegen/PackedContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// One loop nest over the result with the sum inside: right for every contraction on every target, and
/// the choice for small ones.
class PlainContraction {
public:
  explicit PlainContraction(KernelFrame &frame) : frame(frame), b(frame.builder) {}

  LogicalResult run() {
    for (Operation &op : frame.body())
      if (auto found = dyn_cast<ContractionOpInterface>(op)) contraction = found;
    dims = contraction.getContractionDims();
    SmallVector<int64_t> extents;
    for (ArrayRef<int64_t> group :
         {ArrayRef(dims.batch), ArrayRef(dims.m), ArrayRef(dims.n), ArrayRef(dims.k)})
      extents.append(group.begin(), group.end());
    unsigned kept = extents.size() - dims.k.size();
    std::vector<AffineExpr> positions = frame.trial(extents, [&](Elements &trial,
                                                                 ValueRange indices) {
      product(trial, indices);
      trial.bindValue(contraction->getResult(0), constantOf(b, frame.loc, accumulatorType(), 0));
      storeResults(trial, indices.take_front(kept));
    });
    merged = mergeDims(
        extents, positions, [&](unsigned dim) { return dim + 1 != kept; }, b.getContext());
    unsigned keptMerged = kept ? merged.mergedOf[kept - 1] + 1 : 0;
    ArrayRef<int64_t> keptExtents = ArrayRef(merged.extents).take_front(keptMerged);
    ArrayRef<int64_t> sumExtents = ArrayRef(merged.extents).drop_front(keptMerged);
    int64_t terms = 1;
    for (int64_t extent : sumExtents) terms *= extent;
    auto elements = frame.elements();
    emitParallelNest(
        frame, *elements, keptExtents, /*vectorize=*/true, terms, [&](ValueRange point, int64_t) {
          Value zero = constantOf(b, frame.loc, elements->valueType(accumulatorType()), 0);
          Value sum = overTerms(*elements, sumExtents, SmallVector<Value>(point), zero, 0);
          elements->bindValue(contraction->getResult(0),
                              elements->rounded(sum, elementOf(contraction->getResult(0))));
          SmallVector<Value> all(point);
          all.append(sumExtents.size(), elements->index(0));
          storeResults(*elements, originals(*elements, all).take_front(kept));
        });
    return failure(elements->failed());
  }

private:
  Type accumulatorType() { return computeType(elementOf(contraction->getResult(0))); }

  ArrayRef<Value> originals(Elements &elements, ValueRange point) {
    original.clear();
    for (AffineExpr expr : merged.exprs) original.push_back(elements.apply(expr, point));
    return original;
  }

  /// lhs * rhs at a point of all loops, zero where either does not exist.
  std::pair<Value, Value> product(Elements &elements, ValueRange point) {
    ValueRange batch = point.take_front(dims.batch.size()),
               rest = point.drop_front(dims.batch.size());
    ValueRange m = rest.take_front(dims.m.size()),
               n = rest.drop_front(dims.m.size()).take_front(dims.n.size());
    ValueRange k = point.take_back(dims.k.size());
    Value sides[2];
    for (unsigned side = 0; side < 2; ++side) {
      ElementAddress address =
          contraction.getSideAddress(elements, side, batch, side == 0 ? m : n, k);
      Value operand = contraction->getOperand(contraction.getSideOperand(side));
      auto element = [&] { return elements.spread(elements.element(operand, address.indices)); };
      Value zero = constantOf(b, frame.loc, elements.valueType(computeType(elementOf(operand))), 0);
      sides[side] =
          address.inBounds ? elements.guarded(address.inBounds, zero, element) : element();
    }
    return {sides[0], sides[1]};
  }

  Value overTerms(Elements &elements, ArrayRef<int64_t> extents, SmallVector<Value> point,
                  Value sum, unsigned dim) {
    if (dim == extents.size()) {
      SmallVector<Value> all(originals(elements, point));
      auto [lhs, rhs] = product(elements, all);
      if (frame.options.fma) return math::FmaOp::create(b, frame.loc, lhs, rhs, sum);
      return arith::AddFOp::create(b, frame.loc, sum,
                                   arith::MulFOp::create(b, frame.loc, lhs, rhs));
    }
    return emitLoop(b, frame.loc, frame.constant(0), frame.constant(extents[dim]),
                    frame.constant(1), sum,
                    [&](Value counter, ValueRange carried) -> SmallVector<Value> {
                      elements.variable(counter, 0, extents[dim] - 1);
                      SmallVector<Value> inner(point);
                      inner.push_back(counter);
                      return {overTerms(elements, extents, inner, carried[0], dim + 1)};
                    })[0];
  }

  void storeResults(Elements &elements, ValueRange point) {
    Value result = contraction->getResult(0);
    ValueRange batch = point.take_front(dims.batch.size()),
               rest = point.drop_front(dims.batch.size());
    ValueRange m = rest.take_front(dims.m.size()), n = rest.drop_front(dims.m.size());
    SmallVector<Value> place = contraction.getResultIndices(elements, batch, m, n);
    SmallVector<AffineExpr> exprs;
    for (Value index : place) exprs.push_back(elements.exprOf(index));
    AffineExpr position = elements.simplify(linearIndex(exprs, shapeOf(result), b.getContext()));
    SmallVector<Value> values;
    for (Value output : frame.yield()->getOperands()) {
      SmallVector<Value> indices(place);
      if (shapeOf(output) != shapeOf(result)) {
        indices.clear();
        int64_t stride = tensorType(output).getNumElements();
        for (int64_t extent : shapeOf(output)) {
          stride /= extent;
          indices.push_back(elements.indexOf(position.floorDiv(stride) % extent));
        }
      }
      values.push_back(elements.element(output, indices));
    }
    for (auto [number, value] : llvm::enumerate(values))
      elements.store(value, frame.outputBuffer(number),
                     elementOf(frame.yield()->getOperand(number)), position);
  }

  KernelFrame &frame;
  OpBuilder &b;
  ContractionOpInterface contraction;
  ContractionDims dims;
  MergedDims merged;
  SmallVector<Value> original;
};

} // namespace

LogicalResult lowerContraction(KernelFrame &frame) {
  LogicalResult result = success();
  if (lowerPackedContraction(frame, result)) return result;
  return PlainContraction(frame).run();
}

} // namespace sinter::codegen
