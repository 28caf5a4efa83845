#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

// What the next block reads comes from far away, and packing would wait for it with nothing to multiply. Runs along k
// go on where they stopped, which the machine foresees; those across k lie in other pages. So each register tile asks
// for a share of these, into the second-level cache, beside its products.

namespace sinter::codegen {

/// Where a side's factors lie, if that is a linear function of the loops and nothing is done to them but a
/// change of type.
std::optional<OperandInPlace> PackedPlan::inPlace(unsigned side) {
  Value operand = points.operand(side);
  while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
  auto argument = dyn_cast<BlockArgument>(operand);
  if (!argument || guarded[side] || sidePositions[side].size() != 1) return std::nullopt;
  unsigned loops = merged.extents.size();
  SmallVector<std::optional<IndexRange>> ranges;
  for (int64_t extent : merged.extents) ranges.push_back(IndexRange{0, extent - 1});
  AffineExpr position =
      simplifyIndex(sidePositions[side].front().replaceDims(merged.exprs), ranges);
  bool linear = true;
  position.walk([&](AffineExpr part) {
    linear &= part.getKind() != AffineExprKind::FloorDiv && part.getKind() != AffineExprKind::Mod &&
              part.getKind() != AffineExprKind::CeilDiv;
  });
  if (!linear) return std::nullopt;
  auto at = [&](std::optional<unsigned> loop) {
    SmallVector<AffineExpr> point(loops, frame.builder.getAffineConstantExpr(0));
    if (loop) point[*loop] = frame.builder.getAffineConstantExpr(1);
    return cast<AffineConstantExpr>(position.replaceDims(point)).getValue();
  };
  OperandInPlace place;
  place.argument = argument.getArgNumber();
  place.start = at(std::nullopt);
  for (unsigned loop = 0; loop < loops; ++loop) place.strides.push_back(at(loop) - place.start);
  return place;
}

/// Products of matrices: a block's factors are a rectangle in their operand.
void PackedPlan::chooseAhead() {
  const LoopGroup &k = groups[3];
  if (kBlocks == 1 || !tiled || points.window || k.extents.size() != 1 ||
      rows.extents.size() != 1 || columns.extents.size() != 1)
    return;
  for (unsigned side : {rowSide, 1 - rowSide}) {
    if (side == rowSide && resident) continue; // packed already
    unsigned own = side == rowSide ? rows.first : columns.first;
    std::optional<OperandInPlace> place = inPlace(side);
    if (place && place->strides[own] == 1) ahead.push_back({side, *place});
  }
}

/// The share of the tile at `column`, the `tile`-th of its rows.
void PackedEmitter::fetchAhead(Value column, Value tile) {
  if (plan.ahead.empty()) return;
  int64_t width = plan.tileVectors * plan.W,
          rowTiles = llvm::divideCeil(plan.rowsPerUnit, plan.tileRows),
          tiles = rowTiles * llvm::divideCeil(plan.blockColumns, width);
  Value number = affine(d(0).floorDiv(width) * rowTiles + d(1), {column, tile});
  Value nextK = affine(d(0) + plan.kPerBlock, kBase);
  // Blocks of columns share their rows: the next one is beside this one, or the first one further along k.
  Value more = compare(arith::CmpIPredicate::ult, nextK, constant(plan.kOuter));
  Value nextLine = lineBase, columnsK = nextK, moreColumns = more;
  if (plan.blocksPerUnit > 1 && !plan.resident) {
    int64_t perUnit = plan.blocksPerUnit * plan.linesPerBlock;
    Value first = affine(d(0) * perUnit, columnUnit);
    Value end = minimum(add(first, constant(perUnit)), constant(plan.lines));
    Value beside = add(lineBase, constant(plan.linesPerBlock));
    Value isBeside = compare(arith::CmpIPredicate::ult, beside, end);
    nextLine = arith::SelectOp::create(b, frame.loc, isBeside, beside, first);
    columnsK = arith::SelectOp::create(b, frame.loc, isBeside, kBase, nextK);
    moreColumns = arith::OrIOp::create(b, frame.loc, more, isBeside);
  }
  for (const ReadAhead &read : plan.ahead) {
    bool ofRows = read.side == plan.rowSide;
    unsigned k = plan.groups[3].first;
    int64_t run = ofRows ? plan.rowsPerUnit : plan.blockColumns;
    Value memory = frame.lowered.function.getArgument(read.place.argument);
    auto type = cast<MemRefType>(memory.getType());
    int64_t line = 512 / type.getElementTypeBitWidth(), share = llvm::divideCeil(plan.kMost, tiles);
    AffineExpr start = (d(0) + d(2)) * read.place.strides[k] + d(1) + read.place.start;
    Indices operands{ofRows ? nextK : columnsK, ofRows ? rowBase : nextLine, Value()};
    for (auto [dim, index] : llvm::enumerate(batchPoint)) {
      start = start + d(operands.size()) * read.place.strides[plan.groups[0].first + dim];
      operands.push_back(index);
    }
    onlyIf(ofRows ? more : moreColumns, [&] {
      Value from = affine(d(0) * share, number);
      Value to = minimum(add(from, constant(share)), constant(plan.kMost));
      loop(from, to, 1, plan.kMost, [&](Value ofK) {
        operands[2] = ofK;
        for (int64_t along = 0; along < run; along += line) {
          // A last block or unit is smaller: what lies behind the operand is no place to ask for.
          Value place =
              minimum(affine(start + along, operands), constant(type.getNumElements() - 1));
          memref::PrefetchOp::create(b, frame.loc, memory, ValueRange(place), /*isWrite=*/false,
                                     /*localityHint=*/2, /*isDataCache=*/true);
        }
      });
    });
  }
}

} // namespace sinter::codegen
