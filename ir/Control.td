#ifndef SINTER_IR_CONTROL
#define SINTER_IR_CONTROL

include "sinter/ir/Base.td"
include "mlir/IR/SymbolInterfaces.td"

def Sinter_ScalarI1 : StaticShapeTensorOf<[I1]>; // rank 0, checked by the ops

// Regions that run as often as data say. As with a scan, each becomes a private function before fusion.

def CondOp : Op<Sinter_Dialect, "cond", [Pure, FusibleOpInterface, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "One of two regions: the first where `condition` holds, else the second";
  let description = [{
    Both regions have `captures` as their arguments and yield values of the same types, the op's results. The other
    one is not run. The gradient runs the same branch again and its gradient: nothing of a branch is kept.
    `branches`, set before fusion, names the private functions that the regions became.
  }];
  let arguments = (ins Sinter_ScalarI1:$condition, Variadic<Sinter_Tensor>:$captures,
                       OptionalAttr<SymbolRefArrayAttr>:$branches);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$then, SizedRegion<1>:$otherwise);
  let assemblyFormat = [{
    $condition `captures` `(` $captures `)` attr-dict-with-keyword `:` functional-type(operands, results)
    $then `else` $otherwise
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::sinter::ir::FusionKind getFusionKind() { return ::sinter::ir::FusionKind::Loop; }
    /// Of the branch that has more.
    int64_t getFlops();
  }];
}

def WhileOp : Op<Sinter_Dialect, "while", [Pure, FusibleOpInterface, AttrSizedOperandSegments, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "Steps of one region, each from the state that the one before left, while the state's first value holds";
  let description = [{
    The region's arguments are the state, whose first value is an i1 scalar, and `captures`, which are the same at
    every step. It yields the next state. The results are the state in which the first value is false, which may be
    the one that the loop starts with. There is no gradient: how many steps there are is not known before.
    `step`, set before fusion, names the private function that the region became.
  }];
  let arguments = (ins Variadic<Sinter_Tensor>:$init, Variadic<Sinter_Tensor>:$captures,
                       OptionalAttr<FlatSymbolRefAttr>:$step);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `init` `(` $init `)` `captures` `(` $captures `)` attr-dict-with-keyword `:` functional-type(operands, results) $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::sinter::ir::FusionKind getFusionKind() { return ::sinter::ir::FusionKind::Loop; }
    /// Of one step.
    int64_t getFlops();
  }];
}

#endif
