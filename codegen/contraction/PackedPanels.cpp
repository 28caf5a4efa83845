#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

/// Stores to a panel: what lies beyond a masked run's end is written over by the next run, or is padding.
void PackedEmitter::put(Value value, Value panel, Value at) {
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(b, frame.loc, value, panel, at);
  else
    memref::StoreOp::create(b, frame.loc, value, panel, at);
}

void PackedEmitter::packRows() {
  if (plan.direct) return;
  unsigned allOfK = plan.groups[3].extents.size();
  if (plan.rowsAlongRow) {
    int64_t total = plan.rows.size();
    bool whole = total % plan.W == 0 && plan.rowsPerUnit % plan.W == 0;
    return overInnerK(allOfK, [&](Indices k, Value offset) {
      runs(rowBase, add(rowBase, rowCount), total, whole, [&](Value row) {
        Value value = factor(plan.rowSide, point({row}, {}, k));
        put(value, rowPanel, affine(d(0) * rowKStride + d(1) - d(2), {offset, row, rowBase}));
      });
    });
  }
  loop(constant(0), rowCount, 1, plan.rowsPerUnit, [&](Value local) {
    Indices row = rowIndices(local);
    auto pack = [&](Indices k, Value offset) {
      Value value = factor(plan.rowSide, point(row, {}, k));
      put(value, rowPanel, affine(d(0) * rowStride + d(1), {local, offset}));
    };
    if (plan.rowsAlongK)
      alongK(pack);
    else
      overInnerK(allOfK, pack);
  });
}

void PackedEmitter::packColumns() {
  int64_t W = plan.W;
  unsigned allOfK = plan.groups[3].extents.size();
  if (plan.columnsAlongK && (allOfK == 1 || plan.kInnerFirst < allOfK))
    return packColumnsTransposed();
  unsigned last = plan.columns.extents.size() - 1;
  overInnerK(allOfK, [&](Indices k, Value offset) {
    auto pack = [&](Indices column, Value local) {
      Value value = factor(1 - plan.rowSide, point({}, column, k));
      put(value, columnPanel, panelAt(offset, local));
    };
    if (plan.unitColumns % W) { // lanes beyond the last column are numbers, not what memory held
      Value zero = constantOf(b, frame.loc, vectorType(), 0);
      put(zero, columnPanel, panelAt(offset, constant(llvm::alignTo(plan.unitColumns, W) - W)));
    }
    if (!plan.columnsAlongColumn) {
      loop(constant(0), columnCount, 1, plan.unitColumns,
           [&](Value local) { pack(columnIndices(local), local); });
      return;
    }
    if (plan.suffixFirst == last) {
      bool whole = plan.lines % W == 0 && plan.linesPerUnit % W == 0;
      runs(lineBase, add(lineBase, lineCount), plan.lines, whole, [&](Value line) {
        Indices column(outerPoint);
        column.push_back(line);
        pack(column, affine(d(0) - d(1), {line, lineBase}));
      });
      return;
    }
    loop(constant(0), lineCount, 1, plan.linesPerUnit, [&](Value line) {
      Indices column(outerPoint);
      column.push_back(affine(d(0) + d(1), {lineBase, line}));
      packLine(plan.suffixFirst + 1, column, affine(d(0) * plan.lineSize, line), pack);
    });
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
  loop(constant(0), columnCount, W, plan.unitColumns, [&](Value block) {
    SmallVector<Indices> lanes;
    Value last = subtract(columnCount, constant(1));
    for (int64_t lane = 0; lane < W; ++lane) {
      Value local = add(block, constant(lane));
      if (plan.unitColumns % W || plan.lines % plan.linesPerUnit)
        local = minimum(local, last); // lanes beyond the last column repeat it
      elements->variable(local, 0, plan.unitColumns - 1);
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
      transpose(vectors);
      for (auto [number, value] : llvm::enumerate(vectors))
        put(value, columnPanel, panelAt(affine(d(0) + int64_t(number), offset), block));
    });
  });
}

/// Transposes W vectors of W lanes: log2(W) stages that exchange halves of pairs.
void PackedEmitter::transpose(Indices &vectors) {
  int64_t W = plan.W;
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

} // namespace sinter::codegen
