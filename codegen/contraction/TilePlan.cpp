#include "sinter/codegen/contraction/PackedPlan.h"
#include "sinter/ir/Factors.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// Only what is declared bf16 may be multiplied as bf16. The unit adds in an order of its own and takes
/// subnormal numbers for zeros, so a strict kernel, which gives the same bits on every way, has none of it.
bool PackedPlan::suitsTiles(const KernelFrame &frame, const ContractionElements &points) {
  return frame.options.tiles && !frame.options.strict && points.accumulatorType().isF32() &&
         declaredFactor(points.operand(0)).isBF16() && declaredFactor(points.operand(1)).isBF16();
}

/// Sums that go to the cache and back cost more than panels that only the second-level cache holds: all of k at
/// once, while a block of columns fits there beside the rows. Longer ones are cut so that a column of tiles stays in
/// the first-level cache.
void PackedPlan::chooseTileK() {
  bool isMatrix = groups[1].extents.size() == 1 && groups[2].extents.size() == 1;
  int64_t k = groups[3].size();
  if (frame.options.matrix ==
      "pairs") { // a third of a tile's rows at a time, for all of which its columns stay near
    mostK = k <= 768 ? std::max<int64_t>(k, 512) : 512;
    return;
  }
  mostK = k <= (isMatrix ? 2048 : 1024) ? std::max<int64_t>(k, 352) : 352;
}

/// Tiles of rows are loaded from where they are: bf16, neighbours along k, whole tiles, whole lines of a cache, and
/// all of k at once.
std::optional<OperandInPlace> PackedPlan::tileRowsInPlace() {
  const LoopGroup &k = groups[3];
  int64_t tileK = 2 * W;
  if (k.extents.size() != 1 || rows.extents.size() != 1 || k.size() % tileK || k.size() > mostK ||
      rows.size() % W)
    return std::nullopt;
  std::optional<OperandInPlace> place = inPlace(rowSide);
  if (!place || place->strides[k.first] != 1 || place->start % tileK) return std::nullopt;
  for (auto [loop, stride] : llvm::enumerate(place->strides))
    if (loop != k.first && stride % tileK) return std::nullopt;
  return place;
}

/// Whether lines of the row side are cheaper to pack from a box: guards are for the box's lines then, not for
/// each run of the panel's.
bool PackedPlan::tileRowBoxSuits(unsigned side, const LoopGroup &own) {
  return guarded[side] && rowBoxSuits(side, own) &&
         accesses[side]->coefficients.back()[groups[3].last()] == 1;
}

/// Estimated cycles an element that packing takes: rows are wanted along k, columns along columns; what is
/// the other way is turned round.
double PackedPlan::tilePackCost(unsigned side, const LoopGroup &own, bool columnSide) {
  const LoopGroup &k = groups[3];
  ArrayRef<AffineExpr> positions = sidePositions[side];
  constexpr double turn = 0.15;
  auto copy = [&](const LoopGroup &along, int64_t lanes, double each) {
    double run = double(std::min(lanes, merged.extents[along.last()]));
    bool fromBox = columnSide ? columnBoxSuits(side, own) : tileRowBoxSuits(side, own);
    return (4 / run + each) * (fromBox ? 1.2 : guarded[side] ? 3 : 1);
  };
  double alongK = unitAlong(positions, k.last())   ? copy(k, 2 * W, 0.04)
                  : runsAlong(positions, k.last()) ? copy(k, 2 * W, 0.04) * 2
                                                   : 2.5;
  bool ownRuns = unitAlong(positions, own.last()) && (columnSide || own.extents.size() == 1);
  double alongOwn = ownRuns ? copy(own, W, 0.1) : 2.5;
  return columnSide ? std::min(alongOwn, alongK + turn) : std::min(alongK, alongOwn + turn);
}

/// A unit's rows are packed for all of k where they fit the second-level cache, and meet the blocks of
/// columns there one after another; else k's blocks are outside, and the sums of all its columns are kept. Rows that
/// are read where they are cost nothing to have more of, so that columns are packed once for all of them.
/// Tiles are so fast that packing is much of the time: units are large, and made more only where that costs
/// little.
void PackedPlan::chooseTileUnits() {
  columnsBoxed = suffixFirst + 1 < columns.extents.size() && columnBoxSuits(1 - rowSide, columns);
  tiled = lineSize == 1;
  int64_t m = rows.size();
  tileRows = m <= W ? W : 2 * W;
  tileVectors = lines * lineSize <= W ? 1 : 2;
  int64_t lineMultiple = points.window ? points.window->rowStride : tiled ? tileVectors * W : 1;
  // Panels and sums together stay below 2 MB of stack.
  int64_t mostColumns = tiled ? 128 : 256, mostRows = 512;
  if (!rowsBoxed && !points.window) rowsInPlace = tileRowsInPlace();
  direct = rowsInPlace.has_value();
  if (direct) {
    mostRows = m;
    // Rows come from far away once for each block of columns: wide ones, where they still are units enough.
    if (lines >= 2048) mostColumns = 256;
  }
  int64_t l2 = std::min<int64_t>(frame.options.l2Bytes, 2 << 20);
  int64_t fit = l2 * 9 / 16 / (2 * (groups[3].size() + 4 * W));
  resident = direct || (!rowsBoxed && !points.isSum() && fit >= std::min<int64_t>(m, 128));
  // A box has whole channels.
  int64_t channel = rowsBoxed ? product(ArrayRef(rows.extents).drop_front()) : 1;
  int64_t rowMultiple = rowsBoxed ? channel : W;
  rowsPerUnit = blockOf(m, resident && !direct ? std::min(fit, mostRows) : mostRows, rowMultiple);
  linesPerBlock = blockOf(lines, std::max<int64_t>(1, mostColumns / lineSize), lineMultiple);
  auto count = [&] {
    blockColumns = linesPerBlock * lineSize;
    columnBlocks = llvm::divideCeil(lines, linesPerBlock);
    rowBlocks = llvm::divideCeil(m, rowsPerUnit);
    columnUnits = llvm::divideCeil(columnBlocks, blocksPerUnit);
    return groups[0].size() * outerColumns * columnUnits * rowBlocks;
  };
  count();
  blocksPerUnit = columnBlocks;
  if (!resident)
    blocksPerUnit = std::clamp<int64_t>(l2 / 2 / (4 * rowsPerUnit * blockColumns), 1, columnBlocks);

  // Packing's share, of the time that products take at so many a cycle; an operand comes from far away.
  constexpr double fetch = 0.3;
  const double rate = frame.options.matrix == "pairs" ? 60 : 400;
  double rowPack = direct ? 0 : fetch + tilePackCost(rowSide, rows, false),
         columnPack = fetch + tilePackCost(1 - rowSide, columns, true);
  auto time = [&](int64_t r, int64_t c) {
    return 1 + rate * (rowPack / double(c) + columnPack / double(r));
  };
  auto columnsOf = [&](int64_t blocks) {
    return std::min(blocks * blockColumns, lines * lineSize);
  };
  double work =
      double(m) * double(columns.size()) * double(groups[3].size()) * double(groups[0].size());
  double least = time(rowsPerUnit, columnsOf(blocksPerUnit));
  for (int64_t units = count(); units < enoughUnits && work / double(units) > 1e7;) {
    int64_t halfRows = blockOf(m, llvm::divideCeil(rowsPerUnit, 2), rowMultiple),
            halfBlocks = llvm::divideCeil(blocksPerUnit, 2);
    double byRows = rowsPerUnit > W ? time(halfRows, columnsOf(blocksPerUnit)) : 1e9,
           byColumns = blocksPerUnit > 1 ? time(rowsPerUnit, columnsOf(halfBlocks)) : 1e9;
    if (std::min(byRows, byColumns) > least * (units < 4 ? 1.3 : 1.1)) break;
    if (byRows < byColumns)
      rowsPerUnit = halfRows;
    else
      blocksPerUnit = halfBlocks;
    int64_t next = count();
    if (next == units) break;
    units = next;
  }
  int64_t units = count();
  if (resident)
    while (outerPerUnit < outerColumns && units / outerPerUnit >= 2 * enoughUnits)
      outerPerUnit *= 2;
  outerUnits = llvm::divideCeil(outerColumns, outerPerUnit);
}

} // namespace sinter::codegen
