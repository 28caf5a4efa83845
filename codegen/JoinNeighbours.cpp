#include "sinter/codegen/JoinNeighbours.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

// CUDA's compiler joins accesses of neighbours only where nothing but arithmetic is between them: roundings to bf16
// are instructions of their own to it. So neighbours are joined here: words are read before the loop over their
// elements and written after it, from a small array in registers.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// What may be joined: arguments of the kernel, and parts of shared memory.
bool isJoinable(Value memref) {
  return cast<MemRefType>(memref.getType()).getRank() == 1 &&
         (isa<BlockArgument>(memref) || memref.getDefiningOp<memref::ViewOp>());
}

/// Where the first of `lanes` neighbours lies, if the loop's turns access neighbours that begin on a word's border.
std::optional<AffineExpr> startOfWord(Elements &elements, AffineExpr position, Value lane,
                                      int64_t lanes) {
  position = elements.simplify(position);
  auto offsets = elements.offsetsOf(position, lane, lanes);
  for (int64_t number = 0; number < lanes; ++number)
    if (!offsets || (*offsets)[number] != number) return std::nullopt;
  AffineExpr none = getAffineConstantExpr(0, position.getContext()),
             start = position.replace(elements.exprOf(lane), none);
  if (elements.simplify(start % lanes) != none) return std::nullopt;
  return start;
}

/// Whether all that `expr` is made of is there before `loop`.
bool isKnownBefore(Elements &elements, AffineExpr expr, scf::ForOp loop) {
  bool known = true;
  expr.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      known &=
          !loop->isAncestor(elements.variableOf(dim.getPosition()).getParentBlock()->getParentOp());
  });
  return known;
}

} // namespace

bool walkSideBySide(Elements &elements, ArrayRef<AffineExpr> positions, Value lane, int64_t lanes) {
  return llvm::all_of(positions, [&](AffineExpr position) {
    return !position.isFunctionOfDim(cast<AffineDimExpr>(elements.exprOf(lane)).getPosition()) ||
           startOfWord(elements, position, lane, lanes);
  });
}

void joinNeighbours(OpBuilder &b, Elements &elements, scf::ForOp loop, int64_t lanes) {
  Value lane = loop.getInductionVar();
  Block &entry = loop->getParentOfType<func::FuncOp>().getBody().front();
  auto inRegisters = [&](Location loc, Type element) -> Value {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&entry);
    auto made = memref::AllocaOp::create(b, loc, MemRefType::get(lanes, element));
    made.setAlignment(16);
    return made;
  };
  auto zero = [&](Location loc) -> Value { return arith::ConstantIndexOp::create(b, loc, 0); };
  OpBuilder::InsertionGuard guard(b);
  for (Operation &op : llvm::make_early_inc_range(loop.getBody()->without_terminator())) {
    auto read = dyn_cast<memref::LoadOp>(op);
    auto write = dyn_cast<memref::StoreOp>(op);
    if (!read && !write) continue;
    Value memref = read ? read.getMemRef() : write.getMemRef();
    if (!isJoinable(memref)) continue;
    Value index = read ? read.getIndices()[0] : write.getIndices()[0];
    auto start = startOfWord(elements, elements.exprOf(index), lane, lanes);
    if (!start || !isKnownBefore(elements, *start, loop)) continue;
    Location loc = op.getLoc();
    Type element = cast<MemRefType>(memref.getType()).getElementType();
    auto word = VectorType::get(lanes, element);
    if (read) {
      b.setInsertionPoint(loop);
      Value all =
          vector::LoadOp::create(b, loc, word, memref, ValueRange(elements.indexOf(*start)));
      b.setInsertionPoint(read);
      read.getResult().replaceAllUsesWith(
          vector::ExtractOp::create(b, loc, all, OpFoldResult(lane)).getResult());
    } else {
      Value own = inRegisters(loc, element);
      b.setInsertionPoint(write);
      memref::StoreOp::create(b, loc, write.getValueToStore(), own, lane);
      b.setInsertionPointAfter(loop);
      Value all = vector::LoadOp::create(b, loc, word, own, ValueRange(zero(loc)));
      vector::StoreOp::create(b, loc, all, memref, ValueRange(elements.indexOf(*start)));
    }
    op.erase();
  }
}

} // namespace sinter::codegen
