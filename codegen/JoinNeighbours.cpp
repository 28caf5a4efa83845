#include "sinter/codegen/BlockWriter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

// CUDA's compiler joins accesses of neighbours only where nothing but arithmetic is between them: roundings to bf16
// are instructions of their own to it. So neighbours are joined here: words are read before the loop over their
// elements and written after it, through a small array in registers.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// What may be joined: arguments of the kernel, and parts of shared memory.
bool isJoinable(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  Type element = type.getElementType();
  return type.getRank() == 1 && (element.isBF16() || element.isF16() || element.isF32()) &&
         (isa<BlockArgument>(memref) || memref.getDefiningOp<memref::ViewOp>());
}

} // namespace

/// Where the first of `lanes` neighbours lies, if the loop's turns access neighbours that begin on a word's border.
std::optional<AffineExpr> BlockWriter::startOfWord(Elements &elements, Value index, Value lane,
                                                   int64_t lanes) {
  AffineExpr position = elements.simplify(elements.exprOf(index)), laneExpr = elements.exprOf(lane);
  unsigned laneDim = cast<AffineDimExpr>(laneExpr).getPosition(), dims = laneDim + 1;
  position.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part)) dims = std::max(dims, dim.getPosition() + 1);
  });
  SmallVector<std::optional<IndexRange>> ranges(dims);
  for (auto &[variable, range] : variables) {
    unsigned dim = cast<AffineDimExpr>(elements.exprOf(variable)).getPosition();
    if (dim < dims) ranges[dim] = range;
  }
  auto offsets = laneOffsets(position, laneDim, lanes, ranges);
  for (int64_t number = 0; number < lanes; ++number)
    if (!offsets || (*offsets)[number] != number) return std::nullopt;
  AffineExpr start = position.replace(laneExpr, b.getAffineConstantExpr(0));
  if (simplifyIndex(start % lanes, ranges) != b.getAffineConstantExpr(0)) return std::nullopt;
  return start;
}

void BlockWriter::joinNeighbours(Elements &elements, scf::ForOp loop, int64_t lanes) {
  if (!loop || lanes != 8) return;
  Value lane = loop.getInductionVar();
  auto inRegisters = [&](Type element) {
    Value made = array({lanes}, element);
    made.getDefiningOp<memref::AllocaOp>().setAlignment(16);
    return made;
  };
  auto zero = [&] { return frame.constant(0); };
  OpBuilder::InsertionGuard guard(b);
  for (Operation &op : llvm::make_early_inc_range(loop.getBody()->without_terminator())) {
    auto read = dyn_cast<memref::LoadOp>(op);
    auto write = dyn_cast<memref::StoreOp>(op);
    if (!read && !write) continue;
    Value memref = read ? read.getMemRef() : write.getMemRef();
    if (!isJoinable(memref)) continue;
    auto start =
        startOfWord(elements, read ? read.getIndices()[0] : write.getIndices()[0], lane, lanes);
    if (!start) continue;
    Type element = cast<MemRefType>(memref.getType()).getElementType();
    auto word = VectorType::get(lanes, element);
    Value own = inRegisters(element);
    if (read) {
      b.setInsertionPoint(loop);
      Value all =
          vector::LoadOp::create(b, frame.loc, word, memref, ValueRange(elements.indexOf(*start)));
      vector::StoreOp::create(b, frame.loc, all, own, ValueRange(zero()));
      b.setInsertionPoint(read);
      read.getResult().replaceAllUsesWith(load(own, lane));
    } else {
      b.setInsertionPoint(write);
      store(write.getValueToStore(), own, lane);
      b.setInsertionPointAfter(loop);
      Value all = vector::LoadOp::create(b, frame.loc, word, own, ValueRange(zero()));
      vector::StoreOp::create(b, frame.loc, all, memref, ValueRange(elements.indexOf(*start)));
    }
    op.erase();
  }
}

} // namespace sinter::codegen
