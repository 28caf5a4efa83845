#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

Value AbsOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value AddOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value AvgPool2dGradOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool AvgPool2dGradOp::isVectorizable() { return false; }
Value AvgPool2dOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool AvgPool2dOp::isVectorizable() { return false; }
Value BroadcastOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value CastOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value CeilOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value ClampOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value CompareOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value ConcatOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool ConcatOp::isVectorizable() { return false; }
Value ConstantOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value CosOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value DivOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value DropoutOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value EmbeddingOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool EmbeddingOp::isVectorizable() { return false; }
Value ErfOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value ExpOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value FloorDivideOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value FloorOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value GatherOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool GatherOp::isVectorizable() { return false; }
Value GeluOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value IotaOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value IsFiniteOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value Log1pOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value LogOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalAndOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalNotOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value LogicalOrOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value MaxPool2dGradOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool MaxPool2dGradOp::isVectorizable() { return false; }
Value MaxPool2dOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool MaxPool2dOp::isVectorizable() { return false; }
Value MaximumOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value MinimumOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value MulOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value NegOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value OneHotOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value PadOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool PadOp::isVectorizable() { return false; }
Value PowOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value RandomBernoulliOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value RandomNormalOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value RandomUniformOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value RelayoutOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value ReluOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value RemainderOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value ReshapeOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
bool ReshapeOp::isVectorizable() { return false; }
Value RsqrtOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SelectOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SigmoidOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SignOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SinOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SliceOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SqrtOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value StopGradientOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value SubOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value TanhOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
Value TransposeOp::buildElement(ElementBuilder &, unsigned, ValueRange) { llvm_unreachable("not yet"); }
