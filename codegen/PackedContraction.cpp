#include "sinter/codegen/PackedContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

// After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", TOMS 2008, with three
// changes: a unit of work packs for itself (nothing is shared between threads), the row side is kept
// [row][k] because broadcasts do not care, and the column panel is [k][column] so that convolution
// packs whole image rows.
//
// One operand is the row side (its elements are broadcast), the other the column side (its elements fill
// vectors); the result's transpose is computed where that packs better.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

int64_t product(ArrayRef<int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
}

/// A group of loops of the contraction: where it starts among all dimensions, and its merged dimensions.
struct LoopGroup {
  unsigned first = 0; // of the merged dimensions
  SmallVector<int64_t> extents;
  int64_t size() const { return product(extents); }
};

class PackedContraction {
public:
  explicit PackedContraction(KernelFrame &frame)
      : frame(frame), b(frame.builder), W(frame.options.vectorLanes) {}

  bool suits() {
    if (frame.options.gpu || W < 2) return false;
    for (Operation &op : frame.body())
      if (auto found = dyn_cast<ContractionOpInterface>(op)) contraction = found;
    Value result = contraction->getResult(0);
    // An open bug: a packed matmul of bf16, 33x70 by 70x49, leaves zeros in rows after the first. Its
    // cause is not known; the plain loops are right, and slower.
    if (elementOf(result).isBF16()) return false;
    if (!computeType(elementOf(result)).isF32()) return false;
    dims = contraction.getContractionDims();
    int64_t m = product(dims.m), n = product(dims.n), k = product(dims.k);
    return m * n * k >= 32768 && k >= 4 && std::max(m, n) >= W;
  }

  LogicalResult run() {
    analyse();
    chooseSides();
    chooseBlocks();
    elements = frame.elements();
    emit();
    return failure(elements->failed());
  }

private:
  // --- Analysis.

  void analyse() {
    SmallVector<int64_t> extents;
    std::array<ArrayRef<int64_t>, 4> all{dims.batch, dims.m, dims.n, dims.k};
    SmallVector<unsigned> groupOf;
    for (unsigned group = 0; group < 4; ++group) {
      first[group] = extents.size();
      extents.append(all[group].begin(), all[group].end());
      groupOf.append(all[group].size(), group);
    }
    for (unsigned side = 0; side < 2; ++side)
      sidePositions[side] = frame.trial(
          extents, [&](Elements &trial, ValueRange indices) { sideElement(trial, side, indices); });
    endPositions = frame.trial(extents, [&](Elements &trial, ValueRange indices) {
      trial.bindValue(contraction->getResult(0), constantOf(b, frame.loc, b.getF32Type(), 0));
      storePoint(trial, indices);
    });
    std::vector<AffineExpr> positions = endPositions;
    for (auto &side : sidePositions) positions.insert(positions.end(), side.begin(), side.end());
    auto sameGroup = [&](unsigned dim) { return groupOf[dim] == groupOf[dim + 1]; };
    merged = mergeDims(extents, positions, sameGroup, b.getContext());
    MergedDims atEnd = mergeDims(extents, endPositions, sameGroup, b.getContext());
    for (unsigned group = 0; group < 4; ++group)
      if (!all[group].empty()) {
        unsigned from = merged.mergedOf[first[group]],
                 to = merged.mergedOf[first[group] + all[group].size() - 1];
        groups[group].first = from;
        for (unsigned dim = from; dim <= to; ++dim)
          groups[group].extents.push_back(merged.extents[dim]);
      } else {
        groups[group].first = merged.extents.size();
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
  bool unitAlong(ArrayRef<AffineExpr> positions, unsigned dim) {
    unsigned original = lastOriginal[dim];
    AffineExpr variable = b.getAffineDimExpr(original);
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
  unsigned lastOf(const LoopGroup &group) { return group.first + group.extents.size() - 1; }

  // Estimated cycles per element of the ways to pack, and to store a vector's lanes apart.
  double packCost(ArrayRef<AffineExpr> positions, const LoopGroup &own, bool columnSide) {
    bool ownUnit = unitAlong(positions, lastOf(own)),
         kUnit = unitAlong(positions, lastOf(groups[3]));
    if (columnSide) return ownUnit ? 0.25 : kUnit ? 0.7 : 2.5;
    return kUnit ? 0.25 : ownUnit && own.extents.size() == 1 ? 0.3 : 2.5;
  }
  void chooseSides() {
    double best = 0;
    for (bool transposed : {false, true}) {
      const LoopGroup &r = groups[transposed ? 2 : 1], &c = groups[transposed ? 1 : 2];
      double rows = double(r.size()), columns = double(c.size()), k = double(groups[3].size());
      double tiles = double(llvm::alignTo(c.size(), W)) * rows * k / (2 * W);
      double pack = packCost(sidePositions[transposed ? 1 : 0], r, false) * rows * k *
                        std::ceil(columns / 240) +
                    packCost(sidePositions[transposed ? 0 : 1], c, true) * columns * k *
                        std::ceil(rows / 256);
      double store = rows * columns * (unitAlong(endPositions, lastOf(c)) ? 0.25 : 2);
      double cost = tiles + pack + store;
      if (!transposed || cost < best) {
        best = cost;
        rowSide = transposed ? 1 : 0;
      }
    }
    rows = groups[rowSide == 0 ? 1 : 2];
    columns = groups[rowSide == 0 ? 2 : 1];
    SmallVector<int64_t> extents;
    for (ArrayRef<int64_t> group :
         {ArrayRef(dims.batch), ArrayRef(dims.m), ArrayRef(dims.n), ArrayRef(dims.k)})
      extents.append(group.begin(), group.end());
    MergedDims alone = mergeDims(
        extents, sidePositions[rowSide], [&](unsigned dim) { return dim >= first[3]; },
        b.getContext());
    rowsWalkKAsOne = alone.mergedOf[first[3]] == alone.mergedOf.back();
    rowsAlongK = unitAlong(sidePositions[rowSide], lastOf(groups[3]));
    rowsAlongRow =
        !rowsAlongK && rows.extents.size() == 1 && unitAlong(sidePositions[rowSide], lastOf(rows));
    columnsAlongColumn = unitAlong(sidePositions[1 - rowSide], lastOf(columns));
    columnsAlongK = !columnsAlongColumn && unitAlong(sidePositions[1 - rowSide], lastOf(groups[3]));
  }

  void chooseBlocks() {
    tileRows = frame.options.registers >= 32 ? 8 : 6;
    tileVectors = frame.options.registers >= 32 ? 3 : 2;
    int64_t m = rows.size();
    tileRows =
        llvm::divideCeil(m, llvm::divideCeil(m, tileRows)); // 9 rows are 5 and 4, not 8 and 1

    // Columns: the innermost dimensions that the result walks through as one, cut along the first of them.
    unsigned suffix = columns.extents.size() - 1;
    while (suffix > 0 && joinedAtEnd[columns.first + suffix - 1] &&
           product(ArrayRef(columns.extents).drop_front(suffix)) <= 512)
      --suffix;
    suffixFirst = suffix;
    lineSize = product(ArrayRef(columns.extents).drop_front(suffix + 1));
    lines = columns.extents[suffix];
    outerColumns = product(ArrayRef(columns.extents).take_front(suffix));

    int64_t mostColumns = 240, mostRows = 256;
    auto blocks = [&](int64_t total, int64_t most, int64_t multiple) {
      int64_t count = llvm::divideCeil(total, most);
      return std::min<int64_t>(total, llvm::alignTo(llvm::divideCeil(total, count), multiple));
    };
    int64_t lineMultiple = lineSize == 1 ? tileVectors * W : 1;
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

    // K: the innermost dimensions whole, blocks of what is outside them.
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

  /// Whether broadcasts may read the row side's operand where it is: f32 in memory, one element after the
  /// other along K.
  bool readsRowsDirectly() {
    Value operand = contraction->getOperand(contraction.getSideOperand(rowSide));
    while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
    return isa<BlockArgument>(operand) && elementOf(operand).isF32() && rowsAlongK &&
           rowsWalkKAsOne && sidePositions[rowSide].size() == 1;
  }

  // --- Elements of the sides and of the result, at merged indices.

  SmallVector<Value> originals(Elements &in, ArrayRef<Value> point) {
    SmallVector<Value> result;
    for (AffineExpr expr : merged.exprs) result.push_back(in.apply(expr, point));
    return result;
  }
  ValueRange group(ValueRange indices, unsigned number) {
    std::array<size_t, 4> sizes{dims.batch.size(), dims.m.size(), dims.n.size(), dims.k.size()};
    return indices.slice(first[number], sizes[number]);
  }

  Value sideElement(Elements &in, unsigned side, ValueRange indices) {
    ElementAddress address = contraction.getSideAddress(
        in, side, group(indices, 0), group(indices, side == 0 ? 1 : 2), group(indices, 3));
    Value operand = contraction->getOperand(contraction.getSideOperand(side));
    auto element = [&] { return in.spread(in.element(operand, address.indices)); };
    if (!address.inBounds) return element();
    return in.guarded(address.inBounds, constantOf(b, frame.loc, in.valueType(b.getF32Type()), 0),
                      element);
  }

  /// Evaluates everything after the contraction at a point and stores it.
  void storePoint(Elements &in, ValueRange indices) {
    Value result = contraction->getResult(0);
    SmallVector<Value> place =
        contraction.getResultIndices(in, group(indices, 0), group(indices, 1), group(indices, 2));
    SmallVector<AffineExpr> exprs;
    for (Value index : place) exprs.push_back(in.exprOf(index));
    AffineExpr position = in.simplify(linearIndex(exprs, shapeOf(result), b.getContext()));
    SmallVector<Value> values;
    for (Value output : frame.yield()->getOperands()) {
      SmallVector<Value> outputPlace(place);
      if (shapeOf(output) != shapeOf(result)) {
        outputPlace.clear();
        int64_t stride = tensorType(output).getNumElements();
        for (int64_t extent : shapeOf(output)) {
          stride /= extent;
          outputPlace.push_back(in.indexOf(position.floorDiv(stride) % extent));
        }
      }
      values.push_back(in.element(output, outputPlace));
    }
    for (auto [number, value] : llvm::enumerate(values))
      in.store(value, frame.outputBuffer(number), elementOf(frame.yield()->getOperand(number)),
               position);
  }

  // --- Small pieces of code.

  Value constant(int64_t value) { return frame.constant(value); }
  Value add(Value lhs, Value rhs) { return arith::AddIOp::create(b, frame.loc, lhs, rhs); }
  Value mul(Value lhs, int64_t rhs) {
    return rhs == 1 ? lhs : arith::MulIOp::create(b, frame.loc, lhs, constant(rhs)).getResult();
  }
  Value minimum(Value lhs, Value rhs) { return arith::MinUIOp::create(b, frame.loc, lhs, rhs); }
  Value affine(AffineExpr expr, ValueRange operands) { return elements->apply(expr, operands); }
  AffineExpr d(unsigned position) { return b.getAffineDimExpr(position); }
  VectorType vectorType() { return VectorType::get(W, b.getF32Type()); }

  void loop(Value from, Value to, int64_t step, int64_t most,
            llvm::function_ref<void(Value)> body) {
    emitLoop(b, frame.loc, from, to, constant(step), {}, [&](Value counter, ValueRange) {
      elements->variable(counter, 0, most - 1);
      body(counter);
      return SmallVector<Value>();
    });
  }
  void loop(int64_t extent, llvm::function_ref<void(Value)> body) {
    if (extent == 1) return body(constant(0));
    loop(constant(0), constant(extent), 1, extent, body);
  }
  void onlyIf(Value condition, llvm::function_ref<void()> body) {
    auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }
  Value compare(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpIOp::create(b, frame.loc, predicate, lhs, rhs);
  }

  /// Runs of `W` from `from` to `to` (at most `most`): whole ones, then one under a mask. What cannot be
  /// masked is done one by one. `body(index)` is in vector mode, or (the last way) not.
  void runs(Value from, Value to, int64_t most, bool whole, llvm::function_ref<void(Value)> body) {
    Value length = arith::SubIOp::create(b, frame.loc, to, from);
    Value width = constant(W);
    Value middle =
        add(from, arith::MulIOp::create(
                      b, frame.loc, arith::DivUIOp::create(b, frame.loc, length, width), width));
    if (most >= W)
      loop(from, middle, W, most, [&](Value counter) {
        elements->setRun(counter, W);
        body(counter);
        elements->setRun({}, 1);
      });
    if (whole) return;
    onlyIf(compare(arith::CmpIPredicate::ult, middle, to), [&] {
      Value start = add(middle, constant(0));
      elements->variable(start, 0, most - 1);
      bool masked = elements->attempt([&] {
        Value left = arith::SubIOp::create(b, frame.loc, to, start);
        elements->setRun(start, W);
        elements->setMask(elements->firstLanes(left));
        body(start);
        elements->setMask({});
        elements->setRun({}, 1);
      });
      if (!masked) loop(start, to, 1, most, body);
    });
  }
  // --- The unit.

  void emit() {
    int64_t batches = groups[0].size();
    int64_t units = batches * outerUnits * columnBlocks * rowBlocks;
    frame.lowered.range = units;
    frame.lowered.grain = 1;
    ldb = llvm::alignTo(unitColumns, W) + W;
    bool rowsByRow = !rowsAlongRow; // [row][k]
    rowStride = rowsByRow ? kInRows + W : 1;
    rowKStride = rowsByRow ? 1 : llvm::alignTo(rowsPerUnit, W) + W;
    if (!direct)
      rowPanel = elements->temporary(
          rowsByRow ? rowsPerUnit * rowStride : (kInRows + 1) * rowKStride, b.getF32Type());
    int64_t width = tiled ? llvm::alignTo(unitColumns, tileVectors * W) : ldb;
    columnPanel = elements->temporary((kMost + W) * width, b.getF32Type());
    tileAtOnce = kBlocks == 1;
    ldc = tileAtOnce ? tileVectors * W : llvm::alignTo(unitColumns, W) + W;
    sums = elements->temporary((tileAtOnce ? tileRows : rowsPerUnit) * ldc, b.getF32Type());

    loop(frame.begin(), frame.end(), 1, units, [&](Value unit) {
      Value rowBlock = affine(d(0) % rowBlocks, unit);
      Value columnBlock = affine(d(0).floorDiv(rowBlocks) % columnBlocks, unit);
      Value outerUnit = affine(d(0).floorDiv(rowBlocks * columnBlocks) % outerUnits, unit);
      Value batch = affine(d(0).floorDiv(rowBlocks * columnBlocks * outerUnits), unit);
      batchPoint = delinearized(batch, groups[0].extents);
      rowBase = affine(d(0) * rowsPerUnit, rowBlock);
      lineBase = affine(d(0) * linesPerUnit, columnBlock);
      rowCount = minimum(constant(rowsPerUnit),
                         arith::SubIOp::create(b, frame.loc, constant(rows.size()), rowBase));
      lineCount = minimum(constant(linesPerUnit),
                          arith::SubIOp::create(b, frame.loc, constant(lines), lineBase));
      if (rowBlocks == 1) rowCount = constant(rowsPerUnit);
      if (columnBlocks == 1) lineCount = constant(linesPerUnit);
      columnCount = mul(lineCount, lineSize);
      lastRowBlock = compare(arith::CmpIPredicate::eq, rowBlock, constant(rowBlocks - 1));
      kBase = constant(0);
      kCount = constant(kOuter);
      kRange = kOuter;
      if (resident) packRows();
      kRange = kPerBlock;
      if (outerPerUnit == 1) return emitColumns(outerUnit);
      Value from = affine(d(0) * outerPerUnit, outerUnit);
      Value to = minimum(constant(outerColumns), affine((d(0) + 1) * outerPerUnit, outerUnit));
      loop(from, to, 1, outerColumns, [&](Value outer) { emitColumns(outer); });
    });
  }

  /// A unit's rows and columns at one point of the outer columns.
  void emitColumns(Value outer) {
    outerPoint = delinearized(outer, ArrayRef(columns.extents).take_front(suffixFirst));
    auto pack = [&] {
      packColumns();
      if (!resident) packRows();
    };
    if (kBlocks == 1) {
      pack();
      return tiles();
    }
    Value zero = constantOf(b, frame.loc, vectorType(), 0);
    loop(constant(0), constant(rowsPerUnit * ldc), W, rowsPerUnit * ldc,
         [&](Value at) { vector::StoreOp::create(b, frame.loc, zero, sums, at); });
    loop(kBlocks, [&](Value block) {
      kBase = affine(d(0) * kPerBlock, block);
      kCount = minimum(constant(kPerBlock),
                       arith::SubIOp::create(b, frame.loc, constant(kOuter), kBase));
      pack();
      tiles();
    });
    loop(constant(0), rowCount, 1, rowsPerUnit, [&](Value row) {
      finishRow(row, affine(d(0) * ldc, row), constant(0), columnCount, unitColumns);
    });
  }

  SmallVector<Value> delinearized(Value linear, ArrayRef<int64_t> extents) {
    SmallVector<Value> indices;
    int64_t stride = product(extents);
    for (int64_t extent : extents) {
      bool leads = indices.empty(); // no position lies beyond its end
      stride /= extent;
      indices.push_back(
          affine(leads ? d(0).floorDiv(stride) : d(0).floorDiv(stride) % extent, linear));
    }
    return indices;
  }

  /// All merged indices, in order, from those of the groups.
  SmallVector<Value> point(ArrayRef<Value> row, ArrayRef<Value> column, ArrayRef<Value> k) {
    SmallVector<Value> all(merged.extents.size());
    auto place = [&](const LoopGroup &group, ArrayRef<Value> indices) {
      for (unsigned i = 0; i < group.extents.size(); ++i)
        all[group.first + i] = indices.empty() ? elements->index(0) : indices[i];
    };
    place(groups[0], batchPoint);
    place(rows, row);
    place(columns, column);
    place(groups[3], k);
    return originals(*elements, all);
  }

  SmallVector<Value> rowIndices(Value local) {
    return delinearized(affine(d(0) + d(1), {rowBase, local}), rows.extents);
  }
  /// Column indices of position `local` within the unit.
  SmallVector<Value> columnIndices(Value local) {
    SmallVector<Value> indices(outerPoint);
    Value flat = affine(d(0) * lineSize + d(1), {lineBase, local});
    llvm::append_range(indices,
                       delinearized(flat, ArrayRef(columns.extents).drop_front(suffixFirst)));
    return indices;
  }

  /// Loops over the inner dimensions of K (all, or all but the last): `body(indices, offset)`.
  void overInnerK(unsigned until, llvm::function_ref<void(SmallVector<Value>, Value)> body) {
    loop(constant(0), kCount, 1, kRange, [&](Value outer) {
      Value linear = affine(d(0) + d(1), {kBase, outer});
      SmallVector<Value> indices =
          delinearized(linear, ArrayRef(groups[3].extents).take_front(kInnerFirst));
      innerK(kInnerFirst, until, indices, affine(d(0) * kInner, outer), body);
    });
  }
  void innerK(unsigned dim, unsigned until, SmallVector<Value> indices, Value offset,
              llvm::function_ref<void(SmallVector<Value>, Value)> body) {
    if (dim == until) return body(indices, offset);
    ArrayRef<int64_t> extents = groups[3].extents;
    loop(extents[dim], [&](Value index) {
      SmallVector<Value> next(indices);
      next.push_back(index);
      innerK(dim + 1, until, next,
             affine(d(0) + d(1) * product(extents.drop_front(dim + 1)), {offset, index}), body);
    });
  }

  /// Runs along the last dimension of K: `body(indices, offset)` in vector mode; `before` gets the outer
  /// indices. The last dimension is inside a block, or is what blocks are cut from.
  void alongK(llvm::function_ref<void(SmallVector<Value>, Value)> body) {
    unsigned last = groups[3].extents.size() - 1;
    if (kInnerFirst == last + 1) { // blocks of the last dimension
      ArrayRef<int64_t> outerExtents = ArrayRef(groups[3].extents);
      if (outerExtents.size() == 1) {
        runs(kBase, add(kBase, kCount), groups[3].extents[0],
             groups[3].extents[0] % W == 0 && kPerBlock % W == 0, [&](Value index) {
               body({index}, affine(d(0) - d(1), {index, kBase}));
             });
        return;
      }
      // Blocks may cross ends of the last dimension: one by one.
      overInnerK(last + 1, body);
      return;
    }
    overInnerK(last, [&](SmallVector<Value> indices, Value offset) {
      int64_t extent = groups[3].extents[last];
      runs(constant(0), constant(extent), extent, extent % W == 0, [&](Value index) {
        SmallVector<Value> all(indices);
        all.push_back(index);
        body(all, affine(d(0) + d(1), {offset, index}));
      });
    });
  }

  /// Where element (k, column) of the column panel is: tiles one after another, each [k][column], where runs
  /// of columns never cross a tile's border; else [k][column] as a whole.
  Value panelAt(Value k, Value column) {
    if (!tiled) return affine(d(0) * ldb + d(1), {k, column});
    int64_t width = tileVectors * W;
    return affine(d(1).floorDiv(width) * (width * (kMost + W)) + d(0) * width + d(1) % width,
                  {k, column});
  }

  /// Stores to a panel: what lies beyond a masked run's end is written over by the next run, or is padding.
  void put(Value value, Value panel, Value at) {
    if (isa<VectorType>(value.getType()))
      vector::StoreOp::create(b, frame.loc, value, panel, at);
    else
      memref::StoreOp::create(b, frame.loc, value, panel, at);
  }

  void packRows() {
    if (direct) return;
    if (rowsAlongRow) {
      overInnerK(groups[3].extents.size(), [&](SmallVector<Value> k, Value offset) {
        Value end = add(rowBase, rowCount);
        runs(
            rowBase, end, rows.size(), rows.size() % W == 0 && rowsPerUnit % W == 0,
            [&](Value row) {
              Value value = sideElement(*elements, rowSide, point({row}, {}, k));
              put(value, rowPanel, affine(d(0) * rowKStride + d(1) - d(2), {offset, row, rowBase}));
            });
      });
      return;
    }
    loop(constant(0), rowCount, 1, rowsPerUnit, [&](Value local) {
      SmallVector<Value> row = rowIndices(local);
      auto pack = [&](SmallVector<Value> k, Value offset) {
        Value value = sideElement(*elements, rowSide, point(row, {}, k));
        put(value, rowPanel, affine(d(0) * rowStride + d(1), {local, offset}));
      };
      if (rowsAlongK)
        alongK(pack);
      else
        overInnerK(groups[3].extents.size(), pack);
    });
  }

  void packColumns() {
    if (columnsAlongK && (groups[3].extents.size() == 1 || kInnerFirst < groups[3].extents.size()))
      return packColumnsTransposed();
    unsigned last = columns.extents.size() - 1;
    overInnerK(groups[3].extents.size(), [&](SmallVector<Value> k, Value offset) {
      auto pack = [&](SmallVector<Value> column, Value local) {
        Value value = sideElement(*elements, 1 - rowSide, point({}, column, k));
        put(value, columnPanel, panelAt(offset, local));
      };
      if (unitColumns % W) { // lanes beyond the last column are numbers, not what memory held
        Value zero = constantOf(b, frame.loc, vectorType(), 0);
        put(zero, columnPanel, panelAt(offset, constant(llvm::alignTo(unitColumns, W) - W)));
      }
      if (!columnsAlongColumn) {
        loop(constant(0), columnCount, 1, unitColumns,
             [&](Value local) { pack(columnIndices(local), local); });
        return;
      }
      if (suffixFirst == last) {
        Value end = add(lineBase, lineCount);
        runs(lineBase, end, lines, lines % W == 0 && linesPerUnit % W == 0, [&](Value line) {
          SmallVector<Value> column(outerPoint);
          column.push_back(line);
          pack(column, affine(d(0) - d(1), {line, lineBase}));
        });
        return;
      }
      loop(constant(0), lineCount, 1, linesPerUnit, [&](Value line) {
        SmallVector<Value> column(outerPoint);
        column.push_back(affine(d(0) + d(1), {lineBase, line}));
        overLine(suffixFirst + 1, column, affine(d(0) * lineSize, line), pack);
      });
    });
  }
  /// The dimensions inside a line; the last in runs.
  void overLine(unsigned dim, SmallVector<Value> column, Value local,
                llvm::function_ref<void(SmallVector<Value>, Value)> pack) {
    int64_t extent = columns.extents[dim];
    auto next = [&](Value index) {
      SmallVector<Value> inner(column);
      inner.push_back(index);
      Value at = affine(d(0) + d(1) * product(ArrayRef(columns.extents).drop_front(dim + 1)),
                        {local, index});
      if (dim + 1 == columns.extents.size()) return pack(inner, at);
      overLine(dim + 1, inner, at, pack);
    };
    if (dim + 1 == columns.extents.size())
      runs(constant(0), constant(extent), extent, extent % W == 0, next);
    else
      loop(extent, next);
  }

  // Blocks of W columns: W runs along K, turned round in registers.
  void packColumnsTransposed() {
    loop(constant(0), columnCount, W, unitColumns, [&](Value block) {
      SmallVector<SmallVector<Value>> lanes;
      Value last = arith::SubIOp::create(b, frame.loc, columnCount, constant(1));
      for (int64_t lane = 0; lane < W; ++lane) {
        Value local = add(block, constant(lane));
        if (unitColumns % W || lines % linesPerUnit)
          local = minimum(local, last); // lanes beyond the last column repeat it
        elements->variable(local, 0, unitColumns - 1);
        lanes.push_back(columnIndices(local));
      }
      alongK([&](SmallVector<Value> k, Value offset) {
        SmallVector<Value> vectors;
        for (auto &column : lanes)
          vectors.push_back(sideElement(*elements, 1 - rowSide, point({}, column, k)));
        if (elements->lanes() == 1) {
          for (auto [lane, value] : llvm::enumerate(vectors))
            put(value, columnPanel, panelAt(offset, affine(d(0) + int64_t(lane), block)));
          return;
        }
        transpose(vectors);
        for (auto [number, value] : llvm::enumerate(vectors))
          put(value, columnPanel, panelAt(affine(d(0) + int64_t(number), offset), block));
      });
    });
  }
  /// Transposes W vectors of W lanes: log2(W) stages that exchange halves of pairs.
  void transpose(SmallVector<Value> &vectors) {
    for (int64_t distance = W / 2; distance >= 1; distance /= 2) {
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < W; ++lane) {
        bool second = lane & distance;
        low.push_back(second ? W + (lane ^ distance) : lane);
        high.push_back(second ? W + lane : (lane ^ distance));
      }
      for (int64_t row = 0; row < W; ++row) {
        if (row & distance) continue;
        Value upper = vectors[row], lower = vectors[row + distance];
        vectors[row] = vector::ShuffleOp::create(b, frame.loc, upper, lower, low);
        vectors[row + distance] = vector::ShuffleOp::create(b, frame.loc, upper, lower, high);
      }
    }
  }

  // --- Register tiles.

  void tiles() {
    Value width = constant(W), perTile = constant(tileVectors);
    Value vectors = arith::DivUIOp::create(b, frame.loc, add(columnCount, constant(W - 1)), width);
    Value whole = arith::DivUIOp::create(b, frame.loc, vectors, perTile);
    int64_t mostWhole = llvm::divideCeil(llvm::divideCeil(unitColumns, W), tileVectors);
    // What is left of whole tiles in a full unit, and in the last one.
    std::set<int64_t> rests;
    rests.insert(int64_t(llvm::divideCeil(unitColumns, W)) % tileVectors);
    if (lines % linesPerUnit)
      rests.insert(int64_t(llvm::divideCeil(lines % linesPerUnit * lineSize, W)) % tileVectors);
    rests.erase(0);
    if (int64_t(llvm::divideCeil(unitColumns, W)) >= tileVectors)
      loop(constant(0), whole, 1, mostWhole,
           [&](Value tile) { tileColumn(affine(d(0) * (tileVectors * W), tile), tileVectors); });
    Value rest = arith::RemUIOp::create(b, frame.loc, vectors, perTile);
    for (int64_t count : rests)
      onlyIf(compare(arith::CmpIPredicate::eq, rest, constant(count)), [&] {
        Value column = add(mul(whole, tileVectors * W), constant(0));
        elements->variable(column, 0, unitColumns - 1);
        tileColumn(column, count);
      });
  }
  void tileColumn(Value column, int64_t vectors) {
    Value whole = arith::DivUIOp::create(b, frame.loc, rowCount, constant(tileRows));
    loop(constant(0), whole, 1, llvm::divideCeil(rowsPerUnit, tileRows), [&](Value tile) {
      registerTile(affine(d(0) * tileRows, tile), tileRows, column, vectors);
    });
    int64_t rest = rows.size() % rowsPerUnit % tileRows;
    if (rowBlocks == 1) rest = rowsPerUnit % tileRows;
    if (rest == 0) return;
    auto last = [&] {
      Value row = add(mul(whole, tileRows), constant(0));
      elements->variable(row, 0, rowsPerUnit - 1);
      registerTile(row, rest, column, vectors);
    };
    if (rowBlocks == 1)
      last();
    else
      onlyIf(lastRowBlock, last);
  }

  Value directRow(Value row, Value k) {
    Value linear = affine(d(0) * kInner + d(1), {kBase, k});
    return sideElement(*elements, rowSide,
                       point(rowIndices(row), {}, delinearized(linear, groups[3].extents)));
  }

  /// Sums of `count` rows times `vectors` vectors of columns, in registers.
  void registerTile(Value row, int64_t count, Value column, int64_t vectors) {
    SmallVector<Value> initial;
    for (int64_t r = 0; r < count; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        initial.push_back(tileAtOnce
                              ? constantOf(b, frame.loc, vectorType(), 0)
                              : Value(vector::LoadOp::create(b, frame.loc, vectorType(), sums,
                                                             sumAt(row, r, column, v))));
    Value kTotal = mul(kCount, kInner);
    SmallVector<Value> totals = emitLoop(
        b, frame.loc, constant(0), kTotal, constant(1), initial, [&](Value k, ValueRange carried) {
          elements->variable(k, 0, kMost - 1);
          SmallVector<Value> right, next;
          for (int64_t v = 0; v < vectors; ++v)
            right.push_back(vector::LoadOp::create(
                b, frame.loc, vectorType(), columnPanel,
                tiled ? affine(d(1) * (kMost + W) + d(0) * (tileVectors * W) + v * W, {k, column})
                      : affine(d(0) * ldb + d(1) + v * W, {k, column})));
          for (int64_t r = 0; r < count; ++r) {
            Value left =
                direct
                    ? directRow(affine(d(0) + r, row), k)
                    : Value(memref::LoadOp::create(
                          b, frame.loc, rowPanel,
                          affine((d(1) + r) * rowStride + d(0) * rowKStride,
                                 {resident ? affine(d(0) * kInner + d(1), {kBase, k}) : k, row})));
            left = vector::BroadcastOp::create(b, frame.loc, vectorType(), left);
            for (int64_t v = 0; v < vectors; ++v)
              next.push_back(multiplyAdd(left, right[v], carried[r * vectors + v]));
          }
          return next;
        });
    for (int64_t r = 0; r < count; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        vector::StoreOp::create(b, frame.loc, totals[r * vectors + v], sums,
                                sumAt(row, r, column, v));
    if (!tileAtOnce) return;
    loop(constant(0), constant(count), 1, count, [&](Value r) {
      Value end = minimum(columnCount, add(column, constant(vectors * W)));
      finishRow(affine(d(0) + d(1), {row, r}), affine(d(0) * ldc - d(1), {r, column}), column, end,
                unitColumns);
    });
  }
  Value sumAt(Value row, int64_t r, Value column, int64_t v) {
    if (tileAtOnce) return constant(r * ldc + v * W);
    return affine((d(0) + r) * ldc + d(1) + v * W, {row, column});
  }
  Value multiplyAdd(Value lhs, Value rhs, Value sum) {
    if (frame.options.fma) return math::FmaOp::create(b, frame.loc, lhs, rhs, sum);
    return arith::AddFOp::create(b, frame.loc, sum, arith::MulFOp::create(b, frame.loc, lhs, rhs));
  }

  /// Columns [from, to) of a row of sums go through the epilogue to memory; column c is at `base` + c.
  void finishRow(Value row, Value base, Value from, Value to, int64_t most) {
    SmallVector<Value> rowPoint = rowIndices(row);
    Value result = contraction->getResult(0);
    runs(from, to, most, unitColumns % W == 0 && lines % linesPerUnit == 0, [&](Value column) {
      Value at = affine(d(0) + d(1), {base, column});
      Value sum = elements->lanes() > 1
                      ? Value(vector::LoadOp::create(b, frame.loc, vectorType(), sums, at))
                      : Value(memref::LoadOp::create(b, frame.loc, sums, at));
      elements->bindValue(result, elements->rounded(sum, elementOf(result)));
      storePoint(*elements, point(rowPoint, columnIndices(column), {}));
    });
  }

  KernelFrame &frame;
  OpBuilder &b;
  int64_t W;
  std::unique_ptr<Elements> elements;
  ContractionOpInterface contraction;
  ContractionDims dims;
  std::array<unsigned, 4> first; // original dimension where batch, m, n, k start
  std::vector<AffineExpr> sidePositions[2], endPositions;
  MergedDims merged;
  std::array<LoopGroup, 4> groups; // batch, m, n, k
  SmallVector<bool> joinedAtEnd; // the result walks through merged dimension i and the next as one
  SmallVector<unsigned> lastOriginal;

  unsigned rowSide = 0;
  LoopGroup rows, columns;
  bool rowsWalkKAsOne = false, rowsAlongK = false, rowsAlongRow = false, columnsAlongColumn = false,
       columnsAlongK = false;

  int64_t tileRows = 8, tileVectors = 3;
  unsigned suffixFirst = 0; // of the columns' dimensions: those of a unit
  int64_t lineSize = 1, lines = 1, outerColumns = 1, linesPerUnit = 1, rowsPerUnit = 1,
          columnBlocks = 1, rowBlocks = 1;
  int64_t unitColumns = 1;
  unsigned kInnerFirst = 0;
  int64_t kInner = 1, kOuter = 1, kPerBlock = 1, kBlocks = 1, kMost = 1;

  Value rowPanel, columnPanel, sums;
  int64_t ldb = 0, ldc = 0, rowStride = 0, rowKStride = 0;
  bool tiled = false;    // the column panel is tile after tile
  bool direct = false;   // the row side is not packed
  bool resident = false; // the row side is packed for all of K at once
  int64_t outerPerUnit = 1, outerUnits = 1, kInRows = 1, kRange = 1;
  bool tileAtOnce = true; // a tile's sums are final when it ends

  // Of the unit being emitted.
  SmallVector<Value> batchPoint, outerPoint;
  Value rowBase, lineBase, rowCount, lineCount, columnCount, lastRowBlock, kBase, kCount;
};

} // namespace

bool lowerPackedContraction(KernelFrame &frame, LogicalResult &result) {
  PackedContraction packed(frame);
  if (!packed.suits()) return false;
  result = packed.run();
  return true;
}

} // namespace sinter::codegen
