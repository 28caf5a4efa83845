#include "sinter/codegen/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

RowKernel::RowKernel(KernelFrame &frame) : frame(frame), b(frame.builder) {
  analyse();
  elements = frame.elements();
}

void RowKernel::analyse() {
  DenseMap<Value, unsigned> level;
  for (Operation &op : frame.body().without_terminator()) {
    unsigned known = 0;
    for (Value operand : op.getOperands()) known = std::max(known, level.lookup(operand));
    if (auto reduction = dyn_cast<ReductionOpInterface>(op)) {
      if (passes.empty())
        domain.assign(shapeOf(op.getOperand(0))), reducedDims = reduction.getReducedDims();
      if (passes.size() <= known) passes.resize(known + 1);
      passes[known].push_back(reduction);
      ++known;
    }
    for (Value result : op.getResults()) level[result] = known;
  }
  // Outputs that wait for no reduction are written while the one pass folds.
  storesWhileFolding = passes.size() == 1;
  for (Value output : frame.yield()->getOperands())
    storesWhileFolding &= !isDomain(output) || level.lookup(output) == 0;
  // Dimensions of one element have one index: 0.
  SmallVector<int64_t> extents;
  for (auto [dim, extent] : llvm::enumerate(domain)) {
    bool isReduced = llvm::is_contained(reducedDims, int64_t(dim));
    (isReduced ? reducedElements : rows) *= extent;
    if (extent == 1) continue;
    dims.push_back(dim);
    extents.push_back(extent);
    reduced.push_back(isReduced);
  }
  std::vector<AffineExpr> positions =
      frame.trial(extents, [&](Elements &trial, ValueRange indices) {
        elements.reset();
        SmallVector<Value> all = fullIndices(trial, indices);
        for (auto &pass : passes)
          for (ReductionOpInterface reduction : pass) {
            trial.element(reduction->getOperand(0), all);
            components[reduction] =
                reduction.buildInit(b, frame.loc, accumulatorType(reduction)).size();
            if (usesPosition(reduction)) trial.record(columnPosition(trial, all));
            trial.bindValue(
                reduction->getResult(0),
                constantIntOf(b, frame.loc, computeType(elementOf(reduction->getResult(0))), 0));
          }
        for (Value output : frame.yield()->getOperands()) {
          trial.element(output, placeOf(trial, output, all));
          trial.record(positionOf(trial, output, all));
        }
      });
  merged = mergeDims(
      extents, positions, [&](unsigned dim) { return reduced[dim] == reduced[dim + 1]; },
      b.getContext(), [&](unsigned dim) { // the order is the shape's, whoever reads how
        return frame.options.strict && reduced[dim] && reduced[dim + 1];
      });
  for (auto [dim, extent] : llvm::enumerate(merged.extents)) {
    bool isReduced = false;
    for (unsigned original = 0; original < extents.size(); ++original)
      if (merged.mergedOf[original] == dim) isReduced = reduced[original];
    (isReduced ? reducedExtents : keptExtents).push_back(extent);
    mergedReduced.push_back(isReduced);
  }
  runAlongRows = !reduced.empty() && !reduced.back();
  if (runAlongRows) lastKept = extents.back();
}

/// Domain indices from those of the dimensions with more than one element.
SmallVector<Value> RowKernel::fullIndices(Elements &in, ValueRange indices) {
  SmallVector<Value> all(domain.size());
  for (auto [dim, index] : llvm::zip_equal(dims, indices)) all[dim] = index;
  for (Value &index : all)
    if (!index) index = in.index(0);
  return all;
}

SmallVector<Value> RowKernel::domainIndices(ValueRange row, ValueRange column) {
  SmallVector<Value> both, original;
  auto nextRow = row.begin(), nextColumn = column.begin();
  for (bool isReduced : mergedReduced) both.push_back(isReduced ? *nextColumn++ : *nextRow++);
  for (AffineExpr expr : merged.exprs) original.push_back(elements->apply(expr, both));
  return fullIndices(*elements, original);
}

SmallVector<Value> RowKernel::delinearized(Value linear, ArrayRef<int64_t> extents, int64_t total) {
  SmallVector<Value> indices;
  for (int64_t extent : extents) {
    total /= extent;
    indices.push_back(elements->apply(b.getAffineDimExpr(0).floorDiv(total) % extent, linear));
  }
  return indices;
}

AffineExpr RowKernel::positionIn(Elements &in, ArrayRef<Value> all, bool columns) {
  AffineExpr position = b.getAffineConstantExpr(0);
  for (auto [dim, extent] : llvm::enumerate(domain))
    if (llvm::is_contained(reducedDims, int64_t(dim)) == columns)
      position = position * extent + in.exprOf(all[dim]);
  return position;
}

bool RowKernel::isDomain(Value value) { return shapeOf(value) == ArrayRef<int64_t>(domain); }

AffineExpr RowKernel::positionOf(Elements &in, Value output, ArrayRef<Value> all) {
  if (!isDomain(output)) return positionIn(in, all, false);
  SmallVector<AffineExpr> exprs;
  for (Value index : all) exprs.push_back(in.exprOf(index));
  return linearIndex(exprs, domain, b.getContext());
}

SmallVector<Value> RowKernel::placeOf(Elements &in, Value output, ArrayRef<Value> all) {
  if (isDomain(output)) return SmallVector<Value>(all);
  AffineExpr row = positionIn(in, all, false);
  SmallVector<Value> place;
  int64_t stride = rows;
  for (int64_t extent : shapeOf(output)) {
    stride /= extent;
    place.push_back(in.indexOf(row.floorDiv(stride) % extent));
  }
  return place;
}

Type RowKernel::accumulatorType(ReductionOpInterface reduction) {
  return computeType(elementOf(reduction->getOperand(0)));
}

RowKernel::Group RowKernel::initial(Pass pass, int64_t lanes) {
  Group group;
  for (ReductionOpInterface reduction : pass) {
    Type type = accumulatorType(reduction);
    llvm::append_range(group,
                       ReductionOpInterface(reduction).buildInit(
                           b, frame.loc, lanes > 1 ? Type(VectorType::get(lanes, type)) : type));
  }
  return group;
}

RowKernel::Group RowKernel::combine(Pass pass, const Group &lhs, const Group &rhs) {
  Group result;
  unsigned at = 0;
  for (ReductionOpInterface reduction : pass) {
    unsigned count = componentsOf(reduction);
    ValueRange left = ValueRange(lhs).slice(at, count), right = ValueRange(rhs).slice(at, count);
    llvm::append_range(result, reduction.buildCombine(b, frame.loc, left, right));
    at += count;
  }
  return result;
}

RowKernel::Group RowKernel::fold(Pass pass, ValueRange row, ValueRange column, const Group &group,
                                 Value exists) {
  SmallVector<Value> all = domainIndices(row, column);
  Group lifted;
  for (ReductionOpInterface reduction : pass) {
    Value element = elements->spread(elements->element(reduction->getOperand(0), all));
    Value position;
    if (usesPosition(reduction))
      position =
          elements->asData(elements->indexOf(columnPosition(*elements, all)), b.getI64Type());
    SmallVector<Value> parts = reduction.buildLift(b, frame.loc, element, position);
    SmallVector<Value> neutral;
    if (exists || (elements->lanes() > 1 && !runAlongRows))
      neutral = reduction.buildInit(b, frame.loc, element.getType());
    for (auto [number, part] : llvm::enumerate(parts)) {
      if (exists) part = arith::SelectOp::create(b, frame.loc, exists, part, neutral[number]);
      lifted.push_back(neutral.empty() ? part : elements->masked(part, neutral[number]));
    }
  }
  return combine(pass, group, lifted);
}

void RowKernel::finish(Pass pass, const Group &group) {
  unsigned at = 0;
  for (ReductionOpInterface reduction : pass) {
    unsigned count = componentsOf(reduction);
    Value result =
        reduction.buildFinish(b, frame.loc, ValueRange(group).slice(at, count), reducedElements);
    at += count;
    elements->bindValue(reduction->getResult(0),
                        elements->rounded(result, elementOf(reduction->getResult(0))));
  }
}

void RowKernel::storeAt(Value output, unsigned number, Value value, ArrayRef<Value> all) {
  elements->store(value, frame.outputBuffer(number), elementOf(output),
                  positionOf(*elements, output, all));
}

void RowKernel::storeRowOutputs(ValueRange row) {
  SmallVector<Value> all =
      domainIndices(row, SmallVector<Value>(reducedExtents.size(), elements->index(0)));
  SmallVector<std::pair<unsigned, Value>> values;
  for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
    if (!isDomain(output))
      values.push_back({number, elements->element(output, placeOf(*elements, output, all))});
  for (auto [number, value] : values)
    storeAt(frame.yield()->getOperand(number), number, value, all);
}

SmallVector<unsigned> RowKernel::domainOutputs() {
  SmallVector<unsigned> outputs;
  for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
    if (isDomain(output)) outputs.push_back(number);
  return outputs;
}

void RowKernel::storeDomainOutputs(ArrayRef<unsigned> outputs, ValueRange row, ValueRange column) {
  SmallVector<Value> all = domainIndices(row, column), values;
  for (unsigned number : outputs)
    values.push_back(elements->element(frame.yield()->getOperand(number), all));
  for (auto [number, value] : llvm::zip_equal(outputs, values))
    storeAt(frame.yield()->getOperand(number), number, value, all);
}

} // namespace sinter::codegen
