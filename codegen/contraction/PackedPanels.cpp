#include "sinter/codegen/VectorTranspose.h"
#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// Where element (k, column) of the column panel is: tiles one after another, each [k][column], where runs
/// of columns never cross a tile's border; else [k][column] as a whole.
Value PackedEmitter::panelAt(Value k, Value column) {
  if (!plan.tiled) return affine(d(0) * ldb + d(1), {k, column});
  int64_t width = plan.tileVectors * plan.W;
  return affine(d(1).floorDiv(width) * (width * (plan.kMost + plan.W)) + d(0) * width +
                    d(1) % width,
                {k, column});
}

/// Where element k of row `r` after `row`, of the same tile, is in the row panel.
Value PackedEmitter::rowPanelAt(Value row, int64_t r, Value k) {
  if (!plan.rowsAlongRow) return affine((d(0) + r) * rowStride + d(1), {row, k});
  return affine(d(0).floorDiv(rowGroup) * (rowGroup * (plan.kInRows + 1)) + d(1) * rowGroup +
                    d(0) % rowGroup + r,
                {row, k});
}

/// Stores to a panel: what lies beyond a masked run's end is written over by the next run, or is padding.
void PackedEmitter::put(Value value, Value panel, Value at) {
  value = narrowed(value, cast<MemRefType>(panel.getType()).getElementType());
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(b, frame.loc, value, panel, at);
  else
    memref::StoreOp::create(b, frame.loc, value, panel, at);
}

/// A factor, in compute type, as the panel has it: rounded to its declared type, it only changes form.
Value PackedEmitter::narrowed(Value value, Type element) {
  if (getElementTypeOrSelf(value) == element) return value;
  if (auto wide = value.getDefiningOp<arith::ExtFOp>();
      wide && getElementTypeOrSelf(wide.getIn()) == element)
    return wide.getIn();
  Type type = withElement(value.getType(), element);
  if (matchPattern(value, m_PosZeroFloat())) return constantOf(b, frame.loc, type, 0);
  if (auto select = value.getDefiningOp<arith::SelectOp>()) // zero where there is no element
    if (matchPattern(select.getFalseValue(), m_PosZeroFloat()))
      return arith::SelectOp::create(b, frame.loc, select.getCondition(),
                                     narrowed(select.getTrueValue(), element),
                                     constantOf(b, frame.loc, type, 0));
  return arith::TruncFOp::create(b, frame.loc, type, value);
}

void PackedEmitter::packRows() {
  if (plan.direct) return;
  if (plan.rowBox) {
    int64_t channel = product(ArrayRef(plan.rows.extents).drop_front());
    return packBox(*plan.rowBox, rowPanel, plan.rows, {affine(d(0).floorDiv(channel), rowBase)});
  }
  unsigned allOfK = plan.groups[3].extents.size();
  if (plan.rowsAlongRow) {
    int64_t total = plan.rows.size();
    bool whole = total % plan.W == 0 && plan.rowsPerUnit % plan.W == 0;
    return overInnerK(allOfK, [&](Indices k, Value offset) {
      runs(rowBase, add(rowBase, rowCount), total, whole, [&](Value row) {
        Value value = factor(plan.rowSide, point({row}, {}, k));
        Value local = subtract(row, rowBase);
        elements->variable(local, 0, plan.rowsPerUnit - 1);
        put(value, rowPanel, rowPanelAt(local, 0, offset));
      });
    });
  }
  loop(constant(0), rowCount, 1, plan.rowsPerUnit, [&](Value local) {
    Indices row = rowIndices(local);
    auto pack = [&](Indices k, Value offset) {
      Value value = factor(plan.rowSide, point(row, {}, k));
      put(value, rowPanel, rowPanelAt(local, 0, offset));
    };
    if (plan.rowsAlongK)
      alongK(pack);
    else
      overInnerK(allOfK, pack);
  });
}

/// Copies the part of the operand that the block reads, zeros where it reaches beyond the operand. The side's
/// own loops start at `ownStart`, at 0 where none is given.
void PackedEmitter::packBox(const OperandBox &box, Value panel, const LoopGroup &own,
                            Indices ownStart) {
  Indices starts(plan.merged.extents.size(), constant(0));
  auto place = [&](const LoopGroup &group, ArrayRef<Value> values) {
    for (auto [i, value] : llvm::enumerate(values)) starts[group.first + i] = value;
  };
  place(plan.groups[0], batchPoint);
  place(own, ownStart);
  place(plan.groups[3],
        delinearized(kBase, ArrayRef(plan.groups[3].extents).take_front(plan.kInnerFirst)));
  boxOrigin.clear();
  for (unsigned i = 0; i < box.access.constants.size(); ++i) {
    AffineExpr origin = b.getAffineConstantExpr(box.access.constants[i] - box.below[i]);
    for (unsigned loop = 0; loop < starts.size(); ++loop)
      origin = origin + d(loop) * box.access.coefficients[i][loop];
    boxOrigin.push_back(affine(origin, starts));
  }
  boxLines(box, panel, 0, {}, {}, constant(0));
}

/// The box's dimensions from `dim` on; the last in runs. `inside` says whether the line exists, if that is
/// in doubt; a line's last run may reach into the next line, which is written after it.
void PackedEmitter::boxLines(const OperandBox &box, Value panel, unsigned dim, Indices indices,
                             Value inside, Value at) {
  Value operand = points.operand(box.side);
  int64_t shape = shapeOf(operand)[dim], extent = box.extents[dim];
  if (dim + 1 < box.extents.size())
    return loop(extent, [&](Value local) {
      Value index = affine(d(0) + d(1), {boxOrigin[dim], local});
      Value both = inside;
      if (box.guarded[dim]) { // negative ones are large as unsigned
        Value exists = compare(arith::CmpIPredicate::ult, index, constant(shape));
        both = inside ? arith::AndIOp::create(b, frame.loc, inside, exists).getResult() : exists;
      }
      Indices next(indices);
      next.push_back(index);
      boxLines(box, panel, dim + 1, next, both,
               affine(d(0) + d(1) * box.strides[dim], {at, local}));
    });
  // A line starts at the same element in every box.
  int64_t origin = box.access.constants[dim] - box.below[dim];
  int64_t from = std::max<int64_t>(0, origin), to = std::min(shape, origin + extent);
  if (inside || origin < 0 || origin + extent > shape) {
    Value zero = constantOf(b, frame.loc, VectorType::get(plan.W, plan.panelType), 0);
    for (int64_t lane = 0; lane < extent; lane += plan.W) put(zero, panel, affine(d(0) + lane, at));
  }
  auto copy = [&] {
    Indices own;
    for (auto [number, index] : llvm::enumerate(indices)) {
      // A variable of its own, known to be inside.
      own.push_back(box.guarded[number] ? add(index, constant(0)) : index);
      if (box.guarded[number]) elements->variable(own.back(), 0, shapeOf(operand)[number] - 1);
    }
    runs(constant(from), constant(to), shape, (to - from) % plan.W == 0, [&](Value index) {
      Indices element(own);
      element.push_back(index);
      Value value = narrowed(elements->spread(elements->element(operand, element)), plan.panelType);
      if (elements->lanes() > 1)
        value = elements->masked(value, constantOf(b, frame.loc, value.getType(), 0));
      put(value, panel, affine(d(0) + d(1) - origin, {at, index}));
    });
  };
  if (inside)
    onlyIf(inside, copy);
  else
    copy();
}

/// Element of the column side at indices of its loops and of k, which is at `offset` of the block.
Value PackedEmitter::columnElement(Indices column, Indices k, Value offset) {
  if (!plan.columnBox) return factor(1 - plan.rowSide, point({}, column, k));
  const OperandBox &box = *plan.columnBox;
  Indices operands{lineBase, offset};
  AffineExpr at = b.getAffineConstantExpr(box.start);
  auto move = [&](unsigned loop, Value index) {
    at = at + d(operands.size()) * box.loopStrides[loop];
    operands.push_back(index);
  };
  const LoopGroup &ofK = plan.groups[3];
  for (unsigned i = plan.suffixFirst; i < column.size(); ++i)
    move(plan.columns.first + i, column[i]);
  at = at - d(0) * box.loopStrides[plan.columns.first + plan.suffixFirst];
  if (plan.kInnerFirst > 0)
    at = at + d(1).floorDiv(plan.kInner) * box.loopStrides[ofK.first + plan.kInnerFirst - 1];
  for (unsigned i = plan.kInnerFirst; i < k.size(); ++i) move(ofK.first + i, k[i]);
  Value position = affine(at, operands);
  if (elements->lanes() > 1)
    return vector::LoadOp::create(b, frame.loc, VectorType::get(plan.W, plan.panelType),
                                  columnBoxPanel, position);
  return memref::LoadOp::create(b, frame.loc, columnBoxPanel, position);
}

void PackedEmitter::packColumns() {
  int64_t W = plan.W;
  unsigned allOfK = plan.groups[3].extents.size();
  if (plan.columnsAlongK && plan.runsAlongK()) return packColumnsTransposed();
  packColumnBox();
  overInnerK(allOfK, [&](Indices k, Value offset) {
    if (plan.blockColumns % W) { // lanes beyond the last column are numbers, not what memory held
      Value zero = constantOf(b, frame.loc, vectorType(), 0);
      put(zero, columnPanel, panelAt(offset, constant(llvm::alignTo(plan.blockColumns, W) - W)));
    }
    overColumns([&](Indices column, Value local) {
      put(columnElement(column, k, offset), columnPanel, panelAt(offset, local));
    });
  });
}

void PackedEmitter::packColumnBox() {
  if (!plan.columnBox) return;
  Indices start(outerPoint);
  start.push_back(lineBase);
  packBox(*plan.columnBox, columnBoxPanel, plan.columns, start);
}

/// In runs where neighbours in memory are neighbours among the columns.
void PackedEmitter::overColumns(PointBody pack) {
  if (!plan.columnsAlongColumn) {
    loop(constant(0), columnCount, 1, plan.blockColumns,
         [&](Value local) { pack(columnIndices(local), local); });
    return;
  }
  if (plan.suffixFirst + 1 == plan.columns.extents.size()) {
    bool whole = plan.lines % runWidth == 0 && plan.linesPerBlock % runWidth == 0;
    runs(lineBase, add(lineBase, lineCount), plan.lines, whole, [&](Value line) {
      Indices column(outerPoint);
      column.push_back(line);
      pack(column, affine(d(0) - d(1), {line, lineBase}));
    });
    return;
  }
  loop(constant(0), lineCount, 1, plan.linesPerBlock, [&](Value line) {
    Indices column(outerPoint);
    column.push_back(affine(d(0) + d(1), {lineBase, line}));
    packLine(plan.suffixFirst + 1, column, affine(d(0) * plan.lineSize, line), pack);
  });
}

/// The dimensions inside a line, from `dim` on; the last in runs.
void PackedEmitter::packLine(unsigned dim, Indices column, Value local, PointBody pack) {
  ArrayRef<int64_t> extents = plan.columns.extents;
  int64_t extent = extents[dim];
  bool last = dim + 1 == extents.size();
  auto next = [&](Value index) {
    Indices inner(column);
    inner.push_back(index);
    Value at = affine(d(0) + d(1) * product(extents.drop_front(dim + 1)), {local, index});
    if (last) return pack(inner, at);
    packLine(dim + 1, inner, at, pack);
  };
  if (last)
    runs(constant(0), constant(extent), extent, extent % plan.W == 0, next);
  else
    loop(extent, next);
}

/// Blocks of W columns: W runs along k, turned round in registers.
void PackedEmitter::packColumnsTransposed() {
  int64_t W = plan.W;
  loop(constant(0), columnCount, W, plan.blockColumns, [&](Value block) {
    SmallVector<Indices> lanes;
    Value last = subtract(columnCount, constant(1));
    for (int64_t lane = 0; lane < W; ++lane) {
      Value local = add(block, constant(lane));
      if (plan.blockColumns % W || plan.lines % plan.linesPerBlock)
        local = minimum(local, last); // lanes beyond the last column repeat it
      elements->variable(local, 0, plan.blockColumns - 1);
      lanes.push_back(columnIndices(local));
    }
    alongK([&](Indices k, Value offset) {
      Indices vectors;
      for (auto &column : lanes) vectors.push_back(factor(1 - plan.rowSide, point({}, column, k)));
      if (elements->lanes() == 1) {
        for (auto [lane, value] : llvm::enumerate(vectors))
          put(value, columnPanel, panelAt(offset, affine(d(0) + int64_t(lane), block)));
        return;
      }
      transposeVectors(b, frame.loc, vectors);
      for (auto [number, value] : llvm::enumerate(vectors))
        put(value, columnPanel, panelAt(affine(d(0) + int64_t(number), offset), block));
    });
  });
}

} // namespace sinter::codegen
