#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

SmallVector<int64_t> ArgmaxOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool ArgmaxOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> ArgmaxOp::buildInit(OpBuilder &, Location, Type) { llvm_unreachable("not yet"); }
SmallVector<Value> ArgmaxOp::buildLift(OpBuilder &, Location, Value, Value) { llvm_unreachable("not yet"); }
SmallVector<Value> ArgmaxOp::buildCombine(OpBuilder &, Location, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
Value ArgmaxOp::buildFinish(OpBuilder &, Location, ValueRange, int64_t) { llvm_unreachable("not yet"); }
SmallVector<int64_t> MaxOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MaxOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MaxOp::buildInit(OpBuilder &, Location, Type) { llvm_unreachable("not yet"); }
SmallVector<Value> MaxOp::buildLift(OpBuilder &, Location, Value, Value) { llvm_unreachable("not yet"); }
SmallVector<Value> MaxOp::buildCombine(OpBuilder &, Location, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
Value MaxOp::buildFinish(OpBuilder &, Location, ValueRange, int64_t) { llvm_unreachable("not yet"); }
SmallVector<int64_t> MeanOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MeanOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MeanOp::buildInit(OpBuilder &, Location, Type) { llvm_unreachable("not yet"); }
SmallVector<Value> MeanOp::buildLift(OpBuilder &, Location, Value, Value) { llvm_unreachable("not yet"); }
SmallVector<Value> MeanOp::buildCombine(OpBuilder &, Location, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
Value MeanOp::buildFinish(OpBuilder &, Location, ValueRange, int64_t) { llvm_unreachable("not yet"); }
SmallVector<int64_t> MinOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool MinOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> MinOp::buildInit(OpBuilder &, Location, Type) { llvm_unreachable("not yet"); }
SmallVector<Value> MinOp::buildLift(OpBuilder &, Location, Value, Value) { llvm_unreachable("not yet"); }
SmallVector<Value> MinOp::buildCombine(OpBuilder &, Location, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
Value MinOp::buildFinish(OpBuilder &, Location, ValueRange, int64_t) { llvm_unreachable("not yet"); }
SmallVector<int64_t> SumOp::getReducedDims() { return SmallVector<int64_t>(getDim()); }
bool SumOp::getKeepsDims() { return getKeepdim(); }
SmallVector<Value> SumOp::buildInit(OpBuilder &, Location, Type) { llvm_unreachable("not yet"); }
SmallVector<Value> SumOp::buildLift(OpBuilder &, Location, Value, Value) { llvm_unreachable("not yet"); }
SmallVector<Value> SumOp::buildCombine(OpBuilder &, Location, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
Value SumOp::buildFinish(OpBuilder &, Location, ValueRange, int64_t) { llvm_unreachable("not yet"); }
