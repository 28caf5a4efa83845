#ifndef SINTER_IR_NN
#define SINTER_IR_NN

include "sinter/ir/Base.td"

// Composite ops: whole until late, then opened (DecomposableOpInterface) inside the kernel that
// claims them. Their gradients are composite too.
class Sinter_Composite<string mnemonic, string policy, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "Row", policy, !listconcat([Pure, Decompose], traits)>;

class Sinter_SoftmaxLike<string mnemonic> : Sinter_Composite<mnemonic, "Full", [SameOperandsAndResultType, Vjp]> {
  let arguments = (ins Sinter_FloatTensor:$x, I64Attr:$dim);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def SoftmaxOp : Sinter_SoftmaxLike<"softmax"> { let summary = "exp(x - max) / sum(exp(x - max)) along `dim`"; }
def LogSoftmaxOp : Sinter_SoftmaxLike<"log_softmax"> { let summary = "x - max - log(sum(exp(x - max))) along `dim`"; }

// `reduction`: "mean", "sum" or "none".
def CrossEntropyOp : Sinter_Composite<"cross_entropy", "Full", [Infer, Vjp]> {
  let summary = "torch.nn.functional.cross_entropy with class indices";
  let description = [{
    logits [N, C, d...], target [N, d...] -> [] ("mean" over targets that are not ignored, "sum") or
    [N, d...] ("none"). label_smoothing mixes the target with the uniform distribution.
  }];
  let arguments = (ins Sinter_FloatTensor:$logits, Sinter_IndexTensor:$target,
                       DefaultValuedStrAttr<StrAttr, "mean">:$reduction,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$logits `,` $target attr-dict `:` functional-type(operands, results)";
}
def CrossEntropyGradOp : Sinter_Composite<"cross_entropy_grad", "Full"> {
  let summary = "Gradient of cross_entropy with respect to the logits, times the cotangent `grad` of its result";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$logits, Sinter_IndexTensor:$target,
                       DefaultValuedStrAttr<StrAttr, "mean">:$reduction,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$grad `,` $logits `,` $target attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
class Sinter_Loss<string mnemonic, string policy = "Full"> : Sinter_Composite<mnemonic, policy, [Infer, Vjp]> {
  let arguments = (ins Sinter_FloatTensor:$input, Sinter_FloatTensor:$target,
                       DefaultValuedStrAttr<StrAttr, "mean">:$reduction);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$input `,` $target attr-dict `:` functional-type(operands, results)";
}
def MseLossOp : Sinter_Loss<"mse_loss"> { let summary = "(input - target)^2, reduced"; }
def L1LossOp : Sinter_Loss<"l1_loss"> { let summary = "|input - target|, reduced; the derivative at 0 is 0"; }
def BceWithLogitsOp : Sinter_Loss<"bce_with_logits"> {
  let summary = "Binary cross entropy of sigmoid(input), computed stably, reduced";
}
def BinaryCrossEntropyOp : Sinter_Loss<"binary_cross_entropy", "Refused"> {
  let summary = "Binary cross entropy of probabilities, whose logarithms are at least -100, reduced";
  let description = [{
    The gradient by the input divides by max(input * (1 - input), 1e-12), as PyTorch's. An error under
    mixed precision: bce_with_logits is the form that stands it.
  }];
}

def BatchNormOp : Sinter_Composite<"batch_norm", "Keep", [Infer, Vjp]> {
  let summary = "Batch normalisation in training, over all dimensions but 1";
  let description = [{
    x [N, C, ...], weight and bias [C] -> y, mean [C], biased variance [C] (f32 for bf16 and f16 x).
    The caller updates running statistics from them. x may be narrower than the parameters: y follows
    x, and mixed precision leaves the parameters alone.
  }];
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, Sinter_FloatTensor:$bias,
                       DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$result, Sinter_FloatTensor:$mean, Sinter_FloatTensor:$variance);
  let assemblyFormat = "$x `,` $weight `,` $bias attr-dict `:` functional-type(operands, results)";
}
def BatchNormGradOp : Sinter_Composite<"batch_norm_grad", "Keep", [Infer]> {
  let summary = "Gradients of batch_norm with respect to x, weight and bias";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight,
                       Sinter_FloatTensor:$mean, Sinter_FloatTensor:$variance,
                       DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$grad_x, Sinter_FloatTensor:$grad_weight, Sinter_FloatTensor:$grad_bias);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def BatchNormInferenceOp : Sinter_Composite<"batch_norm_inference", "Keep", [Infer, Vjp]> {
  let summary = "(x - mean) / sqrt(variance + eps) * weight + bias with given statistics [C]";
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, Sinter_FloatTensor:$bias,
                       Sinter_FloatTensor:$mean, Sinter_FloatTensor:$variance,
                       DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def LayerNormOp : Sinter_Composite<"layer_norm", "Full", [Infer, Vjp]> {
  let summary = "Normalises over the trailing dimensions that weight and bias have";
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, Sinter_FloatTensor:$bias,
                       DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def LayerNormGradOp : Sinter_Composite<"layer_norm_grad", "Full", [Infer]> {
  let summary = "Gradients of layer_norm with respect to x, weight and bias";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight,
                       DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$grad_x, Sinter_FloatTensor:$grad_weight, Sinter_FloatTensor:$grad_bias);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def RmsNormOp : Sinter_Composite<"rms_norm", "Full", [Infer, Vjp]> {
  let summary = "x / sqrt(mean(x * x) + eps) * weight over the trailing dimensions that weight has";
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, F64Attr:$eps);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def RmsNormGradOp : Sinter_Composite<"rms_norm_grad", "Full", [Infer]> {
  let summary = "Gradients of rms_norm with respect to x and weight";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, F64Attr:$eps);
  let results = (outs Sinter_FloatTensor:$grad_x, Sinter_FloatTensor:$grad_weight);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def GroupNormOp : Sinter_Composite<"group_norm", "Full", [Infer, Vjp]> {
  let summary = "Normalises each sample over num_groups groups of neighbouring channels";
  let description = "x [N, C, ...], weight and bias [C]; num_groups divides C.";
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight, Sinter_FloatTensor:$bias,
                       I64Attr:$num_groups, DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def GroupNormGradOp : Sinter_Composite<"group_norm_grad", "Full", [Infer]> {
  let summary = "Gradients of group_norm with respect to x, weight and bias";
  let arguments = (ins Sinter_FloatTensor:$grad, Sinter_FloatTensor:$x, Sinter_FloatTensor:$weight,
                       I64Attr:$num_groups, DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Sinter_FloatTensor:$grad_x, Sinter_FloatTensor:$grad_weight, Sinter_FloatTensor:$grad_bias);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

// Pooling over the last two dimensions of [N, C, H, W].
defvar poolAttributes = (ins DenseI64ArrayAttr:$kernel_size, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0}">:$padding,
    DefaultValuedAttr<BoolAttr, "false">:$ceil_mode);
class Sinter_Pool<string mnemonic, list<Trait> traits> : Sinter_Op<mnemonic, "Window", "Widest",
    !listconcat([Pure, ElementNoVector], traits)>;
def MaxPool2dOp : Sinter_Pool<"max_pool2d", [Infer, Vjp]> {
  let summary = "Largest element of each window, and its row-major place in the window (ui8)";
  let description = "The first largest or first NaN wins; padding never does. A window has at most 255 places.";
  let arguments = !con((ins Sinter_FloatTensor:$x), poolAttributes);
  let results = (outs Sinter_FloatTensor:$result, StaticShapeTensorOf<[UI8]>:$place);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def MaxPool2dGradOp : Sinter_Pool<"max_pool2d_grad", [Vjp]> {
  let summary = "Routes each window's gradient to its place; the result's type is the input's";
  let arguments = !con((ins Sinter_FloatTensor:$grad, StaticShapeTensorOf<[UI8]>:$place), poolAttributes);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$grad `,` $place attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def AvgPool2dOp : Sinter_Pool<"avg_pool2d", [Infer, Vjp]> {
  let summary = "Mean of each window; with count_include_pad the padding counts as zeros";
  let arguments = !con((ins Sinter_FloatTensor:$x), poolAttributes,
                       (ins DefaultValuedAttr<BoolAttr, "true">:$count_include_pad));
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def AvgPool2dGradOp : Sinter_Pool<"avg_pool2d_grad", [Vjp]> {
  let summary = "Spreads each window's gradient over it; the result's type is the input's";
  let arguments = !con((ins Sinter_FloatTensor:$grad), poolAttributes,
                       (ins DefaultValuedAttr<BoolAttr, "true">:$count_include_pad));
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$grad attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
