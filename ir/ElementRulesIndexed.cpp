#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

// Elements found by indices that are data.

using namespace mlir;
using namespace sinter::ir;

/// Data as an index into a dimension of `size`: the nearest one that exists.
static Value clampedIndex(ElementBuilder &b, Value data, int64_t size) {
  Value zero = constantIntOf(b.builder, b.loc, data.getType(), 0);
  Value last = constantIntOf(b.builder, b.loc, data.getType(), size - 1);
  data = arith::MinSIOp::create(b.builder, b.loc,
                                arith::MaxSIOp::create(b.builder, b.loc, data, zero), last);
  return b.asIndex(data);
}

Value EmbeddingOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Value row =
      clampedIndex(b, b.element(getIndices(), indices.drop_back()), shapeOf(getWeight())[0]);
  return b.element(getWeight(), {row, indices.back()});
}
bool EmbeddingOp::isVectorizable() { return false; }

Value GatherOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  SmallVector<Value> place(indices);
  place[getDim()] = clampedIndex(b, b.element(getIndex(), indices), shapeOf(getX())[getDim()]);
  return b.element(getX(), place);
}
bool GatherOp::isVectorizable() { return false; }

Value OneHotOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Value hot = b.element(getIndices(), indices.drop_back());
  Value here = b.asData(indices.back(), computeType(elementOf(getIndices())));
  Value equal = arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::eq, hot, here);
  Type type = b.valueType(computeType(elementOf(getResult())));
  return arith::SelectOp::create(b.builder, b.loc, equal, constantIntOf(b.builder, b.loc, type, 1),
                                 constantIntOf(b.builder, b.loc, type, 0));
}
