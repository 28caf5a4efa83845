#include "sinter/codegen/reference/OpEvaluation.h"

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// Copies element `from` of a tensor, error and all, to element `to` of another of its type.
void copyElement(const HostTensor &source, int64_t from, HostTensor &target, int64_t to) {
  if (source.isFloat())
    target.values[to] = source.values[from];
  else
    target.integers[to] = source.integers[from];
  if (source.error.empty()) return;
  if (target.error.empty()) target.error.resize(target.numElements());
  target.error[to] = source.error[from];
}

/// result[i] = operand[offset + sum of i_dim * step_dim].
void strided(OpEvaluation &e, ArrayRef<int64_t> steps, int64_t offset = 0) {
  forEachIndex(e.result().type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    int64_t from = offset;
    for (auto [index, step] : llvm::zip(indices, steps)) from += index * step;
    copyElement(e.operand(0), from, e.result(), linear);
  });
}

LogicalResult constant(OpEvaluation &e) {
  RankedTensorType type = e.result().type;
  e.result() = fromAttribute(cast<ir::ConstantOp>(e.op).getValue());
  e.result().type = type;
  return success();
}
LogicalResult iota(OpEvaluation &e) {
  int64_t dim = cast<ir::IotaOp>(e.op).getDim();
  Writer out(e.result(), e.options.trackErrors);
  forEachIndex(e.result().type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    if (e.result().isFloat())
      out.set(linear, out.arithmetic.constant(static_cast<double>(indices[dim])));
    else
      out.setInteger(linear, indices[dim], 0);
  });
  return success();
}
/// The same elements in the same order: reshape, relayout, stop_gradient, fusion_barrier.
LogicalResult same(OpEvaluation &e) {
  RankedTensorType type = e.result().type;
  e.result() = e.operand(0);
  e.result().type = type;
  return success();
}
LogicalResult transpose(OpEvaluation &e) {
  SmallVector<int64_t> strides = stridesOf(e.operand(0).type.getShape()), steps;
  for (int64_t dim : cast<ir::TransposeOp>(e.op).getPermutation()) steps.push_back(strides[dim]);
  strided(e, steps);
  return success();
}
LogicalResult broadcast(OpEvaluation &e) {
  ArrayRef<int64_t> shape = e.operand(0).type.getShape();
  SmallVector<int64_t> strides = stridesOf(shape),
                       steps(e.result().type.getRank() - shape.size(), 0);
  for (auto [size, stride] : llvm::zip(shape, strides)) steps.push_back(size == 1 ? 0 : stride);
  strided(e, steps);
  return success();
}
LogicalResult slice(OpEvaluation &e) {
  auto op = cast<ir::SliceOp>(e.op);
  SmallVector<int64_t> steps = stridesOf(e.operand(0).type.getShape());
  int64_t offset = 0;
  for (auto [dim, step] : llvm::enumerate(steps)) {
    offset += op.getStart()[dim] * step;
    step *= op.getStep()[dim];
  }
  strided(e, steps, offset);
  return success();
}
LogicalResult pad(OpEvaluation &e) {
  auto op = cast<ir::PadOp>(e.op);
  const HostTensor &x = e.operand(0);
  Writer out(e.result(), e.options.trackErrors);
  SmallVector<int64_t> strides = stridesOf(x.type.getShape());
  double value = op.getValue().convertToDouble();
  forEachIndex(e.result().type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
    int64_t from = 0;
    bool inside = true;
    for (auto [dim, index] : llvm::enumerate(indices)) {
      int64_t pitch = op.getInterior()[dim] + 1, place = index - op.getLow()[dim];
      inside = inside && place >= 0 && place % pitch == 0 && place / pitch < x.type.getDimSize(dim);
      from += place / pitch * strides[dim];
    }
    if (inside)
      copyElement(x, from, e.result(), linear);
    else if (x.isFloat())
      out.set(linear, out.arithmetic.constant(value));
    else
      out.setInteger(linear, saturateTo(dtypeOf(x.type.getElementType()), value), 0);
  });
  return success();
}
LogicalResult concat(OpEvaluation &e) {
  int64_t dim = cast<ir::ConcatOp>(e.op).getDim(), start = 0;
  SmallVector<int64_t> strides = stridesOf(e.result().type.getShape());
  for (unsigned number = 0; number < e.numOperands(); ++number) {
    const HostTensor &part = e.operand(number);
    forEachIndex(part.type.getShape(), [&](int64_t linear, ArrayRef<int64_t> indices) {
      int64_t to = start * strides[dim];
      for (auto [index, stride] : llvm::zip(indices, strides)) to += index * stride;
      copyElement(part, linear, e.result(), to);
    });
    start += part.type.getDimSize(dim);
  }
  return success();
}

} // namespace

void addShapes(Handlers &handlers) {
  handlers["sinter.constant"] = constant;
  handlers["sinter.iota"] = iota;
  handlers["sinter.reshape"] = same;
  handlers["sinter.relayout"] = same;
  handlers["sinter.stop_gradient"] = same;
  handlers["sinter.fusion_barrier"] = same;
  handlers["sinter.transpose"] = transpose;
  handlers["sinter.broadcast"] = broadcast;
  handlers["sinter.slice"] = slice;
  handlers["sinter.pad"] = pad;
  handlers["sinter.concat"] = concat;
}

} // namespace sinter::codegen::reference
