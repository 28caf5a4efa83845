#include "sinter/codegen/contraction/MatrixContraction.h"
#include "sinter/codegen/contraction/TileEmitter.h"
#include "sinter/codegen/contraction/TiledContraction.h"
#include "sinter/codegen/contraction/WarpgroupContraction.h"
#include "sinter/codegen/contraction/WinogradEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// One loop nest over the result with the sum inside: right for every contraction on every target, and
/// the choice for small ones.
class PlainContraction {
public:
  PlainContraction(KernelFrame &frame, const ContractionElements &points)
      : frame(frame), b(frame.builder), points(points) {}

  LogicalResult run() {
    if (points.window) return runWindows();
    SmallVector<int64_t> extents = points.extents();
    unsigned kept = points.firsts()[3];
    std::vector<AffineExpr> positions =
        frame.trial(extents, [&](Elements &trial, ValueRange indices) {
          points.factor(trial, 0, indices);
          points.factor(trial, 1, indices);
          points.bindSum(trial, constantOf(b, frame.loc, points.accumulatorType(), 0));
          points.store(trial, indices);
        });
    merged = mergeDims(
        extents, positions, [&](unsigned dim) { return dim + 1 != kept; }, b.getContext());
    unsigned keptMerged = kept ? merged.mergedOf[kept - 1] + 1 : 0;
    ArrayRef<int64_t> keptExtents = ArrayRef(merged.extents).take_front(keptMerged);
    ArrayRef<int64_t> sumExtents = ArrayRef(merged.extents).drop_front(keptMerged);
    auto elements = frame.elements();
    Type accumulator = points.accumulatorType();
    emitParallelNest(frame, *elements, keptExtents, /*vectorize=*/true, product(sumExtents),
                     [&](ValueRange point, int64_t) {
                       Value zero = constantOf(b, frame.loc, elements->valueType(accumulator), 0);
                       Value sum =
                           overTerms(*elements, sumExtents, SmallVector<Value>(point), zero, 0);
                       points.bindSum(*elements, sum);
                       SmallVector<Value> all(point);
                       all.append(sumExtents.size(), elements->index(0));
                       points.store(*elements, originals(*elements, all));
                     });
    return failure(elements->failed());
  }

  /// One loop nest over the windows; each sum of a window is made where pooling asks for it. No two
  /// windows share one.
  LogicalResult runWindows() {
    SmallVector<int64_t> extents = points.extents();
    std::array<unsigned, 5> firsts = points.firsts();
    auto kept = llvm::to_vector(ArrayRef<int64_t>(extents).take_front(firsts[3]));
    auto sums = llvm::to_vector(ArrayRef<int64_t>(extents).drop_front(firsts[3]));
    kept[firsts[2] + 1] = points.windowLines(), kept[firsts[2] + 2] = points.windowColumns();
    merged.exprs.clear();
    for (unsigned dim = 0; dim < extents.size(); ++dim)
      merged.exprs.push_back(b.getAffineDimExpr(dim));
    auto elements = frame.elements();
    Type accumulator = points.accumulatorType(), declared = elementOf(points.result());
    int64_t work = product(sums) * points.window->rows * points.window->columns;
    emitParallelNest(
        frame, *elements, kept, /*vectorize=*/true, work, [&](ValueRange point, int64_t) {
          elements->bindMaker(points.result(), [&, point](ValueRange place) {
            SmallVector<Value> own(point);
            own[firsts[2] + 1] = place[2], own[firsts[2] + 2] = place[3];
            Value zero = constantOf(b, frame.loc, elements->valueType(accumulator), 0);
            return elements->rounded(overTerms(*elements, sums, own, zero, 0), declared);
          });
          SmallVector<Value> all(point);
          all.append(sums.size(), elements->index(0));
          points.store(*elements, all);
        });
    return failure(elements->failed());
  }

private:
  SmallVector<Value> originals(Elements &elements, ValueRange point) {
    SmallVector<Value> result;
    for (AffineExpr expr : merged.exprs) result.push_back(elements.apply(expr, point));
    return result;
  }

  Value overTerms(Elements &elements, ArrayRef<int64_t> extents, SmallVector<Value> point,
                  Value sum, unsigned dim) {
    if (dim == extents.size()) {
      SmallVector<Value> all = originals(elements, point);
      Value lhs = points.factor(elements, 0, all), rhs = points.factor(elements, 1, all);
      if (frame.options.fma) return math::FmaOp::create(b, frame.loc, lhs, rhs, sum);
      return arith::AddFOp::create(b, frame.loc, sum,
                                   arith::MulFOp::create(b, frame.loc, lhs, rhs));
    }
    return emitLoop(b, frame.loc, frame.constant(0), frame.constant(extents[dim]),
                    frame.constant(1), sum,
                    [&](Value counter, ValueRange carried) -> SmallVector<Value> {
                      elements.variable(counter, 0, extents[dim] - 1);
                      SmallVector<Value> inner(point);
                      inner.push_back(counter);
                      return {overTerms(elements, extents, inner, carried[0], dim + 1)};
                    })[0];
  }

  KernelFrame &frame;
  OpBuilder &b;
  const ContractionElements &points;
  MergedDims merged;
};

} // namespace

// Packed contractions are after Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication", TOMS 2008, with three changes: a unit of work packs for itself (nothing is shared
// between threads), the row side is read where it is if it lies along k (broadcasts do not care), and the
// column panel is [k][column] so that convolution packs whole image rows.
//
// One operand is the row side (its elements are broadcast), the other the column side (its elements fill
// vectors); the result's transpose is computed where that packs better.
LogicalResult lowerContraction(KernelFrame &frame) {
  ContractionElements points(frame);
  LogicalResult tiled = success();
  if (lowerWarpgroupContraction(frame, points, tiled)) return tiled;
  if (lowerMatrixContraction(frame, points, tiled)) return tiled;
  if (lowerTiledContraction(frame, points, tiled)) return tiled;
  if (std::optional<WinogradPlan> minimal = WinogradPlan::of(frame, points))
    return WinogradEmitter(frame, points, *minimal).run();
  if (!PackedPlan::suits(frame, points)) return PlainContraction(frame, points).run();
  PackedPlan plan(frame, points);
  if (plan.onTiles) return TileEmitter(frame, points, plan).run();
  return PackedEmitter(frame, points, plan).run();
}

} // namespace sinter::codegen
