#ifndef SINTER_IR_RANDOM
#define SINTER_IR_RANDOM

include "sinter/ir/Base.td"

// Philox4x32-10: key = the 64-bit seed; counter words = (index / 4 low, index / 4 high, step, stream);
// element i (row-major, logical) takes word i % 4. `stream` is the 32-bit FNV-1a of the module path
// and a counter. Bits do not depend on schedule, fusion or device.
class Sinter_Random<string mnemonic> : Sinter_Op<mnemonic, "Random", "Keep", [Pure, Element]> {
  dag randomArguments = (ins Sinter_ScalarI64:$seed, Sinter_ScalarI64:$step, I64Attr:$stream);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$seed `,` $step attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def RandomUniformOp : Sinter_Random<"random_uniform"> {
  let summary = "low + (high - low) * u, u = (word >> 8) * 2^-24 in [0, 1)";
  let arguments = !con(randomArguments, (ins DefaultValuedAttr<F64Attr, "0.0">:$low, DefaultValuedAttr<F64Attr, "1.0">:$high));
}
def RandomNormalOp : Sinter_Random<"random_normal"> {
  let summary = "mean + std * z by Box-Muller";
  let description = [{
    Elements 2j and 2j+1 of a group of four share words (w0, w1) or (w2, w3): u1 = ((a >> 8) + 1) * 2^-24,
    u2 = (b >> 8) * 2^-24, r = sqrt(-2 ln u1); even: r cos(2 pi u2), odd: r sin(2 pi u2).
  }];
  let arguments = !con(randomArguments, (ins DefaultValuedAttr<F64Attr, "0.0">:$mean, DefaultValuedAttr<F64Attr, "1.0">:$std));
}
def RandomBernoulliOp : Sinter_Random<"random_bernoulli"> {
  let summary = "1 with probability p, else 0: u < p with u as in random_uniform";
  let arguments = !con(randomArguments, (ins F64Attr:$p));
}
def DropoutOp : Sinter_Op<"dropout", "Pointwise", "Widest", [Pure, Infer, Element, Vjp]> {
  let summary = "x / (1 - p) with probability 1 - p (u >= p), else 0";
  let description = "Its gradient is the same op on the cotangent: the mask is drawn again, not stored.";
  let arguments = (ins Sinter_FloatTensor:$x, Sinter_ScalarI64:$seed, Sinter_ScalarI64:$step,
                       I64Attr:$stream, F64Attr:$p);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x `,` $seed `,` $step attr-dict `:` functional-type(operands, results)";
}

#endif
