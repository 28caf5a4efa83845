#ifndef SINTER_IR_ATTENTION
#define SINTER_IR_ATTENTION

include "sinter/ir/Base.td"

// Attention: a kernel of its own where the target has one (hasKernel), else opened as other composites.
class Sinter_Attention<string mnemonic, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "Attention", "Low", !listconcat(
        [Pure, Infer, AttrSizedOperandSegments,
         DeclareOpInterfaceMethods<DecomposableOpInterface, ["hasKernel"]>], traits)> {
  let moreDeclarations = [{
    int64_t getFlops();
    ::sinter::ir::AttentionFacts getFacts();
  }];
}

def AttentionOp : Sinter_Attention<"attention", [Vjp]> {
  let summary = "softmax(query key^T scale + mask) value of each head, in one pass over the keys";
  let description = [{
    query [B, H, L, E], key [B, G, S, E], value [B, G, S, V], where G divides H: head h reads group
    h / (H / G) -> [B, H, L, V], and each row's logarithm of the sum of exponentials [B, H, L] (f32 for bf16
    and f16), which with the result is all that the gradient needs. A mask has rank 4 and broadcasts to
    [B, H, L, S]: booleans (true takes part) or numbers to add. `is_causal` leaves out keys after the row.
    With `p` > 0 weights are dropped as sinter.dropout drops elements of [B, H, L, S]. Scores and sums are of
    compute type, rounded once to the result; weights may be rounded to the values' type, which they multiply.
    A row that takes no key is NaN.
  }];
  let arguments = (ins Sinter_FloatTensor:$query, Sinter_FloatTensor:$key, Sinter_FloatTensor:$value,
                       Optional<Sinter_Tensor>:$mask, Optional<Sinter_ScalarI64>:$seed, Optional<Sinter_ScalarI64>:$step,
                       F64Attr:$scale, DefaultValuedAttr<BoolAttr, "false">:$is_causal,
                       DefaultValuedAttr<F64Attr, "0.0">:$p, DefaultValuedAttr<I64Attr, "0">:$stream);
  let results = (outs Sinter_FloatTensor:$result, Sinter_FloatTensor:$logsumexp);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mask` $mask^)? (`seed` $seed^)? (`step` $step^)? attr-dict `:`
    functional-type(operands, results)
  }];
}

def AttentionBackwardOp : Sinter_Attention<"attention_backward"> {
  let summary = "Gradients of attention with respect to query, key and value";
  let description = [{
    `grad` is the cotangent of attention's result; `delta` [B, H, L] holds sum(grad * result) of each row, less
    the cotangent of the logarithm. Weights are computed again from `logsumexp`.
  }];
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$query, Sinter_FloatTensor:$key,
                       Sinter_FloatTensor:$value, Sinter_FloatTensor:$logsumexp, Sinter_FloatTensor:$delta,
                       Optional<Sinter_Tensor>:$mask, Optional<Sinter_ScalarI64>:$seed, Optional<Sinter_ScalarI64>:$step,
                       F64Attr:$scale, DefaultValuedAttr<BoolAttr, "false">:$is_causal,
                       DefaultValuedAttr<F64Attr, "0.0">:$p, DefaultValuedAttr<I64Attr, "0">:$stream);
  let results = (outs Sinter_FloatTensor:$grad_query, Sinter_FloatTensor:$grad_key, Sinter_FloatTensor:$grad_value);
  let assemblyFormat = [{
    $grad `,` $query `,` $key `,` $value `,` $logsumexp `,` $delta (`mask` $mask^)? (`seed` $seed^)? (`step` $step^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

#endif
