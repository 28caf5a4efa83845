#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

ContractionDims Conv2dInputGradOp::getContractionDims() { llvm_unreachable("not yet"); }
unsigned Conv2dInputGradOp::getSideOperand(unsigned) { llvm_unreachable("not yet"); }
ElementAddress Conv2dInputGradOp::getSideAddress(ElementBuilder &, unsigned, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
SmallVector<Value> Conv2dInputGradOp::getResultIndices(ElementBuilder &, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
ContractionDims Conv2dOp::getContractionDims() { llvm_unreachable("not yet"); }
unsigned Conv2dOp::getSideOperand(unsigned) { llvm_unreachable("not yet"); }
ElementAddress Conv2dOp::getSideAddress(ElementBuilder &, unsigned, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
SmallVector<Value> Conv2dOp::getResultIndices(ElementBuilder &, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
ContractionDims Conv2dWeightGradOp::getContractionDims() { llvm_unreachable("not yet"); }
unsigned Conv2dWeightGradOp::getSideOperand(unsigned) { llvm_unreachable("not yet"); }
ElementAddress Conv2dWeightGradOp::getSideAddress(ElementBuilder &, unsigned, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
SmallVector<Value> Conv2dWeightGradOp::getResultIndices(ElementBuilder &, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
ContractionDims MatmulOp::getContractionDims() { llvm_unreachable("not yet"); }
unsigned MatmulOp::getSideOperand(unsigned) { llvm_unreachable("not yet"); }
ElementAddress MatmulOp::getSideAddress(ElementBuilder &, unsigned, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
SmallVector<Value> MatmulOp::getResultIndices(ElementBuilder &, ValueRange, ValueRange, ValueRange) { llvm_unreachable("not yet"); }
