#include "Planted.h"

#include <numeric>

using namespace mlir;
using namespace sinter;

namespace planted {
namespace {

bool axis(ModuleOp module) { // sums along the other of two dimensions
  auto sum = firstOp<ir::SumOp>(module, [](ir::SumOp op) {
    ArrayRef<int64_t> shape = ir::shapeOf(op.getX()), dims = op.getDim();
    return shape.size() >= 2 && dims.size() == 1 && dims[0] == 0 && shape[0] > 1 &&
           ir::tensorType(op.getX()).getNumElements() > shape[0];
  });
  if (!sum) {
    auto softmax = firstOp<ir::SoftmaxOp>(module, [](ir::SoftmaxOp op) {
      ArrayRef<int64_t> shape = ir::shapeOf(op.getX());
      return shape.size() >= 2 && shape[0] > 1 && op.getDim() != 0;
    });
    if (!softmax) return false;
    softmax.setDim(0);
    return true;
  }
  // [A, B] read as [B, A] and summed over A: neighbours instead of a column.
  OpBuilder b(sum);
  ArrayRef<int64_t> shape = ir::shapeOf(sum.getX());
  int64_t rest = ir::tensorType(sum.getX()).getNumElements() / shape[0];
  Value x = reshaped(b, sum.getLoc(), sum.getX(), {rest, shape[0]});
  auto type = RankedTensorType::get({rest}, ir::elementOf(x));
  Value made = ir::SumOp::create(b, sum.getLoc(), type, x, b.getDenseI64ArrayAttr({1}),
                                 b.getBoolAttr(false));
  sum.getResult().replaceAllUsesWith(reshaped(b, sum.getLoc(), made, ir::shapeOf(sum.getResult())));
  sum.erase();
  return true;
}

bool broadcast(ModuleOp module) { // repeats each element instead of the whole
  auto op = firstOp<ir::BroadcastOp>(module, [](ir::BroadcastOp each) {
    ArrayRef<int64_t> from = ir::shapeOf(each.getX()), to = ir::shapeOf(each.getResult());
    int64_t count = ir::tensorType(each.getX()).getNumElements();
    return count > 1 && ir::tensorType(each.getResult()).getNumElements() > count &&
           !from.empty() && from.back() == to.back() && from.back() > 1;
  });
  if (!op) return false;
  OpBuilder b(op);
  int64_t from = ir::tensorType(op.getX()).getNumElements();
  int64_t to = ir::tensorType(op.getResult()).getNumElements();
  Value column = reshaped(b, op.getLoc(), op.getX(), {from, 1});
  auto wide = RankedTensorType::get({from, to / from}, ir::elementOf(column));
  Value made = ir::BroadcastOp::create(b, op.getLoc(), wide, column);
  op.getResult().replaceAllUsesWith(reshaped(b, op.getLoc(), made, ir::shapeOf(op.getResult())));
  op.erase();
  return true;
}

/// `x` with its last two dimensions exchanged, under the shape it had: rows and columns mixed up.
Value scrambled(OpBuilder &b, Location loc, Value x) {
  ArrayRef<int64_t> shape = ir::shapeOf(x);
  SmallVector<int64_t> order(shape.size()), moved(shape);
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  std::swap(moved[moved.size() - 1], moved[moved.size() - 2]);
  auto type = RankedTensorType::get(moved, ir::elementOf(x));
  Value transposed = ir::TransposeOp::create(b, loc, type, x, b.getDenseI64ArrayAttr(order));
  return reshaped(b, loc, transposed, shape);
}
bool hasRowsAndColumns(Value x) {
  ArrayRef<int64_t> shape = ir::shapeOf(x);
  return shape.size() >= 2 && shape[shape.size() - 1] > 1 && shape[shape.size() - 2] > 1;
}

bool transposedOperand(ModuleOp module) {
  auto op = firstOp<ir::MatmulOp>(
      module, [](ir::MatmulOp each) { return hasRowsAndColumns(each.getRhs()); });
  if (!op) return false;
  OpBuilder b(op);
  op->setOperand(1, scrambled(b, op.getLoc(), op.getRhs()));
  return true;
}

bool stride(ModuleOp module) { // a transpose that moves nothing: elements read with the old strides
  auto op = firstOp<ir::TransposeOp>(
      module, [](ir::TransposeOp each) { return hasRowsAndColumns(each.getX()); });
  if (op) {
    OpBuilder b(op);
    op.getResult().replaceAllUsesWith(
        reshaped(b, op.getLoc(), op.getX(), ir::shapeOf(op.getResult())));
    op.erase();
    return true;
  }
  // A convolution's picture, its rows and columns mixed up.
  auto conv = firstOp<ir::Conv2dOp>(module);
  if (!conv || !hasRowsAndColumns(conv.getInput())) return false;
  OpBuilder b(conv);
  conv->setOperand(0, scrambled(b, conv.getLoc(), conv.getInput()));
  return true;
}

bool padding(ModuleOp module) {
  auto pad =
      firstOp<ir::PadOp>(module, [](ir::PadOp each) { return each.getLow() != each.getHigh(); });
  if (pad) {
    auto low = pad.getLowAttr();
    pad.setLowAttr(pad.getHighAttr());
    pad.setHighAttr(low);
    return true;
  }
  // As much more padding as the taps lie further apart: the shapes stay.
  auto widen = [](auto conv, ArrayRef<int64_t> weight) {
    if (!conv) return false;
    SmallVector<int64_t> padding(conv.getPadding()), dilation(conv.getDilation());
    for (int i = 0; i < 2; ++i) {
      int64_t more = weight[2 + i] - 1;
      if (more % 2) return false;
      padding[i] += more / 2;
      dilation[i] += 1;
    }
    conv.setPadding(padding);
    conv.setDilation(dilation);
    return true;
  };
  auto conv = firstOp<ir::Conv2dOp>(module);
  if (conv && widen(conv, ir::shapeOf(conv.getWeight()))) return true;
  auto value = firstOp<ir::PadOp>(module);
  if (!value) return false;
  value.setValueAttr(FloatAttr::get(Float64Type::get(module.getContext()), 0.5));
  return true;
}

bool slice(ModuleOp module) { // one element further
  auto op = firstOp<ir::SliceOp>(module, [](ir::SliceOp each) {
    for (auto [start, limit, size] :
         llvm::zip_equal(each.getStart(), each.getLimit(), ir::shapeOf(each.getX())))
      if (limit < size || start > 0) return true;
    return false;
  });
  if (!op) return false;
  SmallVector<int64_t> start(op.getStart()), limit(op.getLimit());
  for (size_t i = 0; i < start.size(); ++i) {
    int64_t by = limit[i] < ir::shapeOf(op.getX())[i] ? 1 : start[i] > 0 ? -1 : 0;
    if (!by) continue;
    start[i] += by, limit[i] += by;
    break;
  }
  op.setStart(start);
  op.setLimit(limit);
  return true;
}

/// `index` one smaller, but not below zero.
Value oneLess(OpBuilder &b, Location loc, Value index) {
  auto type = ir::tensorType(index);
  Value one = ir::splat(b, loc, type, 1), zero = ir::splat(b, loc, type, 0);
  Value less = ir::SubOp::create(b, loc, type, index, one);
  return ir::MaximumOp::create(b, loc, type, less, zero);
}

bool gatherIndex(ModuleOp module) {
  Operation *op = nullptr;
  unsigned operand = 0;
  module.walk([&](Operation *each) {
    if (isa<ir::EmbeddingOp, ir::GatherOp, ir::CrossEntropyOp>(each))
      op = each, operand = 1;
    else if (isa<ir::OneHotOp>(each))
      op = each, operand = 0;
    if (op && ir::elementOf(op->getOperand(operand)).isUnsignedInteger()) op = nullptr;
    return op ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!op) return false;
  OpBuilder b(op);
  op->setOperand(operand, oneLess(b, op->getLoc(), op->getOperand(operand)));
  return true;
}

bool scatterLost(ModuleOp module) { // of several additions to one place a mean is left
  Operation *op = nullptr;
  module.walk([&](Operation *each) {
    if (isa<ir::EmbeddingGradOp, ir::ScatterAddOp>(each) && isFloat(each->getResult(0))) op = each;
    return op ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!op) return false;
  OpBuilder b(op->getContext());
  b.setInsertionPointAfter(op);
  Location loc = op->getLoc();
  Operation *counts = b.clone(*op);
  unsigned added = isa<ir::EmbeddingGradOp>(op) ? 0 : 2;
  b.setInsertionPoint(counts);
  counts->setOperand(added, ir::splat(b, loc, ir::tensorType(op->getOperand(added)), 1));
  if (added) counts->setOperand(0, ir::splat(b, loc, ir::tensorType(op->getOperand(0)), 0));
  b.setInsertionPointAfter(counts);
  auto type = ir::tensorType(op->getResult(0));
  Value count =
      ir::MaximumOp::create(b, loc, type, counts->getResult(0), ir::splat(b, loc, type, 1));
  Value mean = ir::DivOp::create(b, loc, type, op->getResult(0), count);
  op->getResult(0).replaceAllUsesExcept(mean, mean.getDefiningOp());
  return true;
}

bool concatOrder(ModuleOp module) {
  auto op = firstOp<ir::ConcatOp>(module, [](ir::ConcatOp each) {
    return each.getInputs().size() >= 2 && each.getInputs()[0] != each.getInputs()[1] &&
           each.getInputs()[0].getType() == each.getInputs()[1].getType();
  });
  if (!op) return false;
  Value first = op.getInputs()[0], second = op.getInputs()[1];
  op->setOperand(0, second);
  op->setOperand(1, first);
  return true;
}

bool resultsSwapped(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    Operation *end = function.getBody().front().getTerminator();
    for (unsigned i = 0; i < end->getNumOperands(); ++i)
      for (unsigned j = i + 1; j < end->getNumOperands(); ++j) {
        Value a = end->getOperand(i), b = end->getOperand(j);
        if (a.getType() != b.getType() || a == b) continue;
        end->setOperand(i, b);
        end->setOperand(j, a);
        return true;
      }
  }
  return false;
}

} // namespace

ArrayRef<Bug> shapeBugs() {
  static const Bug bugs[] = {
      {"plant-axis", "Sums along another dimension", axis},
      {"plant-broadcast", "Repeats elements instead of the whole", broadcast},
      {"plant-transposed-operand", "Mixes up rows and columns of a matrix", transposedOperand},
      {"plant-stride", "Reads a transposed tensor with its old strides", stride},
      {"plant-padding", "Pads another side, or more", padding},
      {"plant-slice", "Shifts a slice by one", slice},
      {"plant-gather-index", "Gathers one row too early", gatherIndex},
      {"plant-scatter-lost", "Averages where it should add up", scatterLost},
      {"plant-concat-order", "Swaps two parts of a concatenation", concatOrder},
      {"plant-results-swapped", "Swaps two results of a function", resultsSwapped},
  };
  return bugs;
}

} // namespace planted
