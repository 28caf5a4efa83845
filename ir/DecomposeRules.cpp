#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

SmallVector<Value> BatchNormGradOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> BatchNormInferenceOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> BatchNormOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> BceWithLogitsOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> CrossEntropyGradOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> CrossEntropyOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> L1LossOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> LayerNormGradOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> LayerNormOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> LogSoftmaxOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> MseLossOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
SmallVector<Value> SoftmaxOp::decompose(OpBuilder &) { llvm_unreachable("not yet"); }
