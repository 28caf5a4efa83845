#include "sinter/codegen/BlockWriter.h"
#include "sinter/codegen/JoinNeighbours.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace sinter::codegen {

static Attribute workgroup(OpBuilder &b) {
  return gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
}

MemRefType BlockWriter::sharedType(int64_t count, Type element) {
  return MemRefType::get({count}, element, MemRefLayoutAttrInterface(), workgroup(b));
}

Value BlockWriter::array(ArrayRef<int64_t> shape, Type element, bool shared) {
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.getInsertionBlock();
  while (!isa<func::FuncOp>(block->getParentOp())) block = block->getParentOp()->getBlock();
  b.setInsertionPointToStart(block);
  Attribute space = shared ? workgroup(b) : Attribute();
  return memref::AllocaOp::create(
      b, frame.loc, MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space));
}

Value BlockWriter::dynamicShared() {
  return gpu::DynamicSharedMemoryOp::create(b, frame.loc,
                                            sharedType(ShapedType::kDynamic, b.getI8Type()));
}

Value BlockWriter::partOf(Value shared, int64_t offset, int64_t count, Type element) {
  return memref::ViewOp::create(b, frame.loc, sharedType(count, element), shared,
                                frame.constant(offset), ValueRange());
}

scf::ForOp BlockWriter::unrolled(Elements &elements, int64_t count,
                                 llvm::function_ref<void(Value)> body) {
  if (count == 1) {
    body(elements.index(0));
    return nullptr;
  }
  auto loop =
      scf::ForOp::create(b, frame.loc, frame.constant(0), frame.constant(count), frame.constant(1));
  loop->setAttr(unrollAttr, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(elements.variable(loop.getInductionVar(), 0, count - 1));
  return loop;
}

void BlockWriter::onlyIf(Value condition, llvm::function_ref<void()> inside,
                         llvm::function_ref<void()> otherwise) {
  if (!condition) return inside();
  auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  inside();
  if (!otherwise) return;
  b.setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

Value BlockWriter::below(Value index, int64_t limit) {
  return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, index,
                               frame.constant(limit));
}
Value BlockWriter::both(Value one, Value other) {
  if (!one || !other) return one ? one : other;
  return arith::AndIOp::create(b, frame.loc, one, other);
}
Value BlockWriter::known(Elements &elements, Value index, int64_t count) {
  Value own = arith::AddIOp::create(b, frame.loc, index, frame.constant(0));
  return elements.variable(own, 0, count - 1);
}
Value BlockWriter::load(Value array, ValueRange at) {
  return memref::LoadOp::create(b, frame.loc, array, at);
}
void BlockWriter::store(Value value, Value array, ValueRange at) {
  memref::StoreOp::create(b, frame.loc, value, array, at);
}

Value BlockWriter::narrowed(Value value, Type stored) {
  if (value.getType() == stored) return value;
  if (auto wide = value.getDefiningOp<arith::ExtFOp>(); wide && wide.getIn().getType() == stored)
    return wide.getIn();
  auto branch = value.getDefiningOp<scf::IfOp>(); // an element that may not exist
  if (!branch || branch.getNumResults() != 1 || !value.use_empty())
    return arith::TruncFOp::create(b, frame.loc, stored, value);
  auto narrow = scf::IfOp::create(b, branch.getLoc(), stored, branch.getCondition(),
                                  /*withElseRegion=*/true);
  const std::pair<Block *, Block *> sides[] = {{branch.thenBlock(), narrow.thenBlock()},
                                               {branch.elseBlock(), narrow.elseBlock()}};
  for (auto [from, to] : sides) {
    to->getOperations().splice(to->end(), from->getOperations());
    Operation *yield = to->getTerminator();
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(yield);
    yield->setOperand(0, narrowed(yield->getOperand(0), stored));
  }
  branch.erase();
  return narrow.getResult(0);
}

void BlockWriter::joinNeighbours(Elements &elements, scf::ForOp loop, int64_t lanes) {
  if (loop && lanes == 8) codegen::joinNeighbours(b, elements, loop, lanes);
}

void BlockWriter::markAligned() {
  auto function = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
  for (unsigned number = 0; number < function.getNumArguments(); ++number)
    function.setArgAttr(number, alignedAttr, b.getUnitAttr());
}

} // namespace sinter::codegen
