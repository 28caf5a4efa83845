#include "sinter/codegen/contraction/PackedPlan.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

int64_t product(ArrayRef<int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
}

int64_t blockOf(int64_t total, int64_t most, int64_t multiple) {
  int64_t count = llvm::divideCeil(total, most);
  return std::min<int64_t>(total, llvm::alignTo(llvm::divideCeil(total, count), multiple));
}

/// Vector registers have as many bytes for f64 as for f32.
static int64_t lanesOf(const KernelFrame &frame, Type type) {
  return frame.options.vectorLanes * 32 / type.getIntOrFloatBitWidth();
}

bool PackedPlan::suits(const KernelFrame &frame, const ContractionElements &points) {
  Type type = points.accumulatorType();
  if (frame.options.gpu || !isa<FloatType>(type)) return false;
  int64_t lanes = lanesOf(frame, type);
  if (lanes < 2) return false;
  int64_t m = product(points.dims.m), n = product(points.dims.n), k = product(points.dims.k);
  return m * n * k >= 32768 && k >= 4 && std::max(m, n) >= lanes;
}

PackedPlan::PackedPlan(KernelFrame &frame, const ContractionElements &points)
    : W(lanesOf(frame, points.accumulatorType())), type(points.accumulatorType()),
      onTiles(suitsTiles(frame, points)),
      panelType(onTiles ? Type(frame.builder.getBF16Type()) : type), frame(frame), points(points) {
  analyse();
  if (onTiles) chooseTileK();
  chooseSides();
  chooseColumns();
  if (onTiles)
    chooseTileUnits();
  else
    chooseUnits();
  chooseK();
  if (!onTiles) chooseAhead();
  if (rowsBoxed)
    rowBox = makeBox(rowSide, rows, 0, rowsPerUnit / product(ArrayRef(rows.extents).drop_front()),
                     rowBlocks);
  if (columnsBoxed)
    columnBox = makeBox(1 - rowSide, columns, suffixFirst, linesPerBlock, columnBlocks);
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
    points.bindSum(trial, constantOf(b, frame.loc, type, 0));
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
  for (unsigned side = 0; side < 2; ++side) accesses[side] = accessOf(side);
}

/// Null where an index of the operand is not linear. Then `inBounds` of an address may mean more than that
/// its indices lie in the operand.
std::optional<LinearAccess> PackedPlan::accessOf(unsigned side) {
  LinearAccess access;
  bool linear = true;
  unsigned loops = merged.extents.size();
  auto at = [&](AffineExpr expr, std::optional<unsigned> loop) {
    SmallVector<AffineExpr> point(loops, frame.builder.getAffineConstantExpr(0));
    if (loop) point[*loop] = frame.builder.getAffineConstantExpr(1);
    auto value = dyn_cast<AffineConstantExpr>(expr.replaceDims(point));
    linear &= bool(value);
    return value ? value.getValue() : 0;
  };
  frame.trial(merged.extents, [&](Elements &trial, ValueRange indices) {
    SmallVector<Value> originals;
    for (AffineExpr expr : merged.exprs) originals.push_back(trial.apply(expr, indices));
    ElementAddress address = points.address(trial, side, originals);
    guarded[side] = bool(address.inBounds);
    for (Value index : address.indices) {
      AffineExpr expr = trial.simplify(trial.exprOf(index));
      expr.walk([&](AffineExpr part) {
        linear &= part.getKind() != AffineExprKind::FloorDiv &&
                  part.getKind() != AffineExprKind::Mod &&
                  part.getKind() != AffineExprKind::CeilDiv;
      });
      int64_t constant = at(expr, std::nullopt);
      access.constants.push_back(constant);
      SmallVector<int64_t> &coefficients = access.coefficients.emplace_back();
      for (unsigned loop = 0; loop < loops; ++loop)
        coefficients.push_back(at(expr, loop) - constant);
    }
  });
  if (!linear) return std::nullopt;
  return access;
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
double PackedPlan::packCost(unsigned side, const LoopGroup &own, bool columnSide) {
  if (!columnSide && rowBoxSuits(side, own)) return 0.02;
  bool fromBox = columnSide && columnBoxSuits(side, own);
  const LoopGroup &k = groups[3];
  ArrayRef<AffineExpr> positions = sidePositions[side];
  bool ownUnit = unitAlong(positions, own.last()), kUnit = unitAlong(positions, k.last());
  // A run of neighbours is a load and a store, whatever its length; masks for a guard cost more than both.
  auto copy = [&](const LoopGroup &along) {
    double run = double(std::min<int64_t>(W, merged.extents[along.last()]));
    return (3 / run + 0.06) * (fromBox ? 1.2 : guarded[side] ? 3 : 1);
  };
  double windows = 0.3 + copy(k); // two loads and a shuffle
  bool kRuns = runsAlong(positions, k.last());
  if (columnSide)
    return ownUnit ? copy(own) : kUnit ? 0.45 + copy(k) : kRuns ? 0.45 + windows : 2.5;
  if (!kUnit && kRuns) return windows;
  return kUnit ? copy(k) : ownUnit && own.extents.size() == 1 ? copy(own) + 0.05 : 2.5;
}

/// Whether a box has the operand's lines whole: only loops that a unit and a block have whole move along
/// them.
bool PackedPlan::linesSuitBox(unsigned side, const LoopGroup &own) {
  const LoopGroup &k = groups[3];
  if (!accesses[side] || k.extents.size() < 2 || own.extents.size() < 2 || k.extents.back() > mostK)
    return false;
  ArrayRef<int64_t> line = accesses[side]->coefficients.back();
  for (const LoopGroup *group : {static_cast<const LoopGroup *>(&groups[0]), &own, &k}) {
    unsigned whole = group == &groups[0] ? 0 : 1;
    for (unsigned i = 0; i + whole < group->extents.size(); ++i)
      if (line[group->first + i]) return false;
  }
  return true;
}

/// Whether a side can be the row side as a box: some index of its operand moves with rows and with k.
bool PackedPlan::rowBoxSuits(unsigned side, const LoopGroup &own) {
  // A unit has whole channels: of a few elements, which a kernel's are, where an image's are many.
  if (!linesSuitBox(side, own) || product(ArrayRef(own.extents).drop_front()) > 64) return false;
  auto moves = [&](ArrayRef<int64_t> coefficients, const LoopGroup &group) {
    return llvm::any_of(coefficients.slice(group.first, group.extents.size()),
                        [](int64_t coefficient) { return coefficient != 0; });
  };
  return llvm::any_of(accesses[side]->coefficients, [&](ArrayRef<int64_t> coefficients) {
    return moves(coefficients, own) && moves(coefficients, groups[3]);
  });
}

/// Whether the column panel is cheaper to pack from a box: guards are for the box's lines then, not for
/// each run of the panel's.
bool PackedPlan::columnBoxSuits(unsigned side, const LoopGroup &own) {
  return guarded[side] && linesSuitBox(side, own) &&
         accesses[side]->coefficients.back()[own.last()] == 1 &&
         llvm::all_of(ArrayRef(accesses[side]->coefficients).drop_back(),
                      [&](ArrayRef<int64_t> coefficients) { return !coefficients[own.last()]; });
}

void PackedPlan::chooseSides() {
  double best = 0;
  for (bool transposed : {false, true}) {
    const LoopGroup &r = groups[transposed ? 2 : 1], &c = groups[transposed ? 1 : 2];
    double rows = double(r.size()), columns = double(c.size()), k = double(groups[3].size());
    double tiles = onTiles ? 0 : double(llvm::alignTo(c.size(), W)) * rows * k / double(2 * W);
    auto packed = [&](unsigned side, const LoopGroup &own, bool columnSide) {
      return onTiles ? tilePackCost(side, own, columnSide) : packCost(side, own, columnSide);
    };
    double pack = packed(transposed ? 1 : 0, r, false) * rows * k * std::ceil(columns / 240) +
                  packed(transposed ? 0 : 1, c, true) * columns * k * std::ceil(rows / 256);
    double store = rows * columns * double(frame.yield()->getNumOperands()) *
                   (unitAlong(endPositions, c.last()) ? 0.25 : 2);
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
  columnsAlongK = !columnsAlongColumn && (unitAlong(sidePositions[1 - rowSide], k.last()) ||
                                          runsAlong(sidePositions[1 - rowSide], k.last()));
  rowsBoxed = onTiles ? tileRowBoxSuits(rowSide, rows) : rowBoxSuits(rowSide, rows);
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
  columnsBoxed = suffixFirst + 1 < columns.extents.size() && columnBoxSuits(1 - rowSide, columns);
  // A tile's sums, one row's vectors of columns and a broadcast are in registers at once.
  int64_t registers = frame.options.registers;
  tileVectors = registers >= 32 ? 3 : 2;
  if (lineSize == 1) { // 4 vectors are 2 and 2, not 3 and 1
    int64_t vectors = llvm::divideCeil(lines, W);
    tileVectors = llvm::divideCeil(vectors, llvm::divideCeil(vectors, tileVectors));
  }
  int64_t mostTileRows = std::min<int64_t>((registers - tileVectors - 1) / tileVectors, 18);
  tileRows = tileVectors == 3 ? 8 : tileVectors == 2 ? (registers >= 32 ? 12 : 6) : registers / 2;
  int64_t m = rows.size();
  // Rows of one channel at fixed distances in the box are one address.
  int64_t channel = rowsBoxed ? product(ArrayRef(rows.extents).drop_front()) : 1;
  bool byChannel = channel > 1 && channel <= mostTileRows;
  if (byChannel) tileRows = mostTileRows / channel * channel;
  tileRows = llvm::divideCeil(m, llvm::divideCeil(m, tileRows)); // 9 rows are 5 and 4, not 8 and 1
  if (byChannel) tileRows = llvm::alignTo(tileRows, channel);

  direct = !rowsBoxed && readsRowsDirectly();
  // Rows that fit are packed once for several of the outer columns (images). Others are packed once for
  // several blocks of columns.
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  auto fit = [&](int64_t count) { return count * (groups[3].size() + W) * bytes <= 192 * 1024; };
  tiled = lineSize == 1;
  // Four tiles' columns: what is asked for ahead has room beside a block's panels and sums.
  int64_t mostColumns = tiled ? 192 : 240, mostRows = 256;
  bool packs = !direct && !rowsBoxed;
  bool shared = packs && tiled && !points.window && !fit(std::min(m, mostRows));
  if (shared) mostRows = 2048 / bytes; // half of L2
  int64_t lineMultiple = points.window   ? points.window->rowStride
                         : lineSize == 1 ? tileVectors * W
                                         : 1;
  auto cut = [&] {
    linesPerBlock = blockOf(lines, std::max<int64_t>(1, mostColumns / lineSize), lineMultiple);
    rowsPerUnit = blockOf(m, mostRows, rowsBoxed ? std::lcm(channel, tileRows) : tileRows);
    columnBlocks = llvm::divideCeil(lines, linesPerBlock);
    rowBlocks = llvm::divideCeil(m, rowsPerUnit);
    return groups[0].size() * outerColumns * columnBlocks * rowBlocks;
  };
  double columnPack = packCost(1 - rowSide, columns, true);
  double rowPack = direct ? 0 : packCost(rowSide, rows, false);
  // Packing's share of a unit's time: every unit packs for itself.
  auto packing = [&](int64_t r, int64_t c) {
    return double(2 * W) * (columnPack / double(r) + rowPack / double(c));
  };
  // Enough units for many threads, as long as there is work for them and packing stays small.
  int64_t units = cut();
  double work =
      double(m) * double(columns.size()) * double(groups[3].size()) * double(groups[0].size());
  while (units < enoughUnits && work / double(units) > 4e6) {
    int64_t c = linesPerBlock * lineSize, oldRows = mostRows, oldColumns = mostColumns;
    bool canRows = rowsPerUnit >= 4 * tileRows,
         canColumns = linesPerBlock > 1 && c >= 2 * tileVectors * W;
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
  resident = packs && !points.isSum() && fit(rowsPerUnit);
  if (resident)
    while (outerPerUnit < outerColumns && units / outerPerUnit >= 2 * enoughUnits)
      outerPerUnit *= 2;
  outerUnits = llvm::divideCeil(outerColumns, outerPerUnit);
  columnUnits = columnBlocks;
  // As few units as are enough; what a thread keeps stays below 2 MB of stack.
  if (shared && !resident) {
    columnUnits =
        std::min(columnBlocks, int64_t(llvm::divideCeil(enoughUnits, units / columnBlocks)));
    linesPerBlock = std::min(linesPerBlock, blockOf(lines, 768 / bytes, lineMultiple));
    columnBlocks = llvm::divideCeil(lines, linesPerBlock);
    blocksPerUnit = std::min(int64_t(llvm::divideCeil(columnBlocks, columnUnits)),
                             std::max<int64_t>(1, 1536 / bytes / linesPerBlock));
    columnUnits = llvm::divideCeil(columnBlocks, blocksPerUnit);
  }
  blockColumns = linesPerBlock * lineSize;
}

/// The innermost dimensions of k whole, blocks of what is outside them.
void PackedPlan::chooseK() {
  ArrayRef<int64_t> k = groups[3].extents;
  kInnerFirst = k.size();
  kInner = 1;
  while (!points.isSum() && kInnerFirst > 0 && kInner * k[kInnerFirst - 1] <= mostK)
    kInner *= k[--kInnerFirst];
  kOuter = product(k.take_front(kInnerFirst));
  kPerBlock = std::max<int64_t>(1, mostK / kInner);
  kPerBlock = llvm::divideCeil(kOuter, llvm::divideCeil(kOuter, kPerBlock));
  if (kInner == 1 && kOuter > kPerBlock) kPerBlock = llvm::alignTo(kPerBlock, onTiles ? 2 * W : W);
  if (points.isSum()) // a block is of one product
    for (kPerBlock = std::min(mostK, points.commonDepth()); points.commonDepth() % kPerBlock;)
      --kPerBlock;
  if (kInnerFirst == k.size() && k.size() > 1) { // blocks inside one line of the last dimension
    int64_t inside = kPerBlock;
    while (k.back() % inside) --inside;
    if (inside >= 64) kPerBlock = inside;
  }
  if ((rowsBoxed || columnsBoxed) && kInnerFirst > 1) // a block stays inside one image
    while (k[kInnerFirst - 1] % kPerBlock) --kPerBlock;
  kBlocks = llvm::divideCeil(kOuter, kPerBlock);
  kMost = kPerBlock * kInner;
  // What a block leaves of its last tile is zeros, which must not be the next block's elements.
  if (onTiles && kBlocks > 1 && kMost % (2 * W)) resident = false;
  kInRows = resident ? kOuter * kInner : kMost;
}

/// A box of a side's operand. Of the side's own loops those before `cut` stand still in a unit, `cut` does
/// `cutRange` in each of `cutCount` units, and those after it all.
OperandBox PackedPlan::makeBox(unsigned side, const LoopGroup &own, unsigned cut, int64_t cutRange,
                               int64_t cutCount) {
  const LoopGroup &k = groups[3];
  OperandBox box;
  box.side = side;
  box.access = *accesses[side];
  unsigned loops = merged.extents.size(), dimensions = box.access.constants.size();
  SmallVector<int64_t> ranges(loops, 1);
  // All values that a loop can have, those of the last unit and block that do not exist included.
  SmallVector<int64_t> all(merged.extents);
  ranges[own.first + cut] = cutRange;
  all[own.first + cut] = std::max(all[own.first + cut], cutCount * cutRange);
  for (unsigned i = cut + 1; i < own.extents.size(); ++i) ranges[own.first + i] = own.extents[i];
  for (unsigned i = kInnerFirst; i < k.extents.size(); ++i) ranges[k.first + i] = k.extents[i];
  if (kInnerFirst > 0) {
    ranges[k.first + kInnerFirst - 1] = kPerBlock;
    if (kInnerFirst == 1) all[k.first] = kBlocks * kPerBlock;
  }
  for (unsigned i = 0; i < dimensions; ++i) {
    ArrayRef<int64_t> coefficients = box.access.coefficients[i];
    int64_t extent = 1, below = 0, least = box.access.constants[i], most = least;
    for (unsigned loop = 0; loop < loops; ++loop) {
      int64_t reach = coefficients[loop] * (ranges[loop] - 1);
      extent += std::abs(reach);
      below += std::max<int64_t>(0, -reach);
      (coefficients[loop] < 0 ? least : most) += coefficients[loop] * (all[loop] - 1);
    }
    box.extents.push_back(extent);
    box.below.push_back(below);
    box.guarded.push_back(least < 0 || most >= shapeOf(points.operand(side))[i]);
  }
  box.strides.resize(dimensions);
  int64_t stride = 1;
  for (unsigned i = dimensions; i-- > 0;) {
    box.strides[i] = stride;
    stride *= box.extents[i];
  }
  box.loopStrides.assign(loops, 0);
  for (unsigned i = 0; i < dimensions; ++i) {
    box.start += box.strides[i] * box.below[i];
    for (unsigned loop = 0; loop < loops; ++loop)
      box.loopStrides[loop] += box.strides[i] * box.access.coefficients[i][loop];
  }
  return box;
}

/// Whether broadcasts may read the row side's operand where it is: of the sums' type in memory, one
/// element after the other along k.
bool PackedPlan::readsRowsDirectly() {
  if (!rowsAlongK || !rowsWalkKAsOne || sidePositions[rowSide].size() != points.products().size())
    return false;
  for (unsigned number = 0; number < points.products().size(); ++number) {
    Value operand;
    points.ofProduct(number, [&] { operand = points.operand(rowSide); });
    while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
    if (!isa<BlockArgument>(operand) || elementOf(operand) != type) return false;
  }
  return true;
}

} // namespace sinter::codegen
