#include "sinter/codegen/contraction/PackedPlan.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

int64_t product(ArrayRef<int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
}

bool PackedPlan::suits(const KernelFrame &frame, const ContractionElements &points) {
  int64_t lanes = frame.options.vectorLanes;
  if (frame.options.gpu || lanes < 2) return false;
  // An open bug: a packed matmul of bf16, 33x70 by 70x49, leaves zeros in rows after the first. Its
  // cause is not known; the plain loops are right, and slower.
  if (elementOf(points.result()).isBF16()) return false;
  if (!points.accumulatorType().isF32()) return false;
  int64_t m = product(points.dims.m), n = product(points.dims.n), k = product(points.dims.k);
  return m * n * k >= 32768 && k >= 4 && std::max(m, n) >= lanes;
}

PackedPlan::PackedPlan(KernelFrame &frame, const ContractionElements &points)
    : W(frame.options.vectorLanes), type(points.accumulatorType()), frame(frame), points(points) {
  analyse();
  chooseSides();
  chooseColumns();
  chooseUnits();
  chooseK();
}

/// Tries the accesses out and merges the dimensions that all of them walk through as one.
void PackedPlan::analyse() {
  OpBuilder &b = frame.builder;
  SmallVector<int64_t> extents = points.extents();
  std::array<unsigned, 5> firsts = points.firsts();
  SmallVector<unsigned> groupOf;
  for (unsigned group = 0; group < 4; ++group)
    groupOf.append(firsts[group + 1] - firsts[group], group);
  for (unsigned side = 0; side < 2; ++side)
    sidePositions[side] = frame.trial(
        extents, [&](Elements &trial, ValueRange indices) { points.factor(trial, side, indices); });
  endPositions = frame.trial(extents, [&](Elements &trial, ValueRange indices) {
    if (points.window) return points.recordResult(trial, indices);
    trial.bindValue(points.result(), constantOf(b, frame.loc, type, 0));
    points.store(trial, indices);
  });
  std::vector<AffineExpr> positions = endPositions;
  for (auto &side : sidePositions) positions.insert(positions.end(), side.begin(), side.end());
  auto sameGroup = [&](unsigned dim) { return groupOf[dim] == groupOf[dim + 1]; };
  auto mayMerge = [&](unsigned dim) { // windows are looked for in lines
    return sameGroup(dim) && !(points.window && groupOf[dim] == 2);
  };
  merged = mergeDims(extents, positions, mayMerge, b.getContext());
  MergedDims atEnd = mergeDims(extents, endPositions, sameGroup, b.getContext());
  for (unsigned group = 0; group < 4; ++group) {
    if (firsts[group] == firsts[group + 1]) {
      groups[group].first = merged.extents.size();
      continue;
    }
    unsigned from = merged.mergedOf[firsts[group]], to = merged.mergedOf[firsts[group + 1] - 1];
    groups[group].first = from;
    for (unsigned dim = from; dim <= to; ++dim)
      groups[group].extents.push_back(merged.extents[dim]);
  }
  joinedAtEnd.resize(merged.extents.size(), false);
  for (unsigned dim = 0; dim + 1 < extents.size(); ++dim)
    if (merged.mergedOf[dim] != merged.mergedOf[dim + 1])
      joinedAtEnd[merged.mergedOf[dim]] = atEnd.mergedOf[dim] == atEnd.mergedOf[dim + 1];
  lastOriginal.resize(merged.extents.size());
  for (unsigned dim = 0; dim < extents.size(); ++dim)
    if (extents[dim] > 1 || merged.extents[merged.mergedOf[dim]] == 1)
      lastOriginal[merged.mergedOf[dim]] = dim;
}

/// Whether all positions move by one element along merged dimension `dim` (or not at all, but some do).
bool PackedPlan::unitAlong(ArrayRef<AffineExpr> positions, unsigned dim) {
  unsigned original = lastOriginal[dim];
  AffineExpr variable = frame.builder.getAffineDimExpr(original);
  bool moves = false;
  for (AffineExpr position : positions) {
    if (!position.isFunctionOfDim(original)) continue;
    AffineExpr step = simplifyIndex(position.replace(variable, variable + 1) - position, {});
    auto constant = dyn_cast<AffineConstantExpr>(step);
    if (!constant || constant.getValue() != 1) return false;
    moves = true;
  }
  return moves;
}

/// Whether a run along merged dimension `dim` reads neighbours, or each several times (through windows):
/// a load and a shuffle make a vector.
bool PackedPlan::runsAlong(ArrayRef<AffineExpr> positions, unsigned dim) {
  unsigned original = lastOriginal[dim];
  SmallVector<std::optional<IndexRange>> ranges;
  for (int64_t extent : points.extents()) ranges.push_back(IndexRange{0, extent - 1});
  bool moves = false;
  for (AffineExpr position : positions) {
    if (!position.isFunctionOfDim(original)) continue;
    auto offsets = laneOffsets(position, original, W, ranges);
    if (!offsets) return false;
    auto [least, most] = std::minmax_element(offsets->begin(), offsets->end());
    if (*most - *least >= W) return false;
    moves = true;
  }
  return moves;
}

/// Estimated cycles an element that packing takes.
double PackedPlan::packCost(ArrayRef<AffineExpr> positions, const LoopGroup &own, bool columnSide) {
  bool ownUnit = unitAlong(positions, own.last()), kUnit = unitAlong(positions, groups[3].last());
  if (columnSide) return ownUnit ? 0.25 : kUnit ? 0.7 : 2.5;
  if (!kUnit && runsAlong(positions, groups[3].last())) return 0.5;
  return kUnit ? 0.25 : ownUnit && own.extents.size() == 1 ? 0.3 : 2.5;
}

void PackedPlan::chooseSides() {
  double best = 0;
  for (bool transposed : {false, true}) {
    const LoopGroup &r = groups[transposed ? 2 : 1], &c = groups[transposed ? 1 : 2];
    double rows = double(r.size()), columns = double(c.size()), k = double(groups[3].size());
    double tiles = double(llvm::alignTo(c.size(), W)) * rows * k / (2 * W);
    double pack =
        packCost(sidePositions[transposed ? 1 : 0], r, false) * rows * k *
            std::ceil(columns / 240) +
        packCost(sidePositions[transposed ? 0 : 1], c, true) * columns * k * std::ceil(rows / 256);
    double store = rows * columns * (unitAlong(endPositions, c.last()) ? 0.25 : 2);
    double cost = tiles + pack + store;
    if (!transposed || (cost < best && !points.window)) { // columns are what windows are in
      best = cost;
      rowSide = transposed ? 1 : 0;
    }
  }
  rows = groups[rowSide == 0 ? 1 : 2];
  columns = groups[rowSide == 0 ? 2 : 1];
  const LoopGroup &k = groups[3];
  unsigned firstOfK = points.firsts()[3];
  MergedDims alone = mergeDims(
      points.extents(), sidePositions[rowSide], [&](unsigned dim) { return dim >= firstOfK; },
      frame.builder.getContext());
  rowsWalkKAsOne = alone.mergedOf[firstOfK] == alone.mergedOf.back();
  rowsAlongK = unitAlong(sidePositions[rowSide], k.last());
  rowsAlongRow =
      !rowsAlongK && rows.extents.size() == 1 && unitAlong(sidePositions[rowSide], rows.last());
  rowsAlongK |= !rowsAlongRow && runsAlong(sidePositions[rowSide], k.last());
  columnsAlongColumn = unitAlong(sidePositions[1 - rowSide], columns.last());
  columnsAlongK = !columnsAlongColumn && unitAlong(sidePositions[1 - rowSide], k.last());
}

/// The innermost dimensions that the result walks through as one, cut along the first of them.
void PackedPlan::chooseColumns() {
  if (points.window) { // a unit has whole lines of windows
    suffixFirst = 1;
    lineSize = columns.extents[2];
    lines = (points.windowLines() - 1) * points.window->rowStride + points.window->rows;
    outerColumns = columns.extents[0];
    return;
  }
  unsigned suffix = columns.extents.size() - 1;
  while (suffix > 0 && joinedAtEnd[columns.first + suffix - 1] &&
         product(ArrayRef(columns.extents).drop_front(suffix)) <= 512)
    --suffix;
  suffixFirst = suffix;
  lineSize = product(ArrayRef(columns.extents).drop_front(suffix + 1));
  lines = columns.extents[suffix];
  outerColumns = product(ArrayRef(columns.extents).take_front(suffix));
}

void PackedPlan::chooseUnits() {
  tileRows = frame.options.registers >= 32 ? 8 : 6;
  tileVectors = frame.options.registers >= 32 ? 3 : 2;
  int64_t m = rows.size();
  tileRows = llvm::divideCeil(m, llvm::divideCeil(m, tileRows)); // 9 rows are 5 and 4, not 8 and 1

  int64_t mostColumns = 240, mostRows = 256;
  auto blocks = [&](int64_t total, int64_t most, int64_t multiple) {
    int64_t count = llvm::divideCeil(total, most);
    return std::min<int64_t>(total, llvm::alignTo(llvm::divideCeil(total, count), multiple));
  };
  int64_t lineMultiple = points.window   ? points.window->rowStride
                         : lineSize == 1 ? tileVectors * W
                                         : 1;
  auto cut = [&] {
    linesPerUnit = blocks(lines, std::max<int64_t>(1, mostColumns / lineSize), lineMultiple);
    rowsPerUnit = blocks(m, mostRows, tileRows);
    columnBlocks = llvm::divideCeil(lines, linesPerUnit);
    rowBlocks = llvm::divideCeil(m, rowsPerUnit);
    return groups[0].size() * outerColumns * columnBlocks * rowBlocks;
  };
  direct = readsRowsDirectly();
  double columnPack = packCost(sidePositions[1 - rowSide], columns, true);
  double rowPack = direct ? 0 : packCost(sidePositions[rowSide], rows, false);
  // Packing's share of a unit's time: every unit packs for itself.
  auto packing = [&](int64_t r, int64_t c) {
    return 32 * (columnPack / double(r) + rowPack / double(c));
  };
  // Enough units for many threads, as long as there is work for them and packing stays small.
  int64_t units = cut();
  double work =
      double(m) * double(columns.size()) * double(groups[3].size()) * double(groups[0].size());
  while (units < 16 && work / double(units) > 4e6) {
    int64_t c = linesPerUnit * lineSize, oldRows = mostRows, oldColumns = mostColumns;
    bool canRows = rowsPerUnit >= 4 * tileRows,
         canColumns = linesPerUnit > 1 && c >= 2 * tileVectors * W;
    double byRows = canRows ? packing(rowsPerUnit / 2, c) : 1e9,
           byColumns = canColumns ? packing(rowsPerUnit, c / 2) : 1e9;
    if (std::min(byRows, byColumns) > 0.3) break;
    (byRows < byColumns ? mostRows : mostColumns) = (byRows < byColumns ? rowsPerUnit : c) / 2;
    int64_t next = cut();
    if (next == units) {
      mostRows = oldRows, mostColumns = oldColumns;
      cut();
      break;
    }
    units = next;
  }
  unitColumns = linesPerUnit * lineSize;
  tiled = lineSize == 1;
  // Rows that fit are packed once for several of the outer columns (images).
  int64_t allRows = rowsPerUnit * (groups[3].size() + W) * 4;
  resident = !direct && allRows <= 192 * 1024;
  if (resident)
    while (outerPerUnit < outerColumns && units / outerPerUnit >= 32) outerPerUnit *= 2;
  outerUnits = llvm::divideCeil(outerColumns, outerPerUnit);
}

/// The innermost dimensions of k whole, blocks of what is outside them.
void PackedPlan::chooseK() {
  ArrayRef<int64_t> k = groups[3].extents;
  constexpr int64_t mostK = 256;
  kInnerFirst = k.size();
  kInner = 1;
  while (kInnerFirst > 0 && kInner * k[kInnerFirst - 1] <= mostK) kInner *= k[--kInnerFirst];
  kOuter = product(k.take_front(kInnerFirst));
  kPerBlock = std::max<int64_t>(1, mostK / kInner);
  kPerBlock = llvm::divideCeil(kOuter, llvm::divideCeil(kOuter, kPerBlock));
  if (kInner == 1 && kOuter > kPerBlock) kPerBlock = llvm::alignTo(kPerBlock, W);
  kBlocks = llvm::divideCeil(kOuter, kPerBlock);
  kMost = kPerBlock * kInner;
  kInRows = resident ? kOuter * kInner : kMost;
}

/// Whether broadcasts may read the row side's operand where it is: of the sums' type in memory, one
/// element after the other along k.
bool PackedPlan::readsRowsDirectly() {
  Value operand = points.operand(rowSide);
  while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
  return isa<BlockArgument>(operand) && elementOf(operand) == type && rowsAlongK &&
         rowsWalkKAsOne && sidePositions[rowSide].size() == 1;
}

} // namespace sinter::codegen
