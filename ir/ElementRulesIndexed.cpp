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

/// The nearest start that leaves `size` of `extent` elements.
static Value startIndex(ElementBuilder &b, Value start, int64_t size, int64_t extent) {
  return clampedIndex(b, b.element(start, {}), extent - size + 1);
}

Value DynamicSliceOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  MLIRContext *context = b.builder.getContext();
  AffineExpr sum = getAffineDimExpr(0, context) + getAffineDimExpr(1, context);
  SmallVector<Value> place;
  for (auto [dim, index] : llvm::enumerate(indices)) {
    Value start = startIndex(b, getStart()[dim], getSize()[dim], shapeOf(getX())[dim]);
    place.push_back(b.apply(sum, {index, start}));
  }
  return b.element(getX(), place);
}
bool DynamicSliceOp::isVectorizable() { return false; }

Value DynamicUpdateSliceOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  MLIRContext *context = b.builder.getContext();
  AffineExpr difference = getAffineDimExpr(0, context) - getAffineDimExpr(1, context);
  SmallVector<Value> place;
  Value inside;
  for (auto [dim, index] : llvm::enumerate(indices)) {
    int64_t size = shapeOf(getUpdate())[dim], extent = shapeOf(getX())[dim];
    if (size == extent) { // starts at 0
      place.push_back(index);
      continue;
    }
    place.push_back(b.apply(difference, {index, startIndex(b, getStart()[dim], size, extent)}));
    Value offset = b.asData(place.back(), b.builder.getI64Type());
    for (auto [predicate, bound] : {std::pair(arith::CmpIPredicate::sge, int64_t(0)),
                                    std::pair(arith::CmpIPredicate::slt, size)}) {
      Value holds = arith::CmpIOp::create(b.builder, b.loc, predicate, offset,
                                          constantIntOf(b.builder, b.loc, offset.getType(), bound));
      inside = inside ? arith::AndIOp::create(b.builder, b.loc, inside, holds) : holds;
    }
  }
  auto updated = [&] { return b.element(getUpdate(), place); };
  return inside ? b.guarded(inside, b.element(getX(), indices), updated) : updated();
}
bool DynamicUpdateSliceOp::isVectorizable() { return false; }

Value OneHotOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Value hot = b.element(getIndices(), indices.drop_back());
  Value here = b.asData(indices.back(), computeType(elementOf(getIndices())));
  Value equal = arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::eq, hot, here);
  Type type = b.valueType(computeType(elementOf(getResult())));
  return arith::SelectOp::create(b.builder, b.loc, equal, constantIntOf(b.builder, b.loc, type, 1),
                                 constantIntOf(b.builder, b.loc, type, 0));
}
