#include "sinter/codegen/KernelFrame.h"

#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// The place in `value` of domain point `indices`: the same, or another shape's with as many elements.
SmallVector<Value> placeIn(Elements &elements, Value value, ArrayRef<int64_t> domain,
                           ValueRange indices) {
  ArrayRef<int64_t> shape = shapeOf(value);
  if (shape == domain) return SmallVector<Value>(indices);
  MLIRContext *context = value.getContext();
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < domain.size(); ++dim) dims.push_back(getAffineDimExpr(dim, context));
  AffineExpr linear = linearIndex(dims, domain, context);
  int64_t stride = tensorType(value).getNumElements();
  SmallVector<Value> place;
  for (int64_t extent : shape) {
    stride /= std::max<int64_t>(extent, 1);
    place.push_back(elements.apply(
        linear.floorDiv(std::max<int64_t>(stride, 1)) % std::max<int64_t>(extent, 1), indices));
  }
  return place;
}

/// Computes all outputs at a point before storing any: an output may lie where an input does.
void emitPoint(KernelFrame &frame, Elements &elements, ArrayRef<unsigned> outputs,
               ArrayRef<int64_t> domain, ValueRange indices) {
  SmallVector<Value> values;
  for (unsigned output : outputs) {
    Value yielded = frame.yield()->getOperand(output);
    values.push_back(elements.element(yielded, placeIn(elements, yielded, domain, indices)));
  }
  SmallVector<AffineExpr> exprs;
  for (Value index : indices) exprs.push_back(elements.exprOf(index));
  AffineExpr position = linearIndex(exprs, domain, frame.builder.getContext());
  for (auto [output, value] : llvm::zip_equal(outputs, values))
    elements.store(value, frame.outputBuffer(output), elementOf(frame.yield()->getOperand(output)),
                   position);
}

/// The dimensions of `domain`, merged where every access of these outputs allows it.
MergedDims mergedDomain(KernelFrame &frame, ArrayRef<unsigned> outputs, ArrayRef<int64_t> domain) {
  std::vector<AffineExpr> positions =
      frame.trial(domain, [&](Elements &elements, ValueRange indices) {
        emitPoint(frame, elements, outputs, domain, indices);
      });
  return mergeDims(
      domain, positions, [](unsigned) { return true; }, frame.builder.getContext());
}

SmallVector<Value> originalIndices(Elements &elements, const MergedDims &merged,
                                   ValueRange indices) {
  SmallVector<Value> result;
  for (AffineExpr expr : merged.exprs) result.push_back(elements.apply(expr, indices));
  return result;
}

} // namespace

LogicalResult lowerPointwise(KernelFrame &frame) {
  ArrayRef<int64_t> domain = shapeOf(frame.yield()->getOperand(0));
  auto outputs = llvm::to_vector(llvm::seq<unsigned>(0, frame.yield()->getNumOperands()));
  MergedDims merged = mergedDomain(frame, outputs, domain);
  auto elements = frame.elements();
  emitParallelNest(frame, *elements, merged.extents, /*vectorize=*/true,
                   int64_t(frame.body().getOperations().size()), [&](ValueRange indices, int64_t) {
                     emitPoint(frame, *elements, outputs, domain,
                               originalIndices(*elements, merged, indices));
                   });
  return failure(elements->failed());
}

// Each component is a nest of its own. A unit is a block of `blockElements` elements (or, where the
// component's dimensions do not merge into one, of its leading dimension's rows); units of one
// component come after those of the other.
LogicalResult lowerUpdate(KernelFrame &frame) {
  OpBuilder &b = frame.builder;
  constexpr int64_t blockElements = 4096;
  struct Nest {
    SmallVector<unsigned> outputs;
    SmallVector<int64_t> domain;
    MergedDims merged;
    int64_t first, units, unitElements;
  };
  std::vector<Nest> nests;
  int64_t units = 0;
  for (const KernelBody &component : componentsOf(KernelBody::of(frame.body()))) {
    Nest nest;
    for (auto [number, value] : llvm::enumerate(frame.yield()->getOperands()))
      if (llvm::is_contained(component.outputs, value)) nest.outputs.push_back(number);
    if (nest.outputs.empty()) continue;
    nest.domain.assign(shapeOf(component.outputs.front()));
    nest.merged = mergedDomain(frame, nest.outputs, nest.domain);
    int64_t elements = tensorType(component.outputs.front()).getNumElements();
    nest.unitElements = blockElements;
    nest.units = llvm::divideCeil(elements, blockElements);
    nest.first = units;
    units += nest.units;
    nests.push_back(std::move(nest));
  }
  // An output that no op computes is an input handed on: a copy.
  for (auto [number, value] : llvm::enumerate(frame.yield()->getOperands()))
    if (isa<BlockArgument>(value)) {
      Nest nest;
      nest.outputs = {unsigned(number)};
      nest.domain.assign(shapeOf(value));
      nest.merged = mergedDomain(frame, nest.outputs, nest.domain);
      nest.unitElements = blockElements;
      nest.units = llvm::divideCeil(tensorType(value).getNumElements(), blockElements);
      nest.first = units;
      units += nest.units;
      nests.push_back(std::move(nest));
    }
  auto elements = frame.elements();
  frame.lowered.range = std::max<int64_t>(units, 1);
  frame.lowered.grain = 1;
  frame.lowered.grid = frame.lowered.range;
  Value block, thread;
  if (frame.options.gpu) {
    frame.lowered.block = std::min<int64_t>(256, frame.options.maxThreads);
    block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements->variable(thread, 0, frame.lowered.block - 1);
  }
  for (Nest &nest : nests) {
    int64_t total = 1;
    for (int64_t extent : nest.merged.extents) total *= extent;
    auto point = [&](Value element) {
      SmallVector<Value> merged, original;
      int64_t stride = total;
      for (int64_t extent : nest.merged.extents) {
        stride /= extent;
        merged.push_back(elements->apply(b.getAffineDimExpr(0).floorDiv(stride) % extent, element));
      }
      emitPoint(frame, *elements, nest.outputs, nest.domain,
                originalIndices(*elements, nest.merged, merged));
    };
    auto unit = [&](Value number) { // of this nest
      elements->variable(number, 0, nest.units - 1);
      Value from = elements->apply(b.getAffineDimExpr(0) * blockElements, number);
      Value to = arith::MinUIOp::create(
          b, frame.loc, elements->apply((b.getAffineDimExpr(0) + 1) * blockElements, number),
          frame.constant(total));
      int64_t lanes = frame.options.gpu ? 1 : frame.options.vectorLanes;
      if (frame.options.gpu) {
        Value own = elements->apply(b.getAffineDimExpr(0) + b.getAffineDimExpr(1), {from, thread});
        emitLoop(b, frame.loc, own, to, frame.constant(frame.lowered.block), {},
                 [&](Value element, ValueRange) {
                   elements->variable(element, 0, total - 1);
                   point(element);
                   return SmallVector<Value>();
                 });
        return;
      }
      Value middle = from;
      if (lanes > 1) {
        Value width = frame.constant(lanes);
        middle = arith::MulIOp::create(b, frame.loc,
                                       arith::DivUIOp::create(b, frame.loc, to, width), width);
        emitLoop(b, frame.loc, from, middle, width, {}, [&](Value element, ValueRange) {
          elements->variable(element, 0, total - 1);
          elements->setRun(element, lanes);
          point(element);
          elements->setRun({}, 1);
          return SmallVector<Value>();
        });
      }
      if (lanes == 1 || total % lanes)
        emitLoop(b, frame.loc, middle, to, frame.constant(1), {}, [&](Value element, ValueRange) {
          elements->variable(element, 0, total - 1);
          point(element);
          return SmallVector<Value>();
        });
    };
    Value first = frame.constant(nest.first), last = frame.constant(nest.first + nest.units);
    if (frame.options.gpu) {
      Value mine = arith::AndIOp::create(
          b, frame.loc,
          arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::uge, block, first),
          arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ult, block, last));
      auto branch = scf::IfOp::create(b, frame.loc, mine, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      unit(arith::SubIOp::create(b, frame.loc, block, first));
      continue;
    }
    Value from = arith::MaxUIOp::create(b, frame.loc, frame.begin(), first);
    Value to = arith::MinUIOp::create(b, frame.loc, frame.end(), last);
    emitLoop(b, frame.loc, from, to, frame.constant(1), {}, [&](Value number, ValueRange) {
      unit(arith::SubIOp::create(b, frame.loc, number, first));
      return SmallVector<Value>();
    });
  }
  return failure(elements->failed());
}

} // namespace sinter::codegen
