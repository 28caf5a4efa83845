#include "sinter/codegen/contraction/ContractionElements.h"
#include "sinter/codegen/contraction/PackedPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

ContractionElements::ContractionElements(KernelFrame &frame) : frame(frame) {
  int64_t terms = 0;
  for (auto found : frame.body().getOps<ContractionOpInterface>()) {
    int64_t depth = product(found.getContractionDims().k);
    all.push_back({found, terms, depth});
    terms += depth;
  }
  op = all.front().op;
  dims = op.getContractionDims();
  if (isSum()) dims.k = {terms};
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

int64_t ContractionElements::commonDepth() const {
  int64_t common = 0;
  for (const Product &each : all) common = std::gcd(common, each.depth);
  return common;
}

void ContractionElements::ofProduct(unsigned number, function_ref<void()> emit) const {
  ContractionOpInterface outer = std::exchange(op, all[number].op);
  bool wasChosen = std::exchange(isChosen, true);
  emit();
  op = outer;
  isChosen = wasChosen;
}

void ContractionElements::bindSum(Elements &in, Value sum) const {
  if (!isSum()) return in.bindValue(result(), in.rounded(sum, elementOf(result())));
  // The additions behind the products are left as they are, with the whole sum in place of one of them. It is no
  // part, so it is not rounded as one: the additions round.
  Value zero = constantOf(frame.builder, frame.loc, sum.getType(), 0);
  for (const Product &each : all) in.bindValue(each.op->getResult(0), zero);
  in.bindValue(result(), sum);
}

Value ContractionElements::factor(Elements &in, unsigned side, ValueRange point) const {
  if (!isSum() || isChosen) return factorOf(in, side, point);
  if (!in.recorder) return factorOfAny(in, side, point);
  Value last;
  for (unsigned number = 0; number < all.size(); ++number)
    ofProduct(number, [&] { last = factorOf(in, side, point); });
  return last;
}

/// Of the product that k lies in, which is found out for each factor.
Value ContractionElements::factorOfAny(Elements &in, unsigned side, ValueRange point) const {
  OpBuilder &b = frame.builder;
  Value k = point.back();
  Value found = constantOf(b, frame.loc, in.valueType(accumulatorType()), 0);
  for (auto [number, each] : llvm::enumerate(all)) {
    SmallVector<Value> own(point);
    own.back() = in.apply(b.getAffineDimExpr(0) - each.start, k);
    auto isBelow = [&](int64_t limit) -> Value {
      return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, k,
                                   frame.constant(limit));
    };
    Value inside = isBelow(each.start + each.depth);
    if (each.start) {
      Value before = isBelow(each.start);
      inside = arith::SelectOp::create(b, frame.loc, before,
                                       constantIntOf(b, frame.loc, b.getI1Type(), 0), inside);
    }
    ofProduct(number,
              [&] { found = in.guarded(inside, found, [&] { return factorOf(in, side, own); }); });
  }
  return found;
}

Value ContractionElements::factorOf(Elements &in, unsigned side, ValueRange point) const {
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
