#include "sinter/codegen/reference/OpEvaluation.h"

#include <algorithm>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// The error of a copy of element `from` of `source` through an index with an error of its own.
double gatheredError(const HostTensor &source, int64_t from, double indexError) {
  return indexError != 0 ? HUGE_VAL : source.errorAt(from);
}

void copyThroughIndex(Writer &out, int64_t to, const HostTensor &source, int64_t from,
                      double indexError) {
  double error = gatheredError(source, from, indexError);
  if (source.isFloat())
    out.set(to, {source.values[from], error});
  else
    out.setInteger(to, source.integers[from], error);
}

LogicalResult refuseIndex(OpEvaluation &e, int64_t place, int64_t index, int64_t size) {
  return e.emitError() << "index " << index << " at element " << place << " is outside [0, " << size
                       << ")";
}

LogicalResult embedding(OpEvaluation &e) {
  const HostTensor &weight = e.operand(0), &indices = e.operand(1);
  int64_t rows = weight.type.getDimSize(0), width = weight.type.getDimSize(1);
  Writer out(e.result(), e.options.trackErrors);
  for (int64_t i = 0; i < indices.numElements(); ++i) {
    int64_t row = indices.integers[i];
    if (row < 0 || row >= rows) return refuseIndex(e, i, row, rows);
    for (int64_t j = 0; j < width; ++j)
      copyThroughIndex(out, i * width + j, weight, row * width + j, indices.errorAt(i));
  }
  return success();
}

LogicalResult embeddingGrad(OpEvaluation &e) {
  const HostTensor &grad = e.operand(0), &indices = e.operand(1);
  int64_t rows = e.result().type.getDimSize(0), width = e.result().type.getDimSize(1);
  int64_t padding = cast<ir::EmbeddingGradOp>(e.op).getPaddingIdx().value_or(-1);
  std::vector<Sum> sums(rows * width);
  Reader g(grad);
  bool doubtful = false;
  for (int64_t i = 0; i < indices.numElements(); ++i) {
    int64_t row = indices.integers[i];
    if (row < 0 || row >= rows) return refuseIndex(e, i, row, rows);
    doubtful |= indices.errorAt(i) != 0;
    if (row == padding) continue;
    for (int64_t j = 0; j < width; ++j) sums[row * width + j].add(g[i * width + j]);
  }
  Writer out(e.result(), e.options.trackErrors);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Ball total = sum.finish(out.arithmetic);
    out.set(i, {total.value, doubtful ? HUGE_VAL : total.error});
  }
  return success();
}

/// Offsets into x of the elements that `index` names along `dim`: torch.gather's rule.
FailureOr<std::vector<int64_t>> indexedOffsets(OpEvaluation &e, const HostTensor &x,
                                               const HostTensor &index, int64_t dim) {
  SmallVector<int64_t> strides = stridesOf(x.type.getShape());
  std::vector<int64_t> offsets(index.numElements());
  int64_t size = x.type.getDimSize(dim), bad = -1;
  forEachIndex(index.type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    int64_t named = index.integers[linear];
    if (bad < 0 && (named < 0 || named >= size)) bad = linear;
    for (auto [d, i] : llvm::enumerate(indices))
      offsets[linear] += (int64_t(d) == dim ? named : i) * strides[d];
  });
  if (bad >= 0) return LogicalResult(refuseIndex(e, bad, index.integers[bad], size));
  return offsets;
}

LogicalResult gather(OpEvaluation &e) {
  const HostTensor &x = e.operand(0), &index = e.operand(1);
  auto offsets = indexedOffsets(e, x, index, cast<ir::GatherOp>(e.op).getDim());
  if (failed(offsets)) return failure();
  Writer out(e.result(), e.options.trackErrors);
  for (auto [i, from] : llvm::enumerate(*offsets))
    copyThroughIndex(out, i, x, from, index.errorAt(i));
  return success();
}

LogicalResult scatterAdd(OpEvaluation &e) {
  const HostTensor &x = e.operand(0), &index = e.operand(1), &src = e.operand(2);
  auto offsets = indexedOffsets(e, x, index, cast<ir::ScatterAddOp>(e.op).getDim());
  if (failed(offsets)) return failure();
  // index may be smaller than src: its elements sit at the same indices.
  SmallVector<int64_t> strides = stridesOf(src.type.getShape());
  std::vector<int64_t> sources(offsets->size());
  forEachIndex(index.type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    for (auto [i, stride] : llvm::zip(indices, strides)) sources[linear] += i * stride;
  });
  bool doubtful = llvm::any_of(index.error, [](double error) { return error != 0; });
  Writer out(e.result(), e.options.trackErrors);
  if (!x.isFloat()) {
    std::vector<int64_t> totals = x.integers;
    for (auto [to, from] : llvm::zip(*offsets, sources))
      totals[to] = int64_t(uint64_t(totals[to]) + uint64_t(src.integers[from]));
    for (auto [i, total] : llvm::enumerate(totals))
      out.setInteger(i, total, doubtful ? HUGE_VAL : 0);
    return success();
  }
  Reader start(x), term(src);
  std::vector<Sum> sums(x.numElements());
  for (int64_t i = 0; i < x.numElements(); ++i) sums[i].add(start[i]);
  for (auto [to, from] : llvm::zip(*offsets, sources)) sums[to].add(term[from]);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Ball total = sum.finish(out.arithmetic);
    out.set(i, {total.value, doubtful ? HUGE_VAL : total.error});
  }
  return success();
}

/// Where a slice of shape `size` starts in a tensor of shape `shape`, as an offset; and whether that is
/// in doubt.
struct SliceStart {
  SmallVector<int64_t> indices;
  bool doubtful = false;
  SliceStart(const OpEvaluation &e, unsigned firstOperand, ArrayRef<int64_t> size,
             ArrayRef<int64_t> shape) {
    for (auto [d, extent] : llvm::enumerate(shape)) {
      const HostTensor &start = e.operand(firstOperand + d);
      indices.push_back(std::clamp<int64_t>(start.integers[0], 0, extent - size[d]));
      doubtful |= start.errorAt(0) != 0;
    }
  }
};

LogicalResult dynamicSlice(OpEvaluation &e) {
  const HostTensor &x = e.operand(0);
  SliceStart start(e, 1, e.result().type.getShape(), x.type.getShape());
  SmallVector<int64_t> strides = stridesOf(x.type.getShape());
  Writer out(e.result(), e.options.trackErrors);
  forEachIndex(e.result().type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    int64_t from = 0;
    for (auto [i, first, stride] : llvm::zip(indices, start.indices, strides))
      from += (i + first) * stride;
    copyThroughIndex(out, linear, x, from, start.doubtful);
  });
  return success();
}

LogicalResult dynamicUpdateSlice(OpEvaluation &e) {
  const HostTensor &x = e.operand(0), &update = e.operand(1);
  SliceStart start(e, 2, update.type.getShape(), x.type.getShape());
  SmallVector<int64_t> strides = stridesOf(x.type.getShape());
  Writer out(e.result(), e.options.trackErrors);
  for (int64_t i = 0; i < x.numElements(); ++i) copyThroughIndex(out, i, x, i, start.doubtful);
  forEachIndex(update.type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    int64_t to = 0;
    for (auto [i, first, stride] : llvm::zip(indices, start.indices, strides))
      to += (i + first) * stride;
    copyThroughIndex(out, to, update, linear, start.doubtful);
  });
  return success();
}

LogicalResult oneHot(OpEvaluation &e) {
  const HostTensor &indices = e.operand(0);
  int64_t classes = e.result().type.getShape().back();
  Writer out(e.result(), e.options.trackErrors);
  for (int64_t i = 0; i < indices.numElements(); ++i)
    for (int64_t c = 0; c < classes; ++c) {
      double doubt = indices.errorAt(i) != 0;
      bool hot = indices.integers[i] == c;
      if (e.result().isFloat())
        out.set(i * classes + c, {double(hot), doubt});
      else
        out.setInteger(i * classes + c, hot, doubt);
    }
  return success();
}

} // namespace

void addIndexed(Handlers &handlers) {
  handlers["sinter.embedding"] = embedding;
  handlers["sinter.embedding_grad"] = embeddingGrad;
  handlers["sinter.gather"] = gather;
  handlers["sinter.scatter_add"] = scatterAdd;
  handlers["sinter.dynamic_slice"] = dynamicSlice;
  handlers["sinter.dynamic_update_slice"] = dynamicUpdateSlice;
  handlers["sinter.one_hot"] = oneHot;
}

} // namespace sinter::codegen::reference
