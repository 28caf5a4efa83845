#include "sinter/passes/Simplify.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
namespace {

/// Floats and integers between element types of equal kind: widening into compute type, rounding back.
TypedAttr converted(TypedAttr number, Type to) {
  if (number.getType() == to) return number;
  if (auto value = dyn_cast<FloatAttr>(number); value && isa<FloatType>(to)) {
    APFloat converted = value.getValue();
    bool lost = false;
    converted.convert(cast<FloatType>(to).getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
    return FloatAttr::get(to, converted);
  }
  auto value = dyn_cast<IntegerAttr>(number);
  auto type = dyn_cast<IntegerType>(to);
  if (!value || !type) return nullptr;
  APInt bits = cast<IntegerType>(value.getType()).isUnsigned()
                   ? value.getValue().zextOrTrunc(type.getWidth())
                   : value.getValue().sextOrTrunc(type.getWidth());
  return IntegerAttr::get(to, bits);
}

/// The scalar body of an elementwise op, built once and folded by the folders of arith and math for
/// each element.
class ScalarBody {
public:
  explicit ScalarBody(ScalarOpInterface op) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointToEnd(&block);
    for (Value operand : op->getOperands())
      block.addArgument(computeType(elementOf(operand)), op->getLoc());
    result = op.buildScalar(builder, op->getLoc(), block.getArguments());
  }

  /// The result in compute type, or null where some op does not fold.
  TypedAttr evaluate(ArrayRef<TypedAttr> operands) {
    DenseMap<Value, Attribute> known;
    for (auto [argument, operand] : llvm::zip(block.getArguments(), operands))
      if (!(known[argument] = converted(operand, argument.getType()))) return nullptr;
    for (Operation &op : block)
      if (!fold(op, known)) return nullptr;
    return dyn_cast_or_null<TypedAttr>(known.lookup(result));
  }

private:
  Block block;
  Value result;

  static bool fold(Operation &op, DenseMap<Value, Attribute> &known) {
    Attribute constant;
    if (op.getNumResults() != 1 || op.getNumRegions() != 0) return false;
    if (matchPattern(&op, m_Constant(&constant))) {
      known[op.getResult(0)] = constant;
      return true;
    }
    // A folder may first only reorder operands.
    for (int attempt = 0; attempt < 3; ++attempt) {
      SmallVector<Attribute> operands;
      for (Value operand : op.getOperands()) operands.push_back(known.lookup(operand));
      SmallVector<OpFoldResult> results;
      if (failed(op.fold(operands, results))) return false;
      if (results.empty()) continue;
      auto value = dyn_cast<Value>(results[0]);
      Attribute folded = value ? known.lookup(value) : cast<Attribute>(results[0]);
      known[op.getResult(0)] = folded;
      return bool(folded);
    }
    return false;
  }
};

struct FoldElementwise : OpInterfaceRewritePattern<ScalarOpInterface> {
  FoldElementwise(MLIRContext *context, int64_t limitBytes)
      : OpInterfaceRewritePattern(context), limitBytes(limitBytes) {}
  int64_t limitBytes;

  LogicalResult matchAndRewrite(ScalarOpInterface op, PatternRewriter &rewriter) const override {
    SmallVector<DenseElementsAttr> operands;
    bool splat = true;
    for (Value operand : op->getOperands()) {
      DenseElementsAttr value;
      if (!matchPattern(operand, m_Constant(&value)))
        return rewriter.notifyMatchFailure(op, "an operand is not constant");
      operands.push_back(value);
      splat &= value.isSplat();
    }
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (operands.empty() || !type || type.getEncoding())
      return rewriter.notifyMatchFailure(op, "no operands, or a physical order");
    int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8 * type.getNumElements();
    if (!splat && bytes > limitBytes)
      return rewriter.notifyMatchFailure(op, "the result is larger than fold-limit");

    ScalarBody body(op);
    SmallVector<Attribute> results;
    for (int64_t i = 0, count = splat ? 1 : type.getNumElements(); i < count; ++i) {
      SmallVector<TypedAttr> scalars;
      for (DenseElementsAttr value : operands)
        scalars.push_back(cast<TypedAttr>(value.isSplat() ? value.getSplatValue<Attribute>()
                                                          : value.getValues<Attribute>()[i]));
      TypedAttr result = body.evaluate(scalars);
      if (result) result = converted(result, type.getElementType());
      if (!result) return rewriter.notifyMatchFailure(op, "its body does not fold");
      results.push_back(result);
    }
    rewriter.replaceOpWithNewOp<ConstantOp>(op, DenseElementsAttr::get(type, results));
    return success();
  }
};

} // namespace

void populateConstantFolding(RewritePatternSet &patterns, int64_t limitBytes) {
  patterns.add<FoldElementwise>(patterns.getContext(), limitBytes);
}

} // namespace sinter::passes
