#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// Mean, biased variance and 1 / sqrt(variance + eps) of a group of elements.
struct Moments {
  Ball mean, variance, scale;
};
Ball reciprocalRoot(const Arithmetic &m, Ball variance, double eps) {
  return m.rsqrt(m.add(variance, m.constant(eps)));
}
Ball meanOf(const Arithmetic &m, const Sum &sum) {
  Ball y = m.div(sum.finish(m), {double(sum.count()), 0});
  return m.loosened(y, 2, std::fabs(y.value));
}
Moments momentsOf(const Arithmetic &m, const Reader &x, int64_t start,
                  const std::vector<int64_t> &offsets, double eps) {
  Sum sum;
  for (int64_t offset : offsets) sum.add(x[start + offset]);
  Moments moments;
  moments.mean = meanOf(m, sum);
  Sum squares;
  for (int64_t offset : offsets) {
    Ball d = m.sub(x[start + offset], moments.mean);
    squares.add(m.mul(d, d));
  }
  moments.variance = meanOf(m, squares);
  moments.scale = reciprocalRoot(m, moments.variance, eps);
  return moments;
}
/// (x - mean) * scale * weight + bias, also as x * (scale * weight) + (bias - mean * scale * weight).
Ball affine(const Arithmetic &m, Ball x, Ball mean, Ball scale, Ball weight, Ball bias) {
  Ball y = m.add(m.mul(m.mul(m.sub(x, mean), scale), weight), bias);
  double size =
      (std::fabs(x.value) + std::fabs(mean.value)) * std::fabs(scale.value * weight.value);
  return m.loosened(y, 4, size + std::fabs(bias.value));
}

/// Loops of batch_norm: one group per channel.
FoldedShape channelGroups(const HostTensor &x) {
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < x.type.getRank(); ++dim)
    if (dim != 1) dims.push_back(dim);
  return {x.type.getShape(), dims};
}
/// Loops of layer_norm: one group per row, over the trailing dimensions of `weight`.
FoldedShape rowGroups(const HostTensor &x, const HostTensor &weight) {
  SmallVector<int64_t> dims;
  for (int64_t dim = x.type.getRank() - weight.type.getRank(); dim < x.type.getRank(); ++dim)
    dims.push_back(dim);
  return {x.type.getShape(), dims};
}

LogicalResult batchNorm(OpEvaluation &e) {
  double eps = cast<ir::BatchNormOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = channelGroups(e.operand(0));
  bool track = e.options.trackErrors;
  Writer out(e.result(0), track), means(e.result(1), track), variances(e.result(2), track);
  const Arithmetic &m = out.arithmetic;
  Reader x(e.operand(0)), weight(e.operand(1)), bias(e.operand(2));
  for (auto [c, start] : llvm::enumerate(groups.kept)) {
    Moments moments = momentsOf(m, x, start, groups.folded, eps);
    means.set(c, moments.mean);
    variances.set(c, moments.variance);
    for (int64_t offset : groups.folded)
      out.set(start + offset,
              affine(m, x[start + offset], moments.mean, moments.scale, weight[c], bias[c]));
  }
  return success();
}

LogicalResult batchNormInference(OpEvaluation &e) {
  double eps = cast<ir::BatchNormInferenceOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = channelGroups(e.operand(0));
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  Reader x(e.operand(0)), weight(e.operand(1)), bias(e.operand(2)), mean(e.operand(3)),
      variance(e.operand(4));
  for (auto [c, start] : llvm::enumerate(groups.kept)) {
    Ball scale = reciprocalRoot(m, variance[c], eps);
    for (int64_t offset : groups.folded)
      out.set(start + offset, affine(m, x[start + offset], mean[c], scale, weight[c], bias[c]));
  }
  return success();
}

/// The gradient of x of one normalised group: scale * (g - mean(g) - xhat * mean(g * xhat)), where g
/// holds the cotangents times the weights.
void normalizedGradient(Writer &out, int64_t start, const std::vector<int64_t> &offsets,
                        ArrayRef<Ball> g, ArrayRef<Ball> normalized, Ball scale) {
  const Arithmetic &m = out.arithmetic;
  Sum plain, along;
  for (auto [cotangent, hat] : llvm::zip(g, normalized)) {
    plain.add(cotangent);
    along.add(m.mul(cotangent, hat));
  }
  Ball meanPlain = meanOf(m, plain), meanAlong = meanOf(m, along);
  for (auto [i, offset] : llvm::enumerate(offsets)) {
    Ball y = m.sub(m.sub(g[i], meanPlain), m.mul(normalized[i], meanAlong));
    double size = std::fabs(g[i].value) + std::fabs(meanPlain.value) +
                  std::fabs(normalized[i].value * meanAlong.value);
    out.set(start + offset, m.mul(scale, m.loosened(y, 6, size)));
  }
}

LogicalResult batchNormGrad(OpEvaluation &e) {
  double eps = cast<ir::BatchNormGradOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = channelGroups(e.operand(0));
  bool track = e.options.trackErrors;
  Writer gradX(e.result(0), track), gradWeight(e.result(1), track), gradBias(e.result(2), track);
  const Arithmetic &m = gradX.arithmetic;
  Reader grad(e.operand(0)), x(e.operand(1)), weight(e.operand(2)), mean(e.operand(3)),
      variance(e.operand(4));
  for (auto [c, start] : llvm::enumerate(groups.kept)) {
    Ball scale = reciprocalRoot(m, variance[c], eps);
    SmallVector<Ball> g, normalized;
    Sum forWeight, forBias;
    for (int64_t offset : groups.folded) {
      Ball cotangent = grad[start + offset];
      normalized.push_back(m.mul(m.sub(x[start + offset], mean[c]), scale));
      g.push_back(cotangent);
      forWeight.add(m.mul(cotangent, normalized.back()));
      forBias.add(cotangent);
    }
    gradWeight.set(c, m.loosened(forWeight.finish(m), 4, std::fabs(forWeight.finish(m).value)));
    gradBias.set(c, forBias.finish(m));
    normalizedGradient(gradX, start, groups.folded, g, normalized, m.mul(scale, weight[c]));
  }
  return success();
}

LogicalResult layerNorm(OpEvaluation &e) {
  double eps = cast<ir::LayerNormOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = rowGroups(e.operand(0), e.operand(1));
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  Reader x(e.operand(0)), weight(e.operand(1)), bias(e.operand(2));
  for (int64_t start : groups.kept) {
    Moments moments = momentsOf(m, x, start, groups.folded, eps);
    for (auto [i, offset] : llvm::enumerate(groups.folded))
      out.set(start + offset,
              affine(m, x[start + offset], moments.mean, moments.scale, weight[i], bias[i]));
  }
  return success();
}

LogicalResult layerNormGrad(OpEvaluation &e) {
  double eps = cast<ir::LayerNormGradOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = rowGroups(e.operand(1), e.operand(2));
  bool track = e.options.trackErrors;
  Writer gradX(e.result(0), track), gradWeight(e.result(1), track), gradBias(e.result(2), track);
  const Arithmetic &m = gradX.arithmetic;
  Reader grad(e.operand(0)), x(e.operand(1)), weight(e.operand(2));
  std::vector<Sum> forWeight(groups.folded.size()), forBias(groups.folded.size());
  for (int64_t start : groups.kept) {
    Moments moments = momentsOf(m, x, start, groups.folded, eps);
    SmallVector<Ball> g, normalized;
    for (auto [i, offset] : llvm::enumerate(groups.folded)) {
      Ball cotangent = grad[start + offset];
      normalized.push_back(m.mul(m.sub(x[start + offset], moments.mean), moments.scale));
      g.push_back(m.mul(cotangent, weight[i]));
      forWeight[i].add(m.mul(cotangent, normalized.back()));
      forBias[i].add(cotangent);
    }
    normalizedGradient(gradX, start, groups.folded, g, normalized, moments.scale);
  }
  for (size_t i = 0; i < groups.folded.size(); ++i) {
    gradWeight.set(i, forWeight[i].finish(m));
    gradBias.set(i, forBias[i].finish(m));
  }
  return success();
}

/// 1 / sqrt(mean(x * x) + eps) of a group of elements.
Ball rootMeanSquare(const Arithmetic &m, const Reader &x, int64_t start,
                    const std::vector<int64_t> &offsets, double eps) {
  Sum squares;
  for (int64_t offset : offsets) squares.add(m.mul(x[start + offset], x[start + offset]));
  return reciprocalRoot(m, meanOf(m, squares), eps);
}

LogicalResult rmsNorm(OpEvaluation &e) {
  double eps = cast<ir::RmsNormOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = rowGroups(e.operand(0), e.operand(1));
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  Reader x(e.operand(0)), weight(e.operand(1));
  for (int64_t start : groups.kept) {
    Ball scale = rootMeanSquare(m, x, start, groups.folded, eps);
    for (auto [i, offset] : llvm::enumerate(groups.folded)) {
      Ball y = m.mul(m.mul(x[start + offset], scale), weight[i]);
      out.set(start + offset, m.loosened(y, 2, std::fabs(y.value)));
    }
  }
  return success();
}

LogicalResult rmsNormGrad(OpEvaluation &e) {
  double eps = cast<ir::RmsNormGradOp>(e.op).getEps().convertToDouble();
  FoldedShape groups = rowGroups(e.operand(1), e.operand(2));
  bool track = e.options.trackErrors;
  Writer gradX(e.result(0), track), gradWeight(e.result(1), track);
  const Arithmetic &m = gradX.arithmetic;
  Reader grad(e.operand(0)), x(e.operand(1)), weight(e.operand(2));
  std::vector<Sum> forWeight(groups.folded.size());
  for (int64_t start : groups.kept) {
    Ball scale = rootMeanSquare(m, x, start, groups.folded, eps);
    SmallVector<Ball> u, scaled;
    Sum along;
    for (auto [i, offset] : llvm::enumerate(groups.folded)) {
      scaled.push_back(m.mul(x[start + offset], scale));
      u.push_back(m.mul(grad[start + offset], weight[i]));
      along.add(m.mul(u.back(), scaled.back()));
      forWeight[i].add(m.mul(grad[start + offset], scaled.back()));
    }
    Ball meanAlong = meanOf(m, along);
    for (auto [i, offset] : llvm::enumerate(groups.folded)) {
      Ball y = m.sub(u[i], m.mul(scaled[i], meanAlong));
      double size = std::fabs(u[i].value) + std::fabs(scaled[i].value * meanAlong.value);
      gradX.set(start + offset, m.mul(scale, m.loosened(y, 4, size)));
    }
  }
  for (size_t i = 0; i < forWeight.size(); ++i) gradWeight.set(i, forWeight[i].finish(m));
  return success();
}

/// x [N, C, ...] as groups of neighbouring elements, and which channel an element belongs to.
struct ChannelGroups {
  int64_t number, length, inChannel, channels;
  std::vector<int64_t> offsets;
  ChannelGroups(const HostTensor &x, int64_t groups)
      : number(x.type.getDimSize(0) * groups), channels(x.type.getDimSize(1)) {
    length = number ? x.numElements() / number : 0;
    inChannel = length / (channels / groups);
    for (int64_t i = 0; i < length; ++i) offsets.push_back(i);
  }
  int64_t start(int64_t group) const { return group * length; }
  int64_t channelOf(int64_t element) const { return element / inChannel % channels; }
};

LogicalResult groupNorm(OpEvaluation &e) {
  auto op = cast<ir::GroupNormOp>(e.op);
  ChannelGroups groups(e.operand(0), op.getNumGroups());
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  Reader x(e.operand(0)), weight(e.operand(1)), bias(e.operand(2));
  for (int64_t group = 0; group < groups.number; ++group) {
    int64_t start = groups.start(group);
    Moments moments = momentsOf(m, x, start, groups.offsets, op.getEps().convertToDouble());
    for (int64_t at = start; at < start + groups.length; ++at) {
      int64_t c = groups.channelOf(at);
      out.set(at, affine(m, x[at], moments.mean, moments.scale, weight[c], bias[c]));
    }
  }
  return success();
}

LogicalResult groupNormGrad(OpEvaluation &e) {
  auto op = cast<ir::GroupNormGradOp>(e.op);
  ChannelGroups groups(e.operand(1), op.getNumGroups());
  bool track = e.options.trackErrors;
  Writer gradX(e.result(0), track), gradWeight(e.result(1), track), gradBias(e.result(2), track);
  const Arithmetic &m = gradX.arithmetic;
  Reader grad(e.operand(0)), x(e.operand(1)), weight(e.operand(2));
  std::vector<Sum> forWeight(groups.channels), forBias(groups.channels);
  for (int64_t group = 0; group < groups.number; ++group) {
    int64_t start = groups.start(group);
    Moments moments = momentsOf(m, x, start, groups.offsets, op.getEps().convertToDouble());
    SmallVector<Ball> g, normalized;
    for (int64_t at = start; at < start + groups.length; ++at) {
      int64_t c = groups.channelOf(at);
      normalized.push_back(m.mul(m.sub(x[at], moments.mean), moments.scale));
      g.push_back(m.mul(grad[at], weight[c]));
      forWeight[c].add(m.mul(grad[at], normalized.back()));
      forBias[c].add(grad[at]);
    }
    normalizedGradient(gradX, start, groups.offsets, g, normalized, moments.scale);
  }
  for (int64_t c = 0; c < groups.channels; ++c) {
    gradWeight.set(c, forWeight[c].finish(m));
    gradBias.set(c, forBias[c].finish(m));
  }
  return success();
}

} // namespace

void addNorms(Handlers &handlers) {
  handlers["sinter.batch_norm"] = batchNorm;
  handlers["sinter.batch_norm_grad"] = batchNormGrad;
  handlers["sinter.batch_norm_inference"] = batchNormInference;
  handlers["sinter.layer_norm"] = layerNorm;
  handlers["sinter.layer_norm_grad"] = layerNormGrad;
  handlers["sinter.rms_norm"] = rmsNorm;
  handlers["sinter.rms_norm_grad"] = rmsNormGrad;
  handlers["sinter.group_norm"] = groupNorm;
  handlers["sinter.group_norm_grad"] = groupNormGrad;
}

} // namespace sinter::codegen::reference
