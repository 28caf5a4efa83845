#ifndef SINTER_IR_SHAPE
#define SINTER_IR_SHAPE

include "sinter/ir/Base.td"

class Sinter_View<string mnemonic, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "View", "Keep", !listconcat([Pure], traits)>;
// A view whose indices are affine in the result's.
class Sinter_AffineView<string mnemonic, list<Trait> traits = []> : Sinter_View<mnemonic, traits> {
  let moreDeclarations = "::llvm::SmallVector<::mlir::AffineMap> getIndexingMaps();";
}

def ConstantOp : Sinter_Op<"constant", "View", "Keep", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>,
    DeclareOpInterfaceMethods<InferTypeOpInterface>, Element]> {
  let summary = "A tensor known to the compiler";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}
def IotaOp : Sinter_View<"iota", [Element]> {
  let summary = "Each element is its index along `dim`";
  let arguments = (ins I64Attr:$dim);
  let results = (outs Sinter_NumberTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def ReshapeOp : Sinter_View<"reshape", [ElementNoVector, Vjp]> {
  let summary = "The same elements in row-major order under another shape";
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def TransposeOp : Sinter_AffineView<"transpose", [Infer, Element, Vjp]> {
  let summary = "PyTorch's permute: result dimension i is operand dimension permutation[i]";
  let arguments = (ins Sinter_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def BroadcastOp : Sinter_AffineView<"broadcast", [Element, Vjp]> {
  let summary = "NumPy broadcasting to the result's shape: aligned right, size 1 or missing stretches";
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def SliceOp : Sinter_AffineView<"slice", [Infer, Element, Vjp]> {
  let summary = "x[start:limit:step] in each dimension, 0 <= start <= limit <= size, step >= 1";
  let arguments = (ins Sinter_Tensor:$x, DenseI64ArrayAttr:$start, DenseI64ArrayAttr:$limit, DenseI64ArrayAttr:$step);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def PadOp : Sinter_View<"pad", [Infer, ElementNoVector, Vjp]> {
  let summary = "`value` around x: `low` elements before and `high` after, `interior` between, in each dimension";
  let arguments = (ins Sinter_Tensor:$x, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$interior, DefaultValuedAttr<F64Attr, "0.0">:$value);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def ConcatOp : Sinter_Op<"concat", "View", "Widest", [Pure, Infer, ElementNoVector, Vjp]> {
  let summary = "Operands one after another along `dim`";
  let arguments = (ins Variadic<Sinter_Tensor>:$inputs, I64Attr:$dim);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
}
def RelayoutOp : Sinter_AffineView<"relayout", [Element, Vjp]> {
  let summary = "The same logical tensor in another physical order (the result type's encoding)";
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def StopGradientOp : Sinter_AffineView<"stop_gradient", [SameOperandsAndResultType, Element]> {
  let summary = "PyTorch's detach: the value, with no gradient";
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}
def FusionBarrierOp : Sinter_Op<"fusion_barrier", "Barrier", "Keep", [Pure, SameOperandsAndResultType, Vjp]> {
  let summary = "The value itself: what makes it and what reads it through the barrier are different kernels";
  let description = [{
    Nothing is computed and nothing is copied: the fusion pass takes the op away once its kernels are decided. The
    gradient passes through.
  }];
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}

// Indexed access.
def EmbeddingOp : Sinter_Op<"embedding", "Gather", "Widest", [Pure, Infer, ElementNoVector, Vjp]> {
  let summary = "Rows of weight [V, D] by index: indices [...] -> [..., D]";
  let description = "An index outside [0, V) is an error in the evaluator and reads the nearest row elsewhere. Row `padding_idx` gets no gradient.";
  let arguments = (ins Sinter_FloatTensor:$weight, Sinter_IndexTensor:$indices, OptionalAttr<I64Attr>:$padding_idx);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$weight `,` $indices attr-dict `:` functional-type(operands, results)";
}
def EmbeddingGradOp : Sinter_Op<"embedding_grad", "Scatter", "Widest", [Pure, Vjp]> {
  let summary = "Sums rows of grad [..., D] into the result [V, D] by index, in index order";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_IndexTensor:$indices, OptionalAttr<I64Attr>:$padding_idx);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$grad `,` $indices attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def GatherOp : Sinter_Op<"gather", "Gather", "Widest", [Pure, Infer, ElementNoVector, Vjp]> {
  let summary = "torch.gather: result[i][j] = x[index[i][j]][j] for dim 0";
  let description = "Every dimension of index but `dim` is at most x's. The result has index's shape.";
  let arguments = (ins Sinter_Tensor:$x, Sinter_IndexTensor:$index, I64Attr:$dim);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x `,` $index attr-dict `:` functional-type(operands, results)";
}
def ScatterAddOp : Sinter_Op<"scatter_add", "Scatter", "Widest", [Pure, Infer, Vjp]> {
  let summary = "torch.scatter_add: x with src[i][j] added at [index[i][j]][j] for dim 0, in row-major order";
  let arguments = (ins Sinter_NumberTensor:$x, Sinter_IndexTensor:$index, Sinter_NumberTensor:$src, I64Attr:$dim);
  let results = (outs Sinter_NumberTensor:$result);
  let assemblyFormat = "$x `,` $index `,` $src attr-dict `:` functional-type(operands, results)";
}
def OneHotOp : Sinter_Op<"one_hot", "Gather", "Keep", [Pure, Element]> {
  let summary = "1 at the index, 0 elsewhere, along a new last dimension; an index outside gives zeros";
  let arguments = (ins Sinter_IndexTensor:$indices);
  let results = (outs Sinter_NumberTensor:$result);
  let assemblyFormat = "$indices attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def DynamicSliceOp : Sinter_Op<"dynamic_slice", "Gather", "Widest", [Pure, Infer, ElementNoVector, Vjp]> {
  let summary = "`size` elements of x from a place that is data: one scalar of `start` for each dimension";
  let description = "A start is moved to the nearest one that leaves the slice inside x.";
  let arguments = (ins Sinter_Tensor:$x, Variadic<Sinter_ScalarI64>:$start, DenseI64ArrayAttr:$size);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x `[` $start `]` attr-dict `:` functional-type(operands, results)";
}
def DynamicUpdateSliceOp : Sinter_Op<"dynamic_update_slice", "Gather", "Widest", [Pure, Infer, ElementNoVector, Vjp]> {
  let summary = "x with `update` in place of the slice of its shape at `start`";
  let description = "A start is moved to the nearest one that leaves the update inside x.";
  let arguments = (ins Sinter_Tensor:$x, Sinter_Tensor:$update, Variadic<Sinter_ScalarI64>:$start);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x `,` $update `[` $start `]` attr-dict `:` functional-type(operands, results)";
}

#endif
