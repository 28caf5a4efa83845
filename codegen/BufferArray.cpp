#include "sinter/codegen/BufferArray.h"

#include "sinter/codegen/KernelFrame.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;

namespace sinter::codegen {

Value takeBufferArray(KernelFrame &frame) {
  func::FuncOp function = frame.lowered.function;
  unsigned count = function.getNumArguments() - 2;
  auto type = MemRefType::get(count, frame.builder.getI64Type());
  (void)function.insertArgument(count, type, {}, frame.loc);
  return function.getArgument(count);
}

void leaveOutOtherBuffers(KernelFrame &frame) {
  func::FuncOp function = frame.lowered.function;
  unsigned count = function.getNumArguments() - 3;
  llvm::BitVector unused(function.getNumArguments());
  SmallVector<int64_t> taken;
  for (unsigned buffer = 0; buffer < count; ++buffer)
    if (function.getArgument(buffer).use_empty())
      unused.set(buffer);
    else
      taken.push_back(buffer);
  taken.push_back(-1);
  (void)function.eraseArguments(unused);
  function->setAttr(buffersAttr, frame.builder.getDenseI64ArrayAttr(taken));
}

Value bufferAt(OpBuilder &b, Location loc, Value array, Value place, MemRefType type) {
  MLIRContext *context = b.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = b.getI64Type();
  auto one = LLVM::LLVMArrayType::get(i64, 1);
  auto descriptor = LLVM::LLVMStructType::getLiteral(context, {pointer, pointer, i64, one, one});
  Value bits = memref::LoadOp::create(b, loc, array, place);
  Value address = LLVM::IntToPtrOp::create(b, loc, pointer, ValueRange(bits));
  Value value = LLVM::PoisonOp::create(b, loc, descriptor);
  auto set = [&](Value part, ArrayRef<int64_t> at) {
    value = LLVM::InsertValueOp::create(b, loc, value, part, at);
  };
  auto number = [&](int64_t number) -> Value {
    return LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(number));
  };
  set(address, {0});
  set(address, {1});
  set(number(0), {2});
  set(number(type.getNumElements()), {3, 0});
  set(number(1), {4, 0});
  return UnrealizedConversionCastOp::create(b, loc, type, value).getResult(0);
}

} // namespace sinter::codegen
