#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

Value AbsOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value AddOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value CastOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value CeilOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value ClampOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value CompareOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value CosOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value DivOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value ErfOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value ExpOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value FloorDivideOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value FloorOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value GeluOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value IsFiniteOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value Log1pOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value LogOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalAndOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalNotOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalOrOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value MaximumOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value MinimumOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value MulOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value NegOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value PowOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value ReluOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value RemainderOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value RsqrtOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SelectOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SigmoidOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SignOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SinOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SqrtOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value SubOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
Value TanhOp::buildScalar(OpBuilder &, Location, ValueRange) { llvm_unreachable("not yet"); }
