#include "sinter/ir/InferSupport.h"

using namespace mlir;
using namespace sinter::ir;

// Verifiers of ops whose result type is stated rather than inferred, and of attributes.

static LogicalResult verifyDims(Operation *op, StringRef name, Value x, ArrayRef<int64_t> dims) {
  for (int64_t dim : dims)
    if (shapeOf(x)[dim] == 0)
      return op->emitError() << name << ": dimension " << dim << " of " << typeText(x.getType())
                             << " is empty";
  return success();
}
LogicalResult SumOp::verify() { return success(); }
LogicalResult MeanOp::verify() { return success(); } // an empty mean is NaN
LogicalResult MaxOp::verify() { return verifyDims(*this, "max", getX(), getDim()); }
LogicalResult MinOp::verify() { return verifyDims(*this, "min", getX(), getDim()); }
LogicalResult ArgmaxOp::verify() { return verifyDims(*this, "argmax", getX(), getDim()); }

LogicalResult GeluOp::verify() {
  if (getApproximate() == "none" || getApproximate() == "tanh") return success();
  return emitError() << "gelu: approximate is '" << getApproximate() << "', expected none or tanh";
}

LogicalResult ClampOp::verify() {
  if (!getMin() && !getMax()) return emitError() << "clamp: needs min, max or both";
  if (!isa<FloatType>(elementOf(getX())))
    for (std::optional<APFloat> bound : {getMin(), getMax()})
      if (bound && !bound->isInteger())
        return emitError() << "clamp: bound " << bound->convertToDouble()
                           << " of an integer tensor is not a whole number";
  return success();
}

LogicalResult IotaOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  int64_t dim = getDim();
  if (dim < 0 || dim >= type.getRank())
    return emitError() << "iota: dim " << dim << " is outside a tensor of shape "
                       << shapeText(type.getShape());
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (elementOf(getX()) != elementOf(getResult()))
    return emitError() << "reshape: changes the element type from " << typeText(getX().getType())
                       << " to " << typeText(getType());
  if (tensorType(getX()).getNumElements() != tensorType(getResult()).getNumElements())
    return emitError() << "reshape: shape " << shapeText(shapeOf(getX())) << " has "
                       << tensorType(getX()).getNumElements() << " elements, "
                       << shapeText(shapeOf(getResult())) << " has "
                       << tensorType(getResult()).getNumElements();
  return success();
}

LogicalResult BroadcastOp::verify() {
  ArrayRef<int64_t> from = shapeOf(getX()), to = shapeOf(getResult());
  if (elementOf(getX()) != elementOf(getResult()))
    return emitError() << "broadcast: changes the element type from " << typeText(getX().getType())
                       << " to " << typeText(getType());
  bool fits = from.size() <= to.size();
  for (size_t i = 0; fits && i < from.size(); ++i)
    fits = from[i] == 1 || from[i] == to[to.size() - from.size() + i];
  if (!fits)
    return emitError() << "broadcast: shape " << shapeText(from) << " does not broadcast to "
                       << shapeText(to);
  return success();
}

LogicalResult RelayoutOp::verify() {
  if (shapeOf(getX()) == shapeOf(getResult()) && elementOf(getX()) == elementOf(getResult()))
    return success();
  return emitError() << "relayout: changes the logical type from " << typeText(getX().getType())
                     << " to " << typeText(getType());
}

LogicalResult OneHotOp::verify() {
  ArrayRef<int64_t> indices = shapeOf(getIndices()), result = shapeOf(getResult());
  if (result.size() == indices.size() + 1 && result.drop_back() == indices) return success();
  return emitError() << "one_hot: indices have shape " << shapeText(indices) << ", the result "
                     << shapeText(result) << " should add one dimension at the end";
}

LogicalResult EmbeddingGradOp::verify() {
  ArrayRef<int64_t> grad = shapeOf(getGrad()), result = shapeOf(getResult());
  if (result.size() == 2 && !grad.empty() && grad.back() == result[1] &&
      grad.drop_back() == shapeOf(getIndices()) && elementOf(getGrad()) == elementOf(getResult()))
    return success();
  return emitError() << "embedding_grad: grad " << typeText(getGrad().getType()) << " and indices "
                     << typeText(getIndices().getType()) << " do not make a gradient of "
                     << typeText(getType());
}

static LogicalResult verifyDim(Operation *op, StringRef name, Value x, int64_t dim) {
  if (dim >= 0 && dim < int64_t(shapeOf(x).size())) return success();
  return op->emitError() << name << ": dim " << dim << " is outside a tensor of shape "
                         << shapeText(shapeOf(x));
}
LogicalResult SoftmaxOp::verify() { return verifyDim(*this, "softmax", getX(), getDim()); }
LogicalResult LogSoftmaxOp::verify() { return verifyDim(*this, "log_softmax", getX(), getDim()); }
LogicalResult CumsumOp::verify() { return verifyDim(*this, "cumsum", getX(), getDim()); }

LogicalResult SoftplusOp::verify() {
  double beta = getBeta().convertToDouble();
  if (beta > 0) return success();
  return emitError() << "softplus: beta is " << beta << ", expected a positive number";
}

LogicalResult CrossEntropyGradOp::verify() {
  ArrayRef<int64_t> logits = shapeOf(getLogits());
  SmallVector<int64_t> rows(logits);
  if (rows.size() >= 2) rows.erase(rows.begin() + 1);
  if (logits.size() < 2 || shapeOf(getTarget()) != ArrayRef<int64_t>(rows) ||
      getType() != getLogits().getType())
    return emitError() << "cross_entropy_grad: logits " << typeText(getLogits().getType())
                       << ", target " << typeText(getTarget().getType()) << " and result "
                       << typeText(getType()) << " do not agree";
  if (failed(checkReduction(getLoc(), "cross_entropy_grad", getReduction()))) return failure();
  ArrayRef<int64_t> grad = shapeOf(getGrad());
  if (getReduction() == "none" ? grad != ArrayRef<int64_t>(rows) : !grad.empty())
    return emitError() << "cross_entropy_grad: the cotangent has shape " << shapeText(grad)
                       << " for reduction " << getReduction();
  return success();
}

LogicalResult Conv2dInputGradOp::verify() {
  auto shape = convolutionShape(getLoc(), {"conv2d_input_grad", getWeight(), shapeOf(getResult()),
                                           shapeOf(getWeight()), getStride(), getPadding(),
                                           getDilation(), int64_t(getGroups())});
  if (failed(shape)) return failure();
  if (ArrayRef<int64_t>(*shape) != shapeOf(getGrad()))
    return emitError() << "conv2d_input_grad: grad has shape " << shapeText(shapeOf(getGrad()))
                       << ", expected " << shapeText(*shape);
  return success();
}

LogicalResult Conv2dWeightGradOp::verify() {
  auto shape = convolutionShape(getLoc(), {"conv2d_weight_grad", nullptr, shapeOf(getInput()),
                                           shapeOf(getResult()), getStride(), getPadding(),
                                           getDilation(), int64_t(getGroups())});
  if (failed(shape)) return failure();
  if (ArrayRef<int64_t>(*shape) != shapeOf(getGrad()))
    return emitError() << "conv2d_weight_grad: grad has shape " << shapeText(shapeOf(getGrad()))
                       << ", expected " << shapeText(*shape);
  return success();
}

LogicalResult MaxPool2dGradOp::verify() {
  auto shape = poolShape(getLoc(), {"max_pool2d_grad", shapeOf(getResult()), getKernelSize(),
                                    getStride(), getPadding(), getCeilMode()});
  if (failed(shape)) return failure();
  if (ArrayRef<int64_t>(*shape) != shapeOf(getGrad()) || shapeOf(getPlace()) != shapeOf(getGrad()))
    return emitError() << "max_pool2d_grad: grad " << typeText(getGrad().getType()) << " and place "
                       << typeText(getPlace().getType()) << " should have shape "
                       << shapeText(*shape);
  return success();
}

LogicalResult AvgPool2dGradOp::verify() {
  auto shape = poolShape(getLoc(), {"avg_pool2d_grad", shapeOf(getResult()), getKernelSize(),
                                    getStride(), getPadding(), getCeilMode()});
  if (failed(shape)) return failure();
  if (ArrayRef<int64_t>(*shape) != shapeOf(getGrad()))
    return emitError() << "avg_pool2d_grad: grad has shape " << shapeText(shapeOf(getGrad()))
                       << ", expected " << shapeText(*shape);
  return success();
}

template <class OpT> static LogicalResult verifyRandom(OpT op) {
  if (shapeOf(op.getSeed()).empty() && shapeOf(op.getStep()).empty()) return success();
  return op.emitError() << op->getName().stripDialect() << ": seed and step must be scalars";
}
LogicalResult RandomUniformOp::verify() { return verifyRandom(*this); }
LogicalResult RandomNormalOp::verify() { return verifyRandom(*this); }
LogicalResult RandomBernoulliOp::verify() {
  double p = getP().convertToDouble();
  if (!(p >= 0 && p <= 1))
    return emitError() << "random_bernoulli: p is " << p << ", expected a probability";
  return verifyRandom(*this);
}

LogicalResult GradientOp::verify() {
  if (getGradients().size() != getWrt().size())
    return emitError() << "gradient: " << getWrt().size() << " values to differentiate by, "
                       << getGradients().size() << " results";
  for (auto [wrt, gradient] : llvm::zip(getWrt(), getGradients()))
    if (wrt.getType() != gradient.getType())
      return emitError() << "gradient: a gradient by " << typeText(wrt.getType()) << " has type "
                         << typeText(gradient.getType());
  if (getCotangents().empty()) {
    if (getOutputs().size() != 1 || !shapeOf(getOutputs()[0]).empty())
      return emitError()
             << "gradient: without cotangents there must be one scalar output, for example a loss";
    return success();
  }
  if (getCotangents().size() != getOutputs().size())
    return emitError() << "gradient: " << getOutputs().size() << " outputs, "
                       << getCotangents().size() << " cotangents";
  for (auto [output, cotangent] : llvm::zip(getOutputs(), getCotangents()))
    if (output.getType() != cotangent.getType())
      return emitError() << "gradient: the cotangent of " << typeText(output.getType())
                         << " has type " << typeText(cotangent.getType());
  return success();
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> order, ArrayRef<int64_t> blocks,
                                 ArrayRef<int64_t> padding) {
  SmallVector<bool> seen(order.size());
  for (int64_t dim : order) {
    if (dim < 0 || dim >= int64_t(order.size()) || seen[dim])
      return emitError() << "layout: order " << shapeText(order) << " is no permutation";
    seen[dim] = true;
  }
  if (!blocks.empty() && blocks.size() != order.size())
    return emitError() << "layout: blocks " << shapeText(blocks) << " for " << order.size()
                       << " dimensions";
  if (!padding.empty() && padding.size() != order.size())
    return emitError() << "layout: padding " << shapeText(padding) << " for " << order.size()
                       << " dimensions";
  for (int64_t block : blocks)
    if (block < 1) return emitError() << "layout: a block is at least 1";
  return success();
}
