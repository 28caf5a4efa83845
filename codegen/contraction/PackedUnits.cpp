#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

PackedEmitter::PackedEmitter(KernelFrame &frame, const ContractionElements &points,
                             const PackedPlan &plan)
    : ContractionLoops(frame, points, plan.W), plan(plan) {}

LogicalResult PackedEmitter::run() {
  int64_t units = plan.groups[0].size() * plan.outerUnits * plan.columnUnits * plan.rowBlocks;
  frame.lowered.range = units;
  frame.lowered.grain = 1;
  tileAtOnce = plan.kBlocks == 1 && !points.window;
  allocatePanels();
  loop(frame.begin(), frame.end(), 1, units, [&](Value unit) { emitUnit(unit); });
  return failure(elements->failed());
}

void PackedEmitter::allocatePanels() {
  int64_t W = plan.W;
  ldb = llvm::alignTo(plan.blockColumns, W) + W;
  bool rowsByRow = !plan.rowsAlongRow; // [row][k]
  rowStride = plan.kInRows + W;
  // Vectors of rows one after another, each [k][row]: a tile's are neighbours then, in few pages.
  int64_t allRows = llvm::alignTo(plan.rowsPerUnit, W);
  rowGroup = W % plan.tileRows ? allRows + W : W;
  if (plan.columnBox) columnBoxPanel = elements->temporary(plan.columnBox->size() + W, plan.type);
  if (plan.rowBox)
    rowPanel = elements->temporary(plan.rowBox->size() + W, plan.type);
  else if (!plan.direct)
    rowPanel = elements->temporary(rowsByRow ? plan.rowsPerUnit * rowStride
                                             : int64_t(llvm::alignTo(allRows, rowGroup)) *
                                                   (plan.kInRows + 1),
                                   plan.type);
  int64_t width = plan.tiled ? llvm::alignTo(plan.blockColumns, plan.tileVectors * W) : ldb;
  columnPanel = elements->temporary((plan.kMost + W) * width, plan.type);
  ldc = tileAtOnce ? plan.tileVectors * W : llvm::alignTo(plan.blockColumns, W) + W;
  sums = elements->temporary(tileAtOnce ? plan.tileRows * ldc : sumBlocks() * rowsOfSums() * ldc,
                             plan.type);
}

void PackedEmitter::emitUnit(Value unit) {
  int64_t rowBlocks = plan.rowBlocks, columnUnits = plan.columnUnits;
  Value rowBlock = affine(d(0) % rowBlocks, unit);
  columnUnit = affine(d(0).floorDiv(rowBlocks) % columnUnits, unit);
  Value outerUnit = affine(d(0).floorDiv(rowBlocks * columnUnits) % plan.outerUnits, unit);
  Value batch = affine(d(0).floorDiv(rowBlocks * columnUnits * plan.outerUnits), unit);
  batchPoint = delinearized(batch, plan.groups[0].extents);
  rowBase = affine(d(0) * plan.rowsPerUnit, rowBlock);
  rowCount = rowBlocks == 1 ? constant(plan.rowsPerUnit)
                            : minimum(constant(plan.rowsPerUnit),
                                      subtract(constant(plan.rows.size()), rowBase));
  kBase = constant(0);
  kCount = constant(plan.kOuter);
  kRange = plan.kOuter;
  if (plan.resident) packRows();
  kRange = plan.kPerBlock;
  if (plan.outerPerUnit == 1) return emitColumns(outerUnit);
  Value from = affine(d(0) * plan.outerPerUnit, outerUnit);
  Value to =
      minimum(constant(plan.outerColumns), affine((d(0) + 1) * plan.outerPerUnit, outerUnit));
  loop(from, to, 1, plan.outerColumns, [&](Value outer) { emitColumns(outer); });
}

/// The unit's blocks of columns, one after another.
void PackedEmitter::overBlocks(llvm::function_ref<void()> body) {
  auto at = [&](Value block, Value local) {
    lineBase = affine(d(0) * plan.linesPerBlock, block);
    lineCount = plan.columnBlocks == 1 ? constant(plan.linesPerBlock)
                                       : minimum(constant(plan.linesPerBlock),
                                                 subtract(constant(plan.lines), lineBase));
    columnCount = mul(lineCount, plan.lineSize);
    sumBase = affine(d(0) * (rowsOfSums() * ldc), local);
    body();
  };
  if (plan.blocksPerUnit == 1) return at(columnUnit, constant(0));
  Value first = affine(d(0) * plan.blocksPerUnit, columnUnit);
  Value count = minimum(constant(plan.blocksPerUnit), subtract(constant(plan.columnBlocks), first));
  loop(constant(0), count, 1, plan.blocksPerUnit, [&](Value local) {
    Value block = add(first, local);
    elements->variable(block, 0, plan.columnBlocks - 1);
    at(block, local);
  });
}

/// What `pack` emits for the product that the block of k lies in, with k counted from its start.
void PackedEmitter::ofBlocksProduct(llvm::function_ref<void()> pack) {
  if (!points.isSum()) return pack();
  Value first = kBase;
  for (auto [number, each] : llvm::enumerate(points.products())) {
    Value own = subtract(first, constant(each.start));
    // Blocks before the product's start are far beyond its end, as unsigned numbers.
    onlyIf(compare(arith::CmpIPredicate::ult, own, constant(each.depth)), [&] {
      kBase = add(own, constant(0));
      elements->variable(kBase, 0, each.depth - 1);
      points.ofProduct(number, pack);
    });
  }
  kBase = first;
}

/// A unit's rows and columns at one point of the outer columns.
void PackedEmitter::emitColumns(Value outer) {
  outerPoint = delinearized(outer, ArrayRef(plan.columns.extents).take_front(plan.suffixFirst));
  auto compute = [&] {
    if (plan.direct) // tiles read rows of their own product
      return ofBlocksProduct([&] {
        packColumns();
        tiles();
      });
    ofBlocksProduct([&] { packColumns(); });
    tiles();
  };
  auto overK = [&](llvm::function_ref<void()> body) {
    if (tileAtOnce) return body();
    loop(plan.kBlocks, [&](Value block) {
      kBase = affine(d(0) * plan.kPerBlock, block);
      kCount = minimum(constant(plan.kPerBlock), subtract(constant(plan.kOuter), kBase));
      firstOfK = compare(arith::CmpIPredicate::eq, block, constant(0));
      lastOfK = compare(arith::CmpIPredicate::eq, block, constant(plan.kBlocks - 1));
      body();
    });
  };
  if (plan.resident) // sums of one block of columns at a time
    return overBlocks([&] {
      sumBase = constant(0);
      overK(compute);
      if (points.window) finishWindows();
    });
  overK([&] {
    ofBlocksProduct([&] { packRows(); });
    overBlocks(compute);
  });
  if (points.window) overBlocks([&] { finishWindows(); });
}

} // namespace sinter::codegen
