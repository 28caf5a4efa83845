#ifndef SINTER_IR_CONTRACTION
#define SINTER_IR_CONTRACTION

include "sinter/ir/Base.td"

class Sinter_Contraction<string mnemonic, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "Contraction", "Low", !listconcat([Pure, Contraction, Vjp], traits)> {
  let moreDeclarations = [{
    int64_t getFlops() { return ::sinter::ir::contractionFlops(getContractionDims()); }
  }];
}

def MatmulOp : Sinter_Contraction<"matmul", [Infer]> {
  let summary = "Batched matrix product [B..., M, K] x [B..., K, N] -> [B..., M, N]";
  let description = [{
    Batch dimensions are equal (the DSL broadcasts). `transpose_a` says the left operand is stored
    [..., K, M]; `transpose_b` that the right one is stored [..., N, K]. Accumulates in f32 for bf16
    and f16.
  }];
  let arguments = (ins Sinter_FloatTensor:$lhs, Sinter_FloatTensor:$rhs,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_a,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_b);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

defvar convAttributes = (ins
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0}">:$padding,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation,
    DefaultValuedAttr<I64Attr, "1">:$groups);

def Conv2dOp : Sinter_Contraction<"conv2d", [Infer]> {
  let summary = "2-d cross-correlation of input [N, C, H, W] with weight [O, C/groups, R, S]";
  let description = "Output height floor((H + 2*padding - dilation*(R-1) - 1) / stride) + 1, width likewise. A bias is a broadcast and an add after it.";
  let arguments = !con((ins Sinter_FloatTensor:$input, Sinter_FloatTensor:$weight), convAttributes);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` functional-type(operands, results)";
}
def Conv2dInputGradOp : Sinter_Contraction<"conv2d_input_grad"> {
  let summary = "Gradient of conv2d with respect to its input, whose type is the result's";
  let arguments = !con((ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$weight), convAttributes);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$grad `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Conv2dWeightGradOp : Sinter_Contraction<"conv2d_weight_grad"> {
  let summary = "Gradient of conv2d with respect to its weight, whose type is the result's";
  let arguments = !con((ins Sinter_FloatTensor:$input, Sinter_FloatTensor:$grad), convAttributes);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$input `,` $grad attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
