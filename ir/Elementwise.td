#ifndef SINTER_IR_ELEMENTWISE
#define SINTER_IR_ELEMENTWISE

include "sinter/ir/Base.td"

// To add an elementwise op: a record here, its scalar body in ScalarRules.cpp, its gradient in
// VjpElementwise.cpp, one DSL function and one row of the op table in the tests.

class Sinter_Elementwise<string mnemonic, string policy, list<Trait> traits = []>
    : Sinter_Op<mnemonic, "Pointwise", policy,
                !listconcat([Pure, Scalar, Element], traits)> {
  let moreDeclarations = [{
    ::llvm::SmallVector<::mlir::AffineMap> getIndexingMaps() {
      return ::sinter::ir::identityMaps(getOperation());
    }
  }];
}

class Sinter_Unary<string mnemonic, string policy, Type type, list<Trait> traits = []>
    : Sinter_Elementwise<mnemonic, policy, !listconcat([SameOperandsAndResultType], traits)> {
  let arguments = (ins type:$x);
  let results = (outs type:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}

class Sinter_Binary<string mnemonic, string policy, Type type, list<Trait> traits = []>
    : Sinter_Elementwise<mnemonic, policy, !listconcat([SameOperandsAndResultType], traits)> {
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

// Arithmetic. Operands have one shape and type: the DSL broadcasts and promotes before.
def AddOp : Sinter_Binary<"add", "Widest", Sinter_NumberTensor, [Commutative, Vjp]> { let summary = "a + b"; let hasFolder = 1; }
def SubOp : Sinter_Binary<"sub", "Widest", Sinter_NumberTensor, [Vjp]> { let summary = "a - b"; let hasFolder = 1; }
def MulOp : Sinter_Binary<"mul", "Widest", Sinter_NumberTensor, [Commutative, Vjp]> { let summary = "a * b"; let hasFolder = 1; }
def DivOp : Sinter_Binary<"div", "Widest", Sinter_FloatTensor, [Vjp]> {
  let summary = "True division a / b";
  let description = "Floating point only: integers are cast to f32 before, as PyTorch's `/` does.";
  let hasFolder = 1;
}
def FloorDivideOp : Sinter_Binary<"floor_divide", "Widest", Sinter_NumberTensor> {
  let summary = "floor(a / b), Python's `//`";
  let description = "An integer divisor of zero is an error in the evaluator and an unspecified value, never a trap, elsewhere.";
}
def RemainderOp : Sinter_Binary<"remainder", "Widest", Sinter_NumberTensor, [Vjp]> {
  let summary = "a - floor(a / b) * b, Python's `%`: the sign of b";
}
def PowOp : Sinter_Binary<"pow", "Full", Sinter_FloatTensor, [Vjp]> { let summary = "a to the power b"; let hasFolder = 1; }
def MaximumOp : Sinter_Binary<"maximum", "Widest", Sinter_NumberTensor, [Commutative, Vjp]> {
  let summary = "The larger of a and b; NaN if either is";
  let description = "Where a == b the gradient is halved between them, as PyTorch.";
}
def MinimumOp : Sinter_Binary<"minimum", "Widest", Sinter_NumberTensor, [Commutative, Vjp]> {
  let summary = "The smaller of a and b; NaN if either is";
}
def NegOp : Sinter_Unary<"neg", "Widest", Sinter_NumberTensor, [Vjp]> { let summary = "-x"; }
def AbsOp : Sinter_Unary<"abs", "Widest", Sinter_NumberTensor, [Vjp]> { let summary = "|x|; the derivative at 0 is 0"; }
def SignOp : Sinter_Unary<"sign", "Widest", Sinter_NumberTensor> { let summary = "-1, 0 or 1; NaN stays"; }
def FloorOp : Sinter_Unary<"floor", "Widest", Sinter_FloatTensor> { let summary = "Largest integer not above x"; }
def CeilOp : Sinter_Unary<"ceil", "Widest", Sinter_FloatTensor> { let summary = "Smallest integer not below x"; }

// Functions.
def ExpOp : Sinter_Unary<"exp", "Full", Sinter_FloatTensor, [Vjp]> { let summary = "e to the power x"; }
def LogOp : Sinter_Unary<"log", "Full", Sinter_FloatTensor, [Vjp]> { let summary = "Natural logarithm"; }
def Log1pOp : Sinter_Unary<"log1p", "Full", Sinter_FloatTensor, [Vjp]> { let summary = "log(1 + x)"; }
def SqrtOp : Sinter_Unary<"sqrt", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Square root"; }
def RsqrtOp : Sinter_Unary<"rsqrt", "Full", Sinter_FloatTensor, [Vjp]> { let summary = "1 / sqrt(x)"; }
def SinOp : Sinter_Unary<"sin", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Sine, x in radians"; }
def CosOp : Sinter_Unary<"cos", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Cosine, x in radians"; }
def TanhOp : Sinter_Unary<"tanh", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Hyperbolic tangent"; }
def SigmoidOp : Sinter_Unary<"sigmoid", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "1 / (1 + exp(-x))"; }
def ErfOp : Sinter_Unary<"erf", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "Gauss error function"; }
def ReluOp : Sinter_Unary<"relu", "Widest", Sinter_NumberTensor, [Vjp]> {
  let summary = "max(x, 0); NaN stays; the derivative at 0 is 0";
}
def GeluOp : Sinter_Elementwise<"gelu", "Widest", [SameOperandsAndResultType, Vjp]> {
  let summary = "x * Phi(x), exactly by erf or by PyTorch's tanh approximation";
  let arguments = (ins Sinter_FloatTensor:$x, DefaultValuedStrAttr<StrAttr, "none">:$approximate);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def SiluOp : Sinter_Unary<"silu", "Widest", Sinter_FloatTensor, [Vjp]> { let summary = "x / (1 + exp(-x))"; }
def EluOp : Sinter_Elementwise<"elu", "Widest", [SameOperandsAndResultType, Vjp]> {
  let summary = "x where x > 0, alpha * (exp(x) - 1) elsewhere; accurate near 0";
  let arguments = (ins Sinter_FloatTensor:$x, DefaultValuedAttr<F64Attr, "1.0">:$alpha);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}
def SoftplusOp : Sinter_Elementwise<"softplus", "Full", [SameOperandsAndResultType, Vjp]> {
  let summary = "log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold";
  let arguments = (ins Sinter_FloatTensor:$x, DefaultValuedAttr<F64Attr, "1.0">:$beta,
                       DefaultValuedAttr<F64Attr, "20.0">:$threshold);
  let results = (outs Sinter_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def ClampOp : Sinter_Elementwise<"clamp", "Widest", [SameOperandsAndResultType, Vjp]> {
  let summary = "min(max(x, min), max); NaN stays";
  let description = "The gradient passes where min <= x <= max. For integers the bounds must be whole numbers.";
  let arguments = (ins Sinter_NumberTensor:$x, OptionalAttr<F64Attr>:$min, OptionalAttr<F64Attr>:$max);
  let results = (outs Sinter_NumberTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Sinter_ComparePredicate : I32EnumAttr<"ComparePredicate", "comparison", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>, I32EnumAttrCase<"lt", 2>,
    I32EnumAttrCase<"le", 3>, I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::sinter::ir";
  let genSpecializedAttr = 0;
}
def Sinter_ComparePredicateAttr : EnumAttr<Sinter_Dialect, Sinter_ComparePredicate, "compare">;

def CompareOp : Sinter_Elementwise<"compare", "Widest", [SameTypeOperands, SameOperandsAndResultShape, Infer]> {
  let summary = "Elementwise comparison; comparisons with NaN are false, `ne` true";
  let arguments = (ins Sinter_ComparePredicateAttr:$predicate, Sinter_Tensor:$lhs, Sinter_Tensor:$rhs);
  let results = (outs Sinter_BoolTensor:$result);
  // `: T` of the operands; `: (T, T) -> U` is read, too.
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` custom<BoolResult>(type($lhs), type($rhs), type($result))";
}
def LogicalAndOp : Sinter_Binary<"logical_and", "Widest", Sinter_BoolTensor, [Commutative]> { let summary = "a and b"; }
def LogicalOrOp : Sinter_Binary<"logical_or", "Widest", Sinter_BoolTensor, [Commutative]> { let summary = "a or b"; }
def LogicalNotOp : Sinter_Unary<"logical_not", "Widest", Sinter_BoolTensor> { let summary = "not x"; }
def IsFiniteOp : Sinter_Elementwise<"is_finite", "Widest", [SameOperandsAndResultShape, Infer]> {
  let summary = "Neither infinite nor NaN";
  let arguments = (ins Sinter_FloatTensor:$x);
  let results = (outs Sinter_BoolTensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def SelectOp : Sinter_Elementwise<"select", "Widest", [Infer, Vjp,
    AllTypesMatch<["on_true", "on_false"]>, AllShapesMatch<["condition", "on_true"]>]> {
  let summary = "PyTorch's `where`: condition ? a : b";
  let arguments = (ins Sinter_BoolTensor:$condition, Sinter_Tensor:$on_true, Sinter_Tensor:$on_false);
  let results = (outs Sinter_Tensor:$result);
  // `: T` of the result; `: (C, T, T) -> T` is read, too.
  let assemblyFormat = "$condition `,` $on_true `,` $on_false attr-dict `:` custom<Choice>(type($condition), type($on_true), type($on_false), type($result))";
  let hasFolder = 1;
}
def CastOp : Sinter_Elementwise<"cast", "Keep", [SameOperandsAndResultShape, Vjp]> {
  let summary = "Converts elements to another type";
  let description = [{
    To a narrower float: round to nearest even. Float to integer: truncates, saturates, NaN to 0. To
    i1: x != 0.
  }];
  let arguments = (ins Sinter_Tensor:$x);
  let results = (outs Sinter_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

#endif
