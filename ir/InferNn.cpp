#include "sinter/ir/InferSupport.h"

using namespace mlir;
using namespace sinter::ir;

namespace {
// The statistics' type: f32 for narrow floats.
Type statisticType(Type element) { return computeType(element); }

LogicalResult checkVector(std::optional<Location> loc, StringRef op, StringRef what, Value value,
                          int64_t extent) {
  if (shapeOf(value) == ArrayRef<int64_t>{extent}) return success();
  return refuse(loc, op, ": ", describe(what, value), " has shape ", shapeText(shapeOf(value)),
                ", expected [", extent, "]");
}

LogicalResult checkChannels(std::optional<Location> loc, StringRef op, Value x) {
  if (shapeOf(x).size() >= 2) return success();
  return refuse(loc, op, ": input has shape ", shapeText(shapeOf(x)), ", expected [N, C, ...]");
}

// layer_norm's weight and bias have the trailing dimensions of x.
LogicalResult checkTrailing(std::optional<Location> loc, StringRef op, Value x, StringRef what,
                            Value value) {
  ArrayRef<int64_t> shape = shapeOf(x), trailing = shapeOf(value);
  if (!trailing.empty() && trailing.size() <= shape.size() &&
      shape.take_back(trailing.size()) == trailing)
    return success();
  return refuse(loc, op, ": ", describe(what, value), " has shape ", shapeText(trailing),
                ", which is not the end of the input's shape ", shapeText(shape));
}

LogicalResult lossType(std::optional<Location> loc, StringRef op, Value input, Value target,
                       StringRef reduction, SmallVectorImpl<Type> &types) {
  if (failed(checkReduction(loc, op, reduction))) return failure();
  if (input.getType() != target.getType())
    return refuse(loc, op, ": input is ", typeText(input.getType()), ", target ",
                  typeText(target.getType()));
  types.push_back(reduction == "none" ? tensorType(input) : tensorOf({}, elementOf(input)));
  return success();
}
} // namespace

LogicalResult MatmulOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  ArrayRef<int64_t> lhs = shapeOf(op.getLhs()), rhs = shapeOf(op.getRhs());
  if (lhs.size() < 2 || rhs.size() < 2)
    return refuse(loc, "matmul: operands have shapes ", shapeText(lhs), " and ", shapeText(rhs),
                  ", expected at least two dimensions");
  if (elementOf(op.getLhs()) != elementOf(op.getRhs()))
    return refuse(loc, "matmul: operands are ", typeText(op.getLhs().getType()), " and ",
                  typeText(op.getRhs().getType()));
  if (lhs.drop_back(2) != rhs.drop_back(2))
    return refuse(loc, "matmul: batch dimensions ", shapeText(lhs.drop_back(2)), " and ",
                  shapeText(rhs.drop_back(2)), " differ");
  int64_t m = lhs[lhs.size() - 2], k = lhs.back(), rk = rhs[rhs.size() - 2], n = rhs.back();
  if (op.getTransposeA()) std::swap(m, k);
  if (op.getTransposeB()) std::swap(rk, n);
  if (k != rk)
    return refuse(loc, "matmul: ", describe("left operand", op.getLhs()), " of shape ",
                  shapeText(lhs), " has inner size ", k, ", ",
                  describe("right operand", op.getRhs()), " of shape ", shapeText(rhs), " has ",
                  rk);
  SmallVector<int64_t> result(lhs.drop_back(2));
  result.append({m, n});
  types.push_back(tensorOf(result, elementOf(op.getLhs())));
  return success();
}

LogicalResult Conv2dOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (elementOf(op.getInput()) != elementOf(op.getWeight()))
    return refuse(loc, "conv2d: input is ", typeText(op.getInput().getType()), ", ",
                  describe("weight", op.getWeight()), " is ", typeText(op.getWeight().getType()));
  auto shape = convolutionShape(loc, {"conv2d", op.getWeight(), shapeOf(op.getInput()),
                                      shapeOf(op.getWeight()), op.getStride(), op.getPadding(),
                                      op.getDilation(), int64_t(op.getGroups())});
  if (failed(shape)) return failure();
  types.push_back(tensorOf(*shape, elementOf(op.getInput())));
  return success();
}

LogicalResult CrossEntropyOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                               ValueRange operands, DictionaryAttr attributes,
                                               OpaqueProperties properties, RegionRange regions,
                                               SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkReduction(loc, "cross_entropy", op.getReduction()))) return failure();
  ArrayRef<int64_t> logits = shapeOf(op.getLogits()), target = shapeOf(op.getTarget());
  if (logits.size() < 2)
    return refuse(loc, "cross_entropy: logits have shape ", shapeText(logits),
                  ", expected [N, C, ...]");
  SmallVector<int64_t> expected(logits);
  expected.erase(expected.begin() + 1);
  if (target != ArrayRef<int64_t>(expected))
    return refuse(loc, "cross_entropy: target has shape ", shapeText(target), ", logits ",
                  shapeText(logits), " expect ", shapeText(expected));
  double smoothing = op.getLabelSmoothing().convertToDouble();
  if (!(smoothing >= 0 && smoothing <= 1))
    return refuse(loc, "cross_entropy: label_smoothing must be between 0 and 1");
  types.push_back(op.getReduction() == "none" ? tensorOf(target, elementOf(op.getLogits()))
                                              : tensorOf({}, elementOf(op.getLogits())));
  return success();
}

LogicalResult MseLossOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return lossType(loc, "mse_loss", op.getInput(), op.getTarget(), op.getReduction(), types);
}

LogicalResult L1LossOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr attributes,
                                         OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return lossType(loc, "l1_loss", op.getInput(), op.getTarget(), op.getReduction(), types);
}

LogicalResult BceWithLogitsOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                ValueRange operands, DictionaryAttr attributes,
                                                OpaqueProperties properties, RegionRange regions,
                                                SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return lossType(loc, "bce_with_logits", op.getInput(), op.getTarget(), op.getReduction(), types);
}

LogicalResult BinaryCrossEntropyOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                     ValueRange operands, DictionaryAttr attributes,
                                                     OpaqueProperties properties,
                                                     RegionRange regions,
                                                     SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  return lossType(loc, "binary_cross_entropy", op.getInput(), op.getTarget(), op.getReduction(),
                  types);
}

LogicalResult BatchNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkChannels(loc, "batch_norm", op.getX()))) return failure();
  int64_t channels = shapeOf(op.getX())[1];
  if (failed(checkVector(loc, "batch_norm", "weight", op.getWeight(), channels)) ||
      failed(checkVector(loc, "batch_norm", "bias", op.getBias(), channels)))
    return failure();
  auto statistic = tensorOf({channels}, statisticType(elementOf(op.getX())));
  types.append({tensorType(op.getX()), statistic, statistic});
  return success();
}

LogicalResult BatchNormGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                ValueRange operands, DictionaryAttr attributes,
                                                OpaqueProperties properties, RegionRange regions,
                                                SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkChannels(loc, "batch_norm_grad", op.getX()))) return failure();
  int64_t channels = shapeOf(op.getX())[1];
  for (Value value : {op.getWeight(), op.getMean(), op.getVariance()})
    if (failed(checkVector(loc, "batch_norm_grad", "operand", value, channels))) return failure();
  if (shapeOf(op.getGrad()) != shapeOf(op.getX()))
    return refuse(loc, "batch_norm_grad: grad has shape ", shapeText(shapeOf(op.getGrad())), ", x ",
                  shapeText(shapeOf(op.getX())));
  types.append({tensorType(op.getX()), tensorType(op.getWeight()), tensorType(op.getWeight())});
  return success();
}

LogicalResult BatchNormInferenceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                     ValueRange operands, DictionaryAttr attributes,
                                                     OpaqueProperties properties,
                                                     RegionRange regions,
                                                     SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkChannels(loc, "batch_norm_inference", op.getX()))) return failure();
  int64_t channels = shapeOf(op.getX())[1];
  StringRef names[] = {"weight", "bias", "mean", "variance"};
  Value values[] = {op.getWeight(), op.getBias(), op.getMean(), op.getVariance()};
  for (auto [name, value] : llvm::zip(names, values))
    if (failed(checkVector(loc, "batch_norm_inference", name, value, channels))) return failure();
  types.push_back(tensorType(op.getX()));
  return success();
}

LogicalResult LayerNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkTrailing(loc, "layer_norm", op.getX(), "weight", op.getWeight())) ||
      failed(checkTrailing(loc, "layer_norm", op.getX(), "bias", op.getBias())))
    return failure();
  if (shapeOf(op.getWeight()) != shapeOf(op.getBias()))
    return refuse(loc, "layer_norm: weight has shape ", shapeText(shapeOf(op.getWeight())),
                  ", bias ", shapeText(shapeOf(op.getBias())));
  types.push_back(tensorType(op.getX()));
  return success();
}

LogicalResult LayerNormGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                ValueRange operands, DictionaryAttr attributes,
                                                OpaqueProperties properties, RegionRange regions,
                                                SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkTrailing(loc, "layer_norm_grad", op.getX(), "weight", op.getWeight())))
    return failure();
  if (shapeOf(op.getGrad()) != shapeOf(op.getX()))
    return refuse(loc, "layer_norm_grad: grad has shape ", shapeText(shapeOf(op.getGrad())), ", x ",
                  shapeText(shapeOf(op.getX())));
  types.append({tensorType(op.getX()), tensorType(op.getWeight()), tensorType(op.getWeight())});
  return success();
}

LogicalResult RmsNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkTrailing(loc, "rms_norm", op.getX(), "weight", op.getWeight()))) return failure();
  types.push_back(tensorType(op.getX()));
  return success();
}

LogicalResult RmsNormGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                              ValueRange operands, DictionaryAttr attributes,
                                              OpaqueProperties properties, RegionRange regions,
                                              SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkTrailing(loc, "rms_norm_grad", op.getX(), "weight", op.getWeight())))
    return failure();
  if (shapeOf(op.getGrad()) != shapeOf(op.getX()))
    return refuse(loc, "rms_norm_grad: grad has shape ", shapeText(shapeOf(op.getGrad())), ", x ",
                  shapeText(shapeOf(op.getX())));
  types.append({tensorType(op.getX()), tensorType(op.getWeight())});
  return success();
}

static LogicalResult checkGroups(std::optional<Location> loc, StringRef op, Value x, Value weight,
                                 int64_t groups) {
  if (failed(checkChannels(loc, op, x))) return failure();
  int64_t channels = shapeOf(x)[1];
  if (groups < 1 || channels % groups)
    return refuse(loc, op, ": num_groups ", groups, " does not divide ", channels, " channels");
  return checkVector(loc, op, "weight", weight, channels);
}

LogicalResult GroupNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkGroups(loc, "group_norm", op.getX(), op.getWeight(), op.getNumGroups())) ||
      failed(checkVector(loc, "group_norm", "bias", op.getBias(), shapeOf(op.getX())[1])))
    return failure();
  types.push_back(tensorType(op.getX()));
  return success();
}

LogicalResult GroupNormGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                ValueRange operands, DictionaryAttr attributes,
                                                OpaqueProperties properties, RegionRange regions,
                                                SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkGroups(loc, "group_norm_grad", op.getX(), op.getWeight(), op.getNumGroups())))
    return failure();
  if (shapeOf(op.getGrad()) != shapeOf(op.getX()))
    return refuse(loc, "group_norm_grad: grad has shape ", shapeText(shapeOf(op.getGrad())), ", x ",
                  shapeText(shapeOf(op.getX())));
  types.append({tensorType(op.getX()), tensorType(op.getWeight()), tensorType(op.getWeight())});
  return success();
}

LogicalResult MaxPool2dOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto shape = poolShape(loc, {"max_pool2d", shapeOf(op.getX()), op.getKernelSize(), op.getStride(),
                               op.getPadding(), op.getCeilMode()});
  if (failed(shape)) return failure();
  if (op.getKernelSize()[0] * op.getKernelSize()[1] > 255)
    return refuse(loc, "max_pool2d: kernel_size ", shapeText(op.getKernelSize()),
                  " has more than 255 places");
  types.append({tensorOf(*shape, elementOf(op.getX())),
                tensorOf(*shape, IntegerType::get(context, 8, IntegerType::Unsigned))});
  return success();
}

LogicalResult AvgPool2dOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            ValueRange operands, DictionaryAttr attributes,
                                            OpaqueProperties properties, RegionRange regions,
                                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto shape = poolShape(loc, {"avg_pool2d", shapeOf(op.getX()), op.getKernelSize(), op.getStride(),
                               op.getPadding(), op.getCeilMode()});
  if (failed(shape)) return failure();
  types.push_back(tensorOf(*shape, elementOf(op.getX())));
  return success();
}

LogicalResult DropoutOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  for (Value scalar : {op.getSeed(), op.getStep()})
    if (!shapeOf(scalar).empty()) return refuse(loc, "dropout: seed and step must be scalars");
  double p = op.getP().convertToDouble();
  if (!(p >= 0 && p < 1)) return refuse(loc, "dropout: p must be at least 0 and below 1");
  types.push_back(tensorType(op.getX()));
  return success();
}
