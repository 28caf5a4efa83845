#include "sinter/ir/InferSupport.h"

using namespace mlir;
using namespace sinter::ir;

namespace {
// Shape of `x` with `dim` folded away; checks the dimensions.
LogicalResult reducedType(std::optional<Location> loc, StringRef op, Value x,
                          ArrayRef<int64_t> dims, bool keepdim, Type element,
                          SmallVectorImpl<Type> &types) {
  ArrayRef<int64_t> shape = shapeOf(x);
  int64_t previous = -1;
  for (int64_t dim : dims) {
    if (dim < 0 || dim >= int64_t(shape.size()))
      return refuse(loc, op, ": dim ", dim, " is outside a tensor of shape ", shapeText(shape));
    if (dim <= previous)
      return refuse(loc, op, ": dimensions ", shapeText(dims), " are not ascending");
    previous = dim;
  }
  SmallVector<int64_t> result;
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    if (!llvm::is_contained(dims, int64_t(dim)))
      result.push_back(extent);
    else if (keepdim)
      result.push_back(1);
  }
  types.push_back(tensorOf(result, element));
  return success();
}

LogicalResult checkLength(std::optional<Location> loc, StringRef op, StringRef what,
                          ArrayRef<int64_t> values, ArrayRef<int64_t> shape) {
  if (values.size() == shape.size()) return success();
  return refuse(loc, op, ": ", what, " has ", values.size(), " values for a tensor of shape ",
                shapeText(shape));
}
} // namespace

LogicalResult SumOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                      ValueRange operands, DictionaryAttr attributes,
                                      OpaqueProperties properties, RegionRange regions,
                                      SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return reducedType(loc, "sum", op.getX(), op.getDim(), op.getKeepdim(), elementOf(op.getX()),
                     types);
}

LogicalResult MeanOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                       ValueRange operands, DictionaryAttr attributes,
                                       OpaqueProperties properties, RegionRange regions,
                                       SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return reducedType(loc, "mean", op.getX(), op.getDim(), op.getKeepdim(), elementOf(op.getX()),
                     types);
}

LogicalResult MaxOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                      ValueRange operands, DictionaryAttr attributes,
                                      OpaqueProperties properties, RegionRange regions,
                                      SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return reducedType(loc, "max", op.getX(), op.getDim(), op.getKeepdim(), elementOf(op.getX()),
                     types);
}

LogicalResult MinOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                      ValueRange operands, DictionaryAttr attributes,
                                      OpaqueProperties properties, RegionRange regions,
                                      SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return reducedType(loc, "min", op.getX(), op.getDim(), op.getKeepdim(), elementOf(op.getX()),
                     types);
}

LogicalResult ArgmaxOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return reducedType(loc, "argmax", op.getX(), op.getDim(), op.getKeepdim(),
                     IntegerType::get(context, 64), types);
}

LogicalResult ArgsortOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX());
  int64_t dim = op.getDim();
  if (dim < 0 || dim >= int64_t(shape.size()))
    return refuse(loc, "argsort: dim ", dim, " is outside a tensor of shape ", shapeText(shape));
  types.push_back(tensorOf(shape, IntegerType::get(context, 64)));
  return success();
}

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (op.getLhs().getType() != op.getRhs().getType())
    return refuse(loc, "compare: ", typeText(op.getLhs().getType()), " and ",
                  typeText(op.getRhs().getType()), " differ");
  types.push_back(tensorOf(shapeOf(op.getLhs()), IntegerType::get(context, 1)));
  return success();
}

LogicalResult IsFiniteOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                           ValueRange operands, DictionaryAttr attributes,
                                           OpaqueProperties properties, RegionRange regions,
                                           SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  types.push_back(tensorOf(shapeOf(op.getX()), IntegerType::get(context, 1)));
  return success();
}

LogicalResult SelectOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (op.getOnTrue().getType() != op.getOnFalse().getType() ||
      shapeOf(op.getCondition()) != shapeOf(op.getOnTrue()))
    return refuse(loc, "select: condition ", typeText(op.getCondition().getType()), ", values ",
                  typeText(op.getOnTrue().getType()), " and ", typeText(op.getOnFalse().getType()),
                  " do not agree");
  types.push_back(op.getOnTrue().getType());
  return success();
}

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX());
  if (failed(checkLength(loc, "transpose", "permutation", op.getPermutation(), shape)))
    return failure();
  SmallVector<bool> seen(shape.size());
  SmallVector<int64_t> result;
  for (int64_t dim : op.getPermutation()) {
    if (dim < 0 || dim >= int64_t(shape.size()) || seen[dim])
      return refuse(loc, "transpose: ", shapeText(op.getPermutation()), " is no permutation of ",
                    shape.size(), " dimensions");
    seen[dim] = true;
    result.push_back(shape[dim]);
  }
  types.push_back(tensorOf(result, elementOf(op.getX())));
  return success();
}

LogicalResult SliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                        ValueRange operands, DictionaryAttr attributes,
                                        OpaqueProperties properties, RegionRange regions,
                                        SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX());
  if (failed(checkLength(loc, "slice", "start", op.getStart(), shape)) ||
      failed(checkLength(loc, "slice", "limit", op.getLimit(), shape)) ||
      failed(checkLength(loc, "slice", "step", op.getStep(), shape)))
    return failure();
  SmallVector<int64_t> result;
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    int64_t start = op.getStart()[dim], limit = op.getLimit()[dim], step = op.getStep()[dim];
    if (start < 0 || limit < start || limit > extent || step < 1)
      return refuse(loc, "slice: ", start, ":", limit, ":", step, " does not fit dimension ", dim,
                    " of size ", extent);
    result.push_back((limit - start + step - 1) / step);
  }
  types.push_back(tensorOf(result, elementOf(op.getX())));
  return success();
}

LogicalResult PadOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                      ValueRange operands, DictionaryAttr attributes,
                                      OpaqueProperties properties, RegionRange regions,
                                      SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX());
  if (failed(checkLength(loc, "pad", "low", op.getLow(), shape)) ||
      failed(checkLength(loc, "pad", "high", op.getHigh(), shape)) ||
      failed(checkLength(loc, "pad", "interior", op.getInterior(), shape)))
    return failure();
  SmallVector<int64_t> result;
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    int64_t low = op.getLow()[dim], high = op.getHigh()[dim], interior = op.getInterior()[dim];
    if (low < 0 || high < 0 || interior < 0)
      return refuse(loc, "pad: amounts of dimension ", dim, " must not be negative");
    result.push_back(low + high + extent + std::max<int64_t>(extent - 1, 0) * interior);
  }
  types.push_back(tensorOf(result, elementOf(op.getX())));
  return success();
}

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (op.getInputs().empty()) return refuse(loc, "concat: no operands");
  auto first = cast<RankedTensorType>(op.getInputs().front().getType());
  int64_t dim = op.getDim();
  if (dim < 0 || dim >= first.getRank())
    return refuse(loc, "concat: dim ", dim, " is outside a tensor of shape ",
                  shapeText(first.getShape()));
  SmallVector<int64_t> result(first.getShape());
  for (Value input : op.getInputs().drop_front()) {
    SmallVector<int64_t> expected(first.getShape());
    if (tensorType(input).getRank() == first.getRank()) expected[dim] = shapeOf(input)[dim];
    if (shapeOf(input) != ArrayRef<int64_t>(expected) || elementOf(input) != first.getElementType())
      return refuse(loc, "concat: ", typeText(first), " and ", typeText(input.getType()),
                    " differ outside dimension ", dim);
    result[dim] += shapeOf(input)[dim];
  }
  types.push_back(tensorOf(result, first.getElementType()));
  return success();
}

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> weight = shapeOf(op.getWeight());
  if (weight.size() != 2)
    return refuse(loc, "embedding: ", describe("weight", op.getWeight()), " has shape ",
                  shapeText(weight), ", expected [V, D]");
  if (op.getPaddingIdx() &&
      (int64_t(*op.getPaddingIdx()) < 0 || int64_t(*op.getPaddingIdx()) >= weight[0]))
    return refuse(loc, "embedding: padding_idx ", int64_t(*op.getPaddingIdx()), " is outside ",
                  weight[0], " rows");
  SmallVector<int64_t> result(shapeOf(op.getIndices()));
  result.push_back(weight[1]);
  types.push_back(tensorOf(result, elementOf(op.getWeight())));
  return success();
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX()), index = shapeOf(op.getIndex());
  int64_t dim = op.getDim();
  if (index.size() != shape.size())
    return refuse(loc, "gather: index has shape ", shapeText(index), ", x ", shapeText(shape),
                  ": ranks differ");
  if (dim < 0 || dim >= int64_t(shape.size()))
    return refuse(loc, "gather: dim ", dim, " is outside a tensor of shape ", shapeText(shape));
  for (size_t i = 0; i < shape.size(); ++i)
    if (int64_t(i) != dim && index[i] > shape[i])
      return refuse(loc, "gather: index of shape ", shapeText(index),
                    " reaches outside x of shape ", shapeText(shape));
  types.push_back(tensorOf(index, elementOf(op.getX())));
  return success();
}

/// One scalar start for each dimension of `shape`, and a slice of `size` that fits into it.
static LogicalResult checkSlice(std::optional<Location> loc, StringRef op, ValueRange starts,
                                ArrayRef<int64_t> size, ArrayRef<int64_t> shape) {
  if (starts.size() != shape.size() ||
      llvm::any_of(starts, [](Value start) { return !shapeOf(start).empty(); }))
    return refuse(loc, op, ": expected ", shape.size(), " scalars as start of a slice of shape ",
                  shapeText(shape));
  bool fits = size.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = size[i] >= 0 && size[i] <= shape[i];
  if (fits) return success();
  return refuse(loc, op, ": a slice of shape ", shapeText(size), " does not fit into ",
                shapeText(shape));
}

LogicalResult DynamicSliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                               ValueRange operands, DictionaryAttr attributes,
                                               OpaqueProperties properties, RegionRange regions,
                                               SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkSlice(loc, "dynamic_slice", op.getStart(), op.getSize(), shapeOf(op.getX()))))
    return failure();
  types.push_back(tensorOf(op.getSize(), elementOf(op.getX())));
  return success();
}

LogicalResult DynamicUpdateSliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                     ValueRange operands, DictionaryAttr attributes,
                                                     OpaqueProperties properties,
                                                     RegionRange regions,
                                                     SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkSlice(loc, "dynamic_update_slice", op.getStart(), shapeOf(op.getUpdate()),
                        shapeOf(op.getX()))))
    return failure();
  if (elementOf(op.getUpdate()) != elementOf(op.getX()))
    return refuse(loc, "dynamic_update_slice: update is ", typeText(op.getUpdate().getType()),
                  ", x ", typeText(op.getX().getType()));
  types.push_back(tensorOf(shapeOf(op.getX()), elementOf(op.getX())));
  return success();
}

LogicalResult ScatterAddOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                             ValueRange operands, DictionaryAttr attributes,
                                             OpaqueProperties properties, RegionRange regions,
                                             SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> shape = shapeOf(op.getX()), index = shapeOf(op.getIndex());
  int64_t dim = op.getDim();
  if (index.size() != shape.size())
    return refuse(loc, "scatter_add: index has shape ", shapeText(index), ", x ", shapeText(shape),
                  ": ranks differ");
  if (dim < 0 || dim >= int64_t(shape.size()))
    return refuse(loc, "scatter_add: dim ", dim, " is outside a tensor of shape ",
                  shapeText(shape));
  for (size_t i = 0; i < shape.size(); ++i)
    if (int64_t(i) != dim && index[i] > shape[i])
      return refuse(loc, "scatter_add: index of shape ", shapeText(index),
                    " reaches outside x of shape ", shapeText(shape));
  if (shapeOf(op.getSrc()) != index || elementOf(op.getSrc()) != elementOf(op.getX()))
    return refuse(loc, "scatter_add: src is ", typeText(op.getSrc().getType()),
                  ", expected index's shape ", shapeText(index), " and x's type");
  types.push_back(tensorOf(shape, elementOf(op.getX())));
  return success();
}
