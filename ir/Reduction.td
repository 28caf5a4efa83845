#ifndef SINTER_IR_REDUCTION
#define SINTER_IR_REDUCTION

include "sinter/ir/Base.td"

class Sinter_Reduction<string mnemonic, string policy, Type type, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "Reduction", policy, !listconcat([Pure, Infer, Reduction], traits)> {
  let arguments = (ins type:$x, DenseI64ArrayAttr:$dim, DefaultValuedAttr<BoolAttr, "false">:$keepdim);
  let results = (outs type:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let moreDeclarations = [{
    ::llvm::SmallVector<::mlir::AffineMap> getIndexingMaps() {
      return ::sinter::ir::reductionMaps(getOperation());
    }
  }];
}
def SumOp : Sinter_Reduction<"sum", "Full", Sinter_NumberTensor, [Vjp]> {
  let summary = "Sum over dimensions `dim` (non-negative, ascending)";
  let description = "Accumulates in f32 for bf16 and f16 and rounds once. Integers keep their type here; the DSL widens to i64 before, as PyTorch.";
}
def MeanOp : Sinter_Reduction<"mean", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Mean over dimensions"; }
def MaxOp : Sinter_Reduction<"max", "Widest", Sinter_NumberTensor, [Vjp]> {
  let summary = "PyTorch's amax: largest over dimensions; NaN wins";
  let description = "Ties share the gradient equally.";
}
def MinOp : Sinter_Reduction<"min", "Widest", Sinter_NumberTensor, [Vjp]> { let summary = "PyTorch's amin"; }
def ArgmaxOp : Sinter_Reduction<"argmax", "Widest", Sinter_Tensor> {
  let summary = "Row-major index, within the reduced dimensions, of the first largest element";
  let description = "The first NaN wins. The result is i64.";
}
def CumsumOp : Sinter_Op<"cumsum", "Window", "Full", [Pure, SameOperandsAndResultType, ElementNoVector, Vjp]> {
  let summary = "Sums of the elements up to each along `dim`, or from each on when `reverse`";
  let description = [{
    Each result is added up by itself, which a long dimension pays for: the DSL splits those into blocks.
    Accumulates in f32 for bf16 and f16 and rounds once.
  }];
  let arguments = (ins Sinter_NumberTensor:$x, I64Attr:$dim, DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs Sinter_NumberTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
  let hasVerifier = 1;
  let moreDeclarations = "int64_t getFlops();";
}
def ArgsortOp : Sinter_Op<"argsort", "Scatter", "Widest", [Pure, Infer]> {
  let summary = "Indices along `dim` of the elements in ascending order, or in descending order";
  let description = [{
    Stable either way: equal elements keep their order. NaN counts as larger than any number and equal to NaN, as in
    PyTorch. The result is i64; gather along it sorts, and brings the gradient back.
  }];
  let arguments = (ins Sinter_Tensor:$x, I64Attr:$dim, DefaultValuedAttr<BoolAttr, "false">:$descending);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let moreDeclarations = "int64_t getFlops();";
}

#endif
